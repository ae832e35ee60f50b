//! From the fine histogram of the recorders to the few buckets that are exported.
//!
//! A recorder's histogram may be ahead of its cells by calls that ended while the two were read. What is exported must
//! add up, so the cells decide: they know how many calls lie between any two of the SLO's thresholds (a *segment*), and
//! within a segment a bucket bound counts at most that many. A minimum of two numbers that only grow only grows itself:
//! so buckets never go down, and nothing has to be remembered between two scrapes.

use crate::outcome::Outcome;
use crate::record::{Recorder, Snapshot};

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
    pub(super) labels: Vec<String>,
    thresholds: Vec<u64>,
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
        let labels = bounds.iter().map(|bound| label(seconds(*bound))).collect();
        Self { bounds, labels, thresholds, segments }
    }

    /// The bounds in seconds.
    #[cfg(feature = "prometheus")]
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.bounds.iter().copied().map(seconds).collect()
    }

    /// Nothing, counted.
    pub(super) fn empty(&self) -> Durations {
        Durations {
            seen: vec![(0, 0.0); self.segments.len()],
            counted: vec![0; self.thresholds.len() + 1],
            segments: self.segments.clone(),
            sum: 0,
        }
    }

    /// How a recorder's buckets and classes lie on this ladder.
    pub(super) fn place(&self, recorder: &Recorder) -> Placement {
        let edges = recorder.bounds();
        let buckets = (0..edges.len()).map(|index| {
            let (low, next) = (edges[index], edges.get(index + 1).copied());
            // A bucket that a bound cuts through goes where its middle is. Thresholds cut none: they are edges.
            let middle = next.map_or(low, |next| low + next.saturating_sub(1).saturating_sub(low) / 2);
            (self.bounds.partition_point(|bound| *bound < middle), middle as f64)
        });
        let exceeded = |class: usize| class.checked_sub(1).and_then(|last| recorder.thresholds().get(last));
        let classes = (0..=recorder.thresholds().len())
            .map(|class| exceeded(class).map_or(0, |last| self.thresholds.partition_point(|t| t <= last)));
        Placement { buckets: buckets.collect(), classes: classes.collect() }
    }
}

/// Where one recorder's buckets and latency classes belong.
#[derive(Debug)]
pub(super) struct Placement {
    /// By bucket of the recorder: the ladder's bucket, and the latency that stands for it.
    buckets: Vec<(usize, f64)>,
    /// By latency class: the segment.
    classes: Vec<usize>,
}

/// What a histogram shows.
#[derive(Debug)]
pub(super) struct Durations {
    /// By bucket: how many calls were seen in it, and the sum of their latencies, roughly (nanoseconds).
    seen: Vec<(u64, f64)>,
    /// By segment: how many calls the cells hold.
    counted: Vec<u64>,
    segments: Vec<usize>,
    /// Nanoseconds.
    sum: u64,
}

impl Durations {
    /// Adds what one recorder holds.
    pub(super) fn add(&mut self, snapshot: &Snapshot, placement: &Placement) {
        for (n, (bucket, middle)) in snapshot.latency.iter().zip(&placement.buckets) {
            if *n > 0 {
                let (seen, sum) = &mut self.seen[*bucket];
                *seen = seen.saturating_add(*n);
                *sum += *n as f64 * middle;
            }
        }
        let classes = (snapshot.cells.len() / Outcome::COUNT).max(1);
        for row in snapshot.cells.chunks(classes) {
            for (n, segment) in row.iter().zip(&placement.classes) {
                self.counted[*segment] = self.counted[*segment].saturating_add(*n);
            }
        }
        self.sum = self.sum.wrapping_add(snapshot.sum);
    }

    /// How many calls there were.
    pub(super) fn count(&self) -> u64 {
        self.counted.iter().sum()
    }

    /// How long they took together, in seconds.
    #[cfg(feature = "prometheus")]
    pub(super) fn sum(&self) -> f64 {
        seconds(self.sum)
    }

    /// For each bound, how many calls took no longer.
    #[cfg(feature = "prometheus")]
    pub(super) fn cumulative(&self) -> impl Iterator<Item = u64> {
        let (mut segment, mut below, mut seen) = (0, 0, 0_u64);
        let bounded = self.seen.len() - 1;
        self.seen.iter().zip(&self.segments).take(bounded).map(move |((n, _), of)| {
            if *of != segment {
                below += self.counted[segment];
                (segment, seen) = (*of, 0);
            }
            seen += n;
            below + seen.min(self.counted[segment])
        })
    }

    /// Adds to `published` (by bucket) what came since, as far as the cells count it, and calls `each` with so many
    /// calls of so many seconds. Calls that are seen but not counted yet are left for the next time.
    pub(super) fn publish(&self, published: &mut Vec<u64>, mut each: impl FnMut(f64, u64)) {
        published.resize(self.seen.len(), 0);
        let mut room = self.counted.clone();
        for (n, segment) in published.iter().zip(&self.segments) {
            room[*segment] = room[*segment].saturating_sub(*n);
        }
        for (index, (seen, sum)) in self.seen.iter().enumerate() {
            let room = &mut room[self.segments[index]];
            let more = seen.saturating_sub(published[index]).min(*room);
            if more > 0 {
                *room -= more;
                published[index] += more;
                each(sum / *seen as f64 / 1e9, more);
            }
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A bound as Prometheus 3 writes it, which 2 takes as it is: `1.0`, `0.25`, `5e-05`.
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
