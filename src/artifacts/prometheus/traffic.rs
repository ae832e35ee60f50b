//! What instances export in a test, from a few phases.

use super::model::Series;
use crate::artifacts::Subject;
use crate::artifacts::text::selector;
use crate::names::{self, label};
use serde_json::{Value, json};

/// What an instance does for so many samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Serves `valid` events a sample, `bad` of them bad.
    Serve { samples: u64, valid: u64, bad: u64 },
    /// Serves one event in so many samples, a bad one where `bad`.
    Rarely { samples: u64, bad: bool },
    /// Starts anew: its counters begin at zero.
    Restart,
    /// Does not answer any more.
    Dead { samples: u64 },
}

impl Phase {
    /// How many samples it takes.
    pub(super) const fn samples(&self) -> u64 {
        match self {
            Self::Serve { samples, .. } | Self::Rarely { samples, .. } | Self::Dead { samples } => *samples,
            Self::Restart => 0,
        }
    }
}

/// What one instance exports for one objective.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) good: Series,
    pub(super) bad: Series,
}

/// What one instance exports.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) name: &'static str,
    /// By objective.
    pub(super) counters: Vec<Counters>,
    pub(super) up: Series,
    pub(super) info: Series,
    declaration: String,
}

impl Instance {
    /// One that does the same for every objective.
    pub(super) fn new(subject: &Subject<'_>, name: &'static str, every: u64, phases: &[Phase]) -> Self {
        let each = vec![phases.to_vec(); subject.slo.objectives().len()];
        Self::with(subject, name, every, &each)
    }

    /// One with phases for each objective, all of them equally long.
    pub(super) fn with(subject: &Subject<'_>, name: &'static str, every: u64, each: &[Vec<Phase>]) -> Self {
        let (mut up, mut info) = (Series::new(every), Series::new(every));
        // All series are there from the beginning, at zero.
        up.holds(1, 1);
        info.holds(1, 1);
        for phase in each.first().into_iter().flatten() {
            match *phase {
                Phase::Serve { samples, .. } | Phase::Rarely { samples, .. } => {
                    up.holds(samples, 1);
                    info.holds(samples, 1);
                }
                Phase::Dead { samples } => {
                    up.holds(samples, 0);
                    info.ends(samples);
                }
                Phase::Restart => {}
            }
        }
        let counters = each.iter().map(|phases| counters(every, phases)).collect();
        Self { name, counters, up, info, declaration: subject.slo.declaration() }
    }

    /// The same, declared otherwise than the rules are.
    pub(super) fn drifted(mut self) -> Self {
        self.declaration = "another".to_owned();
        self
    }

    /// As promtool takes it.
    pub(super) fn series(&self, subject: &Subject<'_>) -> Vec<Value> {
        let slo = (label::SLO, subject.slo.name());
        let origin = [("instance", self.name), ("job", subject.slo.service_name())];
        let of = |name: &str, labels: &[(&str, &str)], series: &Series| json!({"series": selector(name, &[labels, &origin].concat()), "values": series.notation});
        let mut all = vec![of("up", &[], &self.up)];
        for (objective, counters) in subject.slo.objectives().iter().zip(&self.counters) {
            let objective = (label::OBJECTIVE, objective.name());
            all.push(of(names::INFO, &[slo, objective, (label::DECLARATION, &self.declaration)], &self.info));
            for (verdict, series) in [("good", &counters.good), ("bad", &counters.bad)] {
                all.push(of(names::EVENTS, &[slo, objective, (label::VERDICT, verdict)], series));
            }
        }
        all
    }

    /// How far samples are apart, in milliseconds.
    pub(super) fn every(&self) -> u64 {
        self.up.every()
    }

    /// Whether it is declared as the rules are.
    pub(super) fn has_drifted(&self, subject: &Subject<'_>) -> bool {
        self.declaration != subject.slo.declaration()
    }
}

fn counters(every: u64, phases: &[Phase]) -> Counters {
    let (mut good, mut bad) = (Series::new(every), Series::new(every));
    good.counts(1, 0);
    bad.counts(1, 0);
    for phase in phases {
        match *phase {
            Phase::Serve { samples, valid, bad: failing } => {
                good.counts(samples, valid.saturating_sub(failing));
                bad.counts(samples, failing);
            }
            Phase::Rarely { samples, bad: failing } => {
                good.counts(samples - 1, 0);
                bad.counts(samples - 1, 0);
                good.counts(1, u64::from(!failing));
                bad.counts(1, u64::from(failing));
            }
            Phase::Restart => {
                good.restarts();
                bad.restarts();
            }
            Phase::Dead { samples } => {
                good.ends(samples);
                bad.ends(samples);
            }
        }
    }
    Counters { good, bad }
}
