//! Tests of the rules for `promtool test rules`: incidents, and which alerts there are when.

use super::burn;
use super::expected::{Alerts, Expected, Shown};
use super::sentence::{Numbers, filled};
use super::traffic::{Instance, Phase};
use super::{alerts, budget_tests, guard_tests, pace};
use crate::artifacts::text::{duration, promql};
use crate::artifacts::{Alarm, Artifact, Kit, Subject, yaml};
use crate::names::label;
use serde_json::{Value, json};
use std::time::Duration;

const A: &str = "a:3000";
const B: &str = "b:3000";
/// How many evaluations there are in the shortest window.
const IN_WINDOW: u32 = 5;
/// By which labels alerts are told apart, beside their name and state.
const TOLD_APART: [&str; 6] =
    [label::SEVERITY, label::OBJECTIVE, label::WINDOW, label::SHORT_WINDOW, label::THRESHOLD, label::GUARD];
/// promtool takes no more samples than 10,000 into one expression.
const MOST_SAMPLES: u32 = 8_000;
/// No test is longer, in evaluations.
const LONGEST: u64 = 120;

/// An incident.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) instances: Vec<Instance>,
    pub(super) evaluations: u64,
}

/// Which alerts a test is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    /// The budget that is left, whose rules promtool must evaluate step by step.
    Budget,
    /// All others.
    Rest,
}

impl About {
    fn is(self, shown: &Shown) -> bool {
        (shown.name == Alarm::BudgetLow.name()) == matches!(self, Self::Budget)
    }

    fn matcher(self) -> String {
        let equals = if matches!(self, Self::Budget) { "=" } else { "!=" };
        format!("alertname{equals}{}", promql(Alarm::BudgetLow.name()))
    }
}

/// The tests of one SLO.
pub(super) fn files(kit: &Kit, subject: &Subject<'_>, groups: &[&str]) -> Vec<Artifact> {
    let shortest = subject.slo.alert_windows().iter().map(|pair| pair.short() / IN_WINDOW).min();
    let every = pace::round(shortest.unwrap_or(pace::LONGEST)).min(pace::LONGEST);
    let burning = incidents(subject, samples(every));
    let mut burns: Vec<Value> = burning.iter().map(|story| test(subject, every, story, About::Rest)).collect();
    if let (Some(story), Some(test)) = (burning.first(), burns.first_mut()) {
        in_full(kit, subject, every, story, test);
    }
    let watch = pace::at_least(subject, 4, Duration::from_secs(60)).min(pace::LONGEST);
    let watching = watching(subject, watch);
    let mut watched: Vec<Value> = watching.iter().map(|story| test(subject, watch, story, About::Rest)).collect();
    watched.extend(guard_tests::tests(subject, watch));
    let step = pace::of_period(subject);
    let file = |suffix: &str, every: Duration, words: &str, tests: Vec<Value>| {
        let comment =
            format!("Tests of the rules for the SLO {}, for promtool test rules: {words}.", subject.slo.name());
        let document = json!({
            "rule_files": [format!("../rules/{}.yml", subject.slug)],
            "evaluation_interval": duration(every),
            "group_eval_order": groups,
            "tests": tests,
        });
        let path = format!("prometheus/tests/{}{suffix}.yml", subject.slug);
        Artifact::new(path, yaml::documents(&comment, &[document]))
    };
    vec![
        file("", every, "how fast the budget burns", burns),
        file(".budget", step, "how much of the budget is left", budget_tests::tests(subject, step)),
        file(".watch", watch, "what has nothing to do with windows", watched),
    ]
}

/// A sample comes a moment before each evaluation: on the very edge of a range Prometheus 2 takes it in, and 3 does not.
pub(super) fn samples(every: Duration) -> u64 {
    (pace::millis(every) - 1).max(1)
}

/// Incidents for alerts on windows; one sample for each evaluation.
fn incidents(subject: &Subject<'_>, every: u64) -> Vec<Story> {
    const RATE: u64 = 1_000;
    let serve = |samples, bad| Phase::Serve { samples, valid: RATE, bad };
    let silence = Phase::Serve { samples: 70, valid: 0, bad: 0 };
    let story = |name, phases: &[Phase]| {
        let length = phases.iter().map(Phase::samples).sum();
        Story { name, instances: vec![Instance::new(subject, A, every, phases)], evaluations: length }
    };
    let dead = [serve(10, 0), serve(8, RATE), Phase::Dead { samples: 70 }];
    // A single failure is no evidence, however much of the traffic it is.
    let mut quiet = vec![Phase::Rarely { samples: 3, bad: false }; 14];
    quiet.insert(12, Phase::Rarely { samples: 3, bad: true });
    vec![
        story("an outage, and its end", &[serve(15, 0), serve(10, RATE), serve(40, 0)]),
        story("a slow burn: 10 % fail", &[serve(15, 0), serve(30, RATE / 10), serve(10, 0)]),
        story("a slower burn: 1 % fail", &[serve(15, 0), serve(30, RATE / 100), serve(10, 0)]),
        story("a spike: all fail, for a moment", &[serve(25, 0), serve(2, RATE), serve(35, 0)]),
        story("low traffic: a single call fails", &quiet),
        story("silence after errors: it is no recovery", &[serve(20, RATE / 5), silence, serve(5, 0)]),
        story(
            "counters begin anew in the middle of an outage",
            &[serve(15, 0), serve(5, RATE), Phase::Restart, serve(5, RATE), Phase::Restart, serve(10, 0)],
        ),
        story("the only instance dies in an outage", &dead),
        Story {
            name: "one of two instances dies in an outage, the other recovers",
            instances: vec![
                Instance::new(subject, A, every, &[dead[0], dead[1], Phase::Dead { samples: 40 }]),
                Instance::new(subject, B, every, &[serve(10, 0), serve(12, RATE), serve(36, 0)]),
            ],
            evaluations: 58,
        },
    ]
}

/// Incidents for alerts that take their own time.
fn watching(subject: &Subject<'_>, every: Duration) -> Vec<Story> {
    let sample = samples(every);
    let of = |alarm| (pace::millis(alerts::pending(subject, alarm)) / pace::millis(every) + 3).min(LONGEST);
    let serve = |samples| Phase::Serve { samples, valid: 100, bad: 0 };
    let (dead, drift) = (of(Alarm::Absent) + of(Alarm::Unacknowledged), of(Alarm::Drift));
    let steady = |samples| Instance::new(subject, B, sample, &[serve(samples)]);
    vec![
        Story {
            name: "the only instance dies: it is down, then absent, then nobody has taken it up",
            instances: vec![Instance::new(subject, A, sample, &[serve(5), Phase::Dead { samples: dead }, serve(5)])],
            evaluations: dead + 10,
        },
        Story {
            name: "one of two instances dies and comes back",
            instances: vec![
                Instance::new(subject, A, sample, &[serve(5), Phase::Dead { samples: 8 }, Phase::Restart, serve(5)]),
                steady(18),
            ],
            evaluations: 18,
        },
        Story {
            name: "an instance runs with another declaration",
            instances: vec![Instance::new(subject, A, sample, &[serve(drift)]).drifted(), steady(drift + 5)],
            evaluations: drift + 5,
        },
    ]
}

/// What is expected of a story, at every evaluation at which something changes and the one before it.
pub(super) fn test(subject: &Subject<'_>, every: Duration, story: &Story, about: About) -> Value {
    let mut expected = Expected::new(subject, &story.instances, pace::millis(every));
    let seen = (0..=story.evaluations).map(|_| {
        let mut alerts = expected.evaluate();
        alerts.retain(|shown, _| about.is(shown));
        (expected.now(), alerts)
    });
    let checks = checks(subject, &about.matcher(), seen.collect());
    let series: Vec<Value> = story.instances.iter().flat_map(|one| one.series(subject)).collect();
    let interval = story.instances.first().map_or(1, Instance::every);
    written(story.name, interval, series, checks)
}

/// A test as promtool reads it; samples come every so many milliseconds.
pub(super) fn written(name: &str, interval: u64, series: Vec<Value>, checks: Vec<Value>) -> Value {
    json!({
        "name": name,
        "interval": duration(Duration::from_millis(interval)),
        "input_series": series,
        "promql_expr_test": checks,
    })
}

/// Checks where something changes and just before that; and, at the end, at how many evaluations there was which alert.
pub(super) fn checks(subject: &Subject<'_>, matcher: &str, seen: Vec<(u64, Alerts)>) -> Vec<Value> {
    let series = format!("ALERTS{{{}={},{matcher}}}", label::SLO, promql(subject.slo.name()));
    let by = format!("by (alertname, alertstate, {})", TOLD_APART.join(", "));
    let check = |expr: String, at: u64, alerts: &Alerts| {
        let samples = alerts.iter().map(|(shown, count)| json!({"labels": labels(shown), "value": count}));
        json!({"expr": expr, "eval_time": time(at), "exp_samples": samples.collect::<Vec<Value>>()})
    };
    let changes = |at: usize| seen.get(at + 1).is_some_and(|(_, next)| *next != seen[at].1);
    let changed = |at: usize| at > 0 && seen[at - 1].1 != seen[at].1;
    let worth = seen.iter().enumerate().filter(|(at, _)| changes(*at) || changed(*at));
    let mut checks: Vec<Value> =
        worth.map(|(_, (at, alerts))| check(format!("count {by} ({series})"), *at, alerts)).collect();
    let mut all = Alerts::new();
    for (shown, count) in seen.iter().flat_map(|(_, alerts)| alerts) {
        *all.entry(shown.clone()).or_insert(0) += count;
    }
    let few = all.values().sum::<u32>() < MOST_SAMPLES;
    if let Some((last, _)) = seen.last().filter(|_| few) {
        // From before the beginning, which is no edge.
        let range = duration(Duration::from_millis(last + 1));
        checks.push(check(format!("sum {by} (count_over_time({series}[{range}]))"), *last, &all));
    }
    checks
}

pub(super) fn time(millis: u64) -> String {
    if millis == 0 { "0s".to_owned() } else { duration(Duration::from_millis(millis)) }
}

fn labels(shown: &Shown) -> String {
    let state = if shown.firing { "firing" } else { "pending" };
    let mut labels = vec![
        format!("alertname={}", promql(shown.name)),
        format!("alertstate={}", promql(state)),
        format!("severity={}", promql(shown.severity)),
    ];
    labels.extend(shown.of.iter().map(|(label, value)| format!("{label}={}", promql(value))));
    format!("{{{}}}", labels.join(","))
}

/// The first moment at which a budget burns, with all that its alerts say.
fn in_full(kit: &Kit, subject: &Subject<'_>, every: Duration, story: &Story, test: &mut Value) {
    let mut expected = Expected::new(subject, &story.instances, pace::millis(every));
    for _ in 0..=story.evaluations {
        // What the budget's own group has recorded by then is of the evaluation before.
        let left: Vec<_> = (0..subject.slo.objectives().len()).map(|place| expected.remaining(place)).collect();
        let alerts = expected.evaluate();
        let mut said = Vec::new();
        for (place, (objective, pairs)) in subject.objectives().enumerate() {
            for pair in pairs {
                let shown = Shown::burn(objective, &pair, true);
                let events = expected.window(place, pair.long()).filter(|_| alerts.contains_key(&shown));
                let Some(bad) = events.map(|events| events.bad / events.valid) else { continue };
                let numbers = Numbers { burn: bad / objective.target().budget(), bad, left: left[place] };
                let [summary, description] = burn::sentences(subject, objective, &pair);
                said.push(json!({
                    "exp_labels": {
                        label::SEVERITY: pair.severity().as_str(),
                        label::SLO: subject.slo.name(),
                        label::SERVICE: subject.slo.service_name(),
                        label::OBJECTIVE: objective.name(),
                        label::WINDOW: duration(pair.long()),
                        label::SHORT_WINDOW: duration(pair.short()),
                    },
                    "exp_annotations": {
                        "summary": filled(&summary, &numbers),
                        "description": filled(&description, &numbers),
                        "action": burn::action(pair.severity()),
                        "runbook_url": kit.runbook_url(subject, Alarm::BudgetBurn),
                        "dashboard_url": kit.dashboard_url(subject),
                    },
                }));
            }
        }
        if !said.is_empty() {
            test["alert_rule_test"] = json!([
                {"eval_time": time(expected.now()), "alertname": Alarm::BudgetBurn.name(), "exp_alerts": said}
            ]);
            return;
        }
    }
}
