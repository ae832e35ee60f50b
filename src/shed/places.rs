//! So many places, and never one more but for a moment when there are fewer of them: what a limit is made of.
//!
//! One shared count would be fought over twice a call. So each thread slot ([`slots`]) keeps the places that its thread gave
//! back, and takes them from there; only who has none looks into the pool, and at last at what others keep. As long as
//! there is room nothing is written that another thread writes, and every place is still there once. Who looks through all
//! of them while others take and give back may miss the one that was free: it is as if he had come a moment earlier.

use crate::record::slots;
use crate::sync::{AtomicU32, Ordering};
use crossbeam_utils::CachePadded;

/// Free places, by thread slot.
#[derive(Debug)]
pub(crate) struct Places {
    /// The last one is the pool: for threads without a slot of their own, and for places that nobody took yet.
    slots: Box<[CachePadded<Slot>]>,
    /// How many places there are.
    total: AtomicU32,
    /// Of those who are in, so many do not give their places back: there are fewer now, or they came in beyond them.
    debt: AtomicU32,
}

#[derive(Debug, Default)]
struct Slot {
    free: AtomicU32,
    /// See [`Places::count`]. Only the slot's thread writes it, but for the pool's.
    counted: AtomicU32,
    marked: AtomicU32,
}

impl Places {
    /// So many places for so many thread slots, the shared one included.
    pub(crate) fn new(places: u32, slots: usize) -> Self {
        let slots: Box<[_]> = (0..slots.max(1)).map(|_| CachePadded::new(Slot::default())).collect();
        slots[slots.len() - 1].free.store(places, Ordering::Relaxed);
        Self { slots, total: AtomicU32::new(places), debt: AtomicU32::new(0) }
    }

    fn pool(&self) -> usize {
        self.slots.len() - 1
    }

    /// Takes a place, if one is free; or, if none is, one of so many `beyond`.
    #[inline]
    pub(crate) fn take(&self, slot: usize, beyond: u32) -> bool {
        let own = slot.min(self.pool());
        self.slots[own].take() || self.take_elsewhere(own, beyond)
    }

    #[cold]
    fn take_elsewhere(&self, own: usize, beyond: u32) -> bool {
        let pool = self.pool();
        let others = (0..slots::claimed().min(pool)).filter(|slot| *slot != own);
        let taken = std::iter::once(pool).chain(others).any(|slot| self.slots[slot].take());
        taken || change(&self.debt, |debt| (debt < beyond).then(|| debt + 1))
    }

    /// Gives one back.
    #[inline]
    pub(crate) fn give_back(&self, slot: usize) {
        // Relaxed: who misses a debt gives back a place too many, until somebody pays.
        if self.debt.load(Ordering::Relaxed) == 0 || !change(&self.debt, less_one) {
            // SeqCst: see `Limiter::hand_over`.
            self.slots[slot.min(self.pool())].free.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// There shall be so many. One thread at a time may say so; who is in stays in.
    pub(crate) fn resize(&self, places: u32) {
        let before = self.total.load(Ordering::Relaxed);
        if places == before {
            return;
        }
        self.total.store(places, Ordering::Relaxed);
        let mut more = places.saturating_sub(before);
        more -= up_to(&self.debt, more);
        self.slots[self.pool()].free.fetch_add(more, Ordering::SeqCst);
        let mut fewer = before.saturating_sub(places);
        for slot in self.slots.iter().rev() {
            fewer -= up_to(&slot.free, fewer);
        }
        self.debt.fetch_add(fewer, Ordering::Relaxed);
    }

    /// How many are taken. Slots are read one after another: as of about now.
    pub(crate) fn taken(&self) -> u32 {
        let claimed = self.slots.iter().take(slots::claimed().min(self.pool()));
        let slots = claimed.chain(self.slots.last());
        let free: u64 = slots.map(|slot| u64::from(slot.free.load(Ordering::Relaxed))).sum();
        let (total, debt) = (self.total.load(Ordering::Relaxed), self.debt.load(Ordering::Relaxed));
        let taken = (u64::from(total) + u64::from(debt)).saturating_sub(free);
        u32::try_from(taken).unwrap_or(u32::MAX)
    }

    /// Counts one for this slot, and says how many that makes since the last [`mark`](Self::mark).
    #[inline]
    pub(crate) fn count(&self, slot: usize) -> u32 {
        let own = slot.min(self.pool());
        let Slot { counted, marked, .. } = &*self.slots[own];
        // Relaxed: they only count. On a line of its own nothing comes between a thread's load and store.
        let n = if own == self.pool() {
            counted.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
        } else {
            let n = counted.load(Ordering::Relaxed).wrapping_add(1);
            counted.store(n, Ordering::Relaxed);
            n
        };
        n.wrapping_sub(marked.load(Ordering::Relaxed))
    }

    /// Begins to count anew, in every slot.
    pub(crate) fn mark(&self) {
        for slot in &self.slots {
            slot.marked.store(slot.counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// How often it was [counted](Self::count); it begins anew at 2³².
    pub(crate) fn counted(&self) -> u32 {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.counted.load(Ordering::Relaxed)))
    }

    /// Bytes it takes beside itself.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

impl Slot {
    #[inline]
    fn take(&self) -> bool {
        // Who has none does not write, for it is mostly somebody else's line.
        self.free.load(Ordering::SeqCst) > 0 && change(&self.free, less_one)
    }
}

fn less_one(n: u32) -> Option<u32> {
    n.checked_sub(1)
}

/// Whether there was something to change.
#[inline]
fn change(word: &AtomicU32, to: impl FnMut(u32) -> Option<u32>) -> bool {
    // SeqCst: see `Limiter::hand_over`.
    word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, to).is_ok()
}

/// Takes as many as there are, up to `n`.
fn up_to(word: &AtomicU32, n: u32) -> u32 {
    // The closure always has an answer.
    let before = word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |there| Some(there.saturating_sub(n)));
    before.unwrap_or_else(|there| there).min(n)
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::record::slots;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Take(u32),
        GiveBack,
        Resize(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![0..6_u32, Just(u32::MAX)];
        prop_oneof![4 => (0..4_u32).prop_map(Step::Take), 3 => Just(Step::GiveBack), 1 => size.prop_map(Step::Resize)]
    }

    proptest! {
        #[test]
        fn who_is_in_and_who_may_come_is_what_one_count_would_say(
            steps in prop::collection::vec((step(), any::<bool>()), 0..200),
        ) {
            // This thread's own slot, and the pool.
            let slots = [slots::current(), slots::owned()];
            let places = Places::new(3, slots::owned() + 1);
            let (mut taken, mut size) = (0_u32, 3_u32);
            for (step, own) in steps {
                let slot = slots[usize::from(own)];
                match step {
                    Step::Take(beyond) => {
                        let free = taken < size.saturating_add(beyond);
                        prop_assert_eq!(places.take(slot, beyond), free);
                        taken += u32::from(free);
                    }
                    Step::GiveBack if taken > 0 => {
                        places.give_back(slot);
                        taken -= 1;
                    }
                    Step::GiveBack => {}
                    Step::Resize(to) => {
                        places.resize(to);
                        size = to;
                    }
                }
                prop_assert_eq!(places.taken(), taken);
            }
        }
    }
}
