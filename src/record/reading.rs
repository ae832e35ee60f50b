//! Reading what was counted: sums over all shards, shard by shard, for that is how they lie in memory.

use super::{HISTOGRAM, Lane, Mapping, NOTED, NOTES, PAD, Recorder, Shard, histogram, slots};
#[cfg(any(feature = "metrics", plimsoll_loom))]
use super::{MAX_THRESHOLDS, SUM, UNTIMED};
use crate::outcome::Outcome;
use crate::sync::{AtomicU64, Ordering};
use crate::time::nanos;
use crossbeam_utils::CachePadded;
use std::ops::Range;

/// Words that are looked at together.
#[cfg(any(feature = "metrics", plimsoll_loom))]
const LINE: usize = 8;

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

    /// As many words of the head, from `first` on.
    pub(super) fn sums<const N: usize>(&self, first: usize) -> [u64; N] {
        let mut sums = [0; N];
        self.shards().for_each(|shard| add_to(&mut sums, &shard.head[first..], Ordering::Relaxed));
        sums
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
        self.sums(NOTED)
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

    /// Everything: the cells, into `cells`, and by bucket of the histogram ([`bounds`](Self::bounds)) the calls in it, in
    /// parts. Events that took no time are in the first.
    ///
    /// The histogram may be ahead of the cells by calls that end just now. The cells decide how many calls a latency class has,
    /// and the histogram where they are: of those it has beyond that, the slowest are left for the next time. So the two agree,
    /// and no sum of buckets from the first on ever goes down; nor is the histogram read any further.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn snapshot(&self, cells: &mut Vec<u64>, mut each: impl FnMut(usize, u64)) {
        let classes = self.classes();
        cells.clear();
        cells.resize(Outcome::COUNT * classes, 0);
        for shard in self.shards() {
            // Of one shard, for calls are counted in both by the same thread.
            let mut by_class = [0_u64; MAX_THRESHOLDS + 1];
            let (seen, unseen) = shard.cells[PAD..].split_at(cells.len());
            let pairs = seen.iter().zip(unseen).zip((0..classes).cycle());
            for (sum, ((seen, unseen), class)) in cells.iter_mut().zip(pairs) {
                // Acquired: see `put`.
                let n = seen.load(Ordering::Acquire).wrapping_add(unseen.load(Ordering::Acquire));
                *sum = sum.wrapping_add(n);
                by_class[class] = by_class[class].wrapping_add(n);
            }
            for (class, mut left) in by_class.into_iter().enumerate().filter(|(_, n)| *n > 0) {
                let mut take = |index, n: u64| {
                    let n = n.min(left);
                    left -= n;
                    each(index, n);
                    left > 0
                };
                if class > 0 || take(0, shard.head[UNTIMED].load(Ordering::Relaxed)) {
                    let words = self.buckets(class);
                    let first = words.start;
                    read(&shard.head[HISTOGRAM..][words], |index, n| take(first + index, n));
                }
            }
        }
    }

    /// Those of a latency class.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    fn buckets(&self, class: usize) -> Range<usize> {
        let under = class.checked_sub(1).and_then(|under| self.thresholds.get(under));
        let first = under.map_or(0, |under| histogram::bucket(under.saturating_add(1)));
        let last = self.thresholds.get(class).map_or(histogram::BUCKETS - 1, |limit| histogram::bucket(*limit));
        first + class..last + class + 1
    }

    /// The sum of all latencies, in [`SUM_UNIT`](super::SUM_UNIT)s.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn sum_of_latencies(&self) -> u64 {
        let [sum] = self.sums(SUM);
        sum
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

    /// The smallest latency of each bucket of [`snapshot`](Self::snapshot), in nanoseconds: ascending.
    ///
    /// A threshold that is itself the end of a bucket leaves an index that no latency has; it repeats its successor.
    #[cfg(feature = "metrics")]
    pub(crate) fn bounds(&self) -> Vec<u64> {
        let mut edges: Vec<u64> = (0..histogram::BUCKETS).map(histogram::lower).collect();
        edges.extend(self.thresholds.iter().map(|t| t.saturating_add(1)));
        edges.sort_unstable();
        edges
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

/// Gives each of `words` that is not zero to `take`, until that has enough.
#[cfg(any(feature = "metrics", plimsoll_loom))]
fn read(words: &[AtomicU64], mut take: impl FnMut(usize, u64) -> bool) {
    let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
    let (lines, rest) = words.as_chunks::<LINE>();
    for (line, words) in lines.iter().enumerate() {
        // Most are.
        if words.iter().fold(0, |any, word| any | load(word)) > 0
            && !words.iter().enumerate().all(|(index, word)| take(line * LINE + index, load(word)))
        {
            return;
        }
    }
    _ = rest.iter().enumerate().all(|(index, word)| take(lines.len() * LINE + index, load(word)));
}

fn add_to(sums: &mut [u64], words: &[AtomicU64], order: Ordering) {
    for (sum, word) in sums.iter_mut().zip(words) {
        *sum = sum.wrapping_add(word.load(order));
    }
}
