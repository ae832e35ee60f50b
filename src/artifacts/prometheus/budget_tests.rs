//! Tests of the budget: promtool evaluates these at the pace of a step, as Prometheus does, so that no steps overlap.

use super::expected::Expected;
use super::recording::labels_of;
use super::traffic::{Instance, Phase};
use super::unit_tests::{About, Story, samples, test, time};
use super::{alerts, pace};
use crate::artifacts::Subject;
use crate::artifacts::text::selector;
use crate::names::recorded;
use crate::slo::{Objective, Target};
use serde_json::{Value, json};
use std::time::Duration;

/// So many samples in a step, unless they are scraped more rarely: counters begin anew within one, too.
const IN_STEP: u32 = 5;
/// How many bad events an even sample allows, at least.
const ALLOWED: u64 = 1_000;

/// One test: all errors come in two bursts, after which a part and then all of the budget is gone; one instance dies, the other
/// is restarted in each burst. Nothing of it may be lost, or counted twice.
pub(super) fn tests(subject: &Subject<'_>, step: Duration) -> Vec<Value> {
    let objectives = subject.slo.objectives();
    let phases: Vec<_> = objectives.iter().map(|objective| phases(subject, objective)).collect();
    let sample = samples((step / IN_STEP).max(pace::within(subject, step)));
    let instance = |name, place: usize| {
        let each: Vec<Vec<Phase>> = phases.iter().map(|both| both[place].clone()).collect();
        Instance::with(subject, name, sample, &each)
    };
    let length: u64 = phases.first().map_or(0, |both| both[0].iter().map(Phase::samples).sum());
    let story = Story {
        name: "two bursts of errors in very uneven traffic, with restarts: every event is counted once",
        instances: vec![instance("a:3000", 0), instance("b:3000", 1)],
        evaluations: (length + 2) * sample / pace::millis(step) + 1,
    };
    let mut written = test(subject, step, &story, About::Budget);
    if let Some(checks) = written["promql_expr_test"].as_array_mut() {
        checks.extend(sums(subject, step, &story, &phases));
    }
    vec![written]
}

/// What two instances do for an objective.
fn phases(subject: &Subject<'_>, objective: &Objective) -> [Vec<Phase>; 2] {
    let parts = objective.target().budget_parts();
    let even = (ALLOWED * Target::WHOLE).div_ceil(parts);
    let busy = 4 * even;
    // So many may be bad of so many even samples; the rest is rounded into the bursts.
    let allowed = |samples: f64| samples * even as f64 * objective.target().budget();
    let steps = alerts::budget_steps(subject);
    let lowest = steps.iter().rev().find(|(percent, _)| *percent > 0.0).map_or(0.0, |(percent, _)| percent / 200.0);
    let burst = |bad: f64| ((bad / 5.0) as u64).clamp(1, busy);
    let first = burst(allowed(63.0) * (1.0 - lowest));
    let second = burst(allowed(84.0) * 1.5 - 5.0 * first as f64);
    let serve = |samples, valid, bad| Phase::Serve { samples, valid, bad };
    [
        vec![
            serve(20, even, 0),
            serve(2, busy, first),
            Phase::Restart,
            serve(3, busy, first),
            serve(25, even / 37 + 1, 0),
            serve(2, busy, second),
            Phase::Restart,
            serve(3, busy, second),
            serve(25, even, 0),
        ],
        vec![serve(23, even, 0), Phase::Dead { samples: 57 }],
    ]
}

/// The sums at the end are those of the events that there were.
fn sums(subject: &Subject<'_>, step: Duration, story: &Story, phases: &[[Vec<Phase>; 2]]) -> Vec<Value> {
    let mut expected = Expected::new(subject, &story.instances, pace::millis(step));
    (0..=story.evaluations).for_each(|_| _ = expected.evaluate());
    let mut checks = Vec::new();
    for (place, objective) in subject.slo.objectives().iter().enumerate() {
        let mut check = |record: &str, value: f64| {
            let series = selector(record, &labels_of(subject, objective));
            let samples = json!([{"labels": series, "value": value}]);
            checks.push(json!({"expr": series, "eval_time": time(expected.now()), "exp_samples": samples}));
        };
        if objective.slices().is_none() {
            let sum = |of: fn(u64, u64, u64) -> u64| {
                let served = phases[place].iter().flatten().map(|phase| match *phase {
                    Phase::Serve { samples, valid, bad } => of(samples, valid, bad),
                    _ => 0,
                });
                served.sum::<u64>() as f64
            };
            check(recorded::PERIOD_BAD, sum(|samples, _, bad| samples * bad));
            check(recorded::PERIOD_VALID, sum(|samples, valid, _| samples * valid));
        }
        if let Some(left) = expected.remaining(place) {
            check(recorded::BUDGET_REMAINING, left);
        }
    }
    checks
}
