//! Prometheus: its configuration, the rules of every SLO, and their tests.

mod alerts;
mod budget_tests;
mod burn;
mod config;
mod expected;
mod guard_tests;
mod model;
mod pace;
mod recording;
mod sentence;
mod traffic;
mod unit_tests;
mod words;

use super::{Artifact, Kit, Subject, yaml};
use crate::slo::Objective;
use serde_json::{Value, json};
use std::time::Duration;

/// Everything under `prometheus/`.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let mut files = config::files(kit);
    for subject in kit.subjects() {
        let groups = groups(kit, &subject);
        let names: Vec<&str> = groups.iter().filter_map(|group| group["name"].as_str()).collect();
        files.extend(unit_tests::files(kit, &subject, &names));
        let comment = format!("Rules for the SLO {}: {}.", subject.slo.name(), promises(&subject));
        let path = format!("prometheus/rules/{}.yml", subject.slug);
        files.push(Artifact::new(path, yaml::documents(&comment, &[json!({"groups": groups})])));
    }
    files
}

/// The rules of one SLO: a group for each pace. What is in a group is evaluated in order, at one moment.
fn groups(kit: &Kit, subject: &Subject<'_>) -> Vec<Value> {
    let mut groups = Vec::new();
    let mut group = |name: &str, every: Duration, rules: Vec<Value>| {
        if !rules.is_empty() {
            let name = format!("{}: {name}", subject.slo.name());
            groups.push(json!({"name": name, "interval": super::text::duration(every), "rules": rules}));
        }
    };
    for objective in subject.slo.objectives().iter().filter(|objective| objective.slices().is_some()) {
        let name = format!("slices of {}", objective.name());
        group(&name, pace::of_objective(subject, objective), recording::slices(subject, objective));
    }
    for (name, every, rules) in burn::groups(kit, subject) {
        group(&name, every, rules);
    }
    let step = pace::of_period(subject);
    let mut budget = recording::steps(subject, step);
    budget.extend(recording::period(subject));
    budget.extend(alerts::budget_low(kit, subject));
    group("budget", step, budget);
    group("watch", pace::of_watch(subject), alerts::watch(kit, subject));
    groups
}

fn promises(subject: &Subject<'_>) -> String {
    let promise = |objective: &Objective| format!("{} ({})", words::promise(objective), objective.name());
    subject.slo.objectives().iter().map(promise).collect::<Vec<_>>().join(", ")
}
