//! What an admitted call holds, and what a refused one does.
//!
//! Both end in exactly one outcome however they go: told, dropped, or unwound through.

use super::GuardCore;
#[cfg(feature = "tower")]
use crate::breaker::Rejection;
use crate::breaker::Ticket;
use crate::outcome::{Outcome, Row};
use crate::record::slots;
use crate::time::Ticks;
use std::mem::ManuallyDrop;
use std::time::Duration;

/// Permission for one call. Say how it ended; a permit that is dropped counts as abandoned, or as panicked if the
/// thread is unwinding.
#[must_use = "a permit that is dropped counts as an abandoned call"]
#[derive(Debug)]
pub struct Permit {
    core: &'static GuardCore,
    started: Ticks,
    ticket: Ticket,
    place: Place,
}

/// Where a call was counted in: packed, so that a permit stays in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u64);

impl Place {
    /// With the recorder in this epoch, and with the limiter at this level; 0 if it was not engaged.
    #[inline]
    pub(super) fn new(epoch: u8, level: u8) -> Self {
        Self(u64::from(epoch) | u64::from(level) << 8)
    }

    /// The same, having waited for so many microseconds.
    pub(super) fn after(self, waited: u32) -> Self {
        Self(self.0 | u64::from(waited) << 32)
    }

    #[inline]
    pub(super) fn epoch(self) -> u8 {
        self.0 as u8
    }

    #[inline]
    pub(super) fn level(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The same of a call that ended so.
    #[inline]
    pub(super) fn ending(self, row: Row) -> Self {
        Self(self.0 | u64::from(row.0) << 16)
    }

    #[inline]
    pub(super) fn row(self) -> Row {
        Row((self.0 >> 16) as u8)
    }

    /// Whether the limiter knows of it.
    #[inline]
    pub(super) fn is_limited(self) -> bool {
        self.level() != 0
    }

    /// Whether neither the limiter nor an epoch knows of it.
    #[inline]
    pub(super) fn is_bare(self) -> bool {
        self.0 as u16 == 0
    }

    /// In nanoseconds.
    pub(super) fn waited(self) -> u64 {
        (self.0 >> 32) * 1_000
    }
}

impl Permit {
    #[inline]
    pub(super) fn new(core: &'static GuardCore, started: Ticks, ticket: Ticket, place: Place) -> Self {
        Self { core, started, ticket, place }
    }

    /// The call succeeded; slow or not is decided by the clock.
    #[inline]
    pub fn success(self) {
        self.finish(Outcome::Success);
    }

    /// The call failed.
    #[inline]
    pub fn failure(self) {
        self.finish(Outcome::FAILURE);
    }

    /// The call ended like this.
    #[inline]
    pub fn finish(self, outcome: Outcome) {
        // It must not be dropped as well; and without a destructor it stays in registers.
        let permit = ManuallyDrop::new(self);
        permit.core.finish(permit.started, permit.ticket, permit.place, outcome.row());
    }

    /// How long the call has been under way.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.core.since(self.started))
    }

    /// The first byte of the answer is there: its latency is counted apart.
    pub fn first_byte(&self) {
        self.core.first_byte(self.elapsed());
    }

    #[cfg(feature = "tower")]
    pub(crate) fn core(&self) -> &'static GuardCore {
        self.core
    }

    /// The call failed, and a fallback is asked to answer in its place: the breaker sees the failure now, the SLI sees
    /// what becomes of it.
    #[cfg(feature = "tower")]
    pub(crate) fn fail_over(self, outcome: Outcome) -> FailedOver {
        let permit = ManuallyDrop::new(self);
        permit.core.saw(permit.started, permit.ticket, permit.place, outcome);
        FailedOver { core: permit.core, started: permit.started, epoch: permit.place.epoch(), outcome, open: true }
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.core.finish(self.started, self.ticket, self.place, dropped().row());
    }
}

/// How a call ended whose future or permit was dropped.
#[cold]
pub(super) fn dropped() -> Outcome {
    if std::thread::panicking() { Outcome::Panicked } else { Outcome::Abandoned }
}

/// A call that was refused and is not yet counted: as rejected, unless a fallback answers it.
#[cfg(feature = "tower")]
#[must_use]
#[derive(Debug)]
pub(crate) struct Refusal {
    core: &'static GuardCore,
    started: Ticks,
    rejection: Rejection,
    open: bool,
}

#[cfg(feature = "tower")]
impl Refusal {
    #[inline]
    pub(super) fn new(core: &'static GuardCore, started: Ticks, rejection: Rejection) -> Self {
        Self { core, started, rejection, open: true }
    }

    #[inline]
    pub(crate) fn core(&self) -> &'static GuardCore {
        self.core
    }

    #[inline]
    pub(crate) fn rejection(&self) -> Rejection {
        self.rejection
    }

    /// Nobody answers it.
    #[inline(always)] // see `GuardCore::admit`
    pub(crate) fn reject(mut self) -> Rejection {
        self.open = false;
        self.core.refused(self.rejection.reason());
        self.rejection
    }

    /// A fallback answered it.
    pub(crate) fn degraded(mut self) {
        self.open = false;
        self.core.record(self.started, Outcome::Degraded);
    }

    /// A fallback answered it that waited for nothing: that took no time, and no clock is read for it.
    #[inline]
    pub(crate) fn degraded_at_once(mut self) {
        self.open = false;
        self.core.record_at_once(Outcome::Degraded);
    }
}

#[cfg(feature = "tower")]
impl Drop for Refusal {
    #[inline]
    fn drop(&mut self) {
        if self.open {
            self.core.record(self.started, dropped());
        }
    }
}

/// A call that failed, of which the breaker knows, and that a fallback may still answer.
#[cfg(feature = "tower")]
#[must_use]
#[derive(Debug)]
pub(crate) struct FailedOver {
    core: &'static GuardCore,
    started: Ticks,
    epoch: u8,
    outcome: Outcome,
    open: bool,
}

#[cfg(feature = "tower")]
impl FailedOver {
    /// A fallback answered it.
    pub(crate) fn degraded(mut self) {
        self.end(Outcome::Degraded);
    }

    /// No fallback answered it: it is what it was.
    pub(crate) fn failed(mut self) {
        self.end(self.outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.open = false;
        self.core.finish_unseen(self.started, self.epoch, outcome);
    }
}

#[cfg(feature = "tower")]
impl Drop for FailedOver {
    fn drop(&mut self) {
        if self.open {
            self.end(dropped());
        }
    }
}

/// A slot number for the calling thread's counters.
#[inline]
pub(super) fn slot() -> usize {
    slots::current()
}
