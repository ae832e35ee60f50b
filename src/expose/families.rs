//! The families in the order in which they are shown, and which of their series an SLO and a guard have.

use super::catalogue::{GuardShown, SloSeries};
use super::durations::{Durations, Ladder};
use crate::breaker::{Reason, State, Transitions};
use crate::guard::{KeyedShown, SheddingShown};
use crate::names::{self, label};
use crate::outcome::{Outcome, Verdict};
use crate::record::NOTES;
use crate::shed::Priority;
use std::sync::LazyLock;

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
    /// Where it is in [`ALL`].
    pub(super) place: usize,
}

const fn family(place: usize, name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help, place }
}

static EVENTS: Family =
    family(0, names::EVENTS, Kind::Counter, "Events by objective and verdict: good, bad or excluded.");
static OUTCOMES: Family = family(1, names::OUTCOMES, Kind::Counter, "Calls by how they ended.");
static DURATION: Family = family(
    2,
    names::DURATION,
    Kind::Histogram,
    "How long calls took, to the last byte; exact at the thresholds of the objectives. Refused calls took no time.",
);
static FIRST_BYTE: Family =
    family(3, names::FIRST_BYTE, Kind::Histogram, "How long streamed answers took to their first byte.");
static BURN_RATE: Family = family(
    4,
    names::BURN_RATE,
    Kind::Gauge,
    "How many times as fast as allowed the error budget is spent; 0 while there are too few events to say.",
);
static COVERAGE: Family = family(5, names::COVERAGE, Kind::Gauge, "How much of the window has been observed, 0 to 1.");
static BUDGET_REMAINING: Family = family(
    6,
    names::BUDGET_REMAINING,
    Kind::Gauge,
    "Error budget left in the period, as a ratio: 1 is all of it, below 0 it is overspent.",
);
static INFO: Family = family(
    8,
    names::INFO,
    Kind::Gauge,
    "What is declared: the target in percent, the period, and a fingerprint of the whole declaration: 1, or 0 if that was before.",
);
static BREAKER_STATE: Family =
    family(9, names::BREAKER_STATE, Kind::Gauge, "1 for the state that the breaker is in, 0 for all others.");
static BREAKER_TRANSITIONS: Family =
    family(10, names::BREAKER_TRANSITIONS, Kind::Counter, "How often the breaker went from one state to another.");
static REJECTIONS: Family = family(
    11,
    names::REJECTIONS,
    Kind::Counter,
    "Calls refused, by reason; fallback_limit counts fallbacks that were not asked, beside that.",
);
static IN_FLIGHT: Family = family(12, names::IN_FLIGHT, Kind::Gauge, "Calls under way.");
static CONCURRENCY_LIMIT: Family =
    family(13, names::CONCURRENCY_LIMIT, Kind::Gauge, "Calls that may be under way at once; +Inf without a limiter.");
static SATURATION: Family = family(
    14,
    names::SATURATION,
    Kind::Gauge,
    "Calls under way, waiting and shed in the last ten seconds or so, over what there is room for: over 1, too much is asked. 0 \
     until a limit is known.",
);
static UTILISATION: Family = family(
    15,
    names::UTILISATION,
    Kind::Gauge,
    "The share of the limit that was in use in the last ten seconds or so, 0 to 1; 0 until a limit is known.",
);
static SHED_RATIO: Family =
    family(16, names::SHED_RATIO, Kind::Gauge, "The share of calls shed, of the last ten seconds or so.");
static SHEDS: Family =
    family(17, names::SHEDS, Kind::Counter, "Calls shed, by priority, whether or not a fallback answered them.");
static SHED_BELOW: Family = family(
    18,
    names::SHED_BELOW,
    Kind::Gauge,
    "The priority below which calls are shed by hand: 100 is default, 200 critical; 0 if none are.",
);
static QUEUED: Family = family(19, names::QUEUED, Kind::Gauge, "Calls that wait to be let in.");
static EXHAUSTION: Family = family(
    7,
    names::EXHAUSTION,
    Kind::Gauge,
    "Seconds until the error budget is spent, at the rate of the shortest long alert window; +Inf if it will last.",
);
static GUARD_INFO: Family =
    family(20, names::GUARD_INFO, Kind::Gauge, "Which SLO a guard's calls count for. Always 1.");
static KEYS: Family = family(21, names::KEYS, Kind::Gauge, "How many keys a guard per key holds.");
static KEYS_EVICTED: Family =
    family(22, names::KEYS_EVICTED, Kind::Counter, "Keys that a guard per key forgot to make room for others.");
static KEYS_OVERFLOWED: Family = family(
    23,
    names::KEYS_OVERFLOWED,
    Kind::Counter,
    "Calls that found no room for their key in a guard per key, and shared one breaker.",
);
static KEYED_BREAKERS: Family =
    family(24, names::KEYED_BREAKERS, Kind::Gauge, "How many keys of a guard per key have a breaker in this state.");

/// Every family.
pub(super) static ALL: [&Family; 25] = [
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
    &UTILISATION,
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

const _: () = {
    let mut place = 0;
    while place < ALL.len() {
        assert!(ALL[place].place == place);
        place += 1;
    }
};

/// The changes that a breaker can make.
static CHANGES: LazyLock<Vec<(State, State)>> = LazyLock::new(|| {
    let all = State::ALL.into_iter().flat_map(|from| State::ALL.map(|to| (from, to)));
    all.filter(|(from, to)| from.may_become(*to)).collect()
});

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// Takes series as they come: each SLO's and each guard's together. While the extent of what is shown is the same, so are the
/// series and their order, and their labels need not be asked for.
pub(super) trait Sink {
    /// A count.
    fn counter<'a, const N: usize>(&mut self, family: &'static Family, labels: impl Fn() -> [Label<'a>; N], value: u64);
    /// A level.
    fn gauge<'a, const N: usize>(&mut self, family: &'static Family, labels: impl Fn() -> [Label<'a>; N], value: f64);
    /// A histogram; `slo` is the place of its SLO.
    fn histogram<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [Label<'a>; N],
        slo: usize,
        ladder: &Ladder,
        durations: &Durations,
    );
}

/// Shows all series of an SLO; `index` is its place.
pub(super) fn slo(slo: &SloSeries, index: usize, sink: &mut impl Sink) {
    let name = (label::SLO, slo.meter.name);
    let counted = &slo.counted;
    for (outcome, n) in Outcome::ALL.into_iter().zip(counted.outcomes) {
        sink.counter(&OUTCOMES, || [name, (label::OUTCOME, outcome.as_str())], n);
    }
    sink.histogram(&DURATION, || [name], index, &slo.ladder, &counted.durations);
    if let Some(first_bytes) = &slo.first_bytes {
        sink.histogram(&FIRST_BYTE, || [name], index, &slo.first_ladder, first_bytes);
    }
    for (objective, (tally, judged)) in slo.objectives.iter().zip(counted.tallies.iter().zip(&slo.judged)) {
        let of = (label::OBJECTIVE, objective.name);
        for verdict in Verdict::ALL {
            let n = match verdict {
                Verdict::Good => tally.good,
                Verdict::Bad => tally.bad,
                Verdict::Excluded => tally.excluded,
            };
            sink.counter(&EVENTS, || [name, of, (label::VERDICT, verdict.as_str())], n);
        }
        for ((_, window), (burn, coverage)) in slo.windows.iter().zip(&judged.windows) {
            let labels = || [name, of, (label::WINDOW, window.as_str())];
            sink.gauge(&BURN_RATE, labels, *burn);
            sink.gauge(&COVERAGE, labels, *coverage);
        }
        sink.gauge(&BUDGET_REMAINING, || [name, of], judged.budget_remaining);
        sink.gauge(&EXHAUSTION, || [name, of], judged.exhaustion);
        let declared = || {
            [
                name,
                of,
                (label::TARGET, objective.target.as_str()),
                (label::PERIOD, slo.period.as_str()),
                (label::DECLARATION, slo.declaration.as_str()),
            ]
        };
        sink.gauge(&INFO, declared, 1.0);
    }
}

/// Shows all series of a guard.
pub(super) fn guard(guard: &GuardShown, sink: &mut impl Sink) {
    for state in State::ALL {
        let is = if state == guard.state { 1.0 } else { 0.0 };
        sink.gauge(&BREAKER_STATE, || [(label::GUARD, guard.name), (label::STATE, state.as_str())], is);
    }
    if let Some(counts) = &guard.transitions {
        transitions(guard.name, counts, sink);
    }
    admission(guard.name, guard.slo, &guard.refusals, guard.in_flight, sink);
    // Without a limiter the series are there all the same: whoever draws them need not draw anew.
    let name = || [(label::GUARD, guard.name)];
    let shedding = guard.shedding.as_ref();
    let limit = shedding.and_then(|shedding| shedding.limiter.limit);
    sink.gauge(&CONCURRENCY_LIMIT, name, limit.map_or(f64::INFINITY, f64::from));
    let level = |of: fn(&SheddingShown) -> f64| shedding.map_or(0.0, of);
    sink.gauge(&SATURATION, name, level(|shedding| shedding.saturation));
    sink.gauge(&UTILISATION, name, level(|shedding| shedding.utilisation));
    sink.gauge(&SHED_RATIO, name, level(|shedding| shedding.shed_ratio));
    let sheds = shedding.map_or([0; 3], |shedding| shedding.limiter.sheds);
    for (priority, n) in Priority::BANDS.into_iter().zip(sheds) {
        sink.counter(&SHEDS, || [(label::GUARD, guard.name), (label::PRIORITY, priority)], n);
    }
    sink.gauge(&SHED_BELOW, name, level(|shedding| f64::from(shedding.limiter.below)));
    sink.gauge(&QUEUED, name, level(|shedding| f64::from(shedding.limiter.waiting)));
}

/// Shows all series of a guard per key: sums over keys. No series is any one key's: keys come and go, and a facade cannot
/// take a series back.
pub(super) fn keyed(guard: &KeyedShown, sink: &mut impl Sink) {
    transitions(guard.name, &guard.transitions, sink);
    admission(guard.name, guard.slo, &guard.refusals, guard.in_flight, sink);
    let name = || [(label::GUARD, guard.name)];
    sink.gauge(&CONCURRENCY_LIMIT, name, f64::INFINITY);
    sink.gauge(&KEYS, name, guard.keys as f64);
    sink.counter(&KEYS_EVICTED, name, guard.evicted);
    sink.counter(&KEYS_OVERFLOWED, name, guard.overflowed);
    for state in State::ALL {
        let n = guard.states[state as usize];
        sink.gauge(&KEYED_BREAKERS, || [(label::GUARD, guard.name), (label::STATE, state.as_str())], n as f64);
    }
}

fn transitions(guard: &str, counts: &Transitions, sink: &mut impl Sink) {
    for (from, to) in CHANGES.iter().copied() {
        let labels = || [(label::GUARD, guard), (label::FROM, from.as_str()), (label::TO, to.as_str())];
        sink.counter(&BREAKER_TRANSITIONS, labels, counts[from as usize][to as usize]);
    }
}

fn admission(guard: &str, slo: &str, refusals: &[u64; NOTES], in_flight: u64, sink: &mut impl Sink) {
    for reason in Reason::ALL {
        let n = refusals.get(reason as usize).copied().unwrap_or_default();
        sink.counter(&REJECTIONS, || [(label::GUARD, guard), (label::REASON, reason.as_str())], n);
    }
    sink.gauge(&IN_FLIGHT, || [(label::GUARD, guard)], in_flight as f64);
    sink.gauge(&GUARD_INFO, || [(label::GUARD, guard), (label::SLO, slo)], 1.0);
}
