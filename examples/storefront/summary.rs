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
    objective: String,
    #[serde(skip)]
    long: Duration,
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
        let at = millis(event.at, start);
        if *state == "firing" {
            alerts.push(Alert {
                slo,
                severity,
                fired_at_ms: at,
                resolved_at_ms: None,
                objective: objective.clone(),
                long: *long,
            });
        } else if *state == "resolved" {
            let open = |alert: &&mut Alert| {
                alert.resolved_at_ms.is_none()
                    && (alert.slo, alert.severity, alert.long) == (*slo, *severity, *long)
                    && alert.objective == *objective
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

/// One thing that two parties counted.
#[derive(Debug)]
pub struct Count {
    what: &'static str,
    counted: [(&'static str, u64); 2],
}

impl Count {
    pub fn new(what: &'static str, counted: [(&'static str, u64); 2]) -> Self {
        Self { what, counted }
    }

    /// Whether both counted the same.
    pub fn agrees(&self) -> bool {
        let [(_, one), (_, other)] = self.counted;
        one == other
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(one, n), (other, m)] = self.counted;
        write!(f, "{}: {one} {n}, {other} {m}", self.what)
    }
}

/// Counts that agree, a line for each two parties.
pub fn agreement(counts: &[Count]) -> Vec<String> {
    let mut parties: Vec<(String, Vec<String>)> = Vec::new();
    for count in counts {
        let [(one, n), (other, _)] = count.counted;
        let (pair, what) = (format!("{one} = {other}"), format!("{} {}", thousands(n), count.what));
        match parties.iter_mut().find(|(known, _)| *known == pair) {
            Some((_, things)) => things.push(what),
            None => parties.push((pair, vec![what])),
        }
    }
    parties.into_iter().map(|(pair, things)| format!("{pair}: {}", things.join(", "))).collect()
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
        let kept = |budget: f64| if budget >= 0.0 { "kept" } else { "broken" };
        let promise = (kept(self.budget_remaining), kept(without.budget_remaining));
        writeln!(f, "  {:<20} {:>17} {:>12}", "promise of 99.5 %", promise.0, promise.1)?;
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
            let about = format!("{}/{}", alert.slo, alert.objective);
            writeln!(f, "  {} {about:<27} fired at {from}, resolved at {to}", alert.severity)?;
        }
        Ok(())
    }
}
