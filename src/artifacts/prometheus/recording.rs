//! What is recorded: events over the windows, the period's sum, burn rates and the budget that is left.

use super::pace;
use crate::artifacts::Subject;
use crate::artifacts::text::{duration, promql, selector};
use crate::names::{EVENTS, label, recorded};
use crate::slo::{Objective, Period};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// No month is longer.
const LONGEST_MONTH: Duration = Duration::from_secs(31 * 86_400);

/// The events over one window, their ratio and how fast they burn the budget, for every objective.
pub(super) fn window(subject: &Subject<'_>, window: Duration) -> Vec<Value> {
    let name = duration(window);
    fn with<'a>(labels: &[(&'a str, &'a str)], window: &'a str) -> Vec<(&'a str, &'a str)> {
        [labels, &[(label::WINDOW, window)]].concat()
    }
    let mut rules = Vec::new();
    for (record, verdicts, step) in
        [(recorded::BAD, "=\"bad\"", recorded::BAD_STEP), (recorded::VALID, "=~\"good|bad\"", recorded::VALID_STEP)]
    {
        for (labels, slices) in measured(subject) {
            let expr = if slices {
                sum_over(&selector(step, &labels), window)
            } else {
                format!("sum by (slo, objective) (increase({}[{name}]))", events(&labels, verdicts))
            };
            rules.push(rule(record, expr, &with(&labels, &name)));
        }
    }
    let slo = with(&[(label::SLO, subject.slo.name())], &name);
    let (bad, valid) = (selector(recorded::BAD, &slo), selector(recorded::VALID, &slo));
    rules.push(rule(recorded::BAD_RATIO, format!("{bad} / ({valid} > 0)"), &slo));
    for objective in subject.slo.objectives() {
        let labels = with(&labels_of(subject, objective), &name);
        let ratio = selector(recorded::BAD_RATIO, &labels);
        rules.push(rule(recorded::BURN_RATE, format!("{ratio} / {}", objective.target().budget()), &labels));
    }
    rules
}

/// The events of every step, for objectives that count events.
pub(super) fn steps(subject: &Subject<'_>, step: Duration) -> Vec<Value> {
    let mut rules = Vec::new();
    for (record, verdicts) in [(recorded::BAD_STEP, "=\"bad\""), (recorded::VALID_STEP, "=~\"good|bad\"")] {
        for (labels, _) in measured(subject).into_iter().filter(|(_, slices)| !slices) {
            rules.push(rule(record, step_of(subject, &events(&labels, verdicts), step), &labels));
        }
    }
    rules
}

/// The events of every slice, and whether it was a bad one.
pub(super) fn slices(subject: &Subject<'_>, objective: &Objective) -> Vec<Value> {
    let Some((_, target)) = objective.slices() else { return Vec::new() };
    let (labels, step) = (labels_of(subject, objective), pace::of_objective(subject, objective));
    let of = |verdicts| step_of(subject, &events(&labels, verdicts), step);
    let (bad, valid) = (selector(recorded::BAD_SLICE, &labels), selector(recorded::VALID_SLICE, &labels));
    // In which nothing counted says nothing, so it is no slice.
    let failed = format!("{valid} - {bad} < bool {} * ({valid} > 0)", target.as_ratio());
    vec![
        rule(recorded::BAD_SLICE, of("=\"bad\""), &labels),
        rule(recorded::VALID_SLICE, of("=~\"good|bad\""), &labels),
        rule(recorded::BAD_STEP, failed, &labels),
        rule(recorded::VALID_STEP, format!("group by (slo, objective) ({valid} > 0)"), &labels),
    ]
}

/// The period's sums, its ratio, and what is left of the budget.
pub(super) fn period(subject: &Subject<'_>) -> Vec<Value> {
    let slo = [(label::SLO, subject.slo.name())];
    let mut rules = Vec::new();
    for (record, step, by_third) in [
        (recorded::PERIOD_BAD, recorded::BAD_STEP, recorded::BAD_MONTH),
        (recorded::PERIOD_VALID, recorded::VALID_STEP, recorded::VALID_MONTH),
    ] {
        match subject.slo.period() {
            Period::Rolling(length) => rules.push(rule(record, sum_over(&selector(step, &slo), length), &slo)),
            Period::CalendarMonth => rules.extend(month(subject, record, step, by_third)),
        }
    }
    let (bad, valid) = (selector(recorded::PERIOD_BAD, &slo), selector(recorded::PERIOD_VALID, &slo));
    rules.push(rule(recorded::PERIOD_BAD_RATIO, format!("{bad} / ({valid} > 0)"), &slo));
    for objective in subject.slo.objectives() {
        let labels = labels_of(subject, objective);
        let ratio = selector(recorded::PERIOD_BAD_RATIO, &labels);
        let expr = format!("1 - {ratio} / {}", objective.target().budget());
        rules.push(rule(recorded::BUDGET_REMAINING, expr, &labels));
    }
    rules
}

/// The sum since the first of the month, UTC. No range of PromQL begins with a month; but the last 31 days are of three months at
/// the most, and those are told apart by a label: the month modulo 3 (12 comes before 1, as 0 before 1). A step that began in
/// the month before is counted in the one that it ends in.
fn month(subject: &Subject<'_>, record: &str, step: &str, by_third: &str) -> Vec<Value> {
    let slo = (label::SLO, subject.slo.name());
    let thirds = ["0", "1", "2"];
    let is = |third| format!("on () (month() % 3 == {third})");
    let mut rules = Vec::new();
    for third in thirds {
        let labels = [slo, (label::THIRD, third)];
        rules.push(rule(by_third, format!("{} and {}", selector(step, &[slo]), is(third)), &labels));
    }
    let sums = thirds.map(|third| {
        let steps = selector(by_third, &[slo, (label::THIRD, third)]);
        format!("{} and {}", sum_over(&steps, LONGEST_MONTH), is(third))
    });
    let expr = format!("sum without ({}) (\n  {}\n)", label::THIRD, sums.join("\n  or\n  "));
    rules.push(rule(record, expr, &[slo]));
    rules
}

/// What one expression can measure at once: all objectives if they all count events, or each alone; and whether it judges slices.
fn measured<'a>(subject: &Subject<'a>) -> Vec<(Vec<(&'static str, &'a str)>, bool)> {
    let objectives = subject.slo.objectives();
    if objectives.iter().all(|objective| objective.slices().is_none()) {
        return vec![(vec![(label::SLO, subject.slo.name())], false)];
    }
    objectives.iter().map(|one| (labels_of(subject, one).to_vec(), one.slices().is_some())).collect()
}

pub(super) fn labels_of<'a>(subject: &Subject<'a>, objective: &'a Objective) -> [(&'static str, &'a str); 2] {
    [(label::SLO, subject.slo.name()), (label::OBJECTIVE, objective.name())]
}

fn events(labels: &[(&str, &str)], verdicts: &str) -> String {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={}", promql(value))).collect();
    format!("{EVENTS}{{{},{}{verdicts}}}", labels.join(","), label::VERDICT)
}

/// What a counter counted in the step that ends now. Steps join without a gap or an overlap, so that their sum is exact:
/// `increase` would extrapolate each of them, and lose what falls between.
///
/// Counters are looked at once a scrape; each look counts what is new since the one before. A counter that fell began anew,
/// so all of it is new. One that had not been seen before counts from its first sample on: an instance exports zeros first,
/// and of a Prometheus that has just been started nobody knows when it counted what it shows.
fn step_of(subject: &Subject<'_>, counter: &str, step: Duration) -> String {
    let look = pace::within(subject, step);
    let before =
        format!("last_over_time({counter}[{}] offset {})", duration(pace::remembered(subject)), duration(look));
    format!(
        "sum by (slo, objective) (\n  sum_over_time(\n    (\n        {counter} - {before} >= 0\n      or\n        \
         {counter} + 0 and {before}\n    )[{}:{}]\n  )\n)",
        duration(open(step)),
        duration(look)
    )
}

/// The sum of all steps that ended in the last `length`.
fn sum_over(step: &str, length: Duration) -> String {
    format!("sum_over_time({step}[{}])", duration(open(length)))
}

/// Without its beginning: what lies exactly there belongs to the range before. (Prometheus 3 leaves it out, 2 does not.)
fn open(range: Duration) -> Duration {
    let least = Duration::from_millis(1);
    range.saturating_sub(least).max(least)
}

/// Labels that the expression gives already tell rules apart, for people and for tools that look for duplicates.
fn rule(record: &str, expr: String, labels: &[(&str, &str)]) -> Value {
    let labels: Map<String, Value> = labels.iter().map(|(label, value)| ((*label).to_owned(), json!(value))).collect();
    json!({"record": record, "expr": expr, "labels": labels})
}
