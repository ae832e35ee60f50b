//! How much of the budget is left.

use super::BurnRate;
use crate::slo::{Period, Target};
use crate::window::Reading;
use std::time::Duration;

/// What is left of an error budget.
///
/// It is the budget of the events that were seen: while [`coverage`](Self::coverage) is under 1, a young process
/// speaks of the part of the period that it knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What is left, as a ratio: 1 − bad ÷ ((1 − target) · valid). 1.0 without events, negative when overspent.
    pub remaining: f64,
    /// How many bad events the valid ones allow: (1 − target) · valid.
    pub allowed: f64,
    /// How many bad events there were.
    pub spent: u64,
    /// How many more may be bad, in whole events; negative when overspent.
    pub bad_events_left: i64,
    /// When the budget is spent at the present burn rate: zero if it is; `None` if it is not within a period.
    pub time_to_exhaustion: Option<Duration>,
    /// How much of the period has been observed, 0..=1.
    pub coverage: f64,
    /// The valid events it rests on.
    pub events: u64,
}

impl Budget {
    /// The budget after what was read over a whole `period`, going on at the `recent` burn rate.
    ///
    /// The time to exhaustion takes traffic to be even, the unobserved part of the period to have been without bad
    /// events, and that nothing spent comes back: (1 − coverage · (1 − remaining)) · period ÷ burn.
    pub fn new(target: Target, period: Period, reading: &Reading, recent: Option<BurnRate>) -> Self {
        let (events, spent) = (reading.tally.valid(), reading.tally.bad);
        let whole = i128::from(Target::WHOLE);
        // In billionths of an event: under 2^95, whatever was counted.
        let allowed = i128::from(events) * i128::from(target.budget_parts());
        let left = allowed - i128::from(spent) * whole;
        let remaining = if events == 0 { 1.0 } else { left as f64 / allowed as f64 };
        let bad_events_left = allowed / whole - i128::from(spent);
        Self {
            remaining,
            allowed: allowed as f64 / whole as f64,
            spent,
            bad_events_left: i64::try_from(bad_events_left).unwrap_or(if bad_events_left < 0 {
                i64::MIN
            } else {
                i64::MAX
            }),
            time_to_exhaustion: exhaustion(remaining, observed(reading, period), period.nominal(), recent),
            coverage: reading.coverage,
            events,
        }
    }

    /// Whether nothing is left.
    pub fn is_exhausted(&self) -> bool {
        self.remaining <= 0.0
    }
}

/// How much of a whole period was observed: of a calendar month, what was read is only the part so far.
fn observed(reading: &Reading, period: Period) -> f64 {
    let read = reading.window.length().as_secs_f64() / period.nominal().as_secs_f64();
    reading.coverage * read.min(1.0)
}

fn exhaustion(remaining: f64, coverage: f64, period: Duration, recent: Option<BurnRate>) -> Option<Duration> {
    if remaining <= 0.0 {
        return Some(Duration::ZERO);
    }
    let left = 1.0 - coverage.clamp(0.0, 1.0) * (1.0 - remaining);
    // At a burn of zero this is infinite, which no duration is.
    let seconds = left * period.as_secs_f64() / recent?.value;
    Duration::try_from_secs_f64(seconds).ok().filter(|lasts| *lasts <= period)
}
