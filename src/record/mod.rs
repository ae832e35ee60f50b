//! RECORD: the hot path. One call is a handful of plain loads and stores on cache lines that its thread owns.
//!
//! A shard has, per thread slot ([`slots`]): calls in flight by epoch, *cells* (one per outcome and latency class), the
//! latency histogram and the sum of latencies. A latency class is how many of the declared thresholds a call exceeded;
//! so one increment of one cell serves any number of objectives, each of which is read from the cells later
//! ([`Lane`]), and good + bad + excluded is the number of calls by construction. The thresholds also split the
//! histogram's buckets, so that its counts are exact at each of them.

mod epochs;
pub(crate) mod histogram;
mod lane;
mod reading;
pub(crate) mod slots;

pub(crate) use epochs::EPOCHS;
pub(crate) use lane::{Lane, Mapping};

use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::time::nanos;
use crossbeam_utils::CachePadded;
use epochs::{Epochs, Past};
use std::time::Duration;

/// Things that can be told apart by [`Recorder::note`].
pub(crate) const NOTES: usize = 12;

// A shard's head: calls in flight by epoch, the sum of latencies, events without one, notes, the histogram.
const SUM: usize = EPOCHS;
const UNTIMED: usize = SUM + 1;
const NOTED: usize = UNTIMED + 1;
const HISTOGRAM: usize = NOTED + NOTES;
/// The sum of latencies is in steps of so many nanoseconds: with ten thousand calls always under way it grows for four
/// years before it wraps, where single nanoseconds would last three weeks.
pub(crate) const SUM_UNIT: u64 = 64;
/// A power of two, so that indices into it can be masked where they would else be checked.
const HEAD: usize = if cfg!(plimsoll_loom) { 64 } else { 512 };
/// How many thresholds there is room for. No declaration has as many, for they are refused.
pub(crate) const MAX_THRESHOLDS: usize = HEAD - HISTOGRAM - histogram::BUCKETS;

/// Counts what happens, on many threads at once.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Ascending, in nanoseconds; exceeding is `>`.
    thresholds: Box<[u64]>,
    /// A success over this is slow.
    slow_over: u64,
    /// The first threshold, or the last number there is: a call within it exceeds none, and is not slow.
    within: u64,
    /// One a thread slot: only the thread that holds the slot writes there.
    own: Box<[CachePadded<Shard>]>,
    /// For threads without a slot.
    shared: Box<CachePadded<Shard>>,
    /// Calls in the cells that are not the breaker's concern, cell by cell.
    disowned: Box<[AtomicU64]>,
    epochs: Epochs,
    past: Mutex<[Past; EPOCHS]>,
}

/// What is counted in one place.
#[derive(Debug)]
struct Shard {
    head: [AtomicU64; HEAD],
    /// By outcome and latency class, first those that the breaker sees; between two lines that nobody writes.
    cells: Box<[AtomicU64]>,
}

impl Shard {
    fn new(cells: usize) -> Self {
        Self {
            head: std::array::from_fn(|_| AtomicU64::new(0)),
            cells: (0..PAD + cells + PAD).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

/// What keeps the cells of two shards apart: 128 bytes, two lines, for the prefetcher fetches them in pairs.
const PAD: usize = if cfg!(plimsoll_loom) { 0 } else { 16 };

/// On a word that no other thread writes: nothing can come between load and store.
#[inline]
fn own(word: &AtomicU64, n: u64, order: Ordering) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(n), order);
}

/// On a word that threads share.
#[inline]
fn share(word: &AtomicU64, n: u64, order: Ordering) {
    word.fetch_add(n, order);
}

impl Recorder {
    /// A recorder that is exact at `thresholds` (and at `slow`, over which a success is slow).
    pub(crate) fn new(thresholds: &[Duration], slow: Option<Duration>) -> Self {
        Self::with_slots(thresholds, slow, slots::owned())
    }

    /// The same with `owned` thread slots, beside the shared one.
    pub(crate) fn with_slots(thresholds: &[Duration], slow: Option<Duration>, owned: usize) -> Self {
        let mut sorted: Vec<u64> = thresholds.iter().chain(&slow).map(|d| nanos(*d)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.truncate(MAX_THRESHOLDS);
        let classes = sorted.len() + 1;
        let cells = 2 * Outcome::COUNT * classes;
        Self {
            within: sorted.first().copied().unwrap_or(u64::MAX),
            thresholds: sorted.into(),
            slow_over: slow.map_or(u64::MAX, nanos),
            own: (0..owned).map(|_| CachePadded::new(Shard::new(cells))).collect(),
            shared: Box::new(CachePadded::new(Shard::new(cells))),
            disowned: (0..Outcome::COUNT * classes).map(|_| AtomicU64::new(0)).collect(),
            epochs: Epochs::new(),
            past: Mutex::new([Past::default(); EPOCHS]),
        }
    }

    /// Counts a call in; the epoch must be handed to [`finish`](Self::finish).
    #[inline]
    pub(crate) fn start(&self, slot: usize) -> u8 {
        let epoch = self.epochs.current();
        self.add(slot, |shard| &shard.head[usize::from(epoch) % EPOCHS], 1);
        epoch
    }

    /// Takes back a [`start`](Self::start): there is no call after all.
    pub(crate) fn stop(&self, slot: usize, epoch: u8) {
        self.add(slot, |shard| &shard.head[usize::from(epoch) % EPOCHS], u64::MAX);
    }

    /// Counts a call out.
    #[inline]
    pub(crate) fn finish(&self, slot: usize, epoch: u8, row: Row, latency: u64) -> Row {
        let (row, class) = self.sort(row, latency);
        self.finish_at(slot, epoch, row.0 as usize * self.classes() + class, class, latency);
        row
    }

    /// Calls that take no longer may be counted out by [`finish_within`](Self::finish_within).
    pub(crate) fn within(&self) -> u64 {
        self.within
    }

    /// [`finish`](Self::finish) for a call that took so little that there is nothing to sort.
    #[inline(always)] // see `GuardCore::admit`
    pub(crate) fn finish_within(&self, slot: usize, epoch: u8, row: Row, latency: u64) {
        self.finish_at(slot, epoch, row.0 as usize * self.classes(), 0, latency);
    }

    /// Counts a call out that is not the breaker's concern: it was admitted in an earlier life of it, or it has seen it.
    #[cold]
    pub(crate) fn finish_unseen(&self, slot: usize, epoch: u8, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        // In cells of its own, so that there is no moment at which the breaker sees it.
        let cell = (Outcome::COUNT + row.0 as usize) * self.classes() + class;
        self.finish_at(slot, epoch, cell, class, latency);
    }

    #[inline(always)] // see `GuardCore::admit`
    fn finish_at(&self, slot: usize, epoch: u8, cell: usize, class: usize, latency: u64) {
        // Started on one thread and finished on another: each shard alone may wrap below zero, the sum does not.
        let epoch = usize::from(epoch) % EPOCHS;
        match self.own.get(slot) {
            Some(shard) => {
                own(&shard.head[epoch], u64::MAX, Ordering::Relaxed);
                put(shard, own, cell, class, latency);
            }
            None => {
                share(&self.shared.head[epoch], u64::MAX, Ordering::Relaxed);
                put(&self.shared, share, cell, class, latency);
            }
        }
    }

    /// Counts a call that was never in flight.
    #[inline]
    pub(crate) fn record(&self, slot: usize, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        let cell = row.0 as usize * self.classes() + class;
        match self.own.get(slot) {
            Some(shard) => put(shard, own, cell, class, latency),
            None => put(&self.shared, share, cell, class, latency),
        }
    }

    /// Counts `n` events that took no time: refusals, and indicators that are no request. They stay out of the histogram,
    /// so that they do not pull the quantiles down.
    #[inline]
    pub(crate) fn count(&self, slot: usize, outcome: Outcome, n: u64) {
        self.add(slot, |shard| &shard.head[UNTIMED], n);
        let cell = PAD + outcome.row().0 as usize * self.classes();
        self.add(slot, |shard| &shard.cells[cell], n);
    }

    /// Counts a thing that is told apart by number only, up to [`NOTES`].
    #[inline]
    pub(crate) fn note(&self, slot: usize, note: usize) {
        self.add(slot, |shard| &shard.head[NOTED + note.min(NOTES - 1)], 1);
    }

    #[inline]
    fn add(&self, slot: usize, word: impl Fn(&Shard) -> &AtomicU64, n: u64) {
        match self.own.get(slot) {
            Some(shard) => own(word(shard), n, Ordering::Release),
            None => share(word(&self.shared), n, Ordering::Release),
        }
    }

    /// Takes a call that was counted out of what the breaker sees: its life ended meanwhile. For its SLI it counts.
    #[cold]
    pub(crate) fn disown(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        self.disowned[row.0 as usize * self.classes() + class].fetch_add(1, Ordering::Release);
    }

    /// Shows the breaker a call that is not counted yet, or that will be counted as something else.
    #[cfg(feature = "tower")]
    pub(crate) fn adopt(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        self.disowned[row.0 as usize * self.classes() + class].fetch_sub(1, Ordering::Release);
    }

    /// The latency class, and whether a success was slow.
    #[inline]
    fn sort(&self, row: Row, latency: u64) -> (Row, usize) {
        let mut class = 0;
        for threshold in &self.thresholds {
            if latency <= *threshold {
                break;
            }
            class += 1;
        }
        let slow = row == Row::SUCCESS && latency > self.slow_over;
        (if slow { Row::SLOW } else { row }, class)
    }

    #[inline]
    fn classes(&self) -> usize {
        self.thresholds.len() + 1
    }
}

#[inline]
fn put(shard: &Shard, add: impl Fn(&AtomicU64, u64, Ordering), cell: usize, class: usize, latency: u64) {
    add(&shard.head[SUM], latency / SUM_UNIT, Ordering::Relaxed);
    add(&shard.head[(HISTOGRAM + histogram::bucket(latency) + class) % HEAD], 1, Ordering::Relaxed);
    if let Some(cell) = shard.cells.get(PAD + cell) {
        // Last, and released: whoever sees the call in its cell also sees it in the histogram.
        add(cell, 1, Ordering::Release);
    }
}
