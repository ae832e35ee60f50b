//! What an alert says: Go templates around what was declared.

use crate::artifacts::text::{in_words, template};
use crate::artifacts::{Alarm, Kit, Subject};
use crate::names::label;
use crate::slo::{Objective, Period, Severity};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// An alert as it is written.
#[derive(Debug)]
pub(super) struct Alert<'a> {
    pub(super) alarm: Alarm,
    pub(super) severity: Severity,
    pub(super) expr: String,
    pub(super) pending: Duration,
    /// Beside severity, SLO and service, which every alert has.
    pub(super) labels: Vec<(&'a str, String)>,
    /// Templates.
    pub(super) summary: String,
    pub(super) description: String,
    /// What a human does first.
    pub(super) action: String,
}

impl Alert<'_> {
    /// The rule. Whatever was declared is escaped; `$value` and labels are Prometheus' own.
    pub(super) fn rule(self, kit: &Kit, subject: &Subject<'_>) -> Value {
        let mut labels = Map::new();
        labels.insert(label::SEVERITY.to_owned(), json!(self.severity.as_str()));
        labels.insert(label::SLO.to_owned(), json!(template(subject.slo.name())));
        labels.insert(label::SERVICE.to_owned(), json!(template(subject.slo.service_name())));
        labels.extend(self.labels.into_iter().map(|(label, value)| (label.to_owned(), json!(value))));
        let mut rule = Map::new();
        rule.insert("alert".to_owned(), json!(self.alarm.name()));
        rule.insert("expr".to_owned(), json!(self.expr));
        if !self.pending.is_zero() {
            rule.insert("for".to_owned(), json!(crate::artifacts::text::duration(self.pending)));
        }
        rule.insert("labels".to_owned(), Value::Object(labels));
        rule.insert(
            "annotations".to_owned(),
            json!({
                "summary": self.summary,
                "description": self.description,
                "action": self.action,
                "runbook_url": template(&kit.runbook_url(subject, self.alarm)),
                "dashboard_url": template(&kit.dashboard_url(subject)),
            }),
        );
        Value::Object(rule)
    }
}

/// `99.9 % of calls are good`, `95 % are good within 500 ms`.
pub(super) fn promise(objective: &Objective) -> String {
    let share = objective.target();
    let good = match (objective.threshold(), objective.counts_failures()) {
        (None, _) => "are good".to_owned(),
        (Some(threshold), true) => format!("are good within {}", in_words(threshold)),
        (Some(threshold), false) => format!("of those that succeed take at most {}", in_words(threshold)),
    };
    match objective.slices() {
        None => format!("{share} of events {good}"),
        Some((slice, of)) => {
            format!("in {share} of slices of {}, {of} of events {good}", in_words(slice))
        }
    }
}

/// `30-day error budget`, `error budget of the month`.
pub(super) fn budget(subject: &Subject<'_>) -> String {
    match subject.slo.period() {
        Period::CalendarMonth => "error budget of the month".to_owned(),
        Period::Rolling(length) => {
            let words = in_words(length);
            let (number, unit) = words.split_once(' ').unwrap_or((&words, ""));
            format!("{number}-{} error budget", unit.trim_end_matches('s'))
        }
    }
}
