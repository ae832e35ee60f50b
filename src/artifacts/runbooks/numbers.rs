//! The numbers of a promise, in words: what is promised, what may go wrong, and when an alert says so.

use super::super::Subject;
use super::super::text::{in_words, markdown, rounded};
use crate::slo::{AlertWindow, Objective, Period, formulas};
use std::time::Duration;

/// `99.9 % of events are good`.
pub(in crate::artifacts) fn promise(objective: &Objective) -> String {
    let target = objective.target();
    let good = match objective.threshold() {
        Some(threshold) if objective.counts_failures() => format!("are good and take at most {}", in_words(threshold)),
        Some(threshold) => format!("take at most {}", in_words(threshold)),
        None => "are good".to_owned(),
    };
    let events = if objective.counts_failures() { "events" } else { "events that succeed" };
    match objective.slices() {
        None => format!("{target} of {events} {good}"),
        Some((slice, each)) => {
            format!("{target} of slices of {} are good: in each, {each} of {events} {good}", in_words(slice))
        }
    }
}

/// `30 days`, or `calendar month`.
pub(in crate::artifacts) fn period(period: Period) -> String {
    match period {
        Period::Rolling(length) => in_words(length),
        Period::CalendarMonth => "calendar month (UTC)".to_owned(),
    }
}

/// `500 of a million events`.
pub(in crate::artifacts) fn per_million(objective: &Objective) -> String {
    let share = objective.target().budget() * 1e6;
    let what = if objective.slices().is_some() { "slices" } else { "events" };
    format!("{} of a million {what}", rounded(share))
}

/// `21.6 minutes`: how long everything may fail.
pub(in crate::artifacts) fn outage(subject: &Subject<'_>, objective: &Objective) -> String {
    in_words(formulas::downtime_allowed(objective.target(), subject.slo.period().nominal()))
}

/// The budgets, one row for each objective.
pub(in crate::artifacts) fn budgets(subject: &Subject<'_>) -> Vec<[String; 4]> {
    let row = |objective: &Objective| {
        [markdown(objective.name()), promise(objective), per_million(objective), outage(subject, objective)]
    };
    subject.slo.objectives().iter().map(row).collect()
}

pub(in crate::artifacts) const BUDGET_HEADS: [&str; 4] = ["Objective", "Promise", "May be bad", "Or nothing works for"];

/// Every alert on the budget, with what it promises, the most urgent first.
pub(super) fn pairs(subject: &Subject<'_>) -> Vec<[String; 7]> {
    let mut rows = Vec::new();
    for (objective, pairs) in subject.objectives() {
        rows.extend(pairs.iter().map(|pair| row(subject, objective, pair)));
    }
    rows
}

pub(super) const PAIR_HEADS: [&str; 7] = [
    "Alert",
    "Burn rate over",
    "In the last",
    "Budget gone by then",
    "Fires after: all bad",
    "10 % bad",
    "Ends after recovery",
];

fn row(subject: &Subject<'_>, objective: &Objective, pair: &AlertWindow) -> [String; 7] {
    let target = objective.target();
    let spent = formulas::budget_spent_at_alert(pair.factor(), pair.long(), subject.slo.period().nominal());
    // How many of an objective's events are bad when so many of all events are: a slice is all good or all bad.
    let fires = |ratio: f64| {
        let ratio = match objective.slices() {
            Some((_, each)) if ratio > each.budget() => 1.0,
            Some(_) => 0.0,
            None => ratio,
        };
        let after = formulas::detection_time(target, ratio, pair.long(), pair.factor());
        after.map_or_else(|| "never".to_owned(), |after| moment(after.saturating_add(pair.pending())))
    };
    [
        format!("{}, {}", markdown(objective.name()), pair.severity()),
        format!("{} ×", rounded(pair.factor())),
        format!("{} and {}", in_words(pair.long()), in_words(pair.short())),
        format!("{} %", rounded(spent * 100.0)),
        fires(1.0),
        fires(0.1),
        moment(formulas::reset_time(target, 1.0, pair.short(), pair.factor())),
    ]
}

/// Whole seconds, and whole minutes from ten on: no scrape and no evaluation is more exact.
fn moment(d: Duration) -> String {
    let step = match d.as_secs() {
        0..10 => return in_words(d),
        10..600 => 1.0,
        _ => 60.0,
    };
    in_words(Duration::from_secs_f64((d.as_secs_f64() / step).round() * step))
}

/// How long the most urgent alert leaves until the budget is gone, at the rate at which it fires.
pub(super) fn lasts(subject: &Subject<'_>, pair: &AlertWindow) -> String {
    formulas::budget_lasts(pair.factor(), subject.slo.period().nominal())
        .map_or_else(|| "for ever".to_owned(), in_words)
}
