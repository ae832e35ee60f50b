//! A pair of windows and the burn rate over which it alerts.

use super::period::{FULL_LENGTH, STANDARD};
use super::{Period, Severity, Target};
use std::time::Duration;

/// Factors are kept in millionths, so that 14.4 is 14.4.
pub(crate) const MICRO: u64 = 1_000_000;
/// No window that is derived for a short period is finer than this: four of the ring's finest steps.
const SHORTEST: Duration = Duration::from_millis(40);
/// How much of its events must at most be bad for a capped pair to fire, in millionths.
const CAP: u128 = 800_000;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// An alert: fires while the burn rate is over `factor` in the long *and* in the short window.
///
/// The long window says that the budget is really going, the short one that it still is, so that the alert ends soon
/// after the trouble does. Source: *The Site Reliability Workbook*, ch. 5, "Multiwindow, Multi-Burn-Rate Alerts".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlertWindow {
    severity: Severity,
    long: Duration,
    short: Duration,
    micros: u64,
    pending: Duration,
}

/// The Workbook's pairs for 30 days, with the share of the budget that is spent when they fire, in millionths.
const PAIRS: [(Severity, u64, u64, u64); 4] = [
    (Severity::P0, HOUR, 5 * MINUTE, 20_000),
    (Severity::P1, 6 * HOUR, 30 * MINUTE, 50_000),
    (Severity::P2, 24 * HOUR, 2 * HOUR, 100_000),
    (Severity::P2, 72 * HOUR, 6 * HOUR, 100_000),
];

impl AlertWindow {
    /// How many bad events the long window must hold before an alert may fire.
    pub(crate) const MIN_BAD: u64 = 3;

    /// Fires over a burn rate of `factor` (over 0, kept to six decimals) in the last `long` and the last `short`.
    pub const fn new(severity: Severity, long: Duration, short: Duration, factor: f64) -> Self {
        Self { severity, long, short, micros: micros(factor), pending: Duration::ZERO }
    }

    /// The same, firing only after the condition has held for `pending`; the default is at once, for the long window
    /// waits already.
    #[must_use]
    pub const fn held_for(mut self, pending: Duration) -> Self {
        self.pending = pending;
        self
    }

    /// The pairs for a period: 1h/5m at 14.4 (P0), 6h/30m at 6 (P1), 1d/2h at 3 and 3d/6h at 1 (P2) for 30 days.
    ///
    /// From 28 days up the windows stay and the factors scale, so that the same share of the budget (2, 5, 10, 10 %)
    /// is spent when a pair fires: factor = share × period ÷ long window. Under 28 days the factors stay and the
    /// windows scale, rounded to whole milliseconds, the short ones never under 40 ms: a period of one hour pages
    /// on 5 s / 417 ms.
    pub fn for_period(period: Period) -> Vec<Self> {
        let length = period.nominal();
        PAIRS
            .into_iter()
            .map(|(severity, long, short, spent)| {
                let (long, short) = (Duration::from_secs(long), Duration::from_secs(short));
                if length >= FULL_LENGTH {
                    Self { severity, long, short, micros: factor(spent, length, long), pending: Duration::ZERO }
                } else {
                    Self {
                        severity,
                        long: scaled(long, length),
                        short: scaled(short, length).max(SHORTEST),
                        micros: factor(spent, STANDARD, long),
                        pending: Duration::ZERO,
                    }
                }
            })
            .collect()
    }

    /// How urgent it is.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The long window.
    pub const fn long(&self) -> Duration {
        self.long
    }

    /// The short window.
    pub const fn short(&self) -> Duration {
        self.short
    }

    /// The burn rate over which it fires.
    pub fn factor(&self) -> f64 {
        self.micros as f64 / MICRO as f64
    }

    /// The burn rate over which it fires, in millionths: what exact comparisons use.
    pub const fn factor_micros(&self) -> u64 {
        self.micros
    }

    /// How long the condition must hold before it fires (Prometheus' `for`).
    pub const fn pending(&self) -> Duration {
        self.pending
    }

    /// Whether a total outage would burn over its factor.
    pub const fn can_fire(&self, target: Target) -> bool {
        (self.micros as u128) * (target.budget_parts() as u128) < (MICRO as u128) * (Target::WHOLE as u128)
    }

    /// At most `severity`.
    pub(super) fn at_most(mut self, severity: Severity) -> Self {
        self.severity = self.severity.min(severity);
        self
    }

    /// With a factor that 80 % of bad events reach; never under 1, where nothing is being overspent.
    pub(crate) fn capped(mut self, target: Target) -> Self {
        let cap = CAP * u128::from(Target::WHOLE) / u128::from(target.budget_parts());
        let cap = u64::try_from(cap).unwrap_or(u64::MAX).max(MICRO);
        self.micros = self.micros.min(cap);
        self
    }
}

/// A factor in millionths, to the nearest; 0 for NaN and for negative ones.
pub(crate) const fn micros(factor: f64) -> u64 {
    // Adding a half and cutting off rounds, and the cast saturates.
    (factor * MICRO as f64 + 0.5) as u64
}

/// share × period ÷ long, in millionths, to the nearest.
fn factor(spent_micros: u64, period: Duration, long: Duration) -> u64 {
    let (period, long) = (period.as_nanos(), long.as_nanos().max(1));
    u64::try_from((u128::from(spent_micros) * period + long / 2) / long).unwrap_or(u64::MAX)
}

/// `window` in proportion to a period of `length`, to the nearest millisecond.
fn scaled(window: Duration, length: Duration) -> Duration {
    let whole = STANDARD.as_millis() * 1_000_000;
    let millis = (window.as_millis() * length.as_nanos() + whole / 2) / whole;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
