//! The alerts of one SLO and how they change.

use super::{AlertState, AlertStatus, Edge, Transition};
use crate::budget::{burn_rate, exceeds};
use crate::outcome::Tally;
use crate::slo::{AlertWindow, Slo, Target};
use crate::time::Timestamp;
use crate::window::{Reading, Window};
use std::sync::Arc;
use std::time::Duration;

/// The multiwindow alerts of one SLO: one for each objective and pair of windows.
///
/// An alert is due while both its windows burn over its factor, and the long one holds at least the SLO's
/// [`min_events`](Slo::min_events) valid events, [`MIN_BAD`](Self::MIN_BAD) of them bad: one event is no evidence.
/// Unlike a rule in Prometheus it never ends for want of data: it takes an event to see that it is over, in a window
/// that no longer burns. Where all traffic stops, a firing alert goes on until its long window is empty, and a pending
/// one waits. A young process is judged by what it saw, as Prometheus would judge it; the burn rates carry their coverage.
///
/// Source: *The Site Reliability Workbook*, ch. 5, "Multiwindow, Multi-Burn-Rate Alerts" and "Low-Traffic Services".
#[derive(Clone, Debug)]
pub struct Alerts {
    pairs: Vec<Pair>,
    period: Duration,
    min_events: u64,
}

#[derive(Clone, Debug)]
struct Pair {
    target: Target,
    pending: Duration,
    status: AlertStatus,
}

/// What two readings say of a pair.
enum Evidence {
    /// Both windows burn.
    Due,
    /// One of them does not, or there is nothing left to speak of.
    Over,
    /// Neither can be said.
    None,
}

impl Alerts {
    /// How many bad events the long window must hold before its alert may fire.
    pub const MIN_BAD: u64 = AlertWindow::MIN_BAD;

    /// The alerts of a valid SLO, all inactive.
    pub fn new(slo: &Slo) -> Self {
        let mut pairs = Vec::new();
        for (index, objective) in slo.objectives().iter().enumerate() {
            let name: Arc<str> = Arc::from(objective.name());
            pairs.extend(slo.alert_windows_of(objective).into_iter().map(|pair| Pair {
                target: objective.target(),
                pending: pair.pending(),
                status: AlertStatus {
                    objective: index,
                    name: Arc::clone(&name),
                    severity: pair.severity(),
                    long: Window::of(pair.long()),
                    short: Window::of(pair.short()),
                    factor: pair.factor(),
                    state: AlertState::Inactive,
                    long_burn: None,
                    short_burn: None,
                    spent: 0.0,
                },
            }));
        }
        Self { pairs, period: slo.period().nominal(), min_events: slo.least_events() }
    }

    /// Looks at every pair, at `now`, and says what changed. Nothing is allocated where nothing did.
    ///
    /// `read` gives what was counted for an objective, by its place in the SLO, over a window that ends at `now`.
    pub fn evaluate(&mut self, now: Timestamp, mut read: impl FnMut(usize, Window) -> Reading) -> Vec<Edge> {
        let mut edges = Vec::new();
        for pair in &mut self.pairs {
            let long = read(pair.status.objective, pair.status.long);
            let short = read(pair.status.objective, pair.status.short);
            pair.measure(&long, &short, self.period);
            let evidence = pair.evidence(long.tally, short.tally, self.min_events);
            let Some((state, transition)) = pair.next(evidence, now) else {
                continue;
            };
            let after = match pair.status.state {
                AlertState::Inactive => Duration::ZERO,
                AlertState::Pending { since } | AlertState::Firing { since } => now.since(since),
            };
            pair.status.state = state;
            edges.push(Edge { transition, at: now, after, alert: pair.status.clone() });
        }
        edges
    }

    /// Takes the alerts of `slo` in place of its own: those that stay keep their state, and those that go end here.
    pub(crate) fn redeclare(&mut self, slo: &Slo, now: Timestamp) -> Vec<Edge> {
        let before = std::mem::replace(self, Self::new(slo));
        let mut edges = Vec::new();
        for gone in before.pairs {
            let same = |pair: &&mut Pair| {
                let key = |status: &AlertStatus| (status.objective, status.severity, status.long, status.short);
                key(&pair.status) == key(&gone.status)
            };
            if let Some(stays) = self.pairs.iter_mut().find(same) {
                stays.status.state = gone.status.state;
                continue;
            }
            let (transition, since) = match gone.status.state {
                AlertState::Inactive => continue,
                AlertState::Pending { since } => (Transition::Withdrawn, since),
                AlertState::Firing { since } => (Transition::Resolved, since),
            };
            let alert = AlertStatus { state: AlertState::Inactive, ..gone.status };
            edges.push(Edge { transition, at: now, after: now.since(since), alert });
        }
        edges
    }

    /// Every alert as of the last evaluation.
    pub fn status(&self) -> impl ExactSizeIterator<Item = &AlertStatus> {
        self.pairs.iter().map(|pair| &pair.status)
    }

    /// The highest severity that fires.
    pub fn worst_firing(&self) -> Option<crate::slo::Severity> {
        self.status().filter(|alert| alert.state.is_firing()).map(|alert| alert.severity).max()
    }
}

impl Pair {
    fn measure(&mut self, long: &Reading, short: &Reading, period: Duration) {
        let Self { target, status, .. } = self;
        status.long_burn = burn_rate(*target, long, 1).ok();
        status.short_burn = burn_rate(*target, short, 1).ok();
        let share = status.long.length().as_secs_f64() / period.as_secs_f64();
        status.spent = status.long_burn.map_or(0.0, |burn| burn.value * burn.coverage * share);
    }

    fn evidence(&self, long: Tally, short: Tally, min_events: u64) -> Evidence {
        let burns = |tally| exceeds(self.target, tally, self.status.factor);
        let enough = long.valid() >= min_events && long.bad >= Alerts::MIN_BAD;
        let calm = |tally: Tally| tally.valid() > 0 && !burns(tally);
        if calm(long) || calm(short) || long.valid() == 0 {
            Evidence::Over
        } else if enough && burns(long) && burns(short) {
            Evidence::Due
        } else {
            Evidence::None
        }
    }

    /// The next state and what it means, if it is another one.
    fn next(&self, evidence: Evidence, now: Timestamp) -> Option<(AlertState, Transition)> {
        use AlertState::{Firing, Inactive, Pending};
        match (self.status.state, evidence) {
            (Inactive, Evidence::Due) if self.pending.is_zero() => Some((Firing { since: now }, Transition::Firing)),
            (Inactive, Evidence::Due) => Some((Pending { since: now }, Transition::Pending)),
            (Pending { since }, Evidence::Due) if now.since(since) >= self.pending => {
                Some((Firing { since: now }, Transition::Firing))
            }
            (Pending { .. }, Evidence::Over) => Some((Inactive, Transition::Withdrawn)),
            (Firing { .. }, Evidence::Over) => Some((Inactive, Transition::Resolved)),
            _ => None,
        }
    }
}
