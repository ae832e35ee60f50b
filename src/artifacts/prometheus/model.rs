//! What Prometheus makes of a series, computed beforehand: the tests that are written beside the rules say what to expect.
//!
//! Times are milliseconds from the beginning of a test.

use std::fmt::Write;

/// Prometheus looks back no further for a sample.
const LOOK_BACK: u64 = 300_000;
/// How near to the edge of a range a sample must be, in average distances between samples, to speak for all up to the edge.
const NEAR: f64 = 1.1;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sample {
    Missing,
    /// The end of a series, as Prometheus writes it when a scrape fails.
    Stale,
    Value(f64),
}

/// One series: a sample at each multiple of an interval, the first of them at zero.
#[derive(Clone, Debug)]
pub(super) struct Series {
    every: u64,
    samples: Vec<Sample>,
    /// The same as promtool reads it.
    pub(super) notation: String,
    value: u64,
}

impl Series {
    /// Without a sample at zero: ranges of Prometheus 2 and 3 differ in whether one that lies on their edge belongs to them.
    pub(super) fn new(every: u64) -> Self {
        Self { every, samples: vec![Sample::Missing], notation: "_".to_owned(), value: 0 }
    }

    /// How far samples are apart, in milliseconds.
    pub(super) fn every(&self) -> u64 {
        self.every
    }

    /// How many samples there are, missing ones too.
    pub(super) fn samples(&self) -> u64 {
        self.samples.len() as u64
    }

    /// `n` samples, each larger by `more` than the one before.
    pub(super) fn counts(&mut self, n: u64, more: u64) {
        if n == 0 {
            return;
        }
        _ = write!(self.notation, " {}+{more}x{}", self.value + more, n - 1);
        for _ in 0..n {
            self.value += more;
            self.samples.push(Sample::Value(self.value as f64));
        }
    }

    /// `n` samples of one value.
    pub(super) fn holds(&mut self, n: u64, value: u64) {
        self.value = value;
        self.counts(n, 0);
    }

    /// The next sample counts from zero.
    pub(super) fn restarts(&mut self) {
        self.value = 0;
    }

    /// The series ends here, and nothing follows for `n` samples in all.
    pub(super) fn ends(&mut self, n: u64) {
        if n == 0 {
            return;
        }
        _ = write!(self.notation, " stale _x{}", n - 1);
        self.samples.push(Sample::Stale);
        self.samples.extend((1..n).map(|_| Sample::Missing));
    }

    /// The values from `from` up to `to`, with their times.
    fn values(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        let every = signed(self.every);
        let place = |at: i64| usize::try_from(at).unwrap_or(0).min(self.samples.len());
        let (first, end) = (place(from.saturating_add(every - 1).div_euclid(every)), place(to.div_euclid(every) + 1));
        let timed = (first..end).zip(self.samples.get(first..end).unwrap_or_default());
        timed.filter_map(move |(k, sample)| match sample {
            Sample::Value(value) => Some((signed(k as u64) * every, *value)),
            Sample::Missing | Sample::Stale => None,
        })
    }

    /// The value at a time: the last one, unless the series ended or that was too long ago.
    pub(super) fn at(&self, at: u64) -> Option<f64> {
        let last = usize::try_from(at / self.every).ok()?.min(self.samples.len().checked_sub(1)?);
        let (k, sample) = self.samples[..=last].iter().enumerate().rev().find(|(_, one)| **one != Sample::Missing)?;
        match sample {
            Sample::Value(value) if at - k as u64 * self.every <= LOOK_BACK => Some(*value),
            _ => None,
        }
    }

    /// `increase(series[window])`, extrapolated to the edges of the window.
    ///
    /// Source: Prometheus, `promql/functions.go`, what it does to a counter.
    pub(super) fn increase(&self, window: u64, at: u64) -> Option<f64> {
        let (from, to) = (signed(at).saturating_sub(signed(window)), signed(at));
        let values: Vec<(i64, f64)> = self.values(from, to).collect();
        let (&(first_at, first), &(last_at, last)) = (values.first()?, values.last()?);
        if values.len() < 2 {
            return None;
        }
        let resets: f64 = values.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
        let grown = last - first + resets;
        let seconds = |millis: i64| millis as f64 / 1e3;
        let sampled = seconds(last_at - first_at);
        let average = sampled / (values.len() - 1) as f64;
        let (mut to_start, to_end) = (seconds(first_at - from), seconds(to - last_at));
        if grown > 0.0 && first >= 0.0 {
            // It was zero no later than that.
            to_start = to_start.min(sampled * (first / grown));
        }
        let reach = |edge: f64| if edge < average * NEAR { edge } else { average / 2.0 };
        Some(grown * ((sampled + reach(to_start) + reach(to_end)) / sampled))
    }

    /// `avg_over_time(series[window])`.
    pub(super) fn average(&self, window: u64, at: u64) -> Option<f64> {
        let values: Vec<f64> =
            self.values(signed(at).saturating_sub(signed(window)), signed(at)).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// What the rule of a step gives: what is new at each look, which is at every multiple of `look` in the step.
    pub(super) fn step(&self, step: u64, look: u64, remembered: u64, at: u64) -> Option<f64> {
        let first = (at + 1).saturating_sub(step).div_ceil(look).saturating_mul(look);
        let mut sum = None;
        for now in (first..=at).step_by(usize::try_from(look).unwrap_or(usize::MAX)) {
            let before = signed(now).saturating_sub(signed(look));
            let seen = self.values(before.saturating_sub(signed(remembered)), before).next_back();
            if let (Some(value), Some((_, before))) = (self.at(now), seen) {
                let new = if value >= before { value - before } else { value };
                sum = Some(sum.unwrap_or(0.0) + new);
            }
        }
        sum
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// The sum of those that are there; nothing if none is.
pub(super) fn sum(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}
