//! The time over which the promise is kept.

use super::text;
use std::fmt;
use std::time::{Duration, SystemTime};

/// What the alert pairs of the Workbook are written for.
pub(super) const STANDARD: Duration = Duration::from_secs(30 * 86_400);
/// From here on the alert windows stay as they are and their factors scale; below it is the other way round.
pub(super) const FULL_LENGTH: Duration = Duration::from_secs(28 * 86_400);
/// 30.44 days: a year in twelve parts, to the hundredth of a day.
const MEAN_MONTH: Duration = Duration::from_secs(2_630_016);

/// The compliance window: how long an error budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// The time that ends now: what is spent comes back when it leaves the period.
    Rolling(Duration),
    /// The calendar month in UTC: the budget is whole again on the first.
    CalendarMonth,
}

impl Period {
    /// How long it is; of a calendar month the mean, 30.44 days.
    ///
    /// Alert factors and the time that a budget lasts are computed from it. Months differ from the mean by less than
    /// 9 %, and one set of factors for all of them keeps the rules files from changing every month.
    pub const fn nominal(self) -> Duration {
        match self {
            Self::Rolling(length) => length,
            Self::CalendarMonth => MEAN_MONTH,
        }
    }

    /// When the period began that `wall` lies in: the first of the month, 00:00 UTC, or as long ago as it is long.
    ///
    /// A time that no calendar holds is its own beginning.
    pub fn start(self, wall: SystemTime) -> SystemTime {
        match self {
            Self::Rolling(length) => wall.checked_sub(length).unwrap_or(wall),
            Self::CalendarMonth => first_of_month(wall).unwrap_or(wall),
        }
    }
}

fn first_of_month(wall: SystemTime) -> Option<SystemTime> {
    let at = jiff::Timestamp::try_from(wall).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(at.first_of_month().ok()?.start_of_day().ok()?.into())
}

/// Rolling, 30 days.
impl Default for Period {
    fn default() -> Self {
        Self::Rolling(STANDARD)
    }
}

/// `30d`, `10m`, or `calendar month`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling(length) => f.write_str(&text::duration(*length)),
            Self::CalendarMonth => f.write_str("calendar month"),
        }
    }
}
