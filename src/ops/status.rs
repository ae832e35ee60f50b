//! The status page.

use super::stands::{Full, ObjectiveStands, SloStands};
use super::words::{bar, count, duration, percent, state};
use crate::alert::{AlertState, AlertStatus};
use crate::breaker::{Reason, State};
use crate::budget::burn_rate;
use crate::events::Event;
use crate::guard::{Brief, Guard, KeyedShown};
use crate::outcome::Outcome;
use crate::registry::{Plimsoll, SloHandle};
use crate::slo::{Period, Slo};
use crate::time::Timestamp;
use crate::window::Window;
use std::fmt::Write;

/// So many SLOs, and so many guards, are shown in full even if all is well.
const FEW: usize = 20;
/// How many events are told.
const EVENTS: usize = 20;
/// How many keys of a guard are named.
const KEYS: usize = 10;

/// How everything stands, as plain text for people: what is wrong first, then each SLO, each guard, and what happened
/// of late. Of more than twenty SLOs or guards those that are well have one line each, as of the last tick.
///
/// It is for reading: its layout is no interface, and changes without notice.
pub fn status(plimsoll: &Plimsoll) -> String {
    plimsoll.tick();
    let now = plimsoll.clock().now();
    let guards = plimsoll.guards();
    let slos: Vec<SloStands> = SloStands::read(plimsoll, FEW, now);
    let mut page = String::new();
    // Writing to a `String` cannot fail, here and below.
    _ = writeln!(page, "{}", wall(plimsoll.clock().wall(), "%Y-%m-%d %H:%M:%S UTC"));
    let keyed: Vec<KeyedShown> = plimsoll.keyed_guards().into_iter().map(|keyed| keyed.show()).collect();
    summary(&mut page, &slos, &guards, &keyed);
    for (slo, full) in slos.iter().filter_map(|stands| Some((stands.slo, stands.full.as_ref()?))) {
        one_slo(&mut page, slo, full, now);
    }
    let (unwell, well): (Vec<&Guard>, Vec<&Guard>) = guards
        .iter()
        .partition(|guard| guards.len() <= FEW || settled(guard) != State::Closed || guard.limit().is_some());
    unwell.into_iter().for_each(|guard| one_guard(&mut page, guard));
    if slos.len() > FEW || guards.len() > FEW {
        page.push('\n');
    }
    slos.iter().filter(|stands| stands.full.is_none()).for_each(|stands| one_slo_in_brief(&mut page, stands));
    for guard in well {
        _ = writeln!(page, "Guard {}: closed, {} calls under way", guard.name(), guard.in_flight());
    }
    for guard in &keyed {
        one_keyed_guard(&mut page, guard);
    }
    events(&mut page, plimsoll, now);
    page
}

/// The breaker's state. What time alone does was done, but to one that is not closed it may have done more since.
fn settled(guard: &Guard) -> State {
    let peeked = guard.core.gate.as_ref().map_or(State::Closed, |gate| gate.peek());
    if peeked == State::Closed { peeked } else { guard.state() }
}

fn summary(page: &mut String, slos: &[SloStands], guards: &[Guard], keyed: &[KeyedShown]) {
    let mut wrong = Vec::new();
    for (slo, full) in slos.iter().filter_map(|stands| Some((stands.slo, stands.full.as_ref()?))) {
        for alert in full.alerts.iter().filter(|alert| alert.state.is_firing()) {
            wrong.push(format!("alert {} fires: {}, objective {}", alert.severity, slo.name(), alert.name));
        }
        for (objective, stands) in slo.objectives().zip(&full.objectives) {
            if stands.budget.is_exhausted() {
                wrong.push(format!("error budget spent: {}, objective {}", slo.name(), objective.name()));
            }
        }
    }
    for guard in guards {
        let now = settled(guard);
        if now != State::Closed {
            wrong.push(format!("breaker {} is {}", guard.name(), state(now)));
        }
        if let Some(below) = guard.sheds_below() {
            wrong.push(format!("guard {} sheds by hand every call below {below} priority", guard.name()));
        }
    }
    for guard in keyed.iter().filter(|guard| !guard.unwell.is_empty()) {
        wrong.push(format!("breakers of guard {} that are not closed: {}", guard.name, guard.unwell.len()));
    }
    wrong.dedup();
    match wrong.as_slice() {
        [] if slos.is_empty() => page.push_str("nothing is declared yet\n"),
        [] => page.push_str("all is well: no alert fires, every breaker is closed, every budget has something left\n"),
        wrong => wrong.iter().for_each(|line| _ = writeln!(page, "!! {line}")),
    }
}

fn one_slo_in_brief(page: &mut String, stands: &SloStands) {
    let Brief { left, burn, .. } = stands.brief;
    _ = write!(page, "SLO {}: well, {:.1} % of the budget left", stands.slo.name(), left * 100.0);
    match burn {
        Some(burn) => _ = writeln!(page, ", spent {burn:.2} x as fast as allowed"),
        None => page.push('\n'),
    }
}

pub(super) fn one_slo(page: &mut String, slo: SloHandle, full: &Full, now: Timestamp) {
    let declared = slo.declaration();
    _ = write!(page, "\nSLO {}", slo.name());
    if declared.service_name() != slo.name() {
        _ = write!(page, ", service {}", declared.service_name());
    }
    if let Some(owner) = declared.owner_name() {
        _ = write!(page, ", owner {owner}");
    }
    page.push('\n');
    if let Some(runbook) = declared.runbook_url() {
        _ = writeln!(page, "  what to do: {runbook}");
    }
    for (index, stands) in full.objectives.iter().enumerate() {
        one_objective(page, declared, index, stands, &full.alerts, now);
    }
    let latency = slo.latency(Window::minutes(5));
    if latency.count() > 0 {
        let at = |q| latency.quantile(q).map_or_else(|| "-".to_owned(), duration);
        _ = writeln!(
            page,
            "\n  latency over the last 5 min: half within {}, 95 % within {}, 99 % within {}",
            at(0.5),
            at(0.95),
            at(0.99)
        );
    }
    let ended = slo.outcomes().filter(|(_, n)| *n > 0);
    let ended: Vec<String> = ended.map(|(outcome, n)| format!("{} {}", outcome_word(outcome), count(n))).collect();
    if !ended.is_empty() {
        _ = writeln!(page, "  since the start: {}", ended.join(", "));
    }
}

fn one_objective(
    page: &mut String,
    slo: &Slo,
    index: usize,
    stands: &ObjectiveStands,
    alerts: &[AlertStatus],
    now: Timestamp,
) {
    let declared = &slo.objectives()[index];
    let (what, within) = match declared.slices() {
        Some((slice, _)) => ("of all slices of ", duration(slice)),
        None => ("of all events", String::new()),
    };
    let threshold = declared.threshold().map_or_else(String::new, |t| format!(" within {}", duration(t)));
    let over = match slo.period() {
        Period::CalendarMonth => "over the calendar month".to_owned(),
        period => format!("over {}", duration(period.nominal())),
    };
    _ = writeln!(page, "\n  {}: {} {what}{within} good{threshold}, {over}", declared.name(), declared.target());

    let budget = stands.budget;
    _ = write!(page, "    budget left {} {:5.1} %", bar(budget.remaining), budget.remaining * 100.0);
    match budget.bad_events_left {
        left if left >= 0 => _ = write!(page, ", {} more may be bad", count(left.unsigned_abs())),
        over => _ = write!(page, ", {} too many were bad", count(over.unsigned_abs())),
    }
    match budget.time_to_exhaustion {
        _ if budget.is_exhausted() => page.push_str(": SPENT\n"),
        Some(left) => _ = writeln!(page, ", gone in {} if it goes on like this", duration(left)),
        None => page.push_str(", it will last\n"),
    }

    _ = writeln!(page, "    {:>12} {:>12} {:>12} {:>10}   budget is spent", "last", "good", "bad", "share good");
    for reading in &stands.readings {
        let (good, bad) = (reading.tally.good, reading.tally.bad);
        let speed = match burn_rate(declared.target(), reading, slo.least_events()) {
            Ok(burn) => format!("{:.2} x as fast as allowed", burn.value),
            Err(_) if good + bad == 0 => "nothing happened".to_owned(),
            Err(insufficient) => format!("too few events to say (of {} needed)", insufficient.needed),
        };
        let known = if reading.coverage < 0.01 {
            " (hardly any of it seen yet)".to_owned()
        } else if reading.coverage < 0.995 {
            format!(" (only {:.0} % of it seen yet)", reading.coverage * 100.0)
        } else {
            String::new()
        };
        _ = writeln!(
            page,
            "    {:>12} {:>12} {:>12} {:>10}   {speed}{known}",
            duration(reading.window.length()),
            count(good),
            count(bad),
            percent(good, good + bad)
        );
    }
    for alert in alerts.iter().filter(|alert| alert.objective == index) {
        let stands = match alert.state {
            AlertState::Inactive => "quiet".to_owned(),
            AlertState::Pending { since } => format!("pending for {}", duration(now.since(since))),
            AlertState::Firing { since } => format!("FIRING for {}", duration(now.since(since))),
        };
        let (long, short) = (duration(alert.long.length()), duration(alert.short.length()));
        _ = writeln!(
            page,
            "    alert {}: {stands} (fires over {} x in the last {long} and the last {short})",
            alert.severity,
            (alert.factor * 1e3).round() / 1e3
        );
    }
}

pub(super) fn one_guard(page: &mut String, guard: &Guard) {
    _ = writeln!(page, "\nGuard {} (counts towards SLO {}): {}", guard.name(), guard.slo(), state(guard.state()));
    _ = writeln!(page, "  {}", guard.explain());
    calls(page, guard.in_flight(), &guard.core.recorder.notes());
}

pub(super) fn one_keyed_guard(page: &mut String, guard: &KeyedShown) {
    let KeyedShown { name, slo, keys, capacity, evicted, overflowed, unwell, .. } = guard;
    let (keys, room) = (count(*keys as u64), count(*capacity as u64));
    _ = writeln!(page, "\nGuard {name} (counts towards SLO {slo}): a breaker for each of {keys} keys, room for {room}");
    for (key, now) in unwell.iter().take(KEYS) {
        _ = writeln!(page, "  {name}/{key}: {}", state(*now));
    }
    match unwell.len().saturating_sub(KEYS) {
        0 if unwell.is_empty() => page.push_str("  every breaker is closed\n"),
        0 => {}
        more => _ = writeln!(page, "  and {} more that are not closed", count(more as u64)),
    }
    if *evicted > 0 || *overflowed > 0 {
        let (evicted, overflowed) = (count(*evicted), count(*overflowed));
        _ = writeln!(page, "  keys forgotten to make room: {evicted}; calls that found no room: {overflowed}");
    }
    calls(page, guard.in_flight, &guard.refusals);
}

fn calls(page: &mut String, in_flight: u64, notes: &[u64]) {
    let refused = Reason::ALL.into_iter().map(|reason| (reason, notes[reason as usize])).filter(|(_, n)| *n > 0);
    let refused: Vec<String> = refused.map(|(reason, n)| format!("{} {}", count(n), reason_word(reason))).collect();
    let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
    _ = writeln!(page, "  calls under way: {}; refused since the start: {refused}", count(in_flight));
}

fn events(page: &mut String, plimsoll: &Plimsoll, now: Timestamp) {
    let events = plimsoll.events();
    page.push_str("\nWhat happened of late, the latest first\n");
    if events.is_empty() {
        page.push_str("  nothing yet\n");
    }
    for event in events.iter().rev().take(EVENTS) {
        one_event(page, event, now);
    }
}

pub(super) fn one_event(page: &mut String, event: &Event, now: Timestamp) {
    let ago = format!("{} ago", duration(now.since(event.at)));
    _ = writeln!(page, "  {}  {ago:>16}  {}", wall(event.wall, "%m-%d %H:%M:%S"), event.kind);
}

pub(super) fn wall(time: std::time::SystemTime, format: &str) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "at an unknown time".to_owned(), |time| time.strftime(format).to_string())
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "succeeded",
        Outcome::Slow => "slow",
        Outcome::Failure(_) => "failed",
        Outcome::TimedOut => "timed out",
        Outcome::Abandoned => "abandoned",
        Outcome::Panicked => "panicked",
        Outcome::BodyError => "broke off",
        Outcome::Rejected => "refused",
        Outcome::Shed => "shed",
        Outcome::Degraded => "answered otherwise",
    }
}

const fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Open => "while open",
        Reason::Probing => "while probing",
        Reason::Ramping => "while closing gradually",
        Reason::ForcedOpen => "while forced open",
        Reason::NotReady => "because the service was not ready",
        Reason::FallbackLimit => "because too many fallbacks were under way",
        Reason::Limit => "because as many were under way as are let in",
        Reason::QueueFull => "because too many waited",
        Reason::QueueTimeout => "because they waited too long",
        Reason::Pressure => "because the budget went too fast",
        Reason::Deadline => "because of their deadline",
        Reason::ShedByHand => "by hand",
        Reason::Failed => "because the call had failed",
    }
}
