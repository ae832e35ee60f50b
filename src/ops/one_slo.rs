//! One SLO in full, as text for people.

use super::stands::Full;
use super::status;
use super::words::{count, duration};
use crate::budget::BurnRate;
use crate::events::EventKind;
use crate::outcome::Verdict;
use crate::registry::{Plimsoll, SloHandle};
use crate::window::Window;
use std::fmt::Write;

/// How many events are told.
const EVENTS: usize = 20;

/// Everything that is known of one SLO, its guards included.
pub(super) fn one_slo(plimsoll: &Plimsoll, slo: SloHandle) -> String {
    plimsoll.tick();
    let now = plimsoll.clock().now();
    let mut page = status::wall(plimsoll.clock().wall(), "%Y-%m-%d %H:%M:%S UTC") + "\n";
    status::one_slo(&mut page, slo, &Full::read(slo, now), now);
    budgets(&mut page, &slo);
    alerts(&mut page, &slo);
    latencies(&mut page, &slo);
    outcomes(&mut page, &slo);
    for guard in plimsoll.guards().iter().filter(|guard| guard.slo() == slo.name()) {
        status::one_guard(&mut page, guard);
    }
    for keyed in plimsoll.keyed_guards().into_iter().map(|keyed| keyed.show()).filter(|keyed| keyed.slo == slo.name()) {
        status::one_keyed_guard(&mut page, &keyed);
    }
    events(plimsoll, &mut page, &slo);
    page
}

// Writing to a `String` cannot fail, here and below.
fn budgets(page: &mut String, slo: &SloHandle) {
    let (declared, mut poorest) = (slo.declaration(), 1.0_f64);
    page.push_str("\nError budget\n");
    for objective in slo.objectives() {
        let budget = objective.budget();
        poorest = poorest.min(budget.remaining);
        _ = writeln!(
            page,
            "  {}: {} of {} were bad, {:.1} may be; {:.0} % of the period was observed",
            objective.name(),
            count(budget.spent),
            count(budget.events),
            budget.allowed,
            budget.coverage * 100.0
        );
    }
    let policy = declared.policy();
    match policy.action(poorest) {
        Some(action) => _ = writeln!(page, "  agreed for what is left now: {action}"),
        None => page.push_str("  agreed for what is left now: nothing special\n"),
    }
    for (percent, action) in policy.steps() {
        _ = writeln!(page, "  agreed for less than {percent} % left: {action}");
    }
    _ = writeln!(page, "  agreed for nothing left: {}", policy.exhausted());
    _ = writeln!(
        page,
        "  an incident that spends more than {} % of the budget gets a post-mortem",
        policy.postmortem()
    );
}

fn alerts(page: &mut String, slo: &SloHandle) {
    let burn = |burn: Option<BurnRate>| burn.map_or("-".to_owned(), |burn| format!("{:.2} x", burn.value));
    page.push_str("\nAlerts: each fires while both of its windows burn over its factor\n");
    _ = writeln!(
        page,
        "  {:10} {:>10} {:>12} {:>10} {:>12} {:>10}  objective",
        "", "over", "long", "burns", "short", "burns"
    );
    for alert in slo.alerts() {
        _ = writeln!(
            page,
            "  {:10} {:>10} {:>12} {:>10} {:>12} {:>10}  {}",
            format!("{} {}", alert.severity, alert.state.as_str()),
            format!("{} x", alert.factor),
            duration(alert.long.length()),
            burn(alert.long_burn),
            duration(alert.short.length()),
            burn(alert.short_burn),
            alert.name
        );
    }
}

fn latencies(page: &mut String, slo: &SloHandle) {
    page.push_str("\nLatency of calls that were not refused\n");
    _ = writeln!(
        page,
        "  {:>12} {:>12} {:>10} {:>10} {:>10} {:>10}",
        "last", "calls", "50 %", "95 %", "99 %", "99.9 %"
    );
    for window in [Window::minutes(1), Window::minutes(5), Window::hours(1)] {
        let latency = slo.latency(window);
        _ = write!(page, "  {:>12} {:>12}", duration(window.length()), count(latency.count()));
        for share in [0.5, 0.95, 0.99, 0.999] {
            _ = write!(page, " {:>10}", latency.quantile(share).map_or_else(|| "-".to_owned(), duration));
        }
        page.push('\n');
    }
}

fn outcomes(page: &mut String, slo: &SloHandle) {
    page.push_str("\nOutcomes since the start\n");
    let accounting = slo.declaration().sli_accounting();
    for (outcome, n) in slo.outcomes() {
        let counts = match accounting.verdict(outcome, false) {
            Verdict::Good => "good if in time",
            Verdict::Bad => "bad",
            Verdict::Excluded => "not counted, unless it was late",
        };
        _ = writeln!(page, "  {:18} {:>12}  {counts}", outcome.as_str(), count(n));
    }
}

fn events(plimsoll: &Plimsoll, page: &mut String, slo: &SloHandle) {
    let guards = plimsoll.guards().into_iter().map(|guard| (guard.name(), guard.slo()));
    let keyed = plimsoll.keyed_guards().into_iter().map(|keyed| keyed.show()).map(|keyed| (keyed.name, keyed.slo));
    let known: Vec<_> = guards.chain(keyed).collect();
    let own = |guard: &str| known.contains(&(guard, slo.name()));
    let about = |kind: &EventKind| match kind {
        EventKind::Alert { slo: of, .. } | EventKind::Reloaded { slo: of, .. } => *of == slo.name(),
        EventKind::Breaker { guard, .. } | EventKind::Evicted { guard, .. } => own(guard),
        _ => false,
    };
    let (now, events) = (plimsoll.clock().now(), plimsoll.events());
    page.push_str("\nIts alerts and breakers of late, the latest first\n");
    let mut told = events.iter().rev().filter(|event| about(&event.kind)).take(EVENTS).peekable();
    if told.peek().is_none() {
        page.push_str("  nothing yet\n");
    }
    told.for_each(|event| status::one_event(page, event, now));
}
