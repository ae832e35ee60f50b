//! Tests of the alerts on guards: a breaker that is open for long, and shedding over a share.

use super::expected::{Alerts, Shown};
use super::model::Series;
use super::unit_tests::{checks, samples, written};
use super::{alerts, pace};
use crate::artifacts::text::{promql, selector};
use crate::artifacts::{Alarm, Subject};
use crate::names::{self, label};
use serde_json::{Value, json};
use std::time::Duration;

const GUARD: &str = "front";
const INSTANCE: (&str, &str) = ("instance", "a:3000");
/// No test is longer, in samples.
const LONGEST: u64 = 120;

pub(super) fn tests(subject: &Subject<'_>, every: Duration) -> Vec<Value> {
    vec![breaker(subject, every), shedding(subject, every)]
}

/// Open for two moments, then for good, until somebody closes it.
fn breaker(subject: &Subject<'_>, every: Duration) -> Value {
    let over = pace::millis(alerts::open_over(subject));
    let long = (over / pace::millis(every)).clamp(1, LONGEST);
    let sample = samples(every);
    let (mut open, mut info) = (Series::new(sample), Series::new(sample));
    for (length, is) in [(long, 0), (1, 1), (1, 0), (1, 1), (long, 0), (long + 3, 1), (long, 0)] {
        open.holds(length, is);
        info.holds(length, 1);
    }
    let named = |state: &str, series: &Series| {
        let name = selector(names::BREAKER_STATE, &[(label::GUARD, GUARD), (label::STATE, state), INSTANCE]);
        json!({"series": name, "values": series.notation})
    };
    let mut forced = Series::new(sample);
    forced.holds(open.samples() - 1, 0);
    let series = vec![named("open", &open), named("forced_open", &forced), guard(subject, &info)];
    let holds = |at: u64| open.average(over, at).is_some_and(|share| share >= alerts::OPEN) && info.at(at).is_some();
    let seen = watched(subject, Alarm::BreakerOpen, every, open.samples(), holds);
    written(
        "a breaker that is open for a moment, and one for long",
        sample,
        series,
        of(subject, Alarm::BreakerOpen, seen),
    )
}

/// Some calls are shed for a moment, a few for long, and many for long.
fn shedding(subject: &Subject<'_>, every: Duration) -> Value {
    let over = pace::millis(alerts::pending(subject, Alarm::Shedding));
    let long = (over / pace::millis(every)).clamp(1, LONGEST) + 2;
    let sample = samples(every);
    let mut served = Series::new(sample);
    let mut shed = served.clone();
    let mut info = served.clone();
    for (length, of_hundred) in [(1, 0), (long, 0), (1, 50), (2 * long, 0), (2 * long, 4), (2 * long, 30), (long, 0)] {
        served.counts(length, 100 - of_hundred);
        shed.counts(length, of_hundred);
        info.holds(length, 1);
    }
    let slo = (label::SLO, subject.slo.name());
    let of_slo = |outcome, series: &Series| {
        let name = selector(names::OUTCOMES, &[slo, (label::OUTCOME, outcome), INSTANCE]);
        json!({"series": name, "values": series.notation})
    };
    let sheds = selector(names::SHEDS, &[(label::GUARD, GUARD), (label::PRIORITY, "default"), INSTANCE]);
    let series = vec![
        of_slo("success", &served),
        of_slo("shed", &shed),
        json!({"series": sheds, "values": shed.notation}),
        guard(subject, &info),
    ];
    let holds = |at: u64| {
        let shed = shed.increase(over, at);
        let calls = served.increase(over, at).zip(shed).map_or(0.0, |(served, shed)| served + shed);
        calls > 0.0 && shed.is_some_and(|shed| shed / calls > alerts::SHED)
    };
    let seen = watched(subject, Alarm::Shedding, every, served.samples(), holds);
    written("calls are shed: for a moment, a few, many", sample, series, of(subject, Alarm::Shedding, seen))
}

fn guard(subject: &Subject<'_>, info: &Series) -> Value {
    let name = selector(names::GUARD_INFO, &[(label::GUARD, GUARD), (label::SLO, subject.slo.name()), INSTANCE]);
    json!({"series": name, "values": info.notation})
}

/// The alert at every evaluation, while `holds` does.
fn watched(
    subject: &Subject<'_>,
    alarm: Alarm,
    every: Duration,
    evaluations: u64,
    holds: impl Fn(u64) -> bool,
) -> Vec<(u64, Alerts)> {
    let pending = u64::try_from(alerts::pending(subject, alarm).as_millis()).unwrap_or(u64::MAX);
    let mut since = None;
    let one = |n| {
        let now = n * pace::millis(every);
        let mut alerts = Alerts::new();
        since = holds(now).then(|| since.unwrap_or(now));
        if let Some(since) = since {
            let of = vec![(label::GUARD, GUARD.to_owned())];
            let severity = alarm.severity(subject).as_str();
            alerts.insert(Shown { name: alarm.name(), firing: now - since >= pending, severity, of }, 1);
        }
        (now, alerts)
    };
    (0..evaluations).map(one).collect()
}

fn of(subject: &Subject<'_>, alarm: Alarm, seen: Vec<(u64, Alerts)>) -> Vec<Value> {
    checks(subject, &format!("alertname={}", promql(alarm.name())), seen)
}
