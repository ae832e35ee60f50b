//! One admission and one permit through recorder and breaker.

mod act;
mod admission;
mod builder;
mod core;
mod hub;
mod keyed;
mod meter;
mod permit;
mod places;
mod refusal;
mod run;
mod shedding;

pub(crate) use act::Act;
pub use admission::Acquire;
#[cfg(feature = "retry")]
pub(crate) use admission::timer;
#[cfg(feature = "tower")]
pub(crate) use admission::{Admission, Entered};
pub use builder::GuardBuilder;
pub use keyed::{Key, KeyedGuard};
pub(crate) use keyed::{KeyedShown, KeyedView};
pub(crate) use meter::{Brief, Meter};
pub use permit::Permit;
#[cfg(feature = "tower")]
pub(crate) use permit::{FailedOver, Refusal};
#[cfg(feature = "tower")]
pub(crate) use places::FallbackPlace;
pub use run::GuardError;
#[cfg(feature = "metrics")]
pub(crate) use shedding::SheddingShown;
pub(crate) use {core::GuardCore, hub::Hub};

use crate::breaker::{Mode, Reason, Rejection, State};
use crate::outcome::Outcome;
use crate::shed::{CallContext, Priority};
use std::fmt;

/// Measures calls, and breaks the circuit. A handle: copies are the same guard.
///
/// A guard, once made, lives as long as the process, and its memory is fixed when it is made
/// ([`memory_footprint`](Self::memory_footprint)).
#[derive(Clone, Copy)]
pub struct Guard {
    pub(crate) core: &'static GuardCore,
}

impl Guard {
    /// Its name: the SLO's, unless it was given one.
    pub fn name(&self) -> &'static str {
        self.core.name
    }

    /// The SLO it counts towards.
    pub fn slo(&self) -> &'static str {
        self.core.meter.name
    }

    /// Asks for permission for one call.
    ///
    /// # Errors
    ///
    /// The [`Rejection`] says why not, and when to come back. It is counted.
    #[inline]
    pub fn admit(&self) -> Result<Permit, Rejection> {
        self.core.admit()
    }

    /// The same for a call that says what it brings along; [`admit`](Self::admit) takes the
    /// [current](CallContext::current) context.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn admit_in(&self, context: CallContext) -> Result<Permit, Rejection> {
        self.core.admit_in(context)
    }

    /// Waits for permission for one call, if its limiter has a queue and the call can still be answered in time. Time
    /// spent waiting is part of the call's latency.
    ///
    /// On a tokio runtime with a timer whoever waits too long is refused at that moment; on others, when the next call
    /// comes or ends.
    pub fn acquire(&self) -> Acquire {
        self.acquire_in(CallContext::current())
    }

    /// The same for a call that says what it brings along.
    pub fn acquire_in(&self, context: CallContext) -> Acquire {
        Acquire::new(self.core, context)
    }

    /// The breaker's state; closed if there is no breaker.
    pub fn state(&self) -> State {
        self.core.gate.as_ref().map_or(State::Closed, |gate| gate.state(self.core.now()))
    }

    /// In words: the breaker's state, and what it saw when it last decided; and what the limiter allows.
    pub fn explain(&self) -> String {
        let mut words = match &self.core.gate {
            None => format!("guard {} has no breaker", self.name()),
            Some(gate) => gate.explain(self.name(), self.core.now()),
        };
        if let Some(shedding) = self.core.shedding() {
            self.core.end_by_hand(shedding, self.core.now());
            words.push_str("; ");
            words.push_str(&shedding.explain(self.core.now()));
        }
        words
    }

    /// Refuses every call until [`auto`](Self::auto).
    pub fn force_open(&self) {
        self.operate(Mode::ForcedOpen, &Act::default());
    }

    /// Lets every call through until [`auto`](Self::auto).
    pub fn force_closed(&self) {
        self.operate(Mode::ForcedClosed, &Act::default());
    }

    /// Decides but refuses nothing, until [`auto`](Self::auto).
    pub fn observe_only(&self) {
        self.operate(Mode::Observe, &Act::default());
    }

    /// Gives the decision back to the breaker. One that was forced open lets calls through gradually; one that only
    /// observed before it was forced observes again, and decides when this is called once more.
    pub fn auto(&self) {
        self.operate(Mode::Auto, &Act::default());
    }

    /// Refuses at once every call of a lower priority than this, until it is called with `None`: to shed a class of calls by
    /// hand. With a limiter or without one; calls that say nothing are [`Priority::DEFAULT`].
    ///
    /// ```
    /// # use plimsoll::{CallContext, Plimsoll, Priority, Reason, Slo};
    /// # let plimsoll = Plimsoll::new();
    /// let guard = plimsoll.declare(Slo::new("checkout").success(99.9))?.guard().build()?;
    /// guard.shed_below(Some(Priority::DEFAULT));
    /// let crawler = CallContext::new().priority(Priority::SHEDDABLE);
    /// assert_eq!(guard.admit_in(crawler).unwrap_err().reason(), Reason::ShedByHand);
    /// assert!(guard.admit().is_ok());
    /// guard.shed_below(None);
    /// assert!(guard.admit_in(crawler).is_ok());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn shed_below(&self, priority: Option<Priority>) {
        self.shed(priority, &Act::default());
    }

    /// The priority below which it [sheds by hand](Self::shed_below); none if it does not.
    pub fn sheds_below(&self) -> Option<Priority> {
        let shedding = self.core.shedding()?;
        self.core.end_by_hand(shedding, self.core.now());
        shedding.limiter.sheds_below()
    }

    /// How many calls it lets in at once just now; none if it limits nothing.
    pub fn limit(&self) -> Option<u32> {
        self.core.shedding().and_then(|shedding| shedding.limiter.shown().limit)
    }

    /// How far its warm-up is, 0..1; none if there is none, or it is over.
    pub fn warmth(&self) -> Option<f64> {
        self.core.shedding().and_then(|shedding| shedding.limiter.warmth(self.core.now()))
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u64 {
        self.core.recorder.in_flight()
    }

    /// How many calls ended how, since the guard was made.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> + use<> {
        Outcome::ALL.into_iter().zip(self.core.recorder.outcomes())
    }

    /// How many calls it refused for which reason, since it was made, whether or not a fallback answered them;
    /// [`Reason::FallbackLimit`] counts those again for which no fallback was free.
    pub fn refusals(&self) -> impl Iterator<Item = (Reason, u64)> + use<> {
        Reason::ALL.into_iter().zip(self.core.recorder.notes())
    }

    /// How long the first bytes of answers took, since the guard was made: when a response's head was there. None if it
    /// has no HTTP face.
    #[cfg(feature = "http")]
    pub fn first_byte(&self) -> Option<crate::window::Latency> {
        let first = self.core.first_bytes()?;
        Some(crate::window::Latency::new(1.0, first.latency().into_iter()))
    }

    /// Bytes it takes, whatever the traffic: fixed when it is made, but for calls that wait in its limiter's queue. The
    /// history of its SLO is counted there.
    pub fn memory_footprint(&self) -> usize {
        self.core.memory_footprint()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("name", &self.name()).field("slo", &self.slo()).finish_non_exhaustive()
    }
}
