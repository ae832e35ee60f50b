//! Reading what was counted: sums over all shards, shard by shard, for that is how they lie in memory.

use super::epochs::EPOCHS;
use super::shard::{BRIEF, LINE, ROOM, Shard};
use super::{Lane, Mapping, NOTES, Owned, Recorder, histogram, slots};
use crate::outcome::Outcome;
use crate::sync::Ordering;
use crate::time::nanos;
#[cfg(any(feature = "metrics", plimsoll_loom))]
use std::ops::Range;

/// What [`Recorder::cells_into`] saw of latencies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latencies {
    /// Their sum, in [`SUM_UNIT`](super::SUM_UNIT)s; that of a call over a threshold that ended just then may be left for the
    /// next time.
    pub(crate) sum: u64,
    /// Of brief calls, by bucket.
    brief: [u64; BRIEF],
}

impl Recorder {
    /// Those in which anything can have been counted.
    fn shards(&self) -> impl Iterator<Item = &Shard> {
        let own = self.own.iter().take(slots::claimed());
        let shared = (self.own.len() < slots::owned() || slots::shared()).then_some(&self.shared.0);
        own.chain(shared)
    }

    /// Calls in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        let sum = self.shards().map(Shard::in_flight).fold(0, u64::wrapping_add);
        // Shards are read one after another: a call that moved between two readings may show as −1.
        if sum > i64::MAX as u64 { 0 } else { sum }
    }

    /// Calls in flight by epoch.
    pub(super) fn ages(&self) -> [u64; EPOCHS] {
        let mut sums = [0_u32; EPOCHS];
        self.shards().filter_map(Shard::ages).for_each(|ages| add_halves_to(&mut sums, ages));
        // As above.
        sums.map(|n| if n > i32::MAX as u32 { 0 } else { n.into() })
    }

    /// How often each thing was noted.
    pub(crate) fn notes(&self) -> [u64; NOTES] {
        let mut sums = [0_u64; NOTES];
        for shard in self.shards() {
            add_to(&mut sums, shard.notes());
        }
        sums
    }

    fn seen_into(&self, out: &mut Vec<u64>) {
        out.clear();
        out.resize(self.disowned.len(), 0);
        self.shards().for_each(|shard| shard.look().add_seen_to(out, self.classes()));
    }

    /// The cells, summed over all threads, into `out`.
    pub(crate) fn cells_into(&self, out: &mut Vec<u64>) -> Latencies {
        out.clear();
        out.resize(self.disowned.len(), 0);
        let mut latencies = Latencies::default();
        for look in self.shards().map(Shard::look) {
            look.add_seen_to(out, self.classes());
            look.add_unseen_to(out, self.classes());
            latencies.sum = latencies.sum.wrapping_add(look.sum());
            add_to(&mut latencies.brief, look.brief);
        }
        latencies
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

    /// The lower halves of the histogram's counters, over all threads; brief calls are apart, and in full.
    fn halves(&self) -> ([u32; ROOM], [u64; BRIEF]) {
        let (mut sums, mut brief) = ([0_u32; ROOM], [0_u64; BRIEF]);
        for look in self.shards().map(Shard::look) {
            add_to(&mut brief, look.brief);
            if look.shard.is_used() {
                for (sums, begin) in sums.chunks_mut(LINE).zip((0..).step_by(LINE)) {
                    add_halves_to(sums, look.shard.line(begin));
                }
            }
        }
        (sums, brief)
    }

    /// Brings the full histogram up to date; gives what is not in it.
    fn keep_up(&self, full: &mut [u64]) -> [u64; BRIEF] {
        let (halves, brief) = self.halves();
        catch_up(full, &halves);
        brief
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
        let brief = match self.histogram.try_lock() {
            None => {
                let (halves, brief) = self.halves();
                self.add_buckets_to(&halves.map(u64::from), out);
                brief
            }
            Some(mut full) => {
                let brief = self.keep_up(&mut full);
                self.add_buckets_to(&full, out);
                brief
            }
        };
        add_to(out, brief);
    }

    /// The same, in full.
    #[cfg(feature = "http")]
    pub(crate) fn latency(&self) -> [u64; histogram::BUCKETS] {
        let mut out = [0; histogram::BUCKETS];
        let mut full = self.histogram.lock();
        let brief = self.keep_up(&mut full);
        self.add_buckets_to(&full, &mut out);
        add_to(&mut out, brief);
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

    /// How the calls that [`cells_into`](Self::cells_into) has just told of lie in the histogram, by bucket
    /// ([`bounds`](Self::bounds)) and in parts. Events that took no time are in the first.
    ///
    /// The histogram may be ahead of the cells by calls that ended since. The cells decide how many calls a latency class has,
    /// and the histogram where they are: of those it has beyond that, the slowest are left for the next time. So the two agree,
    /// and no sum of buckets from the first on ever goes down; nor is the histogram read any further.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn spread(&self, cells: &[u64], latencies: &Latencies, mut each: impl FnMut(usize, u64)) {
        // Whoever saw a call in the cells sees it in what is read from here on. Locked first: whoever comes after somebody else
        // must look into every shard that he looked into.
        let mut full = self.histogram.lock();
        let used: Vec<&Shard> = self.shards().filter(|shard| shard.is_used()).collect();
        let untimed = used.iter().map(|shard| shard.untimed());
        let mut untimed = untimed.fold(0, u64::wrapping_add);
        for class in 0..self.classes() {
            let of_class = cells.iter().skip(class).step_by(self.classes());
            let mut left = of_class.fold(0_u64, |sum, n| sum.wrapping_add(*n));
            let mut take = |index, n: u64| {
                let n = n.min(left);
                left -= n;
                each(index, n);
                left > 0
            };
            let mut wanted = take(0, std::mem::take(&mut untimed));
            if class == 0 {
                wanted = (0..).zip(latencies.brief).all(|(index, n)| take(index, n));
            }
            let words = self.buckets(class);
            for begin in words.clone().step_by(LINE) {
                let Some(full) = full.get_mut(begin..words.end.min(begin + LINE)).filter(|_| wanted) else { break };
                let mut halves = [0_u32; LINE];
                used.iter().for_each(|shard| add_halves_to(&mut halves, shard.line(begin)));
                catch_up(full, &halves);
                // Most are zero.
                wanted = full.iter().all(|n| *n == 0) || full.iter().enumerate().all(|(i, n)| take(begin + i, *n));
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

    /// The smallest latency of each bucket that [`spread`](Self::spread) tells of, in nanoseconds: ascending.
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
        let words = self.disowned.len() + self.thresholds.len() + self.histogram.lock().len();
        let shards = size_of_val(&*self.own) + self.own.len() * Owned::KNOWN + size_of_val(&*self.shared);
        let beside = (self.own.len() + 1) * self.shared.0.memory_footprint_beside();
        size_of::<Self>() + shards + beside + words * size_of::<u64>()
    }
}

fn add_to(sums: &mut [u64], more: impl IntoIterator<Item = u64>) {
    for (sum, n) in sums.iter_mut().zip(more) {
        *sum = sum.wrapping_add(n);
    }
}

fn add_halves_to(sums: &mut [u32], more: impl IntoIterator<Item = u32>) {
    for (sum, n) in sums.iter_mut().zip(more) {
        *sum = sum.wrapping_add(n);
    }
}

/// Brings counters up to date of which the lower halves are these now. None comes round between two looks: the windows look
/// every few seconds in which there are calls. Whoever has the lock sees no less in the shards than who had it before.
fn catch_up(full: &mut [u64], halves: &[u32]) {
    for (full, half) in full.iter_mut().zip(halves) {
        *full = full.wrapping_add(half.wrapping_sub(*full as u32).into());
    }
}

#[cfg(all(test, not(plimsoll_loom)))]
mod tests {
    use super::{Ordering, Recorder, histogram, slots};
    use crate::outcome::Row;

    #[test]
    #[cfg(feature = "metrics")]
    fn brief_calls_are_told_of_as_all_others_are() {
        use crate::outcome::Outcome;
        use std::time::Duration;

        slots::current(); // slots that nobody has are not read
        for thresholds in [&[][..], &[100], &[100, 300], &[384], &[1_000]] {
            let limits: Vec<_> = thresholds.iter().map(|nanos| Duration::from_nanos(*nanos)).collect();
            let recorder = Recorder::with_slots(&limits, None, 1);
            let classes = thresholds.len() + 1;
            let (mut cells, mut sum) = (vec![0; Outcome::COUNT * classes], 0);
            let (mut split, mut buckets) = (vec![0; histogram::BUCKETS + thresholds.len()], [0; histogram::BUCKETS]);
            for (n, nanos) in (0..1_100).chain(0..1_100).enumerate() {
                let row = [Row::SUCCESS, Outcome::FAILURE.row()][usize::from(n % 5 == 0)];
                recorder.record(n % 2, row, nanos);
                let class = thresholds.partition_point(|limit| *limit < nanos);
                let bucket = histogram::bucket(nanos);
                cells[usize::from(row.0) * classes + class] += 1;
                (split[bucket + class], buckets[bucket]) = (split[bucket + class] + 1, buckets[bucket] + 1);
                sum += nanos / 64;
            }
            let (mut seen, mut spread, mut added) = (Vec::new(), vec![0; split.len()], [0; histogram::BUCKETS]);
            let latencies = recorder.cells_into(&mut seen);
            recorder.spread(&seen, &latencies, |index, n| spread[index] += n);
            recorder.add_latency_to(&mut added);
            assert_eq!((&seen, latencies.sum, &spread), (&cells, sum, &split), "{thresholds:?}");
            assert_eq!((added, recorder.in_flight()), (buckets, 0), "{thresholds:?}");
        }
    }

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
                let shard = if slot == 0 { &recorder.own[0] } else { &recorder.shared.0 };
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
