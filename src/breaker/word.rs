//! The words that have a generation in their upper half: the one that says who may pass, with the state in its lower bits,
//! and the number of bad calls in a row.

use super::core::State;
use crate::sync::{AtomicU64, Ordering};

pub(super) const CLOSED: u64 = 0;
pub(super) const OPEN: u64 = 1;
pub(super) const HALF_OPEN: u64 = 2;
pub(super) const RAMPING: u64 = 3;
pub(super) const FORCED_OPEN: u64 = 4;
pub(super) const FORCED_CLOSED: u64 = 5;
pub(super) const WOULD_BE_OPEN: u64 = 6;
pub(super) const STATE: u64 = 0b111;

pub(super) const fn of(state: State, generation: u32) -> u64 {
    let state = match state {
        State::Closed => CLOSED,
        State::Open => OPEN,
        State::HalfOpen => HALF_OPEN,
        State::Ramping => RAMPING,
        State::ForcedOpen => FORCED_OPEN,
        State::ForcedClosed => FORCED_CLOSED,
        State::WouldBeOpen => WOULD_BE_OPEN,
    };
    state | (generation as u64) << 32
}

#[inline]
pub(super) const fn generation(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Bad calls since the last good one, of one life of the breaker: who was admitted in an earlier one neither begins a row of
/// a later one nor ends it.
#[derive(Debug)]
pub(super) struct InARow(AtomicU64);

// Relaxed: it orders nothing; and a life that is to be seen in `word` began its row before.
impl InARow {
    const fn none(generation: u32) -> u64 {
        (generation as u64) << 32
    }

    pub(super) fn new(generation: u32) -> Self {
        Self(AtomicU64::new(Self::none(generation)))
    }

    /// Begins a life.
    pub(super) fn begin(&self, generation: u32) {
        // Not stored: loom puts only read-modify-writes in order.
        self.0.swap(Self::none(generation), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn bad(&self) -> u32 {
        self.0.load(Ordering::Relaxed) as u32
    }

    /// One more of that life. How many these are; none if that life is over.
    pub(super) fn add(&self, of: u32) -> u32 {
        let more = |row: u64| (generation(row) == of && row as u32 != u32::MAX).then(|| row + 1);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.map_or(0, |before| before as u32 + 1)
    }

    /// A good one of that life.
    pub(super) fn end(&self, of: u32) {
        let none = |row: u64| (generation(row) == of).then_some(Self::none(of));
        // Of another life: nothing is to be done.
        _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, none);
    }
}
