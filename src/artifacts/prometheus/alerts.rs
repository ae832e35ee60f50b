//! The alerts that are about no pair of windows: the budget that is left, breakers, shedding, and what nobody exports.

use super::words::{self, Alert};
use super::{pace, sentence};
use crate::artifacts::text::{duration, in_words, promql, rounded, selector, template};
use crate::artifacts::{Alarm, Kit, Subject};
use crate::names::{self, label, recorded};
use crate::slo::{AlertWindow, Severity};
use serde_json::Value;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Where the budget policy has no steps: under this much, in percent, somebody should know.
const LOW: f64 = 10.0;
/// Which share of the calls may be shed.
pub(super) const SHED: f64 = 0.05;
/// Which share of a while a breaker may be open.
pub(super) const OPEN: f64 = 0.5;

/// One for each step of the budget policy, and one for a spent budget.
pub(super) fn budget_low(kit: &Kit, subject: &Subject<'_>) -> Vec<Value> {
    let steps = budget_steps(subject);
    steps.iter().map(|(percent, action)| one_step(subject, *percent, action).rule(kit, subject)).collect()
}

/// The percentages under which somebody should know that little is left, and what was agreed for them.
pub(super) fn budget_steps(subject: &Subject<'_>) -> Vec<(f64, String)> {
    let policy = subject.slo.policy();
    let mut steps: Vec<(f64, String)> = policy.steps().map(|(percent, action)| (percent, action.to_owned())).collect();
    // Of two steps at one percentage the last holds.
    steps.reverse();
    steps.dedup_by_key(|(percent, _)| *percent);
    steps.reverse();
    if steps.is_empty() {
        steps.push((LOW, format!("go easy on changes: once it is spent, {}", policy.exhausted())));
    }
    steps.push((0.0, policy.exhausted().to_owned()));
    steps
}

/// How long what an alert is about must last before it fires; of a burning budget its pair of windows says it.
pub(super) fn pending(subject: &Subject<'_>, alarm: Alarm) -> Duration {
    match alarm {
        Alarm::BudgetBurn | Alarm::BreakerOpen => Duration::ZERO,
        // It must not come and go with every step.
        Alarm::BudgetLow => pace::of_period(subject) * 3,
        Alarm::Shedding => pace::at_least(subject, 4, 5 * MINUTE),
        Alarm::InstanceDown => pace::at_least(subject, 4, MINUTE),
        Alarm::Absent => pace::at_least(subject, 8, 2 * MINUTE),
        // For drift: longer than instances are replaced one by one.
        Alarm::Drift | Alarm::Unacknowledged => pace::at_least(subject, 20, 15 * MINUTE),
    }
}

fn one_step<'a>(subject: &Subject<'_>, percent: f64, action: &str) -> Alert<'a> {
    let of = |record| selector(record, &[(label::SLO, subject.slo.name())]);
    let under = if percent > 0.0 { format!("< {}", percent / 100.0) } else { "<= 0".to_owned() };
    let (slo, budget) = (template(subject.slo.name()), words::budget(subject));
    let left = "{{ $value | humanizePercentage }}";
    let bad = sentence::value_of(recorded::PERIOD_BAD, "", "printf \"%.0f\"", "An unknown number");
    let valid = sentence::value_of(recorded::PERIOD_VALID, "", "printf \"%.0f\"", "an unknown number");
    let (summary, limit) = if percent > 0.0 {
        (format!("{slo} has {left} of its {budget} left ({{{{ $labels.objective }}}})"), format!("under {percent} %"))
    } else {
        (
            format!("{slo} has spent its {budget} ({{{{ $labels.objective }}}}): {left} is left"),
            "once it is spent".into(),
        )
    };
    Alert {
        alarm: Alarm::BudgetLow,
        severity: Alarm::BudgetLow.severity(subject),
        expr: format!(
            "{} {under}\nand {} >= {}\nand {} >= {}",
            of(recorded::BUDGET_REMAINING),
            of(recorded::PERIOD_VALID),
            subject.slo.least_events(),
            of(recorded::PERIOD_BAD),
            AlertWindow::MIN_BAD
        ),
        pending: pending(subject, Alarm::BudgetLow),
        labels: vec![(label::THRESHOLD, percent.to_string())],
        summary,
        description: format!(
            "{left} of the {budget} of {slo} is left for the objective {{{{ $labels.objective }}}}: {bad} of {valid} events \
             were bad. What was agreed for that, {limit}: {}.",
            template(action)
        ),
        action: format!("Tell the team and its product owner that this holds from now on: {}.", template(action)),
    }
}

/// What is looked at over and over, whatever the windows.
pub(super) fn watch(kit: &Kit, subject: &Subject<'_>) -> Vec<Value> {
    let mut alerts =
        vec![breaker_open(subject), shedding(subject), instance_down(subject), absent(subject), drift(subject)];
    // Who is never paged has nothing to acknowledge.
    if subject.slo.highest_severity() == Severity::P0 {
        alerts.push(unacknowledged(subject));
    }
    alerts.into_iter().map(|alert| alert.rule(kit, subject)).collect()
}

/// The guards of the SLO, as a factor of 1 that brings the label `slo` along.
fn guards(subject: &Subject<'_>) -> String {
    selector(names::GUARD_INFO, &[(label::SLO, subject.slo.name())])
}

/// Over how long a breaker's states are averaged.
pub(super) fn open_over(subject: &Subject<'_>) -> Duration {
    pace::at_least(subject, 20, 10 * MINUTE)
}

fn breaker_open<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let over = open_over(subject);
    let slo = template(subject.slo.name());
    Alert {
        alarm: Alarm::BreakerOpen,
        severity: Alarm::BreakerOpen.severity(subject),
        // A share of a while: a breaker that probes, fails and opens again is stuck, too.
        expr: format!(
            "count by (slo, guard) (\n    (sum without (state) (avg_over_time({}{{{}=~\"open|forced_open\"}}[{}])) >= {OPEN})\n  \
             * ignoring (slo) group_left (slo)\n    {}\n)",
            names::BREAKER_STATE,
            label::STATE,
            duration(over),
            guards(subject)
        ),
        pending: Duration::ZERO,
        labels: Vec::new(),
        summary: format!("The breaker {{{{ $labels.guard }}}} of {slo} has been open for long"),
        description: format!(
            "The breaker of {{{{ $labels.guard }}}}, whose calls count for {slo}, was open for at least half of the last {}; \
             instances of which that is so: {{{{ $value }}}}. Its calls are refused or answered by a fallback.",
            in_words(over)
        ),
        action:
            "Read at /slo of an instance why it opened, and see whether what it guards works again; if it does and the \
                 breaker stays open, force it closed."
                .to_owned(),
    }
}

fn shedding<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let over = pending(subject, Alarm::Shedding);
    let (slo, window) = (template(subject.slo.name()), duration(over));
    Alert {
        alarm: Alarm::Shedding,
        severity: Alarm::Shedding.severity(subject),
        expr: format!(
            "sum by (slo, guard) (\n    increase({}[{window}])\n  * ignoring (slo, priority) group_left (slo)\n    {}\n)\n/ on \
             (slo) group_left ()\n  (sum by (slo) (increase({}[{window}])) > 0)\n> {SHED}",
            names::SHEDS,
            guards(subject),
            selector(names::OUTCOMES, &[(label::SLO, subject.slo.name())])
        ),
        pending: over,
        labels: Vec::new(),
        summary: format!("{slo} sheds {{{{ $value | humanizePercentage }}}} of its calls at {{{{ $labels.guard }}}}"),
        description: format!(
            "{{{{ $labels.guard }}}} has turned away {{{{ $value | humanizePercentage }}}} of the calls of {slo} in the last \
             {}, to keep the others fast; over {} % is more than a passing peak.",
            in_words(over),
            rounded(SHED * 100.0)
        ),
        action: "Add instances, or find who sends so much more than usual; then see which priorities are shed."
            .to_owned(),
    }
}

fn instance_down<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let pending = pending(subject, Alarm::InstanceDown);
    let (slo, service) = (template(subject.slo.name()), template(subject.slo.service_name()));
    Alert {
        alarm: Alarm::InstanceDown,
        severity: Alarm::InstanceDown.severity(subject),
        expr: format!("{} == 0", selector("up", &[("job", subject.slo.service_name())])),
        pending,
        labels: Vec::new(),
        summary: format!("{{{{ $labels.instance }}}} of {service} does not answer"),
        description: format!(
            "The instance {{{{ $labels.instance }}}} of {service} has not answered a scrape for {}. What it did since then \
             is in no number about {slo}: its alerts say what was last known.",
            in_words(pending)
        ),
        action:
            "See whether the process runs (kubectl get pods, its log), and start it anew or take it out of discovery."
                .to_owned(),
    }
}

fn absent<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let pending = pending(subject, Alarm::Absent);
    let (slo, service) = (template(subject.slo.name()), template(subject.slo.service_name()));
    Alert {
        alarm: Alarm::Absent,
        severity: Alarm::Absent.severity(subject),
        expr: format!("absent({})", selector(names::INFO, &[(label::SLO, subject.slo.name())])),
        pending,
        labels: Vec::new(),
        summary: format!("Nobody exports {slo}: {service} is down, or not seen"),
        description: format!(
            "No instance of {service} has exported the SLO {slo} for {}: either all of them are down, or Prometheus does not \
             find them. Nothing that is said of {slo} is current.",
            in_words(pending)
        ),
        action: format!("See whether any instance of {service} serves; if they do, look at Prometheus' target page."),
    }
}

fn drift<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let declaration = subject.slo.declaration();
    let slo = template(subject.slo.name());
    let pending = pending(subject, Alarm::Drift);
    Alert {
        alarm: Alarm::Drift,
        severity: Alarm::Drift.severity(subject),
        expr: format!(
            "count by (slo) (\n  group without (objective, target, period) (\n    {}{{{}={},{}!={}}} == 1\n  )\n)",
            names::INFO,
            label::SLO,
            promql(subject.slo.name()),
            label::DECLARATION,
            promql(&declaration)
        ),
        pending,
        labels: Vec::new(),
        summary: format!("{slo} runs with another declaration than its alerts were written from"),
        description: format!(
            "Not every instance of {slo} runs with the declaration {declaration}, which these rules were written from, and \
             has not for {}; those that do not: {{{{ $value }}}}. What they promise is not what is alerted on.",
            in_words(pending)
        ),
        action:
            "Find which of both is newer, and deploy the other: the service, or the files that its declaration writes."
                .to_owned(),
    }
}

fn unacknowledged<'a>(subject: &Subject<'_>) -> Alert<'a> {
    let pending = pending(subject, Alarm::Unacknowledged);
    let slo = template(subject.slo.name());
    let paged = format!(
        "ALERTS{{alertstate=\"firing\",alertname!={},{}=\"P0\",{}={}}}",
        promql(Alarm::Unacknowledged.name()),
        label::SEVERITY,
        label::SLO,
        promql(subject.slo.name())
    );
    Alert {
        alarm: Alarm::Unacknowledged,
        severity: Alarm::Unacknowledged.severity(subject),
        expr: format!("count by (slo) ({paged})"),
        pending,
        labels: Vec::new(),
        summary: format!("A page for {slo} has not been acknowledged for {}", in_words(pending)),
        description: format!(
            "{{{{ $value }}}} P0 alert(s) of {slo} have fired for {}, and nobody has said that it is theirs: whoever was paged \
             may not have seen it.",
            in_words(pending)
        ),
        action: format!(
            "Take over as the next in line: silence {} of this SLO, which acknowledges the page, say in the chat that it is \
             yours, and follow its runbook.",
            Alarm::Unacknowledged.name()
        ),
    }
}
