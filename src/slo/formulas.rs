//! What a pair of windows promises, computed beforehand.
//!
//! `error_ratio` is bad ÷ valid events, 0..=1; `factor` is a burn rate, kept to six decimals. Source of all of them: *The Site Reliability
//! Workbook*, ch. 5 and appendix B.

use super::{MICRO, Target, micros};
use std::time::Duration;

/// How long a total outage may last in `period`: 43.2 minutes for 99.9 % over 30 days. Exact to the nanosecond.
pub fn downtime_allowed(target: Target, period: Duration) -> Duration {
    let nanos = period.as_nanos().saturating_mul(u128::from(target.budget_parts()));
    Duration::from_nanos_u128(nanos / u128::from(Target::WHOLE))
}

/// How long a budget of `period` lasts at a burn rate; `None` if it lasts for ever.
pub fn budget_lasts(burn: f64, period: Duration) -> Option<Duration> {
    Duration::try_from_secs_f64(period.as_secs_f64() / burn).ok()
}

/// How long errors at `error_ratio` go on before a window that was full of good events burns over `factor`; `None`
/// if it never does. (1 − T) ÷ e × W × B.
pub fn detection_time(target: Target, error_ratio: f64, long: Duration, factor: f64) -> Option<Duration> {
    let limit = limit(target, factor);
    let seconds = limit / error_ratio * long.as_secs_f64();
    (error_ratio > limit).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

/// The share of the period's budget that is spent when a window burns at `factor`, 0.02 for 14.4 over 1 h of 30 d:
/// B × W ÷ period.
pub fn budget_spent_at_alert(factor: f64, long: Duration, period: Duration) -> f64 {
    factor * long.as_secs_f64() / period.as_secs_f64()
}

/// The share of the period's budget that errors at `error_ratio` spend in `lasting`, under even traffic.
pub fn budget_spent(target: Target, error_ratio: f64, lasting: Duration, period: Duration) -> f64 {
    error_ratio / target.budget() * lasting.as_secs_f64() / period.as_secs_f64()
}

/// How long after the end of errors at `error_ratio` the short window stops burning over `factor`, if the errors
/// filled it; zero if they never brought it there. w × (1 − B(1 − T) ÷ e).
pub fn reset_time(target: Target, error_ratio: f64, short: Duration, factor: f64) -> Duration {
    let share = 1.0 - limit(target, factor) / error_ratio;
    Duration::try_from_secs_f64(short.as_secs_f64() * share).unwrap_or_default()
}

/// The bad ratio at which a target burns at `factor`, rounded once: 0.0144 for 99.9 % at 14.4.
fn limit(target: Target, factor: f64) -> f64 {
    let parts = u128::from(micros(factor)) * u128::from(target.budget_parts());
    parts as f64 / (u128::from(MICRO) * u128::from(Target::WHOLE)) as f64
}
