//! One declared SLO at run time: its recorders, what it remembers, and its alerts.

use super::hub::Hub;
use crate::alert::{AlertState, AlertStatus, Alerts, Edge};
use crate::breaker::{Breaker, LiveTarget, Watched};
use crate::budget::{self, Budget, BurnRate, InsufficientData};
use crate::error::Error;
use crate::events::EventKind;
use crate::outcome::{Accounting, Outcome, Tally};
use crate::record::{Lane, MAX_THRESHOLDS, Recorder};
use crate::slo::{MOST_THRESHOLDS, Objective, Period, Slo};
use crate::time::Timestamp;
use crate::window::{Column, History, Latency, Reading, View, Window};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

// All that are declared and a breaker's own must be told apart.
const _: () = assert!(cfg!(plimsoll_loom) || MAX_THRESHOLDS > MOST_THRESHOLDS);

/// An SLO being measured. It lives as long as the process, so that a call needs no reference count to reach it.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Leaked: what it was handed out as must not change under anybody's hands. Each reload that changes it leaks one.
    slo: RwLock<&'static Slo>,
    /// What it was when its memory was laid out.
    first: &'static Slo,
    /// The same, one by one, where breakers watch them.
    targets: Vec<LiveTarget>,
    /// What may not become unable to trip.
    breakers: Mutex<Vec<(&'static str, Breaker)>>,
    pub(crate) accounting: Accounting,
    pub(crate) name: &'static str,
    pub(crate) hub: Arc<Hub>,
    history: History,
    alerts: Mutex<Alerts>,
    /// The budget left of the poorest objective, as a ratio, when the windows were last rolled.
    left: AtomicU64,
    /// For events that come through no guard.
    by_hand: OnceLock<&'static Recorder>,
}

/// How an SLO stands, in short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    /// No alert is due, and there is budget left.
    pub(crate) is_well: bool,
    /// The budget left of the poorest objective, as a ratio.
    pub(crate) left: f64,
    /// How fast the fastest objective burns, over the shortest long window of the alerts.
    pub(crate) burn: Option<f64>,
}

impl Meter {
    pub(crate) fn new(slo: Slo, hub: Arc<Hub>) -> Self {
        let now = hub.clock.now();
        let slo: &'static Slo = Box::leak(Box::new(slo));
        let columns = slo.objectives().iter().map(|objective| Column {
            lane: lane(slo, objective, slo.sli_accounting()),
            slices: objective.slices().map(|(length, target)| (length, target.as_ratio())),
        });
        let longest = slo.alert_windows().iter().map(|alert| alert.long()).max().unwrap_or_default();
        let period = match slo.period() {
            Period::CalendarMonth => Duration::from_secs(31 * 86_400),
            period => period.nominal(),
        };
        Self {
            targets: slo.objectives().iter().map(|objective| LiveTarget::new(objective.target())).collect(),
            breakers: Mutex::default(),
            accounting: slo.sli_accounting(),
            history: History::new(columns.collect(), slo.finest_step(), period.max(longest), now),
            alerts: Mutex::new(Alerts::new(slo)),
            left: AtomicU64::new(1_f64.to_bits()),
            by_hand: OnceLock::new(),
            name: String::leak(slo.name().to_owned()),
            slo: RwLock::new(slo),
            first: slo,
            hub,
        }
    }

    /// What is declared now.
    pub(crate) fn slo(&self) -> &'static Slo {
        *self.slo.read()
    }

    /// Notes that a guard's breaker watches the targets.
    pub(super) fn watched_by(&self, guard: &'static str, breaker: &Breaker) {
        let mut breakers = self.breakers.lock();
        breakers.reserve_exact(1);
        breakers.push((guard, breaker.clone()));
    }

    /// Whether it can be declared as `slo` while it runs.
    ///
    /// # Errors
    ///
    /// What takes a restart, and a breaker that could no longer trip.
    pub(crate) fn can_become(&self, slo: &Slo) -> Result<(), Error> {
        self.first.can_become(slo)?;
        self.breakers.lock().iter().try_for_each(|(guard, breaker)| {
            let by_event = slo.objectives().iter().filter(|objective| objective.slices().is_none());
            breaker.validate_burn(guard, by_event.map(Objective::target))
        })
    }

    /// Declares it anew, as something that it [can become](Self::can_become). Counts, windows, breakers and the
    /// state of the alerts that stay are kept; those that go while they are due are given back, to be [told](Self::alerts_ended).
    pub(crate) fn redeclare(&self, slo: Slo, now: Timestamp) -> Vec<Edge> {
        let slo: &'static Slo = Box::leak(Box::new(slo));
        let mut alerts = self.alerts.lock();
        for (target, objective) in self.targets.iter().zip(slo.objectives()) {
            target.set(objective.target());
        }
        *self.slo.write() = slo;
        alerts.redeclare(slo, now)
    }

    /// Tells of alerts that ended because they are no longer declared.
    pub(crate) fn alerts_ended(&self, ended: Vec<Edge>, now: Timestamp) {
        self.tell(ended, now);
    }

    /// Latencies the counts are exact at.
    pub(super) fn thresholds(&self) -> Vec<Duration> {
        self.slo().objectives().iter().filter_map(Objective::threshold).collect()
    }

    /// After this, an abandoned call had been waited for long enough to say something.
    pub(super) fn patience(&self) -> Option<Duration> {
        patience(self.slo())
    }

    /// The objectives as a breaker's burn trip sees them.
    pub(super) fn watched(&self, accounting: Accounting) -> Vec<Watched> {
        let slo = self.slo();
        let objectives =
            slo.objectives().iter().zip(&self.targets).filter(|(objective, _)| objective.slices().is_none());
        objectives
            .map(|(objective, target)| Watched { target: target.clone(), lane: lane(slo, objective, accounting) })
            .collect()
    }

    /// A recorder whose events count towards this SLO.
    pub(super) fn recorder(&self, slow: Option<Duration>) -> &'static Recorder {
        let recorder: &'static Recorder = Box::leak(Box::new(Recorder::new(&self.thresholds(), slow)));
        self.history.attach(recorder);
        recorder
    }

    /// One whose events count towards nothing.
    #[cfg(feature = "http")]
    pub(super) fn recorder_aside(&self) -> &'static Recorder {
        let recorder: &'static Recorder = Box::leak(Box::new(Recorder::new(&[], None)));
        self.history.look_at(recorder);
        recorder
    }

    fn by_hand(&self) -> &'static Recorder {
        self.by_hand.get_or_init(|| self.recorder(None))
    }

    pub(crate) fn record(&self, outcome: Outcome, latency: Duration) {
        self.tick_if_due(self.hub.clock.now());
        self.by_hand().record(crate::record::slots::current(), outcome.row(), crate::time::nanos(latency));
    }

    pub(crate) fn count(&self, outcome: Outcome, n: u64) {
        self.tick_if_due(self.hub.clock.now());
        if n > 0 {
            self.by_hand().count(crate::record::slots::current(), outcome, n);
        }
    }

    #[inline]
    pub(super) fn next_tick(&self) -> Timestamp {
        self.history.next_tick()
    }

    pub(crate) fn tick_if_due(&self, now: Timestamp) {
        if now >= self.next_tick() {
            self.tick(now);
        }
    }

    /// Rolls the windows if it is time, and judges the alerts if it was this call that rolled.
    pub(crate) fn tick(&self, now: Timestamp) {
        // In one look, and waiting for nobody: if somebody evaluates them just now, it is done.
        let period = self.period();
        let judged = self.history.try_roll(now, |view| {
            let slo = self.slo();
            let targets = slo.objectives().iter().map(Objective::target);
            let left = targets.enumerate().map(|(objective, target)| {
                Budget::new(target, slo.period(), &view.read(objective, period), None).remaining
            });
            self.left.store(left.fold(1.0, f64::min).to_bits(), Ordering::Relaxed);
            let mut alerts = self.alerts.try_lock()?;
            Some(alerts.evaluate(now, |objective, window| view.read(objective, window)))
        });
        self.tell(judged.flatten().unwrap_or_default(), now);
    }

    /// The budget left of the poorest objective, as a ratio: as of the last tick, and without a lock.
    pub(super) fn budget_left(&self) -> f64 {
        f64::from_bits(self.left.load(Ordering::Relaxed))
    }

    /// Evaluates the alerts for somebody who asks, and may wait.
    fn judge(&self, now: Timestamp) {
        let mut alerts = self.alerts.lock();
        let edges =
            self.history.look(now, |view| alerts.evaluate(now, |objective, window| view.read(objective, window)));
        drop(alerts);
        self.tell(edges, now);
    }

    /// With no lock held: whoever is told may ask.
    fn tell(&self, edges: Vec<Edge>, now: Timestamp) {
        for edge in edges {
            let (objective, slo) = (edge.alert.objective, self.slo());
            // No tick: whoever rolled told this. A reload may have come in between, and never changes which there are.
            let period = self.period();
            let reading = self.history.look(now, |view| view.read(objective, period));
            let left = Budget::new(slo.objectives()[objective].target(), slo.period(), &reading, None).remaining;
            let kind = EventKind::Alert {
                slo: self.name,
                objective: edge.alert.name.to_string(),
                severity: edge.alert.severity.as_str(),
                state: edge.transition.as_str(),
                long: edge.alert.long.length(),
                budget_left: left,
                why: why(&edge),
            };
            self.hub.events.emit(now, kind);
        }
    }

    pub(crate) fn alerts(&self, now: Timestamp) -> Vec<AlertStatus> {
        self.judge(now);
        self.alerts.lock().status().cloned().collect()
    }

    pub(crate) fn reading(&self, objective: usize, window: Window, now: Timestamp) -> Reading {
        self.tick_if_due(now);
        self.history.look(now, |view| view.read(objective, window))
    }

    /// How it stood when the windows were last rolled.
    pub(crate) fn brief(&self) -> Brief {
        let alerts = self.alerts.lock();
        let quiet = alerts.status().all(|alert| alert.state == AlertState::Inactive);
        let shortest = alerts.status().map(|alert| alert.long).min();
        let recent = alerts.status().filter(|alert| Some(alert.long) == shortest).filter_map(|alert| alert.long_burn);
        let burn = recent.map(|burn| burn.value).reduce(f64::max);
        let left = self.budget_left();
        Brief { is_well: quiet && left > 0.0, left, burn }
    }

    /// Looks back from `now`.
    pub(crate) fn look<T>(&self, now: Timestamp, look: impl FnOnce(&mut View<'_>) -> T) -> T {
        self.history.look(now, look)
    }

    /// Readings of one moment: of each window, one by objective.
    pub(crate) fn readings(&self, windows: impl IntoIterator<Item = Window>, now: Timestamp) -> Vec<Reading> {
        self.look(now, |view| {
            let mut readings = Vec::new();
            windows.into_iter().for_each(|window| view.read_all(window, |reading| readings.push(reading)));
            readings
        })
    }

    pub(crate) fn total(&self, objective: usize, now: Timestamp) -> Tally {
        // Whoever rolls judges: a reading must not take that away from the requests.
        self.tick_if_due(now);
        self.history.look(now, |view| view.total(objective))
    }

    pub(crate) fn latency(&self, window: Window, now: Timestamp) -> Latency {
        self.tick_if_due(now);
        self.history.look(now, |view| view.latency(window))
    }

    pub(crate) fn burn_rate(
        &self,
        objective: usize,
        window: Window,
        now: Timestamp,
    ) -> Result<BurnRate, InsufficientData> {
        let reading = self.reading(objective, window, now);
        budget::burn_rate(self.slo().objectives()[objective].target(), &reading, self.slo().least_events())
    }

    pub(crate) fn budget(&self, objective: usize, now: Timestamp) -> Budget {
        let recent = self.slo().alert_windows().iter().map(|alert| alert.long()).min();
        let recent = recent.and_then(|window| self.burn_rate(objective, Window::of(window), now).ok());
        let reading = self.reading(objective, self.period(), now);
        Budget::new(self.slo().objectives()[objective].target(), self.slo().period(), &reading, recent)
    }

    /// The window that the budget is kept over: the period, or the calendar month so far.
    pub(crate) fn period(&self) -> Window {
        match self.slo().period() {
            Period::Rolling(length) => Window::of(length),
            month @ Period::CalendarMonth => {
                let wall = self.hub.clock.wall();
                // A clock that stands before the beginning of its own month is in no month.
                Window::of(wall.duration_since(month.start(wall)).unwrap_or_default())
            }
        }
    }

    pub(crate) fn sources(&self) -> Vec<&'static Recorder> {
        self.history.sources()
    }

    pub(crate) fn memory_footprint(&self) -> usize {
        let declared = size_of::<Slo>() + size_of_val(self.slo().objectives());
        let watched = self.targets.len() * size_of::<LiveTarget>() + size_of_val(&**self.breakers.lock());
        let alerts = self.alerts.lock().status().count() * size_of::<AlertStatus>();
        let by_hand = self.by_hand.get().map_or(0, |recorder| recorder.memory_footprint());
        size_of::<Self>() + declared + watched + alerts + self.history.memory_footprint() + by_hand
    }
}

/// An abandoned call says something of an SLI without a threshold once it outlived the longest that the SLO has.
fn patience(slo: &Slo) -> Option<Duration> {
    slo.objectives().iter().filter_map(Objective::threshold).max()
}

fn lane(slo: &Slo, objective: &Objective, accounting: Accounting) -> Lane {
    Lane {
        accounting,
        threshold: objective.threshold(),
        patience: objective.threshold().or_else(|| patience(slo)),
        of_successes: !objective.counts_failures(),
    }
}

fn why(edge: &Edge) -> String {
    let AlertStatus { long, short, factor, long_burn, short_burn, .. } = &edge.alert;
    let burn = |burn: &Option<BurnRate>| burn.map_or("no data".to_owned(), |burn| format!("{:.1} ×", burn.value));
    format!("burns {} over {long} and {} over {short} (fires over {factor} ×)", burn(long_burn), burn(short_burn))
}
