//! Traffic, written down step by step, and windows over it that are exact: the naive model that alerts are tried on.

use plimsoll::{AlertState, Alerts, Edge, Reading, Severity, Tally, Timestamp, Transition, Window};
use std::time::Duration;

/// One objective's events, one entry per step, after a past that was healthy or did not exist.
pub(crate) struct Traffic {
    step: Duration,
    /// Good events per step before the first.
    past: Option<u64>,
    /// Cumulative, from the first step on.
    sums: Vec<Tally>,
}

impl Traffic {
    /// Before it, `good` events a step, for ever.
    pub(crate) fn after_healthy(step: Duration, good: u64) -> Self {
        Self { step, past: Some(good), sums: vec![Tally::default()] }
    }

    /// Before it, nothing: the process has just begun.
    pub(crate) fn from_the_start(step: Duration) -> Self {
        Self { step, past: None, sums: vec![Tally::default()] }
    }

    pub(crate) fn push(&mut self, good: u64, bad: u64) {
        let last = *self.sums.last().unwrap();
        self.sums.push(last + Tally { good, bad, excluded: 0 });
    }

    /// One event a step for `steps`, of which `percent` are bad, evenly.
    pub(crate) fn run(&mut self, steps: u64, percent: u64) {
        for i in 0..steps {
            let bad = (i + 1) * percent / 100 - i * percent / 100;
            self.push(1 - bad, bad);
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.sums.len() - 1
    }

    pub(crate) fn time(&self, steps: usize) -> Duration {
        self.step * u32::try_from(steps).unwrap()
    }

    /// What was counted in the window that ends after `steps`.
    pub(crate) fn read(&self, steps: usize, window: Window) -> Reading {
        let length = window.length().as_nanos() / self.step.as_nanos();
        let length = usize::try_from(length).unwrap();
        let (now, then) = (self.sums[steps], self.sums[steps.saturating_sub(length)]);
        let before = length.saturating_sub(steps) as u64;
        let tally = Tally {
            good: now.good - then.good + self.past.unwrap_or(0) * before,
            bad: now.bad - then.bad,
            excluded: 0,
        };
        let seen = if self.past.is_some() { length } else { steps.min(length) };
        Reading { window, tally, coverage: seen as f64 / length as f64 }
    }

    /// Evaluates after each step from the first on and gives every edge, with the time since the first step.
    pub(crate) fn play(&self, alerts: &mut Alerts) -> Vec<(Duration, Edge)> {
        self.play_from(alerts, 1)
    }

    pub(crate) fn play_from(&self, alerts: &mut Alerts, first: usize) -> Vec<(Duration, Edge)> {
        let mut edges = Vec::new();
        for steps in first..=self.steps() {
            let now = Timestamp::from_nanos(0).after(self.time(steps));
            let changed = alerts.evaluate(now, |_, window| self.read(steps, window));
            edges.extend(changed.into_iter().map(|edge| (self.time(steps), edge)));
        }
        edges
    }
}

/// When the alert over `long` did `transition` for the first time.
pub(crate) fn first(edges: &[(Duration, Edge)], long: Window, transition: Transition) -> Option<Duration> {
    edges.iter().find(|(_, edge)| edge.alert.long == long && edge.transition == transition).map(|(at, _)| *at)
}

pub(crate) fn state(alerts: &Alerts, severity: Severity) -> AlertState {
    alerts.status().find(|alert| alert.severity == severity).unwrap().state
}
