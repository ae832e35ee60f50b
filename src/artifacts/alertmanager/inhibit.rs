//! What mutes what.

use super::matcher::{is, is_not, is_one_of};
use super::routes::ALERTNAME;
use crate::artifacts::Alarm;
use crate::names::label;
use crate::slo::{Severity, Slo};
use serde_json::{Value, json};

/// What the death of a dependency explains; that an instance is gone, or runs what nobody deployed, it does not.
const EXPLAINED: [Alarm; 4] = [Alarm::BudgetBurn, Alarm::BudgetLow, Alarm::BreakerOpen, Alarm::Shedding];

pub(super) fn rules(slos: &[Slo]) -> Vec<Value> {
    let (p0, p1) = (is(label::SEVERITY, Severity::P0.as_str()), is(label::SEVERITY, Severity::P1.as_str()));
    let slower = is_one_of(label::SEVERITY, [Severity::P1.as_str(), Severity::P2.as_str()]);
    let not_down = is_not(ALERTNAME, Alarm::InstanceDown.name());
    // Alerts without the label would be equal, too.
    let of_an_slo = is_not(label::SLO, "");
    let same_slo = json!([label::SLO]);
    let mut rules = vec![
        json!({
            "source_matchers": [p0, of_an_slo],
            "target_matchers": [slower, not_down],
            "equal": same_slo,
        }),
        json!({
            "source_matchers": [is(ALERTNAME, Alarm::Absent.name()), of_an_slo],
            "target_matchers": [is(ALERTNAME, Alarm::InstanceDown.name())],
            "equal": same_slo,
        }),
        json!({
            "source_matchers": [p1, not_down, of_an_slo],
            "target_matchers": [is(label::SEVERITY, Severity::P2.as_str())],
            "equal": same_slo,
        }),
    ];
    for slo in slos.iter().filter(|slo| slo.dependencies().len() > 0) {
        rules.push(json!({
            "source_matchers": [p0, is_one_of(label::SLO, all_dependencies(slo, slos))],
            "target_matchers": [
                is(label::SLO, slo.name()),
                slower,
                is_one_of(ALERTNAME, EXPLAINED.iter().map(|alarm| alarm.name())),
            ],
        }));
    }
    rules
}

/// What it depends on, and what that depends on in turn, as far as it is declared here.
fn all_dependencies<'a>(slo: &'a Slo, slos: &'a [Slo]) -> Vec<&'a str> {
    let mut found: Vec<&str> = slo.dependencies().collect();
    let mut next = 0;
    while let Some(name) = found.get(next).copied() {
        next += 1;
        let declared = slos.iter().find(|other| other.name() == name);
        for further in declared.into_iter().flat_map(Slo::dependencies) {
            // Two that depend on each other do not mute themselves.
            if further != slo.name() && !found.contains(&further) {
                found.push(further);
            }
        }
    }
    found
}
