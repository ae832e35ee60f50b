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

/// In this order: what a call loads lies on the first lines, what it only stores on those after them.
#[derive(Debug)]
#[repr(C, align(64))]
#[cfg_attr(any(target_arch = "aarch64", target_arch = "powerpc64"), repr(align(128)))] // cache lines are longer there
pub(super) struct Shard {
    known: Known,
    /// Calls in flight by epoch. Started on one thread and finished on another: each shard alone may wrap below zero, the
    /// sum does not.
    pub(super) in_flight: [AtomicU32; EPOCHS],
    /// Whether anything was counted in `others`, where whoever reads would wait for memory.
    uses_others: AtomicU32,
    /// Of latencies, in [`SUM_UNIT`]s.
    sum: AtomicU64,
    /// The cells of calls that exceeded no threshold, as the breaker sees them.
    within: [AtomicU64; Outcome::COUNT],
    /// Whether somebody who [looked](Self::look) saw that anything was counted here.
    is_used: AtomicBool,
    /// Events without a latency.
    pub(super) untimed: AtomicU64,
    /// The lower halves of its counters: see [`Recorder::keep_up`](super::Recorder::keep_up).
    pub(super) histogram: [AtomicU32; ROOM],
    pub(super) notes: [AtomicU64; NOTES],
    /// The other cells, on lines of their own: those that the breaker sees, and those that it does not.
    others: Box<[Cells]>,
}

const _: () = assert!(cfg!(plimsoll_loom) || std::mem::offset_of!(Shard, histogram) % 64 == 0);

#[derive(Debug)]
#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

/// What the owner of a shard last wrote to words of it. A line that somebody read is away, and adding to it would have to wait
/// for its return; with this at hand, which nobody else reads, the owner only stores there, and waits for nothing.
///
/// The last of its lines is seldom used: hardware that fetches a line may fetch its neighbour too.
#[derive(Debug)]
#[repr(C, align(64))]
struct Known {
    in_flight: [AtomicU32; EPOCHS],
    histogram: [AtomicU32; LINE],
    sum: AtomicU64,
    /// That new calls are counted in. Others write it, every now and then.
    epoch: AtomicU32,
    cells: [AtomicU64; Outcome::COUNT],
}

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

/// How a word is added to, of which the owner may know what it is.
pub(super) trait Write {
    fn add(word: &AtomicU64, known: Option<&AtomicU64>, n: u64, order: Ordering);
    fn add_half(word: &AtomicU32, known: Option<&AtomicU32>, n: u32, order: Ordering);
}

/// On words that no other thread writes: nothing can come between load and store.
pub(super) struct Own;

impl Write for Own {
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

/// On words that threads share.
pub(super) struct Shared;

impl Write for Shared {
    #[inline]
    fn add(word: &AtomicU64, _: Option<&AtomicU64>, n: u64, order: Ordering) {
        word.fetch_add(n, order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, _: Option<&AtomicU32>, n: u32, order: Ordering) {
        word.fetch_add(n, order);
    }
}

impl Shard {
    pub(super) fn new(classes: usize) -> Self {
        let others = Outcome::COUNT * (2 * classes - 1);
        Self {
            known: Known {
                in_flight: std::array::from_fn(|_| AtomicU32::new(0)),
                histogram: std::array::from_fn(|_| AtomicU32::new(0)),
                sum: AtomicU64::new(0),
                epoch: AtomicU32::new(0),
                cells: std::array::from_fn(|_| AtomicU64::new(0)),
            },
            in_flight: std::array::from_fn(|_| AtomicU32::new(0)),
            uses_others: AtomicU32::new(0),
            sum: AtomicU64::new(0),
            within: std::array::from_fn(|_| AtomicU64::new(0)),
            is_used: AtomicBool::new(false),
            untimed: AtomicU64::new(0),
            notes: std::array::from_fn(|_| AtomicU64::new(0)),
            histogram: std::array::from_fn(|_| AtomicU32::new(0)),
            others: (0..others.div_ceil(CELLS)).map(|_| Cells(std::array::from_fn(|_| AtomicU64::new(0)))).collect(),
        }
    }

    /// Lets new calls be counted in this epoch.
    pub(super) fn turn_epoch(&self, epoch: u32) {
        // Relaxed: a call that is counted in the epoch that just closed is as old as that epoch says, to a hair.
        self.known.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Counts a call in; gives the epoch.
    #[inline]
    pub(super) fn start<W: Write>(&self) -> u8 {
        let epoch = self.known.epoch.load(Ordering::Relaxed) as u8;
        self.add_in_flight::<W>(epoch, 1, Ordering::Release);
        epoch
    }

    /// Counts it out.
    #[inline]
    pub(super) fn stop<W: Write>(&self, epoch: u8, order: Ordering) {
        self.add_in_flight::<W>(epoch, u32::MAX, order);
    }

    #[inline]
    fn add_in_flight<W: Write>(&self, epoch: u8, n: u32, order: Ordering) {
        let epoch = usize::from(epoch) % EPOCHS;
        W::add_half(&self.in_flight[epoch], Some(&self.known.in_flight[epoch]), n, order);
    }

    #[inline]
    pub(super) fn put<W: Write>(&self, cell: Cell, class: usize, latency: u64) {
        W::add(&self.sum, Some(&self.known.sum), latency / SUM_UNIT, Ordering::Relaxed);
        let index = histogram::bucket(latency) + class;
        match self.known.histogram.get(index) {
            Some(known) => W::add_half(&self.histogram[index], Some(known), 1, Ordering::Relaxed),
            None => W::add_half(&self.histogram[index % ROOM], None, 1, Ordering::Relaxed),
        }
        self.count::<W>(cell, 1);
    }

    #[inline]
    pub(super) fn count<W: Write>(&self, cell: Cell, n: u64) {
        // Last, and released: whoever sees the call in its cell also sees it in the histogram.
        match cell {
            Cell::Within(row) => {
                let row = usize::from(row.0);
                if let (Some(word), known @ Some(_)) = (self.within.get(row), self.known.cells.get(row)) {
                    W::add(word, known, n, Ordering::Release);
                }
            }
            Cell::Other(index) => {
                // Relaxed: whoever is bound to see the call in its cell is bound to see this, for it comes before.
                if self.uses_others.load(Ordering::Relaxed) == 0 {
                    self.uses_others.store(1, Ordering::Relaxed);
                }
                if let Some(line) = self.others.get(index / CELLS) {
                    W::add(&line.0[index % CELLS], None, n, Ordering::Release);
                }
            }
        }
    }

    /// Reads what every call writes to.
    pub(super) fn look(&self) -> Look<'_> {
        // Acquire: see `count`.
        let within = self.within.each_ref().map(|cell| cell.load(Ordering::Acquire));
        let (sum, uses_others) = (self.sum.load(Ordering::Relaxed), self.uses_others.load(Ordering::Relaxed) != 0);
        if (uses_others || within.iter().any(|n| *n != 0)) && !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
        Look { shard: self, within, uses_others, sum }
    }

    /// Whether anything was counted here as of when somebody last [looked](Self::look). Most threads never call most guards,
    /// and a histogram is long.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// [`LINE`] counters of the histogram from the one at `begin` on.
    pub(super) fn line(&self, begin: usize) -> [u32; LINE] {
        let counters = self.histogram.get(begin..).unwrap_or_default();
        std::array::from_fn(|i| counters.get(i).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }

    /// Bytes that one takes with so many latency classes.
    pub(super) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.others)
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
    use super::{Cell, Own, Shard};
    use crate::outcome::Outcome;
    use crate::sync::{AtomicU32, AtomicU64, Ordering};

    #[test]
    fn what_the_owner_knows_is_what_is_there() {
        let shard = Shard::new(3);
        let mut epochs = Vec::new();
        for n in 0..5_000_u64 {
            shard.turn_epoch(n as u32 / 7 % 16);
            epochs.push(shard.start::<Own>());
            // Some begin here and end elsewhere, and some the other way round.
            for _ in 0..n % 3 {
                shard.stop::<Own>(epochs[n as usize / 2], Ordering::Relaxed);
            }
            let (row, class) = (Outcome::ALL[n as usize % Outcome::COUNT].row(), n as usize % 5 % 3);
            let cell = if n % 11 == 0 { Cell::unseen(row, class, 3) } else { Cell::seen(row, class, 3) };
            shard.put::<Own>(cell, class, n * 7_919 % 3_000);
            shard.count::<Own>(Cell::Within(row), n % 2);
        }
        let known = &shard.known;
        let halves = |words: &[AtomicU32]| words.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let words = |words: &[AtomicU64]| words.iter().map(|n| n.load(Ordering::Relaxed)).collect::<Vec<_>>();
        assert_eq!(known.sum.load(Ordering::Relaxed), shard.sum.load(Ordering::Relaxed));
        assert_eq!(words(&known.cells), words(&shard.within));
        assert_eq!(halves(&known.in_flight), halves(&shard.in_flight));
        assert_eq!(halves(&known.histogram), halves(&shard.histogram[..known.histogram.len()]));
        // All of it was put to use.
        assert!(words(&known.cells).iter().all(|n| *n != 0));
        assert!(halves(&known.in_flight).iter().any(|n| *n != 0));
        assert!(halves(&known.histogram).iter().all(|n| *n != 0));
    }
}
