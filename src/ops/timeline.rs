//! What happened, as a table to be pasted into a post-mortem.

use super::incident::Incident;
use super::markdown::escape;
use super::status::wall;
use super::words::duration;
use crate::events::{Event, EventKind};
use crate::registry::{ObjectiveHandle, Plimsoll, SloHandle};
use crate::time::Timestamp;
use crate::window::Window;
use std::fmt::Write;
use std::time::Duration;

/// The last `since` of what this process saw, in Markdown, ready to be pasted into a post-mortem: when it began, was
/// detected and mitigated, and ended; what it cost each objective, and whether its [policy](crate::BudgetPolicy) calls for a
/// post-mortem; and a table of alerts, breakers, operators, reloads and forgotten keys, with times in UTC and offsets
/// from the first.
///
/// It takes the whole of that time for one incident, and tells one that began before it from its beginning. *Began* is the first alert that became pending or fired, or breaker
/// that opened by its own decision; *detected* is when the first alert paged, or if none did, fired; *mitigated* is the first breaker that opened
/// and the first operator's act since; *ended* is when the last alert of the highest severity that fired was resolved, and
/// every breaker was closed. What the process cannot know, when customers first noticed, remains for people to fill in.
///
/// The log holds the last 1,024 events; if that does not reach back far enough, the text says so.
///
/// ```
/// use plimsoll::{Plimsoll, Slo, ops};
/// use std::time::Duration;
///
/// let plimsoll = Plimsoll::new();
/// plimsoll.declare(Slo::new("checkout").success(99.9))?;
/// assert!(ops::timeline(&plimsoll, Duration::from_secs(7_200)).contains("Nothing happened"));
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub fn timeline(plimsoll: &Plimsoll, since: Duration) -> String {
    plimsoll.tick();
    let (now, clock) = (plimsoll.clock().now(), plimsoll.clock().wall());
    let from = Timestamp::from_nanos(now.as_nanos().saturating_sub(crate::time::nanos(since)));
    let kept = plimsoll.events();
    let dropped = kept.first().is_some_and(|first| first.number > 1 && first.at > from);
    let events: Vec<&Event> = kept.iter().filter(|event| event.at >= from).collect();

    let mut page = String::from("# What happened");
    let begin = clock.checked_sub(since).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
    // Writing to a `String` cannot fail, here and below.
    _ = writeln!(page, ", {} to {} UTC\n", wall(begin, MINUTE), wall(clock, MINUTE));
    page.push_str("As one process saw it; other instances have a log of their own.\n");
    if dropped {
        let oldest = kept.first().map_or(String::new(), |oldest| wall(oldest.wall, SECOND));
        _ = writeln!(page, "\n**Older events were dropped**: the log begins at {oldest} UTC.");
    }
    if let Some(incident) = Incident::read(&kept, from) {
        page.push('\n');
        incident.tell(&mut page);
    }
    budgets(&mut page, plimsoll, since);
    table(&mut page, &events);
    page
}

pub(super) const SECOND: &str = "%Y-%m-%d %H:%M:%S";
const MINUTE: &str = "%Y-%m-%d %H:%M";

fn table(page: &mut String, events: &[&Event]) {
    let Some(first) = events.first() else {
        return page.push_str("\nNothing happened: no alert, no breaker, no operator.\n");
    };
    page.push_str("\n| time (UTC) | + | what |\n|---|---:|---|\n");
    for event in events {
        let after = duration(event.at.since(first.at));
        _ = writeln!(page, "| {} | {after} | {} |", wall(event.wall, SECOND), what(&event.kind));
    }
}

/// What happened, as Markdown.
pub(super) fn what(kind: &EventKind) -> String {
    let mut text = escape(&kind.to_string());
    if let EventKind::Alert { budget_left, .. } = kind {
        _ = write!(text, "; budget left: {:.1} %", budget_left * 100.0);
    }
    text
}

/// What that time cost each objective that lost something.
fn budgets(page: &mut String, plimsoll: &Plimsoll, since: Duration) {
    let mut rows = String::new();
    let mut young = false;
    for slo in plimsoll.slos() {
        let policy = slo.declaration().policy();
        for objective in slo.objectives() {
            let Some((spent, observed)) = spent(slo, objective, since) else { continue };
            young |= observed < 0.995;
            let budget = objective.budget();
            let verdict = match policy.calls_for_postmortem(spent) {
                true => format!("**post-mortem**: over {} % in one incident", policy.postmortem()),
                false => format!("no post-mortem: not over {} %", policy.postmortem()),
            };
            let action =
                policy.action(budget.remaining).map_or(String::new(), |action| format!("; {}", escape(action)));
            _ = writeln!(
                rows,
                "| {} / {} | {} | {:.1} % | {:.1} % | {verdict}{action} |",
                escape(slo.name()),
                escape(objective.name()),
                objective.target(),
                spent * 100.0,
                budget.remaining * 100.0,
            );
        }
    }
    if rows.is_empty() {
        return page.push_str("\nNo objective spent any of its error budget.\n");
    }
    page.push_str(
        "\n| objective | target | budget spent in this time | left now | policy |\n|---|---:|---:|---:|---|\n",
    );
    page.push_str(&rows);
    if young {
        page.push_str(
            "\nThe process has not seen a whole period: what was spent is the share of a whole one at the traffic it saw, \
             and what is left is of what it saw.\n",
        );
    }
}

/// The share of a whole period's budget that went in the last `since`, if any did; and how much of a period was observed.
fn spent(slo: SloHandle, objective: ObjectiveHandle, since: Duration) -> Option<(f64, f64)> {
    let (budget, period) = (objective.budget(), slo.meter.period());
    let bad = objective.reading(Window::of(since.min(period.length()))).tally.bad;
    let length = period.length().as_secs_f64() / slo.declaration().period().nominal().as_secs_f64();
    let observed = budget.coverage * length.min(1.0);
    (bad > 0 && budget.allowed > 0.0).then(|| (bad as f64 / budget.allowed * observed, observed))
}
