//! The one word that says who may pass: the state in its lower bits, the generation in its upper half.

use super::core::State;

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
