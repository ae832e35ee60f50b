//! How many fallbacks may be under way at once.
#![cfg_attr(not(feature = "tower"), allow(dead_code))] // only layers have fallbacks

use crate::record::slots;
use crate::sync::{AtomicU32, Ordering};
use crossbeam_utils::CachePadded;

/// Free places, some to a thread slot: a thread takes one where it gave one back last, and from others only when it has
/// none. One shared count would be fought over twice a call.
#[derive(Debug)]
pub(crate) struct Places(Box<[CachePadded<AtomicU32>]>);

/// A place among the fallbacks under way; given back when dropped.
#[derive(Debug)]
pub(crate) struct FallbackPlace(Option<&'static Places>);

impl Places {
    /// So many places for so many thread slots.
    pub(crate) fn new(places: u32, slots: usize) -> Self {
        let slots = u32::try_from(slots).unwrap_or(u32::MAX).clamp(1, places.max(1));
        let share = |slot| places / slots + u32::from(slot < places % slots);
        Self((0..slots).map(|slot| CachePadded::new(AtomicU32::new(share(slot)))).collect())
    }

    /// Takes a place, if one is free.
    pub(crate) fn take(&'static self, slot: usize) -> Option<FallbackPlace> {
        let (before, after) = self.0.split_at(slot % self.0.len());
        // Relaxed throughout: a place guards no data, it is only never there twice.
        let taken = |free: &AtomicU32| {
            free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1)).is_ok()
        };
        after.iter().chain(before).any(|free| taken(free)).then(|| FallbackPlace(Some(self)))
    }

    fn give_back(&self, slot: usize) {
        self.0[slot % self.0.len()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn memory_footprint(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl FallbackPlace {
    /// For a fallback whose answer is there at once: it is never under way.
    pub(crate) const NONE_NEEDED: Self = Self(None);
}

impl Drop for FallbackPlace {
    #[inline]
    fn drop(&mut self) {
        if let Some(places) = self.0 {
            places.give_back(slots::current());
        }
    }
}
