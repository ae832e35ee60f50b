//! Reading what was counted: sums over all shards, shard by shard, for that is how they lie in memory.

use super::{HISTOGRAM, Lane, Mapping, NOTED, NOTES, PAD, Recorder, Shard, histogram, slots};
#[cfg(any(feature = "metrics", plimsoll_loom))]
use super::{SUM, UNTIMED};
use crate::outcome::Outcome;
use crate::sync::{AtomicU64, Ordering};
use crate::time::nanos;
use crossbeam_utils::CachePadded;
use std::ops::Range;

/// What was counted so far, over all threads.
#[cfg(any(feature = "metrics", plimsoll_loom))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Calls by outcome and latency class.
    pub(crate) cells: Vec<u64>,
    /// Calls by latency: the histogram, its buckets split at the thresholds. Events that took no time are in its first
    /// bucket, so that it counts exactly what the cells count.
    pub(crate) latency: Vec<u64>,
    /// The sum of all latencies, in [`SUM_UNIT`](super::SUM_UNIT)s.
    pub(crate) sum: u64,
}

impl Shard {
    /// Whether anything was counted here. Most threads never call most guards, and a histogram is long.
    fn is_used(&self) -> bool {
        self.cells.iter().any(|cell| cell.load(Ordering::Acquire) != 0)
    }
}

impl Recorder {
    /// Those in which anything can have been counted.
    fn shards(&self) -> impl Iterator<Item = &Shard> {
        let own = self.own.iter().take(slots::claimed());
        let shared = (self.own.len() < slots::owned() || slots::shared()).then_some(&**self.shared);
        own.map(|shard| &**shard).chain(shared)
    }

    /// A word of the head.
    pub(super) fn sum(&self, word: usize, order: Ordering) -> u64 {
        self.shards().map(|shard| shard.head[word].load(order)).fold(0, u64::wrapping_add)
    }

    fn cells(&self, range: Range<usize>, out: &mut Vec<u64>) {
        out.clear();
        out.resize(range.len(), 0);
        for shard in self.shards() {
            // Acquired: see `put`.
            add_to(out, &shard.cells[PAD + range.start..PAD + range.end], Ordering::Acquire);
        }
    }

    /// How often each thing was noted.
    pub(crate) fn notes(&self) -> [u64; NOTES] {
        std::array::from_fn(|note| self.sum(NOTED + note, Ordering::Relaxed))
    }

    /// The cells, summed over all threads, into `out`.
    pub(crate) fn cells_into(&self, out: &mut Vec<u64>) {
        let cells = Outcome::COUNT * self.classes();
        self.cells(0..cells, out);
        for shard in self.shards() {
            add_to(out, &shard.cells[PAD + cells..], Ordering::Acquire);
        }
    }

    /// The cells as the breaker sees them, into `out`: at the least, for one that may be taken out meanwhile.
    pub(crate) fn seen_at_least_into(&self, out: &mut Vec<u64>) {
        self.cells(0..self.disowned.len(), out);
        for (cell, disowned) in out.iter_mut().zip(&self.disowned) {
            let left = cell.wrapping_sub(disowned.load(Ordering::Acquire));
            // Counted and taken out between the two: it is not there, rather than there 2^64 times.
            *cell = if left > i64::MAX as u64 { 0 } else { left };
        }
    }

    /// The same, at the most: whoever is known to be taken out was counted before.
    pub(crate) fn seen_at_most_into(&self, out: &mut Vec<u64>) {
        let disowned: Vec<u64> = self.disowned.iter().map(|cell| cell.load(Ordering::Acquire)).collect();
        self.cells(0..disowned.len(), out);
        for (cell, disowned) in out.iter_mut().zip(disowned) {
            *cell = cell.wrapping_sub(disowned);
        }
    }

    /// The histogram without its splits, added to `out` ([`histogram::BUCKETS`] long).
    pub(crate) fn add_latency_to(&self, out: &mut [u64]) {
        for shard in self.shards().filter(|shard| shard.is_used()) {
            let mut words = shard.head[HISTOGRAM..].iter();
            let mut index = 0;
            for (bucket, cell) in out.iter_mut().enumerate().take(histogram::BUCKETS) {
                let next = histogram::lower(bucket + 1);
                let end = bucket + 1 + self.thresholds.partition_point(|t| *t < next);
                for word in words.by_ref().take(end - index) {
                    *cell = cell.wrapping_add(word.load(Ordering::Relaxed));
                }
                index = end;
            }
        }
    }

    /// Everything; the histogram holds at least every call that the cells hold.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.cells_into(&mut snapshot.cells);
        let buckets = histogram::BUCKETS + self.thresholds.len();
        snapshot.latency.resize(buckets, 0);
        for shard in self.shards().filter(|shard| shard.is_used()) {
            add_to(&mut snapshot.latency, &shard.head[HISTOGRAM..], Ordering::Relaxed);
        }
        snapshot.sum = self.sum(SUM, Ordering::Relaxed);
        snapshot.latency[0] = snapshot.latency[0].wrapping_add(self.sum(UNTIMED, Ordering::Acquire));
        snapshot
    }

    /// The sum of all latencies, in [`SUM_UNIT`](super::SUM_UNIT)s.
    #[cfg(feature = "metrics")]
    pub(crate) fn sum_of_latencies(&self) -> u64 {
        self.sum(SUM, Ordering::Relaxed)
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
    #[cfg(feature = "metrics")]
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
        let shards = self.own.len() + 1;
        let cells = shards * self.shared.cells.len();
        size_of::<Self>()
            + shards * size_of::<CachePadded<Shard>>()
            + (cells + self.disowned.len() + self.thresholds.len()) * 8
    }
}

fn add_to(sums: &mut [u64], words: &[AtomicU64], order: Ordering) {
    for (sum, word) in sums.iter_mut().zip(words) {
        *sum = sum.wrapping_add(word.load(order));
    }
}
