//! The expressions of panels: recorded series where there are any, and what the processes export otherwise.

use crate::artifacts::text::{promql, selector};
use crate::names::{self, label};

pub(super) const JOB: &str = "job";
pub(super) const INSTANCE: &str = "instance";
/// The range of a rate: at least four scrapes, at least a pixel.
pub(super) const RATE: &str = "$__rate_interval";
/// The series that Prometheus writes of alerts.
const ALERTS: &str = "ALERTS";

/// SLOs by name: one, or any of several.
#[derive(Clone, Debug)]
pub(super) struct Of(String);

impl Of {
    pub(super) fn slo(name: &str) -> Self {
        Self(format!("{}={}", label::SLO, promql(name)))
    }

    pub(super) fn any<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<String> = names.into_iter().map(literal).collect();
        Self(format!("{}=~{}", label::SLO, promql(&names.join("|"))))
    }

    /// A series that says the same of all instances together, such as one that is recorded.
    pub(super) fn series(&self, name: &str, more: &[String]) -> String {
        format!("{name}{{{}{}}}", self.0, joined(more))
    }

    /// A series of each instance: of those that the dashboard is told to look at.
    pub(super) fn raw(&self, name: &str, more: &[String]) -> String {
        format!("{name}{{{}{}{CHOSEN}}}", self.0, joined(more))
    }

    /// What a variable chooses from.
    pub(super) fn choice(&self, more: &str) -> String {
        format!("{}{{{}{more}}}", names::EVENTS, self.0)
    }

    /// How many a second.
    pub(super) fn rate(&self, name: &str, more: &[String]) -> String {
        format!("rate({}[{RATE}])", self.raw(name, more))
    }

    /// A guard's series, if the guard counts for the SLO: which one it counts for is a series of its own.
    pub(super) fn guards(&self, expr: &str) -> String {
        format!("{expr} and on ({JOB}, {INSTANCE}, {}) {}", label::GUARD, self.series(names::GUARD_INFO, &[]))
    }

    /// What fires now.
    pub(super) fn firing(&self, more: &[String]) -> String {
        let more: Vec<String> = [is("alertstate", "firing")].iter().chain(more).cloned().collect();
        self.series(ALERTS, &more)
    }

    /// The gravest that fires: 3 for P0, 2 for P1, 1 for P2.
    pub(super) fn gravest(&self) -> String {
        let of = |severity| self.firing(&[is(label::SEVERITY, severity)]);
        format!("max by (slo) (3 * {} or 2 * {} or 1 * {})", of("P0"), of("P1"), of("P2"))
    }
}

/// The series of all guards, whatever SLO they count for.
pub(super) fn guard(name: &str, more: &[String]) -> String {
    format!("{name}{{{}}}", format!("{}{CHOSEN}", joined(more)).trim_start_matches(','))
}

/// The instances that the dashboard is told to look at.
const CHOSEN: &str = ",job=~\"$job\",instance=~\"$instance\"";

pub(super) fn is(label: &str, value: &str) -> String {
    format!("{label}={}", promql(value))
}

/// None of these values.
pub(super) fn is_not(label: &str, values: &[&str]) -> String {
    format!("{label}!~{}", promql(&values.join("|")))
}

fn joined(more: &[String]) -> String {
    more.iter().map(|matcher| format!(",{matcher}")).collect()
}

/// A name in a regular expression (RE2): nothing in it means anything else.
fn literal(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A label added to every series of an expression.
pub(super) fn labelled(expr: &str, name: &str, value: &str) -> String {
    format!("label_replace({expr}, {}, {}, \"\", \"\")", promql(name), promql(&value.replace('$', "$$")))
}

/// What is recorded of one objective.
pub(super) fn recorded(name: &str, slo: &str, objective: &str) -> String {
    selector(name, &[(label::SLO, slo), (label::OBJECTIVE, objective)])
}

/// What is recorded of one objective over a window.
pub(super) fn windowed(name: &str, slo: &str, objective: &str, window: &str) -> String {
    selector(name, &[(label::SLO, slo), (label::OBJECTIVE, objective), (label::WINDOW, window)])
}
