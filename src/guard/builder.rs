//! From a declared SLO to a guard.

use super::Guard;
use super::core::GuardCore;
use super::meter::Meter;
use super::shedding::Shedding;
use crate::breaker::{Breaker, Gate, Report, State, Transition};
use crate::error::Error;
use crate::events::EventKind;
use crate::shed::Shed;
#[cfg(feature = "tower")]
use crate::time::Clock;
use std::hash::{BuildHasher, RandomState};

/// Fallbacks that may be under way at once, unless said otherwise.
const FALLBACKS: u32 = 1_024;

/// How a guard shall be; `F` is its fallback, `()` if it has none.
///
/// ```
/// # use plimsoll::{Breaker, Plimsoll, Slo};
/// # let plimsoll = Plimsoll::new();
/// let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let guard = payments.guard().breaker(Breaker::default()).build()?;
/// let answer: Result<&str, _> = guard.call(|| Ok::<_, std::io::Error>("paid"));
/// assert_eq!(answer?, "paid");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `.build()`, `.layer()` or `.http()`"]
#[derive(Clone, Debug)]
pub struct GuardBuilder<F = ()> {
    meter: &'static Meter,
    name: Option<String>,
    breaker: Option<Breaker>,
    shed: Option<Shed>,
    fallback_limit: u32,
    pub(crate) fallback: F,
    has_fallback: bool,
}

impl GuardBuilder {
    pub(crate) fn new(meter: &'static Meter) -> Self {
        Self {
            meter,
            name: None,
            breaker: None,
            shed: None,
            fallback_limit: FALLBACKS,
            fallback: (),
            has_fallback: false,
        }
    }

    /// Makes the guard. Only layers have fallbacks: with one, write `.layer()`, `.http()` or `.http_client()`.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what to write instead, if the name is taken or the breaker cannot work.
    pub fn build(self) -> Result<Guard, Error> {
        self.split().map(|(guard, _)| guard)
    }
}

impl<F> GuardBuilder<F> {
    /// Gives it a name of its own: needed from the second guard of an SLO on.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Breaks the circuit.
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Sheds what does not fit.
    pub fn shed(mut self, shed: Shed) -> Self {
        self.shed = Some(shed);
        self
    }

    /// How many fallbacks may be under way at once: 1,024 unless said otherwise. Beyond that the refusal itself is the
    /// answer. Values and stale answers are there at once, and so never under way: only handlers are counted.
    pub fn max_concurrent_fallbacks(mut self, n: u32) -> Self {
        self.fallback_limit = n;
        self
    }

    /// Replaces the fallback.
    #[cfg(feature = "tower")]
    pub(crate) fn map_fallback<G>(self, map: impl FnOnce(F, &Clock) -> G) -> GuardBuilder<G> {
        let Self { meter, name, breaker, shed, fallback_limit, fallback, .. } = self;
        let fallback = map(fallback, &meter.hub.clock);
        GuardBuilder { meter, name, breaker, shed, fallback_limit, fallback, has_fallback: true }
    }

    /// Its name, if that and its breaker can be.
    fn validated(&self) -> Result<String, Error> {
        let name = self.name.clone().unwrap_or_else(|| self.meter.name.to_owned());
        if name.trim().is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "a guard named {name:?}: write a name of 1 to 128 characters, none of them a control character"
            )));
        }
        if let Some(breaker) = &self.breaker {
            breaker.validate(&name)?;
            let by_event = self.meter.slo().objectives().iter().filter(|objective| objective.slices().is_none());
            breaker.validate_burn(&name, by_event.map(|objective| objective.target()))?;
        }
        if let Some(shed) = &self.shed {
            shed.check(&name, self.meter.patience())?;
        }
        Ok(name)
    }

    /// What a guard per key is made of.
    pub(super) fn into_keyed(self) -> Result<(&'static Meter, String, Option<Breaker>), Error> {
        let name = self.validated()?;
        if self.shed.is_some() {
            return Err(Error::invalid(format!(
                "keyed guard {name:?}: it has a breaker for each key, and no limiter; put one guard with `.shed(…)` around \
                 it, and name the key as the tenant of its calls (`CallContext::tenant`): each then gets its share"
            )));
        }
        Ok((self.meter, name, self.breaker))
    }

    pub(crate) fn split(self) -> Result<(Guard, F), Error> {
        let name = self.validated()?;
        let Self { meter, breaker, shed, fallback_limit, fallback, has_fallback, .. } = self;
        let guard = meter.hub.add(&name, || {
            let name: &'static str = String::leak(name.clone());
            let recorder = meter.recorder(breaker.as_ref().and_then(Breaker::slow_threshold));
            let shedding = shed.as_ref().map(|shed| Shedding::new(shed, meter, recorder, meter.hub.clock.now()));
            let shedding: Option<&'static Shedding> = shedding.map(|shedding| &*Box::leak(Box::new(shedding)));
            let report = move |transition: &Transition, now| {
                let was_shut = matches!(transition.from, State::Open | State::HalfOpen | State::ForcedOpen);
                if let Some(shedding) = shedding
                    && was_shut
                    && matches!(transition.to, State::Closed | State::Ramping)
                {
                    shedding.limiter.warm_up(now);
                }
                let (from, to) = (transition.from.as_str(), transition.to.as_str());
                let why = transition.why.to_string();
                meter.hub.events.emit(now, EventKind::Breaker { guard: name, key: None, from, to, why });
            };
            let report = Box::new(report);
            if let Some(breaker) = &breaker {
                meter.watched_by(name, breaker);
            }
            let gate = breaker.as_ref().map(|breaker| gate(name, breaker, has_fallback, meter, recorder, report));
            let places = if has_fallback { fallback_limit } else { 0 };
            let core = GuardCore::new(name, meter, recorder, gate, places).with_shedding(shedding);
            Guard { core: Box::leak(Box::new(core)) }
        })?;
        Ok((guard, fallback))
    }
}

/// A breaker that reads `recorder` and tells `report` what it does.
pub(super) fn gate(
    name: &'static str,
    breaker: &Breaker,
    has_fallback: bool,
    meter: &'static Meter,
    recorder: &'static crate::record::Recorder,
    report: Report,
) -> Gate {
    let watched = meter.watched(breaker.trips_by());
    Gate::new(
        name,
        breaker,
        has_fallback,
        // Without a latency objective a slow call is at least as late as slow.
        meter.patience().or(breaker.slow_threshold()),
        &watched,
        recorder,
        RandomState::new().hash_one(name),
        meter.hub.clock.now(),
        report,
    )
}
