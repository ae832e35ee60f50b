//! What came of it, for people and, as JSON, for machines; and whether everybody counted the same.

use crate::screen::thousands;
use plimsoll::{Event, EventKind, Timestamp};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The summary. Its JSON has exactly these fields, in this order; times are milliseconds since the story began, or, where
/// the name says `after`, since what they are measured from. What did not happen is `null`.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Checkouts at the guarded shop; good + bad + excluded.
    pub requests: u64,
    pub good: u64,
    pub bad: u64,
    pub excluded: u64,
    /// Calls to payments that a remembered answer stood in for.
    pub degraded: u64,
    /// Calls to payments that the breaker did not let through.
    pub refused: u64,
    /// From payments' first bad answer until the breaker opened.
    pub tripped_after_ms: Option<u64>,
    /// From payments' repair until the breaker was closed again.
    pub recovered_after_ms: Option<u64>,
    /// Of the guarded shop's promise that checkouts succeed: 1 − bad ÷ allowed.
    pub budget_remaining: f64,
    pub breaker: Vec<Change>,
    pub alerts: Vec<Alert>,
    pub without_guard: Unguarded,
}

#[derive(Debug, Serialize)]
pub struct Change {
    pub at_ms: u64,
    pub from: &'static str,
    pub to: &'static str,
    pub why: String,
}

#[derive(Debug, Serialize)]
pub struct Alert {
    pub slo: &'static str,
    pub severity: &'static str,
    pub fired_at_ms: u64,
    pub resolved_at_ms: Option<u64>,
    #[serde(skip)]
    which: String,
}

#[derive(Debug, Serialize)]
pub struct Unguarded {
    pub requests: u64,
    pub good: u64,
    pub bad: u64,
    /// As `budget_remaining`, for people only.
    #[serde(skip)]
    pub budget_remaining: f64,
}

/// The breaker's changes, in order.
pub fn changes(events: &[Event], start: Timestamp) -> Vec<Change> {
    let change = |event: &Event| match &event.kind {
        EventKind::Breaker { from, to, why, .. } => {
            Some(Change { at_ms: millis(event.at, start), from, to, why: why.clone() })
        }
        _ => None,
    };
    events.iter().filter_map(change).collect()
}

/// The alerts, each with its end if it had one.
pub fn alerts(events: &[Event], start: Timestamp) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    for event in events {
        let EventKind::Alert { slo, objective, severity, state, long, .. } = &event.kind else { continue };
        let which = format!("{objective} over {long:?}");
        let at = millis(event.at, start);
        if *state == "firing" {
            alerts.push(Alert { slo, severity, fired_at_ms: at, resolved_at_ms: None, which });
        } else if *state == "resolved" {
            let open = |alert: &&mut Alert| {
                alert.resolved_at_ms.is_none() && (alert.slo, alert.severity, &alert.which) == (*slo, *severity, &which)
            };
            if let Some(alert) = alerts.iter_mut().rev().find(open) {
                alert.resolved_at_ms = Some(at);
            }
        }
    }
    alerts
}

/// Milliseconds from `since` to `at`.
pub fn millis(at: Timestamp, since: Timestamp) -> u64 {
    whole_millis(at.since(since))
}

pub fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One thing that two parties counted, or several.
#[derive(Debug)]
pub struct Count {
    what: &'static str,
    counted: Vec<(&'static str, u64)>,
}

impl Count {
    pub fn new(what: &'static str, counted: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        Self { what, counted: counted.into_iter().collect() }
    }

    /// Whether everybody counted the same.
    pub fn agrees(&self) -> bool {
        self.counted.windows(2).all(|pair| pair[0].1 == pair[1].1)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (true, Some((_, n))) = (self.agrees(), self.counted.first()) {
            let by: Vec<&str> = self.counted.iter().map(|(by, _)| *by).collect();
            return write!(f, "{} {} ({})", thousands(*n), self.what, by.join(" = "));
        }
        let counts: Vec<String> = self.counted.iter().map(|(by, n)| format!("{by} {n}")).collect();
        write!(f, "{}: {}", self.what, counts.join(", "))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: Option<u64>| ms.map_or("–".into(), |ms| format!("{:.2} s", ms as f64 / 1_000.0));
        let share = |part: u64, of: u64| part as f64 * 100.0 / of.max(1) as f64;
        let spent = |budget: f64| format!("{:.0} %", (1.0 - budget) * 100.0);
        let without = &self.without_guard;
        writeln!(f, "                          with the guard      without")?;
        for (name, with, other) in [
            ("checkouts", self.requests, without.requests),
            ("  good", self.good, without.good),
            ("  bad", self.bad, without.bad),
        ] {
            writeln!(f, "  {name:<20} {:>17} {:>12}", thousands(with), thousands(other))?;
        }
        let ratio = (share(self.good, self.requests), share(without.good, without.requests));
        writeln!(f, "  {:<20} {:>15.2} % {:>10.2} %", "success", ratio.0, ratio.1)?;
        let budget = (spent(self.budget_remaining), spent(without.budget_remaining));
        writeln!(f, "  {:<20} {:>17} {:>12}", "error budget spent", budget.0, budget.1)?;
        writeln!(f)?;
        let calls = (thousands(self.refused), thousands(self.degraded));
        writeln!(f, "  refused by the breaker      {:>10}   calls that payments was spared", calls.0)?;
        writeln!(f, "  answered from the cache     {:>10}   on refusal or on failure", calls.1)?;
        let (tripped, recovered) = (seconds(self.tripped_after_ms), seconds(self.recovered_after_ms));
        writeln!(f, "  breaker opened after        {tripped:>10}   from payments' first bad answer")?;
        writeln!(f, "  breaker closed after        {recovered:>10}   from payments' repair")?;
        for alert in self.alerts.iter().filter(|alert| alert.severity == "P0") {
            let (from, to) = (seconds(Some(alert.fired_at_ms)), seconds(alert.resolved_at_ms));
            writeln!(f, "  {} {:<24} fired at {from}, resolved at {to}", alert.severity, alert.slo)?;
        }
        Ok(())
    }
}
