//! How many fallbacks may be under way at once.
#![cfg_attr(not(feature = "tower"), allow(dead_code))] // only layers have fallbacks

use crate::record::slots;
use crate::shed::Places;

/// A place among the fallbacks under way; given back when dropped.
#[derive(Debug)]
pub(crate) struct FallbackPlace(Option<&'static Places>);

impl FallbackPlace {
    /// For a fallback whose answer is there at once: it is never under way.
    pub(crate) const NONE_NEEDED: Self = Self(None);

    /// One of these, if one is free.
    pub(super) fn of(places: &'static Places) -> Option<Self> {
        places.take(slots::current(), 0).then(|| Self(Some(places)))
    }
}

impl Drop for FallbackPlace {
    #[inline]
    fn drop(&mut self) {
        if let Some(places) = self.0 {
            places.give_back(slots::current());
        }
    }
}
