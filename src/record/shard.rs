//! What is counted in one place: a thread slot's own, or the one that all other threads share.

use super::epochs::EPOCHS;
use super::{NOTES, SUM_UNIT, histogram};
use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crossbeam_utils::CachePadded;

/// Room for the histogram. A power of two, so that indices into it can be masked where they would else be checked.
pub(super) const ROOM: usize = if cfg!(plimsoll_loom) { 64 } else { 512 };
/// Likewise for the rows of cells, and cells to a pair of cache lines.
const ROWS: usize = 16;

/// In this order: what every call writes lies on two cache lines side by side, but for the histogram.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Shard {
    /// Calls in flight by epoch. Started on one thread and finished on another: each shard alone may wrap below zero, the
    /// sum does not.
    pub(super) in_flight: [AtomicU32; EPOCHS],
    /// That new calls are counted in.
    pub(super) epoch: AtomicU32,
    /// Whether anything was counted in `others`, where whoever reads would wait for memory.
    uses_others: AtomicU32,
    /// Of latencies, in [`SUM_UNIT`]s.
    pub(super) sum: AtomicU64,
    /// The cells of calls that exceeded no threshold, as the breaker sees them.
    within: [AtomicU64; ROWS],
    /// Events without a latency.
    pub(super) untimed: AtomicU64,
    pub(super) notes: [AtomicU64; NOTES],
    /// The lower halves of its counters: see [`Recorder::keep_up`](super::Recorder::keep_up).
    pub(super) histogram: [AtomicU32; ROOM],
    /// The other cells, on lines of their own: those that the breaker sees, and those that it does not.
    others: Box<[CachePadded<[AtomicU64; ROWS]>]>,
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

/// How a word is added to.
pub(super) trait Write {
    fn add(word: &AtomicU64, n: u64, order: Ordering);
    fn add_half(word: &AtomicU32, n: u32, order: Ordering);
}

/// On words that no other thread writes: nothing can come between load and store.
pub(super) struct Own;

impl Write for Own {
    #[inline]
    fn add(word: &AtomicU64, n: u64, order: Ordering) {
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, n: u32, order: Ordering) {
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), order);
    }
}

/// On words that threads share.
pub(super) struct Shared;

impl Write for Shared {
    #[inline]
    fn add(word: &AtomicU64, n: u64, order: Ordering) {
        word.fetch_add(n, order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, n: u32, order: Ordering) {
        word.fetch_add(n, order);
    }
}

impl Shard {
    pub(super) fn new(classes: usize) -> Self {
        let others = Outcome::COUNT * (2 * classes - 1);
        Self {
            in_flight: std::array::from_fn(|_| AtomicU32::new(0)),
            epoch: AtomicU32::new(0),
            uses_others: AtomicU32::new(0),
            sum: AtomicU64::new(0),
            within: std::array::from_fn(|_| AtomicU64::new(0)),
            untimed: AtomicU64::new(0),
            notes: std::array::from_fn(|_| AtomicU64::new(0)),
            histogram: std::array::from_fn(|_| AtomicU32::new(0)),
            others: (0..others.div_ceil(ROWS))
                .map(|_| CachePadded::new(std::array::from_fn(|_| AtomicU64::new(0))))
                .collect(),
        }
    }

    /// Counts a call in; gives the epoch.
    #[inline]
    pub(super) fn start<W: Write>(&self) -> u8 {
        // Relaxed: a call that is counted in the epoch that just closed is as old as that epoch says, to a hair.
        let epoch = self.epoch.load(Ordering::Relaxed) as u8;
        W::add_half(&self.in_flight[usize::from(epoch) % EPOCHS], 1, Ordering::Release);
        epoch
    }

    /// Counts it out.
    #[inline]
    pub(super) fn stop<W: Write>(&self, epoch: u8, order: Ordering) {
        W::add_half(&self.in_flight[usize::from(epoch) % EPOCHS], u32::MAX, order);
    }

    #[inline]
    pub(super) fn put<W: Write>(&self, cell: Cell, class: usize, latency: u64) {
        W::add(&self.sum, latency / SUM_UNIT, Ordering::Relaxed);
        W::add_half(&self.histogram[(histogram::bucket(latency) + class) % ROOM], 1, Ordering::Relaxed);
        self.count::<W>(cell, 1);
    }

    #[inline]
    pub(super) fn count<W: Write>(&self, cell: Cell, n: u64) {
        // Last, and released: whoever sees the call in its cell also sees it in the histogram.
        match cell {
            Cell::Within(row) => W::add(&self.within[row.0 as usize % ROWS], n, Ordering::Release),
            Cell::Other(index) => {
                // Relaxed: whoever is bound to see the call in its cell is bound to see this, for it comes before.
                if self.uses_others.load(Ordering::Relaxed) == 0 {
                    self.uses_others.store(1, Ordering::Relaxed);
                }
                if let Some(line) = self.others.get(index / ROWS) {
                    W::add(&line[index % ROWS], n, Ordering::Release);
                }
            }
        }
    }

    fn others(&self) -> impl Iterator<Item = &AtomicU64> {
        let used = self.uses_others.load(Ordering::Relaxed) != 0;
        self.others.iter().filter(move |_| used).flat_map(|line| line.iter())
    }

    /// Adds the cells that the breaker sees to `out`, which has as many. Acquired: see [`count`](Self::count).
    pub(super) fn add_seen_to(&self, out: &mut [u64], classes: usize) {
        for (sum, cell) in out.iter_mut().step_by(classes).zip(&self.within) {
            *sum = sum.wrapping_add(cell.load(Ordering::Acquire));
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

    /// Whether anything was counted here. Most threads never call most guards, and a histogram is long.
    pub(super) fn is_used(&self) -> bool {
        self.within.iter().chain(self.others()).any(|cell| cell.load(Ordering::Acquire) != 0)
    }

    /// Bytes that one takes with so many latency classes.
    pub(super) fn memory_footprint(&self) -> usize {
        size_of::<CachePadded<Self>>() + size_of_val(&*self.others)
    }
}
