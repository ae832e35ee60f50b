//! Latency by window: few snapshots of the whole histogram, coarser the older they are.

use super::Window;
use crate::record::histogram::{self, BUCKETS};
use crate::time::{Timestamp, nanos};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

const LEVELS: u32 = 4;
const SLOTS: usize = 6;
const FACTOR: u64 = 6;
/// The finest step, in steps of the counts' ring.
const STEPS: u32 = 5;

/// Snapshots of the histogram's counters, kept as their lower 32 bits: a window holds fewer events than that.
#[derive(Debug)]
pub(super) struct LatencyRing {
    created: Timestamp,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    step: u64,
    tick: u64,
    /// Ascending: the tick at whose start the snapshot holds.
    snapshots: VecDeque<(u64, Box<[u32]>)>,
    /// All the memory there will be, so that rolling does not allocate.
    spare: Vec<Box<[u32]>>,
    evicted: bool,
}

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
        let finest = nanos(step).max(1).saturating_mul(u64::from(STEPS));
        let level = |level| {
            let step = finest.saturating_mul(FACTOR.pow(level));
            let tick = created.as_nanos() / step;
            let mut snapshots = VecDeque::with_capacity(SLOTS);
            snapshots.push_back((tick, vec![0; BUCKETS].into()));
            let spare = (1..SLOTS).map(|_| vec![0; BUCKETS].into()).collect();
            Level { step, tick, snapshots, spare, evicted: false }
        };
        Self { created, levels: (0..LEVELS).map(level).collect() }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now.as_nanos() / self.levels[0].step > self.levels[0].tick
    }

    pub(super) fn roll(&mut self, now: Timestamp, current: &[u64; BUCKETS]) {
        for level in &mut self.levels {
            let tick = now.as_nanos() / level.step;
            if tick > level.tick {
                // See `Ring::roll`.
                let mut row = level.spare.pop().unwrap_or_else(|| {
                    level.evicted = true;
                    level.snapshots.pop_front().map(|(_, row)| row).unwrap_or_default()
                });
                row.iter_mut().zip(current).for_each(|(cell, n)| *cell = *n as u32);
                level.snapshots.push_back((level.tick + 1, row));
                level.tick = tick;
            }
        }
    }

    pub(super) fn read(&self, window: Window, now: Timestamp, current: &[u64; BUCKETS]) -> Latency {
        let wanted = now.as_nanos().saturating_sub(nanos(window.length())).max(self.created.as_nanos());
        let level = self.levels.iter().find(|level| !level.evicted || level.earliest() <= wanted);
        let level = level.unwrap_or(&self.levels[self.levels.len() - 1]);
        let from = wanted.max(level.earliest());
        let coverage = now.as_nanos().saturating_sub(from) as f64 / (nanos(window.length()).max(1)) as f64;
        let (then, share) = level.at(from, now.as_nanos(), self.created.as_nanos(), current);
        let since = |(index, n): (usize, &u64)| {
            let (from, to) = then(index);
            // As if the calls of the step in which the window begins had come evenly: see `Ring::at`.
            let within = (f64::from(to.wrapping_sub(from)) * share).round() as u32;
            u64::from((*n as u32).wrapping_sub(from.wrapping_add(within)))
        };
        Latency::new(coverage.min(1.0), current.iter().enumerate().map(since))
    }

    pub(super) fn memory_footprint(&self) -> usize {
        self.levels.len() * (size_of::<Level>() + SLOTS * (BUCKETS * 4 + 24))
    }
}

impl Level {
    fn earliest(&self) -> u64 {
        if self.evicted { self.snapshots.front().map_or(0, |(stamp, _)| stamp.saturating_mul(self.step)) } else { 0 }
    }

    /// What a bucket stood at before and after the one step around `time` in which anything was counted, and how much of
    /// that step was over at `time`, 0..=1.
    fn at<'a>(
        &'a self,
        time: u64,
        now: u64,
        created: u64,
        current: &'a [u64; BUCKETS],
    ) -> (impl Fn(usize) -> (u32, u32) + 'a, f64) {
        let tick = time / self.step;
        let after = self.snapshots.partition_point(|(stamp, _)| *stamp <= tick).max(1);
        let (before, next) = (self.snapshots.get(after - 1), self.snapshots.get(after));
        let (busy, end) = match next {
            Some((next, _)) => (next - 1, next.saturating_mul(self.step)),
            None => (self.tick, now.max(self.tick.saturating_mul(self.step))),
        };
        let begin = busy.saturating_mul(self.step).max(created);
        let share = time.saturating_sub(begin) as f64 / end.saturating_sub(begin).max(1) as f64;
        let counter = move |row: Option<&(u64, Box<[u32]>)>, bucket: usize| {
            row.and_then(|(_, row)| row.get(bucket).copied()).unwrap_or(current[bucket] as u32)
        };
        (move |bucket| (counter(before, bucket), counter(next, bucket)), share.min(1.0))
    }
}
