//! Which alerts there are at each evaluation of a test: the rules once more, without Prometheus.

use super::model::sum;
use super::traffic::Instance;
use super::{alerts, pace};
use crate::artifacts::text::duration;
use crate::artifacts::{Alarm, Subject};
use crate::names::label;
use crate::slo::{AlertWindow, Objective, Period, Severity};
use std::collections::BTreeMap;
use std::time::Duration;

/// An alert as it is told apart in a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) firing: bool,
    pub(super) severity: &'static str,
    /// Labels that not every alert has.
    pub(super) of: Vec<(&'static str, String)>,
}

impl Shown {
    /// That the budget of an objective burns.
    pub(super) fn burn(objective: &Objective, pair: &AlertWindow, firing: bool) -> Self {
        let of = vec![
            (label::OBJECTIVE, objective.name().to_owned()),
            (label::WINDOW, duration(pair.long())),
            (label::SHORT_WINDOW, duration(pair.short())),
        ];
        Self { name: Alarm::BudgetBurn.name(), firing, severity: pair.severity().as_str(), of }
    }
}

/// How many of each there are.
pub(super) type Alerts = BTreeMap<Shown, u32>;

/// Bad and valid events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Events {
    pub(super) bad: f64,
    pub(super) valid: f64,
}

/// A test as it goes on: evaluated every so many milliseconds, from zero on.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    subject: &'a Subject<'a>,
    instances: &'a [Instance],
    every: u64,
    begun: bool,
    now: u64,
    /// By objective: what the rules of a step or slice gave at each evaluation.
    steps: Vec<Vec<(u64, Option<Events>)>>,
    /// Since when what holds does.
    since: BTreeMap<(Shown, &'static str), u64>,
}

impl<'a> Expected<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, instances: &'a [Instance], every: u64) -> Self {
        let steps = vec![Vec::new(); subject.slo.objectives().len()];
        Self { subject, instances, every, begun: false, now: 0, steps, since: BTreeMap::new() }
    }

    /// The time of the last evaluation.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Evaluates, for the first time at zero.
    pub(super) fn evaluate(&mut self) -> Alerts {
        let subject = self.subject;
        self.now += if self.begun { self.every } else { 0 };
        self.begun = true;
        let mut alerts = Alerts::new();
        for place in 0..subject.slo.objectives().len() {
            let step = self.step(place);
            self.steps[place].push((self.now, step));
        }
        for (place, (objective, pairs)) in subject.objectives().enumerate() {
            for pair in pairs {
                let rule = Rule { pending: pair.pending(), shown: Shown::burn(objective, &pair, false) };
                let holds = self.burns(place, objective, &pair, self.fired(&rule));
                self.note(&mut alerts, &rule, holds);
            }
        }
        self.budget_low(&mut alerts);
        self.watch(&mut alerts);
        alerts
    }

    /// Whether an alert fired at the evaluation before: what a rule can see of itself.
    fn fired(&self, rule: &Rule) -> bool {
        let since = self.since.get(&(rule.shown.clone(), ""));
        since.is_some_and(|since| self.now - self.every >= since.saturating_add(millis(rule.pending)))
    }

    /// What is true of a pair of windows.
    fn burns(&self, place: usize, objective: &Objective, pair: &AlertWindow, fired: bool) -> bool {
        let Some(long) = self.window(place, pair.long()) else { return false };
        let budget = objective.target().budget();
        let burn = |events: Events| (events.valid > 0.0).then(|| events.bad / events.valid / budget);
        let short = self.window(place, pair.short()).and_then(burn);
        let factor = pair.factor();
        let enough = long.valid >= self.subject.slo.least_events() as f64 && long.bad >= AlertWindow::MIN_BAD as f64;
        burn(long).is_some_and(|burn| burn > factor)
            && !short.is_some_and(|burn| burn <= factor)
            && (short.is_some_and(|burn| burn > factor) && enough || fired)
    }

    /// The events of a window that ends now.
    pub(super) fn window(&self, place: usize, window: Duration) -> Option<Events> {
        let window = millis(window);
        if self.subject.slo.objectives()[place].slices().is_some() {
            return self.slices(place, (self.now + 1).saturating_sub(window));
        }
        let of = |bad: bool| {
            sum(self.instances.iter().flat_map(|one| {
                let counters = &one.counters[place];
                let good = (!bad).then(|| counters.good.increase(window, self.now));
                good.into_iter().chain([counters.bad.increase(window, self.now)])
            }))
        };
        Some(Events { bad: of(true)?, valid: of(false)? })
    }

    /// What was recorded of steps from a time on.
    fn slices(&self, place: usize, from: u64) -> Option<Events> {
        let recorded = self.steps[place].iter().filter(|(at, _)| *at >= from);
        recorded.filter_map(|(_, events)| *events).reduce(add)
    }

    /// What the rules of a step, or a slice, give now.
    fn step(&self, place: usize) -> Option<Events> {
        let objective = &self.subject.slo.objectives()[place];
        let step = pace::of_objective(self.subject, objective);
        let (look, remembered) = (pace::within(self.subject, step), pace::remembered(self.subject));
        let of = |series: &super::model::Series| series.step(millis(step), millis(look), millis(remembered), self.now);
        let bad = sum(self.instances.iter().map(|one| of(&one.counters[place].bad)));
        let valid = sum(self.instances.iter().flat_map(|one| {
            let counters = &one.counters[place];
            [of(&counters.good), of(&counters.bad)]
        }));
        let events = Events { bad: bad?, valid: valid? };
        let Some((_, target)) = objective.slices() else { return Some(events) };
        let failed = events.valid - events.bad < target.as_ratio() * events.valid;
        (events.valid > 0.0).then_some(Events { bad: f64::from(u8::from(failed)), valid: 1.0 })
    }

    /// The period's sums, as of the last evaluation.
    pub(super) fn period(&self, place: usize) -> Option<Events> {
        let last = self.steps[place].last()?.0;
        let length = match self.subject.slo.period() {
            Period::Rolling(length) => millis(length),
            // Tests begin with a month, and are shorter.
            Period::CalendarMonth => last + 1,
        };
        self.slices(place, (last + 1).saturating_sub(length))
    }

    /// What is left of the budget, as of the last evaluation.
    pub(super) fn remaining(&self, place: usize) -> Option<f64> {
        let events = self.period(place).filter(|events| events.valid > 0.0)?;
        Some(1.0 - events.bad / events.valid / self.subject.slo.objectives()[place].target().budget())
    }

    fn budget_low(&mut self, alerts: &mut Alerts) {
        let subject = self.subject;
        for (place, objective) in subject.slo.objectives().iter().enumerate() {
            let (Some(left), Some(events)) = (self.remaining(place), self.period(place)) else { continue };
            let enough = events.valid >= subject.slo.least_events() as f64 && events.bad >= AlertWindow::MIN_BAD as f64;
            for (percent, _) in alerts::budget_steps(subject) {
                let low = if percent > 0.0 { left < percent / 100.0 } else { left <= 0.0 };
                let of = vec![(label::OBJECTIVE, objective.name().to_owned()), (label::THRESHOLD, percent.to_string())];
                let rule = Rule::of(subject, Alarm::BudgetLow, of);
                self.note(alerts, &rule, low && enough);
            }
        }
    }

    fn watch(&mut self, alerts: &mut Alerts) {
        let (subject, now) = (self.subject, self.now);
        let rule = |alarm| Rule::of(subject, alarm, Vec::new());
        for one in self.instances {
            self.note_one(alerts, &rule(Alarm::InstanceDown), one.name, one.up.at(now) == Some(0.0));
        }
        let exporting: Vec<&Instance> = self.instances.iter().filter(|one| one.info.at(now).is_some()).collect();
        self.note(alerts, &rule(Alarm::Absent), exporting.is_empty());
        self.note(alerts, &rule(Alarm::Drift), exporting.iter().any(|one| one.has_drifted(subject)));
        if subject.slo.highest_severity() == Severity::P0 {
            let paged = alerts.keys().any(|shown| shown.firing && shown.severity == Severity::P0.as_str());
            self.note(alerts, &rule(Alarm::Unacknowledged), paged);
        }
    }

    fn note(&mut self, alerts: &mut Alerts, rule: &Rule, holds: bool) {
        self.note_one(alerts, rule, "", holds);
    }

    /// Of several alerts that are not told apart by what is shown, one.
    fn note_one(&mut self, alerts: &mut Alerts, rule: &Rule, one: &'static str, holds: bool) {
        let key = (rule.shown.clone(), one);
        if !holds {
            self.since.remove(&key);
            return;
        }
        let since = *self.since.entry(key).or_insert(self.now);
        let shown = Shown { firing: self.now - since >= millis(rule.pending), ..rule.shown.clone() };
        *alerts.entry(shown).or_insert(0) += 1;
    }
}

/// An alert that there may be.
#[derive(Debug)]
struct Rule {
    pending: Duration,
    shown: Shown,
}

impl Rule {
    fn of(subject: &Subject<'_>, alarm: Alarm, of: Vec<(&'static str, String)>) -> Self {
        let severity = alarm.severity(subject).as_str();
        let shown = Shown { name: alarm.name(), firing: false, severity, of };
        Self { pending: alerts::pending(subject, alarm), shown }
    }
}

fn add(a: Events, b: Events) -> Events {
    Events { bad: a.bad + b.bad, valid: a.valid + b.valid }
}

fn millis(d: Duration) -> u64 {
    // Not `pace::millis`: nothing is nothing here.
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
