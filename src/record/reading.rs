//! Reading what was counted: sums over all shards, shard by shard, for that is how they lie in memory.

use super::shard::{ROOM, Shard};
use super::{Lane, Mapping, NOTES, Recorder, histogram, slots};
use crate::outcome::Outcome;
use crate::sync::{AtomicU64, Ordering};
use crate::time::nanos;

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

impl Recorder {
    /// Those in which anything can have been counted.
    fn shards(&self) -> impl Iterator<Item = &Shard> {
        let own = self.own.iter().take(slots::claimed());
        let shared = (self.own.len() < slots::owned() || slots::shared()).then_some(&**self.shared);
        own.map(|shard| &**shard).chain(shared)
    }

    /// The sum of a word over all shards.
    fn sum(&self, word: impl Fn(&Shard) -> &AtomicU64, order: Ordering) -> u64 {
        self.shards().map(|shard| word(shard).load(order)).fold(0, u64::wrapping_add)
    }

    /// Calls in flight in an epoch, modulo 2³².
    pub(super) fn sum_in_flight(&self, epoch: usize) -> u32 {
        self.shards().map(|shard| shard.in_flight[epoch].load(Ordering::Relaxed)).fold(0, u32::wrapping_add)
    }

    /// How often each thing was noted.
    pub(crate) fn notes(&self) -> [u64; NOTES] {
        std::array::from_fn(|note| self.sum(|shard| &shard.notes[note], Ordering::Relaxed))
    }

    fn seen_into(&self, out: &mut Vec<u64>) {
        out.clear();
        out.resize(self.disowned.len(), 0);
        self.shards().for_each(|shard| shard.add_seen_to(out, self.classes()));
    }

    /// The cells, summed over all threads, into `out`.
    pub(crate) fn cells_into(&self, out: &mut Vec<u64>) {
        self.seen_into(out);
        self.shards().for_each(|shard| shard.add_unseen_to(out, self.classes()));
    }

    /// The cells as the breaker sees them, into `out`: at the least, for one that may be taken out meanwhile.
    pub(crate) fn seen_at_least_into(&self, out: &mut Vec<u64>) {
        self.seen_into(out);
        for (cell, disowned) in out.iter_mut().zip(&self.disowned) {
            let left = cell.wrapping_sub(disowned.load(Ordering::Acquire));
            // Counted and taken out between the two: it is not there, rather than there 2^64 times.
            *cell = if left > i64::MAX as u64 { 0 } else { left };
        }
    }

    /// The same, at the most: whoever is known to be taken out was counted before.
    pub(crate) fn seen_at_most_into(&self, out: &mut Vec<u64>) {
        let disowned: Vec<u64> = self.disowned.iter().map(|cell| cell.load(Ordering::Acquire)).collect();
        self.seen_into(out);
        for (cell, disowned) in out.iter_mut().zip(disowned) {
            *cell = cell.wrapping_sub(disowned);
        }
    }

    /// The lower halves of the histogram's counters, over all threads.
    fn halves(&self) -> [u32; ROOM] {
        let mut sums = [0_u32; ROOM];
        for shard in self.shards().filter(|shard| shard.is_used()) {
            for (sum, word) in sums.iter_mut().zip(&shard.histogram) {
                *sum = sum.wrapping_add(word.load(Ordering::Relaxed));
            }
        }
        sums
    }

    /// Brings the full histogram up to date. No counter comes round between two looks: the windows look every few seconds
    /// in which there are calls. Whoever has the lock sees no less in the shards than who had it before.
    fn keep_up(&self, full: &mut [u64]) {
        for (full, half) in full.iter_mut().zip(self.halves()) {
            *full = full.wrapping_add(half.wrapping_sub(*full as u32).into());
        }
    }

    /// [`keep_up`](Self::keep_up), unless somebody else is about it.
    pub(crate) fn look(&self) {
        if let Some(mut full) = self.histogram.try_lock() {
            self.keep_up(&mut full);
        }
    }

    /// The histogram without its splits, added to `out` ([`histogram::BUCKETS`] long). If somebody looks just now, only the
    /// lower halves of its counters: nobody is waited for.
    pub(crate) fn add_latency_to(&self, out: &mut [u64]) {
        match self.histogram.try_lock() {
            None => self.add_buckets_to(&self.halves().map(u64::from), out),
            Some(mut full) => {
                self.keep_up(&mut full);
                self.add_buckets_to(&full, out);
            }
        }
    }

    /// The same, in full.
    #[cfg(feature = "http")]
    pub(crate) fn latency(&self) -> [u64; histogram::BUCKETS] {
        let mut out = [0; histogram::BUCKETS];
        let mut full = self.histogram.lock();
        self.keep_up(&mut full);
        self.add_buckets_to(&full, &mut out);
        out
    }

    fn add_buckets_to(&self, split: &[u64], out: &mut [u64]) {
        let mut begin = 0;
        for (bucket, sum) in out.iter_mut().enumerate().take(histogram::BUCKETS) {
            let next = histogram::lower(bucket + 1);
            let end = bucket + 1 + self.thresholds.partition_point(|t| *t < next);
            *sum = split.iter().take(end).skip(begin).fold(*sum, |sum, n| sum.wrapping_add(*n));
            begin = end;
        }
    }

    /// Everything; the histogram holds at least every call that the cells hold.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.cells_into(&mut snapshot.cells);
        let mut full = self.histogram.lock();
        self.keep_up(&mut full);
        snapshot.latency = full.to_vec();
        drop(full);
        snapshot.sum = self.sum(|shard| &shard.sum, Ordering::Relaxed);
        let untimed = self.sum(|shard| &shard.untimed, Ordering::Acquire);
        snapshot.latency.iter_mut().take(1).for_each(|first| *first = first.wrapping_add(untimed));
        snapshot
    }

    /// The sum of all latencies, in [`SUM_UNIT`](super::SUM_UNIT)s.
    #[cfg(feature = "metrics")]
    pub(crate) fn sum_of_latencies(&self) -> u64 {
        self.sum(|shard| &shard.sum, Ordering::Relaxed)
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
        let words = self.disowned.len() + self.thresholds.len() + self.histogram.lock().len();
        size_of::<Self>() + (self.own.len() + 1) * self.shared.memory_footprint() + words * size_of::<u64>()
    }
}

#[cfg(all(test, not(plimsoll_loom)))]
mod tests {
    use super::{Ordering, Recorder, histogram, slots};
    use crate::outcome::Row;

    #[test]
    fn a_bucket_may_come_round_in_any_shard() {
        let recorder = Recorder::with_slots(&[], None, 1);
        let bucket = histogram::bucket(5_000);
        slots::current(); // slots that nobody has are not read
        let mut counted = 0;
        for round in 1..=3 {
            for slot in [0, 1] {
                recorder.record(slot, Row::SUCCESS, 5_000);
                // As many calls as may come between two looks.
                let shard = if slot == 0 { &recorder.own[0] } else { &*recorder.shared };
                shard.histogram[bucket].fetch_add(u32::MAX - 1, Ordering::Relaxed);
                counted += u64::from(u32::MAX);
                recorder.look();
                let mut buckets = [0; histogram::BUCKETS];
                recorder.add_latency_to(&mut buckets);
                assert_eq!((buckets[bucket], buckets.iter().sum::<u64>()), (counted, counted), "{round}");
            }
        }
    }
}
