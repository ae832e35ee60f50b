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
pub(crate) mod slots;

pub(crate) use epochs::EPOCHS;
pub(crate) use lane::{Lane, Mapping};

use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::time::nanos;
use epochs::{Epochs, Past};
use std::time::Duration;

/// Things that can be told apart by [`Recorder::note`].
pub(crate) const NOTES: usize = 7;

// A shard: calls in flight by epoch, the sum of latencies, notes, the histogram; at `CELLS` the cells. What comes before
// them has the size of a power of two, so that indices can be masked where they would else be checked.
const SUM: usize = EPOCHS;
const HISTOGRAM: usize = SUM + 1 + NOTES;
const CELLS: usize = 512;
/// How many thresholds there is room for. No declaration has as many, for they are refused.
const MAX_THRESHOLDS: usize = CELLS - HISTOGRAM - histogram::BUCKETS;

/// 128 bytes between shards: two lines, for the prefetcher fetches them in pairs.
const PAD: usize = 16;

/// Counts what happens, on many threads at once.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Ascending, in nanoseconds; exceeding is `>`.
    thresholds: Box<[u64]>,
    /// A success over this is slow.
    slow_over: u64,
    owned: usize,
    stride: usize,
    words: Box<[AtomicU64]>,
    /// Calls in the cells that are not the breaker's concern, cell by cell.
    disowned: Box<[AtomicU64]>,
    epochs: Epochs,
    past: Mutex<[Past; EPOCHS]>,
}

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

/// What was counted so far, over all threads.
#[cfg(any(feature = "metrics", plimsoll_loom))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Calls by outcome and latency class.
    pub(crate) cells: Vec<u64>,
    /// Calls by latency: the histogram, its buckets split at the thresholds. Refusals are in its first bucket, so that
    /// it counts exactly the calls that the cells count.
    pub(crate) latency: Vec<u64>,
    /// The sum of all latencies, in nanoseconds.
    pub(crate) sum: u64,
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
        let used = CELLS + Outcome::COUNT * classes;
        let stride = used.next_multiple_of(PAD) + PAD;
        Self {
            thresholds: sorted.into(),
            slow_over: slow.map_or(u64::MAX, nanos),
            owned,
            stride,
            words: (0..stride * (owned + 1) + PAD).map(|_| AtomicU64::new(0)).collect(),
            disowned: (0..Outcome::COUNT * classes).map(|_| AtomicU64::new(0)).collect(),
            epochs: Epochs::new(),
            past: Mutex::new([Past::default(); EPOCHS]),
        }
    }

    /// Counts a call in; the epoch must be handed to [`finish`](Self::finish).
    #[inline]
    pub(crate) fn start(&self, slot: usize) -> u8 {
        let epoch = self.epochs.current();
        self.add(slot, usize::from(epoch), 1);
        epoch
    }

    /// Takes back a [`start`](Self::start): there is no call after all.
    pub(crate) fn stop(&self, slot: usize, epoch: u8) {
        self.add(slot, usize::from(epoch) % EPOCHS, u64::MAX);
    }

    /// Counts a call out.
    #[inline]
    pub(crate) fn finish(&self, slot: usize, epoch: u8, row: Row, latency: u64) -> Row {
        let (row, class) = self.sort(row, latency);
        let shard = self.shard(slot);
        // Started on one thread and finished on another: each shard alone may wrap below zero, the sum does not.
        let epoch = usize::from(epoch) % EPOCHS;
        if slot < self.owned {
            own(&shard[epoch], u64::MAX, Ordering::Relaxed);
            self.put(shard, own, row, class, latency);
        } else {
            share(&shard[epoch], u64::MAX, Ordering::Relaxed);
            self.put(shard, share, row, class, latency);
        }
        row
    }

    /// Counts a call that was never in flight.
    pub(crate) fn record(&self, slot: usize, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        let add = if slot < self.owned { own } else { share };
        self.put(self.shard(slot), add, row, class, latency);
    }

    #[inline]
    fn put(&self, shard: &[AtomicU64], add: impl Fn(&AtomicU64, u64, Ordering), row: Row, class: usize, latency: u64) {
        // Always there; asked once, so that nothing below is checked.
        let Some((head, cells)) = shard.split_first_chunk::<CELLS>() else { return };
        add(&head[SUM], latency, Ordering::Relaxed);
        add(&head[(HISTOGRAM + histogram::bucket(latency) + class) % CELLS], 1, Ordering::Relaxed);
        if let Some(cell) = cells.get(row.0 as usize * self.classes() + class) {
            // Last, and released: whoever sees the call in its cell also sees it in the histogram.
            add(cell, 1, Ordering::Release);
        }
    }

    /// Counts `n` events that took no time: refusals, and indicators that are no request.
    ///
    /// Refusals stay out of the histogram here, so that they do not pull the quantiles down; see [`Snapshot`].
    #[inline]
    pub(crate) fn count(&self, slot: usize, outcome: Outcome, n: u64) {
        if !outcome.is_refusal() {
            self.add(slot, HISTOGRAM, n);
        }
        self.add(slot, CELLS + outcome.row().0 as usize * self.classes(), n);
    }

    /// Counts a thing that is told apart by number only, up to [`NOTES`].
    #[inline]
    pub(crate) fn note(&self, slot: usize, note: usize) {
        self.add(slot, SUM + 1 + note.min(NOTES - 1), 1);
    }

    #[inline]
    fn add(&self, slot: usize, word: usize, n: u64) {
        let word = &self.shard(slot)[word];
        if slot < self.owned { own(word, n, Ordering::Release) } else { share(word, n, Ordering::Release) }
    }

    #[inline]
    fn shard(&self, slot: usize) -> &[AtomicU64] {
        // A recorder may own fewer slots than there are: threads beyond them share its last shard.
        &self.words[PAD + slot.min(self.owned) * self.stride..][..self.stride]
    }

    /// Takes a call out of what the breaker sees: it was admitted in an earlier life of it. For its SLI it counts.
    #[cold]
    pub(crate) fn disown(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        // Before the call is counted, and released: the breaker may see it taken out too early, never too late.
        self.disowned[row.0 as usize * self.classes() + class].fetch_add(1, Ordering::Release);
    }

    /// Shows the breaker a call that is not counted yet, or that will be counted as something else.
    #[cfg(feature = "tower")]
    pub(crate) fn adopt(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        self.disowned[row.0 as usize * self.classes() + class].fetch_sub(1, Ordering::Release);
    }

    /// How often each thing was noted.
    pub(crate) fn notes(&self) -> [u64; NOTES] {
        std::array::from_fn(|note| self.sum(SUM + 1 + note, Ordering::Relaxed))
    }

    /// The latency class, and whether a success was slow.
    #[inline]
    fn sort(&self, row: Row, latency: u64) -> (Row, usize) {
        let mut class = 0;
        for threshold in &self.thresholds {
            class += usize::from(latency > *threshold);
        }
        let slow = row == Row::SUCCESS && latency > self.slow_over;
        (if slow { Row::SLOW } else { row }, class)
    }

    #[inline]
    fn classes(&self) -> usize {
        self.thresholds.len() + 1
    }

    fn sum(&self, word: usize, order: Ordering) -> u64 {
        (0..=self.owned).map(|slot| self.words[PAD + slot * self.stride + word].load(order)).fold(0, u64::wrapping_add)
    }

    /// The cells, summed over all threads, into `out`.
    pub(crate) fn cells_into(&self, out: &mut Vec<u64>) {
        out.clear();
        let end = CELLS + Outcome::COUNT * self.classes();
        // Acquired: see `put`.
        out.extend((CELLS..end).map(|word| self.sum(word, Ordering::Acquire)));
    }

    /// The cells as the breaker sees them, into `out`.
    pub(crate) fn owned_cells_into(&self, out: &mut Vec<u64>) {
        self.cells_into(out);
        for (cell, disowned) in out.iter_mut().zip(&self.disowned) {
            let left = cell.wrapping_sub(disowned.load(Ordering::Acquire));
            // Taken out before it was counted: it is not there, rather than there 2^64 times.
            *cell = if left > i64::MAX as u64 { 0 } else { left };
        }
    }

    /// The histogram without its splits, added to `out` ([`histogram::BUCKETS`] long).
    pub(crate) fn add_latency_to(&self, out: &mut [u64]) {
        let mut index = 0;
        for (bucket, cell) in out.iter_mut().enumerate().take(histogram::BUCKETS) {
            let next = histogram::lower(bucket + 1);
            let end = bucket + 1 + self.thresholds.partition_point(|t| *t < next);
            for word in index..end {
                *cell = cell.wrapping_add(self.sum(HISTOGRAM + word, Ordering::Relaxed));
            }
            index = end;
        }
    }

    /// Everything; the histogram holds at least every call that the cells hold.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.cells_into(&mut snapshot.cells);
        let buckets = histogram::BUCKETS + self.thresholds.len();
        snapshot.latency = (HISTOGRAM..HISTOGRAM + buckets).map(|word| self.sum(word, Ordering::Relaxed)).collect();
        snapshot.sum = self.sum(SUM, Ordering::Relaxed);
        let refused = Outcome::ALL.iter().filter(|outcome| outcome.is_refusal());
        let refused: u64 = refused.map(|outcome| snapshot.cells[outcome.row().0 as usize * self.classes()]).sum();
        snapshot.latency[0] = snapshot.latency[0].wrapping_add(refused);
        snapshot
    }

    /// Calls by outcome.
    pub(crate) fn outcomes(&self) -> [u64; Outcome::COUNT] {
        let mut cells = Vec::new();
        self.cells_into(&mut cells);
        let mut outcomes = [0_u64; Outcome::COUNT];
        for (outcome, row) in outcomes.iter_mut().zip(cells.chunks(self.classes())) {
            *outcome = row.iter().fold(0, |sum, n| sum.wrapping_add(*n));
        }
        outcomes
    }

    /// The smallest latency of each bucket of [`Snapshot::latency`], in nanoseconds: ascending.
    ///
    /// A threshold that is itself the end of a bucket leaves an index that no latency has; it repeats its successor.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn bounds(&self) -> Vec<u64> {
        let mut edges: Vec<u64> = (0..histogram::BUCKETS).map(histogram::lower).collect();
        edges.extend(self.thresholds.iter().map(|t| t.saturating_add(1)));
        edges.sort_unstable();
        edges
    }

    /// What the latency classes are told apart by: ascending, in nanoseconds; class `c` exceeded the first `c`.
    #[cfg(feature = "metrics")]
    pub(crate) fn thresholds(&self) -> &[u64] {
        &self.thresholds
    }

    /// `lane`, resolved against these cells.
    pub(crate) fn mapping(&self, lane: &Lane) -> Mapping {
        let verdicts = Outcome::ALL.iter().flat_map(|outcome| {
            (0..self.classes()).map(move |class| {
                // In class `c` the first `c` thresholds were exceeded.
                lane.verdict(*outcome, |limit| self.thresholds[..class].contains(&nanos(limit)))
            })
        });
        Mapping::new(verdicts)
    }

    /// Bytes it takes, whatever the traffic.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + (self.words.len() + self.disowned.len() + self.thresholds.len()) * 8
    }
}
