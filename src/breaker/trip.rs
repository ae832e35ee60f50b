//! When to trip: what was counted, held against what is allowed.

use super::config::Breaker;
use crate::budget;
use crate::outcome::Tally;
use crate::slo::Target;
use std::fmt;
use std::time::Duration;

/// Bad calls that a burn rate must stand on: one bad call in a quiet minute is no evidence.
const LEAST_BAD: u64 = 10;

/// Why a breaker changed its state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// Too many calls were bad.
    FailureRatio {
        /// Bad calls.
        bad: u64,
        /// Calls that counted.
        calls: u64,
        /// Over this long.
        window: Duration,
        /// The ratio that trips.
        limit: f64,
    },
    /// Too many calls were slow.
    SlowRatio {
        /// Slow calls.
        slow: u64,
        /// Calls that counted.
        calls: u64,
        /// Over this long.
        window: Duration,
        /// The ratio that trips.
        limit: f64,
    },
    /// Bad calls came one after another.
    Consecutive {
        /// How many.
        bad: u32,
    },
    /// The SLO's budget burnt too fast.
    Burn {
        /// Burn rate over the long window.
        long: f64,
        /// Burn rate over the short window.
        short: f64,
        /// The rate that trips.
        limit: f64,
    },
    /// Calls hang.
    AgeInFlight {
        /// How many.
        calls: u64,
        /// For at least this long.
        age: Duration,
    },
    /// A probe failed.
    ProbeFailed,
    /// All probes succeeded.
    ProbesSucceeded {
        /// How many.
        probes: u32,
    },
    /// It had been open for its time.
    OpenLongEnough,
    /// It had ramped for its time.
    RampOver,
    /// An operator said so.
    Operator,
    /// What an operator had said was for so long.
    OperatorOver,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |n: &u64, of: &u64| *n as f64 * 100.0 / (*of).max(1) as f64;
        match self {
            Self::FailureRatio { bad, calls, window, limit } => write!(
                f,
                "{bad} of {calls} calls failed in {window:?} ({:.1} %; it trips at {:.1} %)",
                percent(bad, calls),
                limit * 100.0
            ),
            Self::SlowRatio { slow, calls, window, limit } => write!(
                f,
                "{slow} of {calls} calls were slow in {window:?} ({:.1} %; it trips at {:.1} %)",
                percent(slow, calls),
                limit * 100.0
            ),
            Self::Consecutive { bad } => write!(f, "{bad} calls in a row failed"),
            Self::Burn { long, short, limit } => {
                write!(
                    f,
                    "the error budget burns {long:.1} × and lately {short:.1} × too fast (it trips over {limit} ×)"
                )
            }
            Self::AgeInFlight { calls, age } => write!(f, "{calls} calls have hung for {age:?} or longer"),
            Self::ProbeFailed => f.write_str("a probe failed"),
            Self::ProbesSucceeded { probes } => write!(f, "{probes} probes succeeded"),
            Self::OpenLongEnough => f.write_str("it was open for its time"),
            Self::RampOver => f.write_str("the ramp is over"),
            Self::Operator => f.write_str("an operator said so"),
            Self::OperatorOver => f.write_str("the time that an operator had set is over"),
        }
    }
}

/// What was counted, all of it since the breaker's present life began.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) calls: u64,
    pub(super) bad: u64,
    pub(super) slow: u64,
    pub(super) consecutive: u32,
    pub(super) old: u64,
}

/// The thresholds, resolved at construction.
#[derive(Clone, Debug)]
pub(super) struct Trips {
    pub(super) failure_ratio: Option<f64>,
    pub(super) slow_ratio: Option<f64>,
    pub(super) min_calls: u64,
    pub(super) window: Duration,
    pub(super) consecutive: Option<u32>,
    pub(super) burn: Option<f64>,
    pub(super) age: Option<(Duration, u64)>,
}

impl Trips {
    pub(super) fn new(config: &Breaker, fallback: bool) -> Self {
        Self {
            failure_ratio: config.failure_ratio,
            slow_ratio: config.slow.map(|(ratio, _)| ratio),
            min_calls: config.min_calls,
            window: config.window,
            consecutive: config.consecutive,
            burn: config.burn_factor(fallback),
            age: config.age,
        }
    }

    /// Whether the evidence is enough, and why.
    pub(super) fn judge(&self, seen: &Evidence) -> Option<Why> {
        let Evidence { calls, bad, slow, consecutive, old } = *seen;
        if let Some(limit) = self.consecutive
            && consecutive >= limit
        {
            return Some(Why::Consecutive { bad: consecutive });
        }
        let enough = calls >= self.min_calls;
        // Divided, for a quotient of whole numbers rounds to what a limit like 0.07 reads as; a product would not.
        let over = |n: u64, limit: f64| enough && n > 0 && n as f64 / calls as f64 >= limit;
        let window = self.window;
        if let Some(limit) = self.failure_ratio.filter(|limit| over(bad, *limit)) {
            return Some(Why::FailureRatio { bad, calls, window, limit });
        }
        if let Some(limit) = self.slow_ratio.filter(|limit| over(slow, *limit)) {
            return Some(Why::SlowRatio { slow, calls, window, limit });
        }
        self.age.filter(|(_, limit)| old >= *limit).map(|(age, _)| Why::AgeInFlight { calls: old, age })
    }

    /// How many more bad or slow results it takes at the least until a ratio trips, when only `calls` of those that were
    /// seen are still in the window then. Consecutive failures are watched elsewhere, and age grows by the tick.
    pub(super) fn slack(&self, seen: &Evidence, calls: u64) -> i64 {
        let by_ratio = |limit: Option<f64>, n: u64| limit.map_or(i64::MAX, |limit| self.needed(limit, n, calls));
        by_ratio(self.failure_ratio, seen.bad).min(by_ratio(self.slow_ratio, seen.slow))
    }

    /// The same for an objective's burn over one window.
    pub(super) fn burn_slack(&self, target: Target, bad: u64, calls: u64) -> i64 {
        let Some(factor) = self.burn else { return i64::MAX };
        let evidence = LEAST_BAD.saturating_sub(bad) as i64;
        self.needed(factor * target.budget(), bad, calls).max(evidence)
    }

    /// The smallest x with bad + x ≥ limit · (calls + x), and with bad + x ≥ limit · min_calls: bad results, and nothing
    /// else, from here on. Good ones between them can only ask for more.
    fn needed(&self, limit: f64, bad: u64, calls: u64) -> i64 {
        if limit > 1.0 {
            return i64::MAX; // more than all can never be bad
        }
        let bad = bad as f64;
        let for_enough = limit * self.min_calls as f64 - bad;
        let for_ratio = if limit * calls as f64 <= bad { 0.0 } else { (limit * calls as f64 - bad) / (1.0 - limit) };
        // Rounded down, and saturating: a judgement too early costs time, one too late would be wrong.
        for_enough.max(for_ratio).floor() as i64
    }

    /// Whether one objective burns fast enough over both windows.
    pub(super) fn judge_burn(&self, target: Target, long: Tally, short: Tally) -> Option<Why> {
        let limit = self.burn?;
        let over = |tally| budget::exceeds(target, tally, limit);
        let evidence = long.bad >= LEAST_BAD && long.valid() >= self.min_calls;
        (evidence && over(long) && over(short)).then(|| Why::Burn {
            long: rate(target, long),
            short: rate(target, short),
            limit,
        })
    }
}

/// For display; what trips is compared exactly.
fn rate(target: Target, tally: Tally) -> f64 {
    tally.bad as f64 / tally.valid().max(1) as f64 / target.budget()
}
