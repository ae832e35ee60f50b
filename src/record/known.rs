//! What threads know of what they wrote.

use super::shard::{Cell, Hot, Shard, Write};
use crate::outcome::Row;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many there are to a page, one a recorder. Models do with one: what they make must not outlive them.
const PAGE: usize = if cfg!(plimsoll_loom) { 1 } else { 4_096 / size_of::<Known>() };

/// What the owner of a shard last wrote to its hot line. If somebody read that line it is away, and adding to it would have to
/// wait for its return; with this at hand, which nobody else reads, the owner only stores there, and waits for nothing.
///
/// It lies on a page that only its thread uses: on a guess, hardware fetches lines that lie on the page of those that somebody
/// reads, and they would be away as well.
#[derive(Debug)]
#[repr(align(64))]
struct Known {
    hot: Hot,
    /// That new calls are counted in. Others write it, every now and then.
    epoch: AtomicU32,
}

/// What each thread slot knows of one recorder: the first of every [`PAGE`]. What follows it is known of other recorders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knowledge(&'static [Known]);

/// The pages that are being filled, one a slot, and the first place on each that nobody has.
static FREE: Mutex<(&[Known], usize)> = Mutex::new((&[], 0));

impl Knowledge {
    /// For so many slots. It is never given back: recorders live as long as the process.
    pub(super) fn new(slots: usize) -> Self {
        if slots == 0 {
            return Self(&[]);
        }
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, place) = match *free {
            (known, place) if place < PAGE && known.len() >= slots * PAGE => (known, place),
            _ => (pages(slots), 0),
        };
        if !cfg!(plimsoll_loom) {
            *free = (known, place + 1);
        }
        Self(known.get(place..).unwrap_or_default())
    }
}

/// So many, of which each begins where a page does.
fn pages(pages: usize) -> &'static [Known] {
    let known = || Known { hot: Hot::new(), epoch: AtomicU32::new(0) };
    let all: &[Known] = Box::leak(std::iter::repeat_with(known).take((pages + 1) * PAGE - 1).collect());
    let begin =
        all.iter().position(|known| (std::ptr::from_ref(known) as usize).is_multiple_of(PAGE * size_of::<Known>()));
    let all = all.get(begin.unwrap_or_default()..).unwrap_or_default();
    all.get(..pages * PAGE).unwrap_or(all)
}

/// A shard that one thread writes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned<'a> {
    shard: &'a Shard,
    known: &'a Known,
}

impl<'a> Owned<'a> {
    /// That of a slot.
    #[inline]
    pub(super) fn of(shards: &'a [Shard], knowledge: Knowledge, slot: usize) -> Option<Self> {
        // A number that is no slot's is too high for the shards.
        Some(Self { shard: shards.get(slot)?, known: knowledge.0.get(slot.wrapping_mul(PAGE))? })
    }

    /// Bytes of what is known of it.
    pub(super) const KNOWN: usize = size_of::<Known>();

    /// [`Recorder::start`](super::Recorder::start).
    #[inline]
    pub(crate) fn start(self) -> u8 {
        Write::start(&self)
    }

    /// [`Recorder::finish`](super::Recorder::finish) for a call of no epoch that took so little that there is nothing to sort.
    #[inline(always)] // see `GuardCore::admit`
    pub(crate) fn finish_within(self, row: Row, latency: u64) {
        self.put(Cell::Within(row), 0, latency);
    }
}

/// No other thread writes there: nothing can come between load and store.
impl Write for Owned<'_> {
    #[inline]
    fn shard(&self) -> &Shard {
        self.shard
    }

    #[inline]
    fn epoch(&self) -> &AtomicU32 {
        &self.known.epoch
    }

    #[inline]
    fn add_hot(&self, index: usize, n: u64) {
        if let (Some(known), Some(word)) = (self.known.hot.0.get(index), self.shard.hot.0.get(index)) {
            let n = known.load(Ordering::Relaxed).wrapping_add(n);
            known.store(n, Ordering::Relaxed);
            // Release: whoever sees that a call ended sees that it began.
            word.store(n, Ordering::Release);
        }
    }

    #[inline]
    fn add(word: &AtomicU64, n: u64, order: Ordering) {
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, n: u32) {
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(plimsoll_loom)))]
mod tests {
    use super::{Knowledge, Owned, PAGE};
    use crate::outcome::Outcome;
    use crate::record::shard::{Cell, Hot, Shard, Write};
    use crate::sync::Ordering;

    #[test]
    fn what_the_owner_knows_is_what_is_there() {
        let (shard, knowledge) = (Shard::new(3), Knowledge::new(1));
        shard.make_ages();
        let owned = Owned { shard: &shard, known: &knowledge.0[0] };
        let mut epochs = Vec::new();
        for n in 0..5_000_u64 {
            owned.turn_epoch(n as u32 / 7 % 16);
            epochs.push(owned.start());
            // Some begin here and end elsewhere, and some the other way round.
            for _ in 0..n % 3 {
                owned.stop(epochs[n as usize / 2]);
            }
            let (row, class) = (Outcome::ALL[n as usize % Outcome::COUNT].row(), n as usize % 5 % 3);
            let cell = if n % 11 == 0 { Cell::unseen(row, class, 3) } else { Cell::seen(row, class, 3) };
            owned.finish(epochs[n as usize / 3], cell, class, n * 7_919 % 3_000);
            owned.count_untimed(row, n % 2);
        }
        let words = |hot: &Hot| hot.0.each_ref().map(|n| n.load(Ordering::Relaxed));
        let known = words(&owned.known.hot);
        assert_eq!(known, words(&owned.shard.hot));
        assert!(known.iter().all(|n| *n != 0), "all of it was put to use");
    }

    #[test]
    fn every_thread_has_pages_of_its_own_and_every_recorder_a_place_on_each() {
        let all: Vec<_> = (0..3 * PAGE).map(|_| Knowledge::new(3)).collect();
        let place = |of: &Knowledge, slot: usize| std::ptr::from_ref(&of.0[slot * PAGE]) as usize;
        let mut pages = [0, 1, 2].map(|slot| all.iter().map(|of| place(of, slot)).collect::<Vec<_>>());
        for places in &mut pages {
            assert_eq!(places.iter().collect::<std::collections::HashSet<_>>().len(), all.len());
            places.iter_mut().for_each(|place| *place /= 4_096);
            places.dedup();
        }
        assert!(pages[0].iter().all(|page| !pages[1].contains(page) && !pages[2].contains(page)));
        assert!(pages[1].iter().all(|page| !pages[2].contains(page)));
    }
}
