//! `Plimsoll`: joins the declared SLOs to their meters, guards and events.

mod reload;

use crate::alert::AlertStatus;
use crate::budget::{Budget, BurnRate, InsufficientData};
use crate::error::Error;
use crate::events::Event;
use crate::guard::{Guard, GuardBuilder, Hub, KeyedView, Meter};
use crate::outcome::{Outcome, Tally};
use crate::slo::{Slo, Target};
use crate::time::Clock;
use crate::window::{Latency, Reading, Window};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use reload::Change;

/// The registry: owns the clock, the SLOs, their guards and the events. Clones are the same registry.
///
/// One per process is enough; tests make as many as they like.
#[derive(Clone)]
pub struct Plimsoll {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    slos: Mutex<Vec<SloHandle>>,
    #[cfg(feature = "artifacts")]
    watched: Mutex<Vec<reload::Watch>>,
    #[cfg(feature = "metrics")]
    kept: Mutex<Vec<Arc<dyn std::any::Any + Send + Sync>>>,
}

impl Plimsoll {
    /// A registry on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::new())
    }

    /// A registry on a clock of one's own: a [`ManualClock`](crate::ManualClock) in tests.
    pub fn with_clock(clock: impl Into<Clock>) -> Self {
        let hub = Arc::new(Hub::new(clock.into()));
        Self {
            inner: Arc::new(Inner {
                hub,
                slos: Mutex::default(),
                #[cfg(feature = "artifacts")]
                watched: Mutex::default(),
                #[cfg(feature = "metrics")]
                kept: Mutex::default(),
            }),
        }
    }

    /// Declares an SLO: from here on it is measured, judged and shown.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what was wrong and what to write, if the declaration cannot work or its name is taken.
    pub fn declare(&self, slo: Slo) -> Result<SloHandle, Error> {
        slo.validate()?;
        let mut slos = self.inner.slos.lock();
        if slos.iter().any(|known| known.name() == slo.name()) {
            return Err(Error::duplicate(format!(
                "the SLO {:?} is declared already: use the handle that declared it (`.slo({:?})` finds it), or choose \
                 another name",
                slo.name(),
                slo.name()
            )));
        }
        Ok(self.add(&mut slos, slo))
    }

    fn add(&self, slos: &mut Vec<SloHandle>, slo: Slo) -> SloHandle {
        let handle = SloHandle { meter: Box::leak(Box::new(Meter::new(slo, Arc::clone(&self.inner.hub)))) };
        slos.push(handle);
        handle
    }

    /// A declared SLO by its name.
    pub fn slo(&self, name: &str) -> Option<SloHandle> {
        self.inner.slos.lock().iter().copied().find(|slo| slo.name() == name)
    }

    /// Every declared SLO, in the order in which they were declared.
    pub fn slos(&self) -> Vec<SloHandle> {
        self.inner.slos.lock().clone()
    }

    /// A guard by its name.
    pub fn guard(&self, name: &str) -> Option<Guard> {
        self.guards().into_iter().find(|guard| guard.name() == name)
    }

    /// Every guard, in the order in which they were made.
    pub fn guards(&self) -> Vec<Guard> {
        self.inner.hub.guards()
    }

    /// What happened of late, oldest first; the last 1,024 events are kept.
    pub fn events(&self) -> Vec<Event> {
        self.inner.hub.events.recent()
    }

    /// Calls `subscriber` at every event, on the thread that caused it and with no lock held: it may call back into
    /// anything here. It should be quick. If it panics, the panic hook tells of it, and nothing else comes of it.
    pub fn subscribe(&self, subscriber: impl Fn(&Event) + Send + Sync + 'static) {
        self.inner.hub.events.subscribe(Arc::new(subscriber));
    }

    /// Does what time alone does: rolls windows, judges alerts, ends ramps.
    ///
    /// Requests do this as they come, and so does every reading; call it from a timer, about once a second, if alerts
    /// must be noticed while there is neither. Files that are watched are looked at here, and nowhere else.
    pub fn tick(&self) {
        let now = self.inner.hub.clock.now();
        for slo in self.slos() {
            slo.meter.tick_if_due(now);
        }
        for guard in self.guards() {
            guard.core.ticked();
        }
        for keyed in self.keyed_guards() {
            keyed.tick(now);
        }
        #[cfg(feature = "artifacts")]
        self.look_at_files(now);
    }

    /// Every guard per key, in the order in which they were made.
    pub(crate) fn keyed_guards(&self) -> Vec<&'static dyn KeyedView> {
        self.inner.hub.keyed_guards()
    }

    /// What a showing room keeps from one showing to the next; the rooms know their types, the registry does not.
    #[cfg(feature = "metrics")]
    pub(crate) fn kept<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut kept = self.inner.kept.lock();
        if let Some(found) = kept.iter().find_map(|any| Arc::clone(any).downcast().ok()) {
            return found;
        }
        let fresh = Arc::new(T::default());
        kept.push(Arc::clone(&fresh) as Arc<dyn std::any::Any + Send + Sync>);
        fresh
    }

    /// The clock that everything is decided by.
    pub fn clock(&self) -> &Clock {
        &self.inner.hub.clock
    }
}

impl Default for Plimsoll {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Plimsoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plimsoll").field("slos", &self.slos()).field("guards", &self.guards()).finish()
    }
}

/// A declared SLO. A handle: copies are the same SLO.
#[derive(Clone, Copy)]
pub struct SloHandle {
    pub(crate) meter: &'static Meter,
}

impl SloHandle {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.meter.name
    }

    /// What is declared: what was, unless it was [reloaded](Plimsoll::reload).
    pub fn declaration(&self) -> &'static Slo {
        self.meter.slo()
    }

    /// Begins a guard whose calls count towards this SLO.
    pub fn guard(&self) -> GuardBuilder {
        GuardBuilder::new(self.meter)
    }

    /// Its objectives.
    pub fn objectives(&self) -> impl ExactSizeIterator<Item = ObjectiveHandle> + use<> {
        let meter = self.meter;
        (0..meter.slo().objectives().len()).map(move |index| ObjectiveHandle { meter, index })
    }

    /// An objective by its name.
    pub fn objective(&self, name: &str) -> Option<ObjectiveHandle> {
        self.objectives().find(|objective| objective.name() == name)
    }

    /// Counts an event that came through no guard: a job's, a consumer's, a measurement's.
    pub fn record(&self, outcome: Outcome, latency: Duration) {
        self.meter.record(outcome, latency);
    }

    /// Counts events that are no calls: so many good ones, so many bad ones.
    pub fn count(&self, good: u64, bad: u64) {
        self.meter.count(Outcome::Success, good);
        self.meter.count(Outcome::FAILURE, bad);
    }

    /// How fast the error budget burns over `window`: 1 spends it exactly over the period. Of several objectives, the
    /// one that burns fastest.
    ///
    /// # Errors
    ///
    /// [`InsufficientData`] if there were too few events in the window to say.
    pub fn burn_rate(&self, window: Window) -> Result<BurnRate, InsufficientData> {
        let rates = self.objectives().map(|objective| objective.burn_rate(window));
        rates
            .reduce(|worst, rate| match (&worst, &rate) {
                (Ok(a), Ok(b)) if b.value > a.value => rate,
                (Err(_), Ok(_)) => rate,
                _ => worst,
            })
            .unwrap_or(Err(InsufficientData { events: 0, needed: 1, coverage: 0.0, window }))
    }

    /// What is left of the error budget. Of several objectives, the one with the least left.
    pub fn budget(&self) -> Budget {
        let (meter, now) = (self.meter, self.meter.hub.clock.now());
        let rest = self.objectives().skip(1).map(|objective| objective.budget());
        rest.fold(meter.budget(0, now), |least, budget| if budget.remaining < least.remaining { budget } else { least })
    }

    /// The latencies of calls that were not refused, over `window`. They are remembered for less long than counts (for about
    /// an hour and a half with a period of 30 days: see [`Latency::coverage`]) and in coarser steps, of 5 s, 30 s, 3 min and 18 min:
    /// the calls of the step in which the window begins are taken to have come evenly over it.
    pub fn latency(&self, window: Window) -> Latency {
        self.meter.latency(window, self.meter.hub.clock.now())
    }

    /// Its alerts, judged now.
    pub fn alerts(&self) -> Vec<AlertStatus> {
        self.meter.alerts(self.meter.hub.clock.now())
    }

    /// Calls and events by outcome, since it was declared.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> + use<> {
        let mut sums = [0_u64; Outcome::COUNT];
        for recorder in self.meter.sources() {
            for (sum, n) in sums.iter_mut().zip(recorder.outcomes()) {
                *sum = sum.wrapping_add(n);
            }
        }
        Outcome::ALL.into_iter().zip(sums)
    }

    /// Bytes that its own history takes, and what counts its events by hand; a guard says its own.
    pub fn memory_footprint(&self) -> usize {
        self.meter.memory_footprint()
    }
}

impl fmt::Debug for SloHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SloHandle").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// One objective of a declared SLO.
#[derive(Clone, Copy)]
pub struct ObjectiveHandle {
    meter: &'static Meter,
    index: usize,
}

impl ObjectiveHandle {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.meter.slo().objectives()[self.index].name()
    }

    /// What was promised.
    pub fn target(&self) -> Target {
        self.meter.slo().objectives()[self.index].target()
    }

    /// What was counted over `window`: events, or slices of time if it is judged by those.
    pub fn reading(&self, window: Window) -> Reading {
        self.meter.reading(self.index, window, self.meter.hub.clock.now())
    }

    /// Every event since it was declared.
    pub fn total(&self) -> Tally {
        self.meter.total(self.index, self.meter.hub.clock.now())
    }

    /// How fast the error budget burns over `window`.
    ///
    /// # Errors
    ///
    /// [`InsufficientData`] if there were too few events in the window to say.
    pub fn burn_rate(&self, window: Window) -> Result<BurnRate, InsufficientData> {
        self.meter.burn_rate(self.index, window, self.meter.hub.clock.now())
    }

    /// What is left of the error budget of the period.
    pub fn budget(&self) -> Budget {
        self.meter.budget(self.index, self.meter.hub.clock.now())
    }
}

impl fmt::Debug for ObjectiveHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectiveHandle").field("slo", &self.meter.name).field("name", &self.name()).finish()
    }
}
