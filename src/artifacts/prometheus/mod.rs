//! Prometheus: its configuration, the rules of every SLO, and the tests of those rules.
//!
//! | file | what |
//! |---|---|
//! | `prometheus.yml`, `prometheus-file-discovery.yml`, `prometheus-kubernetes.yml` | one configuration; instances by address, by file, by Kubernetes |
//! | `rules/<slug>.yml` | recording rules and alerts of one SLO |
//! | `tests/<slug>.yml`, `.budget.yml`, `.watch.yml` | `promtool test rules`: burning budgets, what is left of them, everything else |
//!
//! # What the rules are for
//!
//! *Windows.* Bad and valid events of each window an alert looks at, by `increase` straight from the counters, so that Prometheus and
//! the process see the same within 2 · scrape interval ÷ window. They are kept apart; a ratio is only where there are valid
//! events, so no NaN is ever stored. A group has the pace of its pair: a twentieth of the short window, 4 minutes at most.
//!
//! *Burn alerts.* For each objective and pair of windows, what `alert::Alerts` judges in process: both burn over the factor, and
//! the long one holds enough events. An alert that fires sees itself in `ALERTS`, and holds while no event says that it is over:
//! neither silence nor a dead process resolves it before its long window is empty. Unlike in process, silence takes a *pending* alert
//! back, which then begins anew. Source of the pairs: *The Site Reliability Workbook*, ch. 5.
//!
//! *Period.* The events of every step of 5 minutes, then their sum: exact under any traffic, where the mean of ratios is wrong by as
//! much as traffic is uneven, and `increase` extrapolates. A step counts what is new at each scrape, through restarts, missed
//! scrapes, and up to an hour in which Prometheus itself was down. What nobody sees is what an instance counts before its first
//! scrape and after its last one. A calendar month is the sum since its first, UTC, to the step.
//!
//! *Timeslices.* Counters count events, so slices are judged here: every slice of the whole fleet is good or bad, and windows and
//! period count slices. The process judges its own slices, from its own start: with several instances the two need not agree.
//!
//! # The tests
//!
//! Each tells an incident in samples, and says which alerts there are at which minute. `model` computes that from the
//! declaration, as Prometheus would: so the tests hold for any declaration, and fail when a rule is changed by hand. Windows of
//! days are but partly filled in them.

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
