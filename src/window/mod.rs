//! REMEMBER: counts and latency over any window, from cumulative snapshots.

mod history;
mod latency;
mod ring;

#[cfg(feature = "metrics")]
pub(crate) use history::Source;
pub(crate) use history::{Column, History, View};
pub use latency::Latency;
pub(crate) use ring::Ring;

use crate::outcome::Tally;
use std::fmt;
use std::time::Duration;

/// A span of time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Duration);

impl Window {
    /// The last `length`.
    pub const fn of(length: Duration) -> Self {
        Self(length)
    }

    /// The last `n` seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// The last `n` minutes.
    pub const fn minutes(n: u64) -> Self {
        Self(Duration::from_secs(n.saturating_mul(60)))
    }

    /// The last `n` hours.
    pub const fn hours(n: u64) -> Self {
        Self(Duration::from_secs(n.saturating_mul(3_600)))
    }

    /// The last `n` days.
    pub const fn days(n: u64) -> Self {
        Self(Duration::from_secs(n.saturating_mul(86_400)))
    }

    /// How long it is.
    pub const fn length(self) -> Duration {
        self.0
    }
}

/// As Prometheus writes durations: `5m`, `1h`, `1d`, `90s`, `417ms`: the largest unit that divides it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let (n, unit) = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
            .into_iter()
            .find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit))
            .map_or((ms, "ms"), |(unit, name)| (ms / unit, name));
        f.pad(&format!("{n}{unit}"))
    }
}

/// What was counted over a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The window that was asked for.
    pub window: Window,
    /// The events in it.
    pub tally: Tally,
    /// How much of the window has been observed, 0..=1: less than 1 while the process is younger than the window.
    pub coverage: f64,
}
