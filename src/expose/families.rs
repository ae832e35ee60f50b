//! The families in the order in which they are shown, and the way through them.

use super::catalogue::{GuardShown, Shown, SloShown};
use super::durations::{Durations, Ladder};
use crate::breaker::{Reason, State};
use crate::guard::{KeyedShown, SheddingShown};
use crate::names::{self, label};
use crate::outcome::{Outcome, Verdict};
use crate::shed::Priority;

/// What kind of numbers a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Series of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help }
}

static EVENTS: Family = family(names::EVENTS, Kind::Counter, "Events by objective and verdict: good, bad or excluded.");
static OUTCOMES: Family = family(names::OUTCOMES, Kind::Counter, "Calls by how they ended.");
static DURATION: Family = family(
    names::DURATION,
    Kind::Histogram,
    "How long calls took, to the last byte; exact at the thresholds of the objectives. Refused calls took no time.",
);
static FIRST_BYTE: Family =
    family(names::FIRST_BYTE, Kind::Histogram, "How long streamed answers took to their first byte.");
static BURN_RATE: Family = family(
    names::BURN_RATE,
    Kind::Gauge,
    "How many times as fast as allowed the error budget is spent; 0 while there are too few events to say.",
);
static COVERAGE: Family = family(names::COVERAGE, Kind::Gauge, "How much of the window has been observed, 0 to 1.");
static BUDGET_REMAINING: Family = family(
    names::BUDGET_REMAINING,
    Kind::Gauge,
    "Error budget left in the period, as a ratio: 1 is all of it, below 0 it is overspent.",
);
static INFO: Family = family(
    names::INFO,
    Kind::Gauge,
    "What is declared: the target in percent, the period, and a fingerprint of the whole declaration: 1, or 0 if that was before.",
);
static BREAKER_STATE: Family =
    family(names::BREAKER_STATE, Kind::Gauge, "1 for the state that the breaker is in, 0 for all others.");
static BREAKER_TRANSITIONS: Family =
    family(names::BREAKER_TRANSITIONS, Kind::Counter, "How often the breaker went from one state to another.");
static REJECTIONS: Family = family(
    names::REJECTIONS,
    Kind::Counter,
    "Calls refused, by reason; fallback_limit counts fallbacks that were not asked, beside that.",
);
static IN_FLIGHT: Family = family(names::IN_FLIGHT, Kind::Gauge, "Calls under way.");
static CONCURRENCY_LIMIT: Family =
    family(names::CONCURRENCY_LIMIT, Kind::Gauge, "Calls that may be under way at once; +Inf without a limiter.");
static SATURATION: Family = family(
    names::SATURATION,
    Kind::Gauge,
    "Calls under way, waiting and lately shed, over what there is room for: over 1, too much is asked. 0 until that is known.",
);
static SHED_RATIO: Family =
    family(names::SHED_RATIO, Kind::Gauge, "The share of calls shed, of the last ten seconds or so.");
static SHEDS: Family =
    family(names::SHEDS, Kind::Counter, "Calls shed, by priority, whether or not a fallback answered them.");
static SHED_BELOW: Family = family(
    names::SHED_BELOW,
    Kind::Gauge,
    "The priority below which calls are shed by hand: 100 is default, 200 critical; 0 if none are.",
);
static QUEUED: Family = family(names::QUEUED, Kind::Gauge, "Calls that wait to be let in.");
static EXHAUSTION: Family = family(
    names::EXHAUSTION,
    Kind::Gauge,
    "Seconds until the error budget is spent, at the rate of the shortest long alert window; +Inf if it will last.",
);
static GUARD_INFO: Family = family(names::GUARD_INFO, Kind::Gauge, "Which SLO a guard's calls count for. Always 1.");
static KEYS: Family = family(names::KEYS, Kind::Gauge, "How many keys a guard per key holds.");
static KEYS_EVICTED: Family =
    family(names::KEYS_EVICTED, Kind::Counter, "Keys that a guard per key forgot to make room for others.");
static KEYS_OVERFLOWED: Family = family(
    names::KEYS_OVERFLOWED,
    Kind::Counter,
    "Calls that found no room for their key in a guard per key, and shared one breaker.",
);
static KEYED_BREAKERS: Family =
    family(names::KEYED_BREAKERS, Kind::Gauge, "How many keys of a guard per key have a breaker in this state.");

/// Every family.
pub(super) static ALL: [&Family; 24] = [
    &EVENTS,
    &OUTCOMES,
    &DURATION,
    &FIRST_BYTE,
    &BURN_RATE,
    &COVERAGE,
    &BUDGET_REMAINING,
    &EXHAUSTION,
    &INFO,
    &BREAKER_STATE,
    &BREAKER_TRANSITIONS,
    &REJECTIONS,
    &IN_FLIGHT,
    &CONCURRENCY_LIMIT,
    &SATURATION,
    &SHED_RATIO,
    &SHEDS,
    &SHED_BELOW,
    &QUEUED,
    &GUARD_INFO,
    &KEYS,
    &KEYS_EVICTED,
    &KEYS_OVERFLOWED,
    &KEYED_BREAKERS,
];

/// The labels of a series.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// Takes every series in turn. While the extent of what is shown is the same, so are the series and their order.
pub(super) trait Sink {
    /// A family begins; it may have no series.
    fn family(&mut self, family: &'static Family);
    /// A series of the family: a count.
    fn counter(&mut self, labels: Labels<'_>, value: u64);
    /// A series of the family: a level.
    fn gauge(&mut self, labels: Labels<'_>, value: f64);
    /// A series of the family: a histogram; `slo` is the place of its SLO.
    fn histogram(&mut self, labels: Labels<'_>, slo: usize, ladder: &Ladder, durations: &Durations);
}

/// Shows everything to `sink`.
pub(super) fn walk(shown: &Shown<'_>, sink: &mut impl Sink) {
    events(&shown.slos, sink);
    durations(&shown.slos, sink);
    judgements(&shown.slos, sink);
    guards(&shown.guards, &shown.keyed, sink);
    keyed(&shown.keyed, sink);
}

fn events(slos: &[SloShown<'_>], sink: &mut impl Sink) {
    sink.family(&EVENTS);
    for slo in slos {
        for objective in &slo.objectives {
            let tally = objective.tally;
            for verdict in Verdict::ALL {
                let n = match verdict {
                    Verdict::Good => tally.good,
                    Verdict::Bad => tally.bad,
                    Verdict::Excluded => tally.excluded,
                };
                let labels = [
                    (label::SLO, slo.series.meter.name),
                    (label::OBJECTIVE, objective.name),
                    (label::VERDICT, verdict.as_str()),
                ];
                sink.counter(&labels, n);
            }
        }
    }
    sink.family(&OUTCOMES);
    for slo in slos {
        for (outcome, n) in Outcome::ALL.into_iter().zip(slo.outcomes) {
            sink.counter(&[(label::SLO, slo.series.meter.name), (label::OUTCOME, outcome.as_str())], n);
        }
    }
}

fn durations(slos: &[SloShown<'_>], sink: &mut impl Sink) {
    sink.family(&DURATION);
    for (index, slo) in slos.iter().enumerate() {
        sink.histogram(&[(label::SLO, slo.series.meter.name)], index, &slo.series.ladder, slo.durations);
    }
    sink.family(&FIRST_BYTE);
    for (index, slo) in slos.iter().enumerate() {
        if let Some(first_bytes) = &slo.first_bytes {
            sink.histogram(&[(label::SLO, slo.series.meter.name)], index, &slo.series.first_ladder, first_bytes);
        }
    }
}

fn judgements(slos: &[SloShown<'_>], sink: &mut impl Sink) {
    by_window(slos, sink, &BURN_RATE, |(burn, _)| *burn);
    by_window(slos, sink, &COVERAGE, |(_, coverage)| *coverage);
    sink.family(&BUDGET_REMAINING);
    for slo in slos {
        for objective in &slo.objectives {
            let labels = [(label::SLO, slo.series.meter.name), (label::OBJECTIVE, objective.name)];
            sink.gauge(&labels, objective.budget_remaining);
        }
    }
    sink.family(&EXHAUSTION);
    for slo in slos {
        for objective in &slo.objectives {
            let labels = [(label::SLO, slo.series.meter.name), (label::OBJECTIVE, objective.name)];
            sink.gauge(&labels, objective.exhaustion);
        }
    }
    sink.family(&INFO);
    for slo in slos {
        for (objective, target) in slo.objectives.iter().zip(&slo.series.targets) {
            let labels = [
                (label::SLO, slo.series.meter.name),
                (label::OBJECTIVE, objective.name),
                (label::TARGET, target.as_str()),
                (label::PERIOD, slo.series.period.as_str()),
                (label::DECLARATION, slo.series.declaration.as_str()),
            ];
            sink.gauge(&labels, 1.0);
        }
    }
}

fn by_window(slos: &[SloShown<'_>], sink: &mut impl Sink, family: &'static Family, value: impl Fn(&(f64, f64)) -> f64) {
    sink.family(family);
    for slo in slos {
        for objective in &slo.objectives {
            for ((_, window), read) in slo.series.windows.iter().zip(&objective.windows) {
                let labels = [
                    (label::SLO, slo.series.meter.name),
                    (label::OBJECTIVE, objective.name),
                    (label::WINDOW, window.as_str()),
                ];
                sink.gauge(&labels, value(read));
            }
        }
    }
}

fn guards(guards: &[GuardShown], keyed: &[KeyedShown], sink: &mut impl Sink) {
    sink.family(&BREAKER_STATE);
    for guard in guards {
        for state in State::ALL {
            let is = if state == guard.state { 1.0 } else { 0.0 };
            sink.gauge(&[(label::GUARD, guard.name), (label::STATE, state.as_str())], is);
        }
    }
    sink.family(&BREAKER_TRANSITIONS);
    let own = guards.iter().filter_map(|guard| Some((guard.name, guard.transitions.as_ref()?)));
    for (name, transitions) in own.chain(keyed.iter().map(|guard| (guard.name, &guard.transitions))) {
        for (from, counts) in State::ALL.into_iter().zip(transitions) {
            for (to, n) in State::ALL.into_iter().zip(counts).filter(|(to, _)| from.may_become(*to)) {
                let labels = [(label::GUARD, name), (label::FROM, from.as_str()), (label::TO, to.as_str())];
                sink.counter(&labels, *n);
            }
        }
    }
    sink.family(&REJECTIONS);
    let own = guards.iter().map(|guard| (guard.name, &guard.refusals));
    for (name, refusals) in own.chain(keyed.iter().map(|guard| (guard.name, &guard.refusals))) {
        for reason in Reason::ALL {
            let n = refusals.get(reason as usize).copied().unwrap_or_default();
            sink.counter(&[(label::GUARD, name), (label::REASON, reason.as_str())], n);
        }
    }
    sink.family(&IN_FLIGHT);
    let own = guards.iter().map(|guard| (guard.name, guard.in_flight));
    for (name, in_flight) in own.chain(keyed.iter().map(|guard| (guard.name, guard.in_flight))) {
        sink.gauge(&[(label::GUARD, name)], in_flight as f64);
    }
    // Without a limiter the series are there all the same: whoever draws them need not draw anew.
    sink.family(&CONCURRENCY_LIMIT);
    let own = guards.iter().map(|guard| (guard.name, guard.shedding.and_then(|shedding| shedding.limiter.limit)));
    for (name, limit) in own.chain(keyed.iter().map(|guard| (guard.name, None))) {
        sink.gauge(&[(label::GUARD, name)], limit.map_or(f64::INFINITY, f64::from));
    }
    shedding(guards, sink);
    sink.family(&GUARD_INFO);
    let own = guards.iter().map(|guard| (guard.name, guard.slo));
    for (name, slo) in own.chain(keyed.iter().map(|guard| (guard.name, guard.slo))) {
        sink.gauge(&[(label::GUARD, name), (label::SLO, slo)], 1.0);
    }
}

fn shedding(guards: &[GuardShown], sink: &mut impl Sink) {
    level(guards, sink, &SATURATION, |shedding| shedding.saturation);
    level(guards, sink, &SHED_RATIO, |shedding| shedding.shed_ratio);
    sink.family(&SHEDS);
    for guard in guards {
        let sheds = guard.shedding.map_or([0; 3], |shedding| shedding.limiter.sheds);
        for (priority, n) in Priority::BANDS.into_iter().zip(sheds) {
            sink.counter(&[(label::GUARD, guard.name), (label::PRIORITY, priority)], n);
        }
    }
    level(guards, sink, &SHED_BELOW, |shedding| f64::from(shedding.limiter.below));
    level(guards, sink, &QUEUED, |shedding| f64::from(shedding.limiter.waiting));
}

fn level(guards: &[GuardShown], sink: &mut impl Sink, family: &'static Family, of: fn(&SheddingShown) -> f64) {
    sink.family(family);
    for guard in guards {
        sink.gauge(&[(label::GUARD, guard.name)], guard.shedding.as_ref().map_or(0.0, of));
    }
}

/// Sums over keys. No series is any one key's: keys come and go, and a facade cannot take a series back.
fn keyed(guards: &[KeyedShown], sink: &mut impl Sink) {
    sink.family(&KEYS);
    for guard in guards {
        sink.gauge(&[(label::GUARD, guard.name)], guard.keys as f64);
    }
    sink.family(&KEYS_EVICTED);
    for guard in guards {
        sink.counter(&[(label::GUARD, guard.name)], guard.evicted);
    }
    sink.family(&KEYS_OVERFLOWED);
    for guard in guards {
        sink.counter(&[(label::GUARD, guard.name)], guard.overflowed);
    }
    sink.family(&KEYED_BREAKERS);
    for guard in guards {
        for state in State::ALL {
            let n = guard.states[state as usize];
            sink.gauge(&[(label::GUARD, guard.name), (label::STATE, state.as_str())], n as f64);
        }
    }
}
