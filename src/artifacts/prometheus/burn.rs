//! The multiwindow, multi-burn-rate alerts, each beside the windows that it looks at.

use super::pace;
use super::recording::{self, labels_of};
use super::sentence::{self, Part};
use super::words::{self, Alert};
use crate::artifacts::text::{duration, in_words, rounded, selector, template};
use crate::artifacts::{Alarm, Kit, Subject};
use crate::names::{label, recorded};
use crate::slo::{AlertWindow, Objective, Severity};
use serde_json::Value;
use std::time::Duration;

/// A group for each pair of windows, the fastest first: its windows, unless a faster one has them, and its alerts.
pub(super) fn groups(kit: &Kit, subject: &Subject<'_>) -> Vec<(String, Duration, Vec<Value>)> {
    let mut pairs = subject.slo.alert_windows();
    pairs.sort_by_key(|pair| (pace::of_pair(subject, pair), std::cmp::Reverse(pair.severity()), pair.long()));
    let mut known = Vec::new();
    let mut groups = Vec::new();
    for pair in pairs {
        let mut rules = Vec::new();
        for window in [pair.short(), pair.long()] {
            if !known.contains(&window) {
                known.push(window);
                rules.extend(recording::window(subject, window));
            }
        }
        for (objective, alerts) in subject.objectives() {
            let same = |other: &&AlertWindow| key(other) == key(&pair);
            // Its own factor, which another objective's target may have lowered differently.
            rules.extend(alerts.iter().find(same).map(|own| alert(subject, objective, own).rule(kit, subject)));
        }
        let name = format!("{} {}/{}", pair.severity(), duration(pair.long()), duration(pair.short()));
        groups.push((name, pace::of_pair(subject, &pair), rules));
    }
    groups
}

/// What no two alerts of an objective share.
fn key(pair: &AlertWindow) -> (Severity, Duration, Duration) {
    (pair.severity(), pair.long(), pair.short())
}

fn alert<'a>(subject: &Subject<'_>, objective: &Objective, pair: &AlertWindow) -> Alert<'a> {
    let [summary, description] = sentences(subject, objective, pair);
    Alert {
        alarm: Alarm::BudgetBurn,
        severity: pair.severity(),
        expr: expr(subject, objective, pair),
        pending: pair.pending(),
        labels: vec![(label::OBJECTIVE, template(objective.name())), (label::SHORT_WINDOW, duration(pair.short()))],
        summary: sentence::as_template(&summary),
        description: sentence::as_template(&description),
        action: action(pair.severity()).to_owned(),
    }
}

/// Its summary and its description.
pub(super) fn sentences(subject: &Subject<'_>, objective: &Objective, pair: &AlertWindow) -> [Vec<Part>; 2] {
    let (slo, budget) = (subject.slo.name(), words::budget(subject));
    let (long, short) = (last(pair.long()), last(pair.short()));
    let (promise, factor) = (words::promise(objective), rounded(pair.factor()));
    let text = |text: String| Part::Text(text);
    [
        vec![
            text(format!("{slo} spends its {budget} ")),
            Part::Burn,
            text(format!(" × too fast ({}, over the {long})", objective.name())),
        ],
        vec![
            text(format!("{slo} spends its {budget} ")),
            Part::Burn,
            text(" × too fast; at this rate it is gone in ".to_owned()),
            Part::Lasts(subject.slo.period().nominal()),
            text(format!(". The promise: {promise}. ")),
            Part::Bad(pair.long()),
            text(format!(
                " of the events of the {long} were bad. It and the {short} both burn over {factor} ×, where this alert \
                 fires. "
            )),
            Part::Left,
            text(" of the budget is left.".to_owned()),
        ],
    ]
}

/// `last hour`, `last 5 minutes`.
fn last(window: Duration) -> String {
    let words = in_words(window);
    format!("last {}", words.strip_prefix("1 ").unwrap_or(&words))
}

pub(super) fn action(severity: Severity) -> &'static str {
    match severity {
        Severity::P0 => {
            "Acknowledge, open the runbook, see what changed last (a deploy, a dependency, load), and undo it: roll back, \
             force the breaker open, or shed."
        }
        Severity::P1 => {
            "Today: find on the dashboard which outcome spends the budget, and stop it before it pages as a P0."
        }
        Severity::P2 => {
            "In working hours: find the slow leak on the dashboard, open a ticket, and repair it before the budget is spent."
        }
    }
}

/// What `Alerts` judges in process: both windows burn over the factor, and the long one holds enough events. Once it fires
/// it ends only when a window has events that no longer burn, or the long one has none: silence is no recovery.
fn expr(subject: &Subject<'_>, objective: &Objective, pair: &AlertWindow) -> String {
    let (long, short) = (duration(pair.long()), duration(pair.short()));
    let own = labels_of(subject, objective);
    let of = |record, window: &str| selector(record, &[own[0], own[1], (label::WINDOW, window)]);
    let factor = pair.factor();
    let before = selector(
        "ALERTS",
        &[
            ("alertname", Alarm::BudgetBurn.name()),
            ("alertstate", "firing"),
            (label::SEVERITY, pair.severity().as_str()),
            own[0],
            own[1],
            (label::WINDOW, &long),
            (label::SHORT_WINDOW, &short),
        ],
    );
    format!(
        "{} > {factor}\nunless ignoring (window)\n  {} <= {factor}\nand ignoring (window) (\n    {} > {factor}\n  and \
         ignoring (window)\n    {} >= {}\n  and ignoring (window)\n    {} >= {}\n  or ignoring (window)\n    max by (slo, \
         objective) ({before})\n)",
        of(recorded::BURN_RATE, &long),
        of(recorded::BURN_RATE, &short),
        of(recorded::BURN_RATE, &short),
        of(recorded::VALID, &long),
        subject.slo.least_events(),
        of(recorded::BAD, &long),
        AlertWindow::MIN_BAD,
    )
}
