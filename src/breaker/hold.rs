//! A decision of an operator that ends by itself: one that is forgotten is a classic second outage.

use crate::time::Timestamp;
use std::fmt;

/// Until when an operator's decision holds, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) until: Timestamp,
    /// Who and why, as far as it was said.
    pub(crate) whose: String,
}

impl Hold {
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// `this ends by itself in 14 min (by anna: a migration)`, at `now`.
    pub(crate) fn left(&self, now: Timestamp) -> impl fmt::Display {
        let seconds = self.until.since(now).as_secs_f64().ceil() as u64;
        let left = match seconds {
            0..120 => format!("{seconds} s"),
            120..7_200 => format!("{} min", seconds.div_ceil(60)),
            _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        };
        let whose = if self.whose.is_empty() { String::new() } else { format!(" ({})", self.whose) };
        format!("this ends by itself in {left}{whose}")
    }
}
