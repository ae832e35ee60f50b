//! From the fine histogram of the recorders to the few buckets that are exported.
//!
//! What is exported must add up, and a recorder's snapshot does: its cells decide how many calls lie between any two of
//! the SLO's thresholds (a *segment*), and no sum of buckets goes down. So nothing has to be remembered between two scrapes.

#[cfg(feature = "prometheus")]
use crate::record::SUM_UNIT;
use crate::record::{Latencies, Recorder};

/// Bucket bounds in nanoseconds, beside the thresholds: 5 ms to 10 s.
const DEFAULT: [u64; 11] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The bounds of the exported buckets.
#[derive(Debug)]
pub(super) struct Ladder {
    /// Ascending; the last bucket, over all of them, has no bound.
    bounds: Vec<u64>,
    /// As Prometheus writes them, in seconds.
    #[cfg(feature = "prometheus")]
    pub(super) labels: Vec<String>,
    /// The segment of each bucket: how many thresholds lie below it.
    segments: Vec<usize>,
}

impl Ladder {
    /// The default bounds and `thresholds` (nanoseconds).
    pub(super) fn new(mut thresholds: Vec<u64>) -> Self {
        thresholds.sort_unstable();
        thresholds.dedup();
        let mut bounds: Vec<u64> = DEFAULT.iter().chain(&thresholds).copied().collect();
        bounds.sort_unstable();
        bounds.dedup();
        let segment = |below: Option<u64>| below.map_or(0, |below| thresholds.partition_point(|t| *t <= below));
        let segments = std::iter::once(None).chain(bounds.iter().copied().map(Some)).map(segment).collect();
        Self {
            #[cfg(feature = "prometheus")]
            labels: bounds.iter().map(|bound| label(seconds(*bound))).collect(),
            bounds,
            segments,
        }
    }

    /// The bounds in seconds.
    #[cfg(feature = "prometheus")]
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.bounds.iter().copied().map(seconds).collect()
    }

    /// The smallest and the largest latency of a bucket, in nanoseconds.
    fn range(&self, bucket: usize) -> (f64, f64) {
        let low = bucket.checked_sub(1).map_or(0.0, |below| self.bounds[below] as f64 + 1.0);
        (low, self.bounds.get(bucket).map_or(f64::MAX, |bound| *bound as f64))
    }

    /// Nothing, counted.
    pub(super) fn empty(&self) -> Durations {
        Durations {
            seen: vec![(0, 0.0); self.segments.len()],
            #[cfg(feature = "prometheus")]
            sum: 0,
        }
    }

    /// How a recorder's buckets lie on this ladder.
    pub(super) fn place(&self, recorder: &Recorder) -> Placement {
        let edges = recorder.bounds();
        let buckets = (0..edges.len()).map(|index| {
            let (low, next) = (edges[index], edges.get(index + 1).copied());
            // A bucket that a bound cuts through goes where its middle is. Thresholds cut none: they are edges.
            let middle = next.map_or(low, |next| low + next.saturating_sub(1).saturating_sub(low) / 2);
            (self.bounds.partition_point(|bound| *bound < middle), middle as f64)
        });
        Placement(buckets.collect())
    }
}

/// Where one recorder's buckets belong: the ladder's bucket, and the latency that stands for it.
#[derive(Debug)]
pub(super) struct Placement(Vec<(usize, f64)>);

/// What a histogram shows.
#[derive(Debug)]
pub(super) struct Durations {
    /// By bucket: how many calls were seen in it, and the sum of their latencies, roughly (nanoseconds).
    seen: Vec<(u64, f64)>,
    /// In units of [`SUM_UNIT`] nanoseconds.
    #[cfg(feature = "prometheus")]
    sum: u64,
}

impl Durations {
    /// Makes it nothing again.
    pub(super) fn clear(&mut self) {
        self.seen.fill((0, 0.0));
        #[cfg(feature = "prometheus")]
        {
            self.sum = 0;
        }
    }

    /// Adds what one recorder holds, as its `cells` have just told.
    pub(super) fn add(
        &mut self,
        recorder: &Recorder,
        cells: &[u64],
        latencies: &Latencies,
        Placement(buckets): &Placement,
    ) {
        recorder.spread(cells, latencies, |index, n| {
            let (bucket, middle) = buckets[index];
            let (seen, sum) = &mut self.seen[bucket];
            *seen = seen.saturating_add(n);
            *sum += n as f64 * middle;
        });
        #[cfg(feature = "prometheus")]
        {
            self.sum = self.sum.wrapping_add(latencies.sum);
        }
    }

    /// How many calls there were.
    pub(super) fn count(&self) -> u64 {
        self.seen.iter().map(|(n, _)| n).sum()
    }

    /// How long they took together, in seconds.
    #[cfg(feature = "prometheus")]
    pub(super) fn sum(&self) -> f64 {
        seconds(self.sum) * SUM_UNIT as f64
    }

    /// For each bound, how many calls took no longer.
    #[cfg(feature = "prometheus")]
    pub(super) fn cumulative(&self) -> impl Iterator<Item = u64> {
        let bounded = self.seen.len() - 1;
        self.seen.iter().take(bounded).scan(0_u64, |below, (n, _)| {
            *below = below.saturating_add(*n);
            Some(*below)
        })
    }

    /// Adds to `given` what came since, and calls `each` with so many seconds, so many times. Of a segment no more is handed
    /// on than is in it: a call that takes the place of a slower one for a moment does not come twice.
    pub(super) fn publish(&self, ladder: &Ladder, given: &mut Vec<Given>, mut each: impl FnMut(f64, u64)) {
        given.resize(self.seen.len(), Given::default());
        let mut room = vec![0_u64; self.seen.len()];
        for ((seen, _), segment) in self.seen.iter().zip(&ladder.segments) {
            room[*segment] = room[*segment].saturating_add(*seen);
        }
        for (given, segment) in given.iter().zip(&ladder.segments) {
            room[*segment] = room[*segment].saturating_sub(given.calls);
        }
        for (index, ((seen, sum), given)) in self.seen.iter().zip(given).enumerate() {
            let room = &mut room[ladder.segments[index]];
            let more = seen.saturating_sub(given.calls).min(*room);
            if more > 0 {
                *room -= more;
                given.calls += more;
                // What makes the sum right; but never a value of another bucket.
                let due = sum / *seen as f64 * given.calls as f64 - given.sum;
                let (low, high) = ladder.range(index);
                let value = (due / more as f64).clamp(low, high);
                given.sum += value * more as f64;
                each(value / 1e9, more);
            }
        }
    }
}

/// What of a bucket was handed on, in calls and in the sum of their latencies (nanoseconds).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    calls: u64,
    sum: f64,
}

#[cfg(feature = "prometheus")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A bound as Prometheus 3 writes it, which 2 takes as it is: `1.0`, `0.25`, `5e-05`.
#[cfg(feature = "prometheus")]
fn label(seconds: f64) -> String {
    if seconds >= 1e-4 {
        return format!("{seconds:?}");
    }
    let text = format!("{seconds:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}
