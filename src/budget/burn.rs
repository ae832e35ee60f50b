//! How fast the budget goes.

use crate::outcome::Tally;
use crate::slo::{MICRO, Target, micros};
use crate::window::{Reading, Window};
use std::fmt;

/// How many times as fast as allowed the budget goes: bad ratio ÷ (1 − target). 1.0 spends it over the period exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnRate {
    /// The burn rate, 0 and up; never NaN.
    pub value: f64,
    /// How much of the window has been observed, 0..=1.
    pub coverage: f64,
    /// The valid events it rests on.
    pub events: u64,
}

/// Too few events to say anything: not zero, and not NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InsufficientData {
    /// The valid events that there were.
    pub events: u64,
    /// The valid events that are needed.
    pub needed: u64,
    /// How much of the window has been observed, 0..=1.
    pub coverage: f64,
    /// The window that was asked for.
    pub window: Window,
}

impl fmt::Display for InsufficientData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, needed, window, .. } = self;
        let of = if *events == 1 { "event" } else { "events" };
        let are = if *needed == 1 { "is" } else { "are" };
        write!(f, "insufficient data: {events} {of} in {window}, at least {needed} {are} needed")
    }
}

impl std::error::Error for InsufficientData {}

/// The burn rate of what was read. Source: *The Site Reliability Workbook*, ch. 5.
///
/// # Errors
///
/// [`InsufficientData`] under `min_events` valid events, of which one is always needed.
pub fn burn_rate(target: Target, reading: &Reading, min_events: u64) -> Result<BurnRate, InsufficientData> {
    let (events, needed) = (reading.tally.valid(), min_events.max(1));
    let coverage = reading.coverage;
    if events < needed {
        return Err(InsufficientData { events, needed, coverage, window: reading.window });
    }
    // Whole numbers as far as possible: one rounding each for the two products, and one for the quotient.
    let value = product(reading.tally.bad, Target::WHOLE) / product(events, target.budget_parts());
    Ok(BurnRate { value, coverage, events })
}

/// In 64 bits if they are enough: of 128, making a float is a function call.
fn product(a: u64, b: u64) -> f64 {
    a.checked_mul(b).map_or_else(|| (u128::from(a) * u128::from(b)) as f64, |product| product as f64)
}

/// Whether the events burn over `factor` (kept to six decimals). Exact: a burn of 1 is not over a factor of 1.
///
/// No events exceed nothing, and nothing exceeds NaN.
pub fn exceeds(target: Target, tally: Tally, factor: f64) -> bool {
    if factor.is_nan() {
        return false;
    }
    let scale = u128::from(MICRO) * u128::from(Target::WHOLE);
    let limit = u128::from(micros(factor)) * u128::from(target.budget_parts());
    // The left side cannot overflow; a right side that does is greater than any left one.
    limit.checked_mul(u128::from(tally.valid())).is_some_and(|limit| u128::from(tally.bad) * scale > limit)
}
