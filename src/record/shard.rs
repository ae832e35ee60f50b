//! What is counted in one place: a thread slot's own, or the one that all other threads share.

use super::epochs::EPOCHS;
use super::{NOTES, SUM_UNIT, histogram};
use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Room for the histogram.
pub(super) const ROOM: usize = if cfg!(plimsoll_loom) { 64 } else { 484 };
/// The histogram's counters to a cache line. The owner knows those of the first: to calls of a microsecond the wait for a line
/// matters no more.
pub(super) const LINE: usize = 16;
/// Cells to a cache line.
const CELLS: usize = 8;

/// Who reads a line takes it away from the thread that counts there, and hardware that fetches a line may fetch the other one of
/// its pair too. So of a pair one line at most is written by every call.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Shard {
    /// Calls in flight by epoch. Started on one thread and finished on another: each shard alone may wrap below zero, the
    /// sum does not.
    pub(super) in_flight: [AtomicU32; EPOCHS],
    /// That new calls are counted in.
    epoch: AtomicU32,
    /// The other cells, on lines of their own: those that the breaker sees, and those that it does not.
    others: Box<[Cells]>,
    often: Often,
    /// The lower halves of its counters: see [`Recorder::keep_up`](super::Recorder::keep_up).
    pub(super) histogram: [AtomicU32; ROOM],
    pub(super) notes: [AtomicU64; NOTES],
}

/// What is read often. One pair of lines, and every call writes to the first.
#[derive(Debug)]
#[repr(C, align(128))]
struct Often {
    /// Whether anything was counted in `others`, where whoever reads would wait for memory.
    uses_others: AtomicU32,
    /// Of latencies, in [`SUM_UNIT`]s.
    sum: AtomicU64,
    /// The cells of calls that exceeded no threshold, as the breaker sees them.
    within: [AtomicU64; Outcome::COUNT],
    /// Whether somebody who [looked](Shard::look) saw that anything was counted here.
    is_used: AtomicBool,
    /// Events without a latency.
    untimed: AtomicU64,
}

#[derive(Debug)]
#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

/// A shard that one thread writes to.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Owned {
    known: Known,
    pub(super) shard: Shard,
}

/// What the owner of a shard last wrote to words of it. A line that somebody read is away, and adding to it would have to wait
/// for its return; with this at hand, which nobody else reads, the owner only stores there, and waits for nothing.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Known {
    in_flight: [AtomicU32; EPOCHS],
    histogram: [AtomicU32; LINE],
    sum: AtomicU64,
    /// Others write it, every now and then.
    epoch: AtomicU32,
    cells: [AtomicU64; Outcome::COUNT],
}

/// A shard that threads share.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Shard);

/// The cells of a shard, of which those that every call writes to were read at once: a line is taken from its owner once then,
/// and not again while it is being read.
pub(super) struct Look<'a> {
    pub(super) shard: &'a Shard,
    within: [u64; Outcome::COUNT],
    uses_others: bool,
    /// Of latencies.
    pub(super) sum: u64,
}

/// Which cell a call is counted in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Within(Row),
    Other(usize),
}

impl Cell {
    /// That of a latency class, of so many.
    #[inline]
    pub(super) fn seen(row: Row, class: usize, classes: usize) -> Self {
        match class.checked_sub(1) {
            None => Self::Within(row),
            Some(class) => Self::Other(row.0 as usize * (classes - 1) + class),
        }
    }

    /// The same for a call that the breaker does not see.
    pub(super) fn unseen(row: Row, class: usize, classes: usize) -> Self {
        Self::Other(Outcome::COUNT * (classes - 1) + row.0 as usize * classes + class)
    }
}

/// How a shard is written to.
pub(super) trait Write {
    fn shard(&self) -> &Shard;

    /// That new calls are counted in.
    fn epoch(&self) -> &AtomicU32;

    /// What is known of the shard.
    fn known(&self) -> Option<&Known>;

    /// Adds to a word, of which it may be known what it is.
    fn add(word: &AtomicU64, known: Option<&AtomicU64>, n: u64, order: Ordering);

    fn add_half(word: &AtomicU32, known: Option<&AtomicU32>, n: u32, order: Ordering);

    /// Lets new calls be counted in this epoch.
    fn turn_epoch(&self, epoch: u32) {
        // Relaxed: a call that is counted in the epoch that just closed is as old as that epoch says, to a hair.
        self.epoch().store(epoch, Ordering::Relaxed);
    }

    /// Counts a call in; gives the epoch.
    #[inline]
    fn start(&self) -> u8 {
        let epoch = self.epoch().load(Ordering::Relaxed) as u8;
        self.add_in_flight(epoch, 1, Ordering::Release);
        epoch
    }

    /// Counts it out.
    #[inline]
    fn stop(&self, epoch: u8, order: Ordering) {
        self.add_in_flight(epoch, u32::MAX, order);
    }

    #[inline]
    fn add_in_flight(&self, epoch: u8, n: u32, order: Ordering) {
        let epoch = usize::from(epoch) % EPOCHS;
        Self::add_half(&self.shard().in_flight[epoch], self.known().map(|known| &known.in_flight[epoch]), n, order);
    }

    #[inline]
    fn put(&self, cell: Cell, class: usize, latency: u64) {
        let (shard, known) = (self.shard(), self.known());
        Self::add(&shard.often.sum, known.map(|known| &known.sum), latency / SUM_UNIT, Ordering::Relaxed);
        let index = histogram::bucket(latency) + class;
        match known.and_then(|known| known.histogram.get(index)) {
            known @ Some(_) => Self::add_half(&shard.histogram[index], known, 1, Ordering::Relaxed),
            None => Self::add_half(&shard.histogram[index % ROOM], None, 1, Ordering::Relaxed),
        }
        self.count(cell, 1);
    }

    #[inline]
    fn count(&self, cell: Cell, n: u64) {
        let shard = self.shard();
        // Last, and released: whoever sees the call in its cell also sees it in the histogram.
        match cell {
            Cell::Within(row) => {
                let row = usize::from(row.0);
                if let Some(word) = shard.often.within.get(row) {
                    Self::add(word, self.known().map(|known| &known.cells[row]), n, Ordering::Release);
                }
            }
            Cell::Other(index) => {
                let uses_others = &shard.often.uses_others;
                // Relaxed: whoever is bound to see the call in its cell is bound to see this, for it comes before.
                if uses_others.load(Ordering::Relaxed) == 0 {
                    uses_others.store(1, Ordering::Relaxed);
                }
                if let Some(line) = shard.others.get(index / CELLS) {
                    Self::add(&line.0[index % CELLS], None, n, Ordering::Release);
                }
            }
        }
    }

    /// Counts events without a latency.
    #[inline]
    fn count_untimed(&self, n: u64) {
        Self::add(&self.shard().often.untimed, None, n, Ordering::Release);
    }

    /// Counts a thing that is told apart by number only.
    #[inline]
    fn note(&self, note: usize) {
        Self::add(&self.shard().notes[note.min(NOTES - 1)], None, 1, Ordering::Release);
    }
}

/// No other thread writes there: nothing can come between load and store.
impl Write for Owned {
    #[inline]
    fn shard(&self) -> &Shard {
        &self.shard
    }

    #[inline]
    fn epoch(&self) -> &AtomicU32 {
        &self.known.epoch
    }

    #[inline]
    fn known(&self) -> Option<&Known> {
        Some(&self.known)
    }

    #[inline]
    fn add(word: &AtomicU64, known: Option<&AtomicU64>, n: u64, order: Ordering) {
        let n = known.unwrap_or(word).load(Ordering::Relaxed).wrapping_add(n);
        if let Some(known) = known {
            known.store(n, Ordering::Relaxed);
        }
        word.store(n, order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, known: Option<&AtomicU32>, n: u32, order: Ordering) {
        let n = known.unwrap_or(word).load(Ordering::Relaxed).wrapping_add(n);
        if let Some(known) = known {
            known.store(n, Ordering::Relaxed);
        }
        word.store(n, order);
    }
}

impl Write for Shared {
    #[inline]
    fn shard(&self) -> &Shard {
        &self.0
    }

    #[inline]
    fn epoch(&self) -> &AtomicU32 {
        &self.0.epoch
    }

    #[inline]
    fn known(&self) -> Option<&Known> {
        None
    }

    #[inline]
    fn add(word: &AtomicU64, _: Option<&AtomicU64>, n: u64, order: Ordering) {
        word.fetch_add(n, order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, _: Option<&AtomicU32>, n: u32, order: Ordering) {
        word.fetch_add(n, order);
    }
}

impl Owned {
    pub(super) fn new(classes: usize) -> Self {
        let known = Known {
            in_flight: std::array::from_fn(|_| AtomicU32::new(0)),
            histogram: std::array::from_fn(|_| AtomicU32::new(0)),
            sum: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        Self { known, shard: Shard::new(classes) }
    }
}

impl Shard {
    pub(super) fn new(classes: usize) -> Self {
        let others = Outcome::COUNT * (2 * classes - 1);
        let lines = (0..others.div_ceil(CELLS)).map(|_| Cells(std::array::from_fn(|_| AtomicU64::new(0))));
        Self {
            in_flight: std::array::from_fn(|_| AtomicU32::new(0)),
            epoch: AtomicU32::new(0),
            others: lines.collect(),
            often: Often {
                uses_others: AtomicU32::new(0),
                sum: AtomicU64::new(0),
                within: std::array::from_fn(|_| AtomicU64::new(0)),
                is_used: AtomicBool::new(false),
                untimed: AtomicU64::new(0),
            },
            histogram: std::array::from_fn(|_| AtomicU32::new(0)),
            notes: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Reads what every call writes to.
    pub(super) fn look(&self) -> Look<'_> {
        // Acquire: see `count`.
        let Often { uses_others, sum, within, is_used, .. } = &self.often;
        let within = within.each_ref().map(|cell| cell.load(Ordering::Acquire));
        let (sum, uses_others) = (sum.load(Ordering::Relaxed), uses_others.load(Ordering::Relaxed) != 0);
        if (uses_others || within.iter().any(|n| *n != 0)) && !is_used.load(Ordering::Relaxed) {
            is_used.store(true, Ordering::Relaxed);
        }
        Look { shard: self, within, uses_others, sum }
    }

    /// Whether anything was counted here as of when somebody last [looked](Self::look). Most threads never call most guards,
    /// and a histogram is long.
    pub(super) fn is_used(&self) -> bool {
        self.often.is_used.load(Ordering::Relaxed)
    }

    /// Events without a latency.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(super) fn untimed(&self) -> u64 {
        self.often.untimed.load(Ordering::Relaxed)
    }

    /// [`LINE`] counters of the histogram from the one at `begin` on.
    pub(super) fn line(&self, begin: usize) -> [u32; LINE] {
        let counters = self.histogram.get(begin..).unwrap_or_default();
        std::array::from_fn(|i| counters.get(i).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }

    /// Bytes that it takes beside its own size.
    pub(super) fn memory_footprint_beside(&self) -> usize {
        size_of_val(&*self.others)
    }
}

impl Look<'_> {
    fn others(&self) -> impl Iterator<Item = &AtomicU64> {
        self.shard.others.iter().filter(|_| self.uses_others).flat_map(|line| line.0.iter())
    }

    /// Adds the cells that the breaker sees to `out`, which has as many.
    pub(super) fn add_seen_to(&self, out: &mut [u64], classes: usize) {
        for (sum, n) in out.iter_mut().step_by(classes).zip(self.within) {
            *sum = sum.wrapping_add(n);
        }
        let classes_over = out.chunks_exact_mut(classes).flat_map(|row| row.iter_mut().skip(1));
        for (sum, cell) in classes_over.zip(self.others()) {
            *sum = sum.wrapping_add(cell.load(Ordering::Acquire));
        }
    }

    /// The same of those that it does not see.
    pub(super) fn add_unseen_to(&self, out: &mut [u64], classes: usize) {
        for (sum, cell) in out.iter_mut().zip(self.others().skip(Outcome::COUNT * (classes - 1))) {
            *sum = sum.wrapping_add(cell.load(Ordering::Acquire));
        }
    }
}

#[cfg(all(test, not(plimsoll_loom)))]
mod tests {
    use super::{Cell, Owned, Write};
    use crate::outcome::Outcome;
    use crate::sync::{AtomicU32, AtomicU64, Ordering};

    #[test]
    fn what_the_owner_knows_is_what_is_there() {
        let owned = Owned::new(3);
        let mut epochs = Vec::new();
        for n in 0..5_000_u64 {
            owned.turn_epoch(n as u32 / 7 % 16);
            epochs.push(owned.start());
            // Some begin here and end elsewhere, and some the other way round.
            for _ in 0..n % 3 {
                owned.stop(epochs[n as usize / 2], Ordering::Relaxed);
            }
            let (row, class) = (Outcome::ALL[n as usize % Outcome::COUNT].row(), n as usize % 5 % 3);
            let cell = if n % 11 == 0 { Cell::unseen(row, class, 3) } else { Cell::seen(row, class, 3) };
            owned.put(cell, class, n * 7_919 % 3_000);
            owned.count(Cell::Within(row), n % 2);
        }
        let Owned { known, shard } = &owned;
        let halves = |words: &[AtomicU32]| words.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let words = |words: &[AtomicU64]| words.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
        assert_eq!(known.sum.load(Ordering::Relaxed), shard.often.sum.load(Ordering::Relaxed));
        assert_eq!(words(&known.cells), words(&shard.often.within));
        assert_eq!(halves(&known.in_flight), halves(&shard.in_flight));
        assert_eq!(halves(&known.histogram), halves(&shard.histogram[..known.histogram.len()]));
        // All of it was put to use.
        assert!(words(&known.cells).iter().all(|n| *n != 0));
        assert!(halves(&known.in_flight).iter().any(|n| *n != 0));
        assert!(halves(&known.histogram).iter().all(|n| *n != 0));
    }
}
