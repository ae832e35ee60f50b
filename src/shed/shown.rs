//! What a limiter stands at, for people and machines.

use super::{Limiter, Priority};
use crate::sync::Ordering;
use std::fmt;

impl Limiter {
    /// In words.
    pub(crate) fn explain(&self) -> String {
        let LimiterShown { limit, waiting, sheds, .. } = self.shown();
        let shed: u64 = sheds.iter().sum();
        let by_hand =
            self.sheds_below().map_or(String::new(), |least| format!("; it sheds by hand what is below {least}"));
        let limits = match limit {
            None => format!("its limiter limits nothing now, and has shed {shed} calls so far"),
            Some(limit) => {
                let (in_flight, takes) = (self.places.taken(), self.expected());
                format!(
                    "its limiter lets {limit} calls in at once, of which each takes {takes:.1?}; {in_flight} are in, {waiting} \
                     wait, for {:.1?} at the most, and {shed} were shed so far",
                    self.patience()
                )
            }
        };
        limits + &by_hand
    }

    /// What it stands at.
    pub(crate) fn shown(&self) -> LimiterShown {
        let engaged = self.is_engaged();
        let limit = self.hot.limits[Priority::DEFAULT.band()].load(Ordering::Relaxed);
        LimiterShown {
            limit: (engaged && limit != u32::MAX).then_some(limit),
            base: Some(self.base.load(Ordering::Relaxed)).filter(|base| engaged && *base != u32::MAX),
            waiting: self.waiting.load(Ordering::Relaxed),
            sheds: self.sheds.each_ref().map(|sheds| sheds.load(Ordering::Relaxed)),
            below: self.sheds_below().map_or(0, Priority::level),
        }
    }
}

/// What a limiter stands at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimiterShown {
    /// None while it limits nothing.
    pub(crate) limit: Option<u32>,
    /// As many calls as are worked on at once: less than the limit if there are places in that for those who cannot wait outside,
    /// more while it warms up.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))] // only exported
    pub(crate) base: Option<u32>,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))] // only exported
    pub(crate) waiting: u32,
    /// By [`Priority::band`].
    pub(crate) sheds: [u64; 3],
    /// What is below this level is shed by hand.
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))] // only exported
    pub(crate) below: u8,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("shown", &self.shown()).finish_non_exhaustive()
    }
}
