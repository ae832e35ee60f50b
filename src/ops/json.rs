//! How everything stands, for scripts.

use super::status::wall;
use crate::alert::{AlertState, AlertStatus};
use crate::breaker::{Reason, State};
use crate::budget::BurnRate;
use crate::events::Event;
use crate::guard::{Guard, KeyedShown};
use crate::registry::{ObjectiveHandle, Plimsoll, SloHandle};
use crate::time::Timestamp;
use crate::window::Window;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

/// All of it.
pub(super) fn whole(plimsoll: &Plimsoll) -> Value {
    plimsoll.tick();
    let events: Vec<Value> = plimsoll.events().iter().map(event).collect();
    let slos: Vec<Value> = plimsoll.slos().into_iter().map(|slo| one(plimsoll, slo)).collect();
    json!({
        "time": rfc3339(plimsoll.clock().wall()),
        "slos": slos,
        "guards": plimsoll.guards().iter().map(guard).collect::<Vec<_>>(),
        "keyed_guards": plimsoll.keyed_guards().iter().map(|keyed| keyed_guard(&keyed.show())).collect::<Vec<_>>(),
        "events": events,
    })
}

/// One SLO and its guards.
pub(super) fn of_one(plimsoll: &Plimsoll, slo: SloHandle) -> Value {
    plimsoll.tick();
    let guards = plimsoll.guards();
    let keyed = plimsoll.keyed_guards().into_iter().map(|keyed| keyed.show());
    json!({
        "time": rfc3339(plimsoll.clock().wall()),
        "slo": one(plimsoll, slo),
        "guards": guards.iter().filter(|guard| guard.slo() == slo.name()).map(self::guard).collect::<Vec<_>>(),
        "keyed_guards": keyed.filter(|keyed| keyed.slo == slo.name()).map(|keyed| keyed_guard(&keyed)).collect::<Vec<_>>(),
    })
}

fn one(plimsoll: &Plimsoll, slo: SloHandle) -> Value {
    let (declared, alerts, now) = (slo.declaration(), slo.alerts(), plimsoll.clock().now());
    let objectives: Vec<Value> = slo
        .objectives()
        .enumerate()
        .map(|(index, objective)| self::objective(slo, index, objective, &alerts, now))
        .collect();
    let latency = slo.latency(Window::minutes(5));
    let seconds = |share| latency.quantile(share).map(|at| at.as_secs_f64());
    json!({
        "name": slo.name(),
        "service": declared.service_name(),
        "owner": declared.owner_name(),
        "runbook": declared.runbook_url(),
        "period": declared.period().to_string(),
        "objectives": objectives,
        "latency_5m": {
            "calls": latency.count(),
            "p50": seconds(0.5),
            "p95": seconds(0.95),
            "p99": seconds(0.99),
            "p999": seconds(0.999),
        },
        "outcomes": counts(slo.outcomes().map(|(outcome, n)| (outcome.as_str(), n))),
    })
}

fn objective(
    slo: SloHandle,
    index: usize,
    objective: ObjectiveHandle,
    alerts: &[AlertStatus],
    now: Timestamp,
) -> Value {
    let declared = &slo.declaration().objectives()[index];
    let own = || alerts.iter().filter(|alert| alert.objective == index);
    let mut windows: Vec<Window> = own().flat_map(|alert| [alert.short, alert.long]).collect();
    windows.sort_unstable();
    windows.dedup();
    let budget = objective.budget();
    json!({
        "name": objective.name(),
        "target": declared.target().as_ratio(),
        "threshold": declared.threshold().map(|threshold| threshold.as_secs_f64()),
        "slice": declared.slices().map(|(slice, _)| slice.as_secs_f64()),
        "budget": {
            "remaining": budget.remaining,
            "exhausted": budget.is_exhausted(),
            "allowed": budget.allowed,
            "bad": budget.spent,
            "events": budget.events,
            "bad_events_left": budget.bad_events_left,
            "seconds_to_exhaustion": budget.time_to_exhaustion.map(|left| left.as_secs_f64()),
            "coverage": budget.coverage,
        },
        "windows": windows.into_iter().map(|window| self::window(objective, window)).collect::<Vec<_>>(),
        "alerts": own().map(|own| alert(own, now)).collect::<Vec<_>>(),
    })
}

fn window(objective: ObjectiveHandle, window: Window) -> Value {
    let reading = objective.reading(window);
    json!({
        "window": window.to_string(),
        "seconds": window.length().as_secs_f64(),
        "good": reading.tally.good,
        "bad": reading.tally.bad,
        "coverage": reading.coverage,
        "burn_rate": objective.burn_rate(window).ok().map(|burn| burn.value),
    })
}

fn alert(alert: &AlertStatus, now: Timestamp) -> Value {
    let burn = |burn: Option<BurnRate>| burn.map(|burn| burn.value);
    let lasted = match alert.state {
        AlertState::Inactive => None,
        AlertState::Pending { since } | AlertState::Firing { since } => Some(now.since(since)),
    };
    json!({
        "severity": alert.severity.as_str(),
        "state": alert.state.as_str(),
        "for": lasted.map(|lasted: Duration| lasted.as_secs_f64()),
        "factor": alert.factor,
        "long": alert.long.to_string(),
        "long_burn_rate": burn(alert.long_burn),
        "short": alert.short.to_string(),
        "short_burn_rate": burn(alert.short_burn),
    })
}

fn guard(guard: &Guard) -> Value {
    let refusals = guard.refusals().map(|(reason, n)| (reason.as_str(), n));
    json!({
        "name": guard.name(),
        "slo": guard.slo(),
        "state": guard.state().as_str(),
        "explain": guard.explain(),
        "in_flight": guard.in_flight(),
        "limit": guard.limit(),
        "sheds_below": guard.sheds_below().map(|below| below.to_string()),
        "warmth": guard.warmth(),
        "refusals": counts(refusals),
        "outcomes": counts(guard.outcomes().map(|(outcome, n)| (outcome.as_str(), n))),
    })
}

fn keyed_guard(keyed: &KeyedShown) -> Value {
    let unwell = keyed.unwell.iter().map(|(key, state)| json!({ "key": key, "state": state.as_str() }));
    json!({
        "name": keyed.name,
        "slo": keyed.slo,
        "keys": keyed.keys,
        "capacity": keyed.capacity,
        "evicted": keyed.evicted,
        "overflowed": keyed.overflowed,
        "in_flight": keyed.in_flight,
        "states": counts(State::ALL.into_iter().zip(keyed.states).map(|(state, n)| (state.as_str(), n))),
        "not_closed": unwell.collect::<Vec<_>>(),
        "refusals": counts(Reason::ALL.into_iter().zip(keyed.refusals).map(|(reason, n)| (reason.as_str(), n))),
    })
}

fn event(event: &Event) -> Value {
    json!({ "number": event.number, "time": rfc3339(event.wall), "what": event.kind.to_string() })
}

fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    counts.map(|(name, n)| (name.to_owned(), Value::from(n))).collect()
}

fn rfc3339(time: SystemTime) -> String {
    wall(time, "%Y-%m-%dT%H:%M:%SZ")
}
