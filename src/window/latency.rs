//! Latency by window: few snapshots of the whole histogram, coarser the older they are.

use super::Window;
use super::ring::{Around, Ring};
use crate::record::histogram::{self, BUCKETS};
use crate::time::{Timestamp, nanos};
use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// The finest step, in steps of the counts' ring.
const STEPS: u64 = 5;
/// By level: finest steps in one of its own, and how many snapshots it keeps. With one that a finer level has, six begin a
/// step of any level.
const LEVELS: [(u64, u64); 4] = [(1, 6), (6, 5), (36, 5), (216, 5)];

/// Snapshots of the histogram's counters, kept as their lower 32 bits: a window holds fewer events than that.
#[derive(Debug)]
pub(super) struct LatencyRing(Ring<u32>);

/// The latencies seen over a window.
#[derive(Clone)]
pub struct Latency {
    histogram: Histogram<u64>,
    coverage: f64,
}

impl Latency {
    /// The latency that the share `q` (0..=1) of calls did not exceed, within 4 %; none if there was no call.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        if self.histogram.is_empty() {
            return None;
        }
        Some(Duration::from_nanos(self.histogram.value_at_quantile(q.clamp(0.0, 1.0))))
    }

    /// The mean latency, within 4 %; none if there was no call.
    pub fn mean(&self) -> Option<Duration> {
        (!self.histogram.is_empty()).then(|| Duration::from_nanos(self.histogram.mean() as u64))
    }

    /// How many calls it is about.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// How much of the window has been observed, 0..=1. Latency is remembered for less long than counts.
    pub fn coverage(&self) -> f64 {
        self.coverage
    }

    pub(crate) fn new(coverage: f64, buckets: impl Iterator<Item = u64>) -> Self {
        // Bounds of its own: one that grows by itself does so for `record`, but a saturating one stays as small as it is.
        let mut histogram = Histogram::new_with_bounds(1, histogram::middle(BUCKETS - 1), 3)
            .unwrap_or_else(|_| unreachable!("three digits of 1 ns to 68 s are allowed"));
        for (bucket, n) in buckets.enumerate().filter(|(_, n)| *n > 0) {
            histogram.saturating_record_n(histogram::middle(bucket).max(1), n);
        }
        Self { histogram, coverage }
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, median, coverage) = (self.count(), self.quantile(0.5), self.coverage);
        let latency = &mut f.debug_struct("Latency");
        latency.field("count", &count).field("median", &median).field("coverage", &coverage).finish()
    }
}

impl LatencyRing {
    pub(super) fn new(step: Duration, created: Timestamp) -> Self {
        Self(Ring::with_levels(BUCKETS, nanos(step).max(1).saturating_mul(STEPS), &LEVELS, created))
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.0.next_tick()
    }

    pub(super) fn roll(&mut self, now: Timestamp, current: &[u64; BUCKETS]) {
        self.0.roll(now, &current.map(|n| n as u32));
    }

    pub(super) fn read(&self, window: Window, now: Timestamp, current: &[u64; BUCKETS]) -> Latency {
        let from = self.0.reached(window.length(), now);
        let coverage = now.as_nanos().saturating_sub(from) as f64 / (nanos(window.length()).max(1)) as f64;
        let Around { before, after, part, whole } = self.0.around(0..BUCKETS, from, now);
        let share = part as f64 / whole as f64;
        let mut after = after.map(|after| after.copied());
        let since = current.iter().zip(before).map(|(now, from)| {
            let now = *now as u32;
            let to = after.as_mut().and_then(Iterator::next).unwrap_or(now);
            // As if the calls of the step in which the window begins had come evenly: see `Ring::at`.
            let within = (f64::from(to.wrapping_sub(*from)) * share).round() as u32;
            u64::from(now.wrapping_sub(from.wrapping_add(within)))
        });
        Latency::new(coverage.min(1.0), since)
    }

    pub(super) fn memory_footprint(&self) -> usize {
        self.0.memory_footprint()
    }
}
