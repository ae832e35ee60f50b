//! The number that is promised, exactly.

use crate::error::Error;
use std::fmt;

/// How many parts a whole is divided into: seven decimals of a percent.
const WHOLE: u64 = 1_000_000_000;
/// Parts in one percent.
const PERCENT: u64 = WHOLE / 100;
/// Decimals of a percent that are kept.
const DECIMALS: usize = 7;

/// The share of valid events that shall be good, over 0 % and under 100 %.
///
/// Kept as the error budget in whole parts of 10⁹, so that 99.9 % leaves exactly 1/1000, where
/// `1.0 - 0.999` leaves 0.0010000000000000009.
///
/// ```
/// let target = plimsoll::Target::percent(99.9)?;
/// assert_eq!(target.budget(), 0.001);
/// assert_eq!(target.budget_parts(), 1_000_000);
/// assert_eq!(target.to_string(), "99.9 %");
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    good: u64,
}

impl Target {
    /// What [`Self::budget_parts`] is counted in: 10⁹ parts are all events.
    pub const WHOLE: u64 = WHOLE;

    /// The strictest there is: stands in where a target was refused, so that nothing derived from it is lax.
    pub(super) const STRICTEST: Self = Self { good: WHOLE - 1 };

    /// The target that leaves a budget of so many parts, at least one of them.
    pub(crate) const fn leaving(budget_parts: u64) -> Self {
        Self { good: WHOLE.saturating_sub(budget_parts) }
    }

    /// A target in percent, taken digit by digit as it was written, with up to seven decimals.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] outside (0, 100), for NaN, and for more than seven decimals.
    pub fn percent(percent: f64) -> Result<Self, Error> {
        if !(percent > 0.0 && percent < 100.0) {
            return Err(Error::invalid(format!(
                "a target of {percent} % cannot be kept or cannot be missed: write a percentage over 0 and under 100, \
                 such as 99.9"
            )));
        }
        // The shortest decimal that reads back as the same float is what was typed.
        let digits = percent.to_string();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let parsed = (fraction.len() <= DECIMALS)
            .then(|| Some((whole.parse::<u64>().ok()?, format!("{fraction:0<DECIMALS$}").parse::<u64>().ok()?)))
            .flatten();
        match parsed {
            Some((whole, fraction)) => Ok(Self { good: whole * PERCENT + fraction }),
            None => Err(Error::invalid(format!(
                "a target of {digits} % has more digits than are kept: write at most {DECIMALS} decimals of a percent"
            ))),
        }
    }

    /// The error budget as a ratio, 1 − target: 0.001 for 99.9 %, correctly rounded.
    pub fn budget(self) -> f64 {
        self.budget_parts() as f64 / WHOLE as f64
    }

    /// The error budget in parts of [`Self::WHOLE`]: 1,000,000 for 99.9 %.
    pub const fn budget_parts(self) -> u64 {
        WHOLE - self.good
    }

    /// As a ratio: 0.999 for 99.9 %.
    pub fn as_ratio(self) -> f64 {
        self.good as f64 / WHOLE as f64
    }

    /// In percent, as it was written: 99.9.
    pub fn as_percent(self) -> f64 {
        self.good as f64 / PERCENT as f64
    }

    /// The burn rate of a total outage, 1 ÷ budget: no alert over this factor or at it can ever fire.
    pub fn largest_burn(self) -> f64 {
        WHOLE as f64 / self.budget_parts() as f64
    }
}

/// As it was written: `99.9 %`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.as_percent())
    }
}
