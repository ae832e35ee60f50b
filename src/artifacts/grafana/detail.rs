//! One SLO in detail: where it stands, each objective, latency, outcomes, and what its guards do.

use super::model::{Dashboard, Panel, all, jobs_and_instances, link, shown};
use super::objective::{self, period, recent};
use super::query::{Of, recorded, windowed};
use super::{annotations, guards, links, number};
use crate::artifacts::alarm::Alarm;
use crate::artifacts::text::{duration, in_words, markdown, rounded};
use crate::artifacts::{Kit, Subject};
use crate::names::{self, label, recorded as series};
use crate::slo::{Objective, Slo};
use serde_json::{Value, json};

pub(super) fn dashboard(kit: &Kit, subject: &Subject<'_>) -> Dashboard {
    let slo = subject.slo;
    let of = Of::slo(slo.name());
    let mut panels = vec![Panel::row("Now"), state(&of), indicators(slo), budgets(slo)];
    panels.extend(burning(slo));
    panels.extend([alerts(&of), coverage(&of)]);
    for (objective, pairs) in subject.objectives() {
        panels.extend(objective::panels(subject, objective, &pairs));
    }
    panels.push(Panel::row("Latency and outcomes"));
    panels.extend([heatmap(&of), quantiles(slo, &of), outcomes(&of)]);
    panels.extend(guards::panels(&of));

    let owner = slo.owner_name().map(|owner| format!(" Owner: {}.", markdown(owner))).unwrap_or_default();
    let runbook = kit.runbook_url(subject, Alarm::BudgetBurn).replace('$', "%24");
    let mut links = links("");
    links.extend([all(), link("Runbook", &runbook, true)]);
    Dashboard {
        uid: subject.dashboard_uid(),
        title: format!("SLO: {}", shown(slo.name())),
        description: shown(&format!("What {} promises.{owner}", markdown(slo.service_name()))),
        variables: jobs_and_instances(|more| of.choice(more)),
        annotations: annotations(&of),
        links,
        panels,
    }
}

/// What [`Of::gravest`] says, in words and colours.
pub(super) fn gravities() -> Value {
    json!([{"type": "value", "options": {
        "0": {"index": 0, "text": "in order", "color": "green"},
        "1": {"index": 1, "text": "P2: ticket", "color": "yellow"},
        "2": {"index": 2, "text": "P1: page", "color": "orange"},
        "3": {"index": 3, "text": "P0: page", "color": "red"},
    }}])
}

fn state(of: &Of) -> Panel {
    let any = of.series(series::PERIOD_VALID, &[]);
    Panel::stat("State", "The most severe alert that fires. Begin with its runbook, linked above.")
        .size(4, 6)
        .now(format!("{} or on (slo) 0 * max by (slo) ({any})", of.gravest()), "state")
        .steps(&[(None, "green")])
        .mappings(gravities())
        .unit("none")
        .option("textMode", json!("value"))
}

fn indicators(slo: &Slo) -> Panel {
    let description = format!(
        "The share of good events over {}. Red: the promise is broken as of now. Yellow: within it, with less than \
         a quarter of the budget left.",
        period(slo.period())
    );
    let mut panel = each(slo, Panel::stat("Indicator", description), |objective| {
        format!("1 - {}", recorded(series::PERIOD_BAD_RATIO, slo.name(), objective.name()))
    });
    panel = panel.unit("percentunit").decimals(3).max(1.0).steps(&[(None, "text")]);
    for objective in slo.objectives() {
        let target = objective.target();
        let (least, safe) = (target.as_ratio(), target.as_ratio() + target.budget() / 4.0);
        let steps = json!({"mode": "absolute", "steps": [
            {"value": null, "color": "red"}, {"value": least, "color": "yellow"}, {"value": safe, "color": "green"},
        ]});
        panel = panel.but(&shown(objective.name()), &[("thresholds", steps)]);
    }
    panel
}

fn budgets(slo: &Slo) -> Panel {
    let mut description = "What is left of the error budget.".to_owned();
    for (percent, action) in slo.policy().steps() {
        description += &format!(" Under {} %: {}.", rounded(percent), markdown(action));
    }
    each(slo, Panel::stat("Budget left", shown(&description)), |objective| {
        recorded(series::BUDGET_REMAINING, slo.name(), objective.name())
    })
    .unit("percentunit")
    .decimals(1)
    .max(1.0)
    .steps(&budget_steps(slo))
}

/// Red when it is spent, orange under the strictest step of the policy, yellow under the mildest.
fn budget_steps(slo: &Slo) -> Vec<(Option<f64>, &'static str)> {
    let steps: Vec<f64> = slo.policy().steps().map(|(percent, _)| percent / 100.0).collect();
    // Without a policy there is an alert under 10 % all the same.
    let (mildest, strictest) = (steps.first().copied().unwrap_or(0.1), steps.last().copied().unwrap_or(0.1));
    let mut colours = vec![(None, "red"), (Some(0.0), "orange"), (Some(strictest), "yellow"), (Some(mildest), "green")];
    if strictest >= mildest {
        colours.remove(2);
    }
    colours
}

/// How fast the budget goes, and how long it will last. Without alerts there are no windows to say it from.
fn burning(slo: &Slo) -> Vec<Panel> {
    let Some(window) = recent(slo) else { return Vec::new() };
    let words = in_words(window);
    let rate = Panel::stat(
        "Burn rate",
        format!(
            "How many times as fast as allowed the budget goes, over the window of {words}: 1 spends it exactly over \
             the period."
        ),
    );
    let rate =
        each(slo, rate, |objective| windowed(series::BURN_RATE, slo.name(), objective.name(), &duration(window)));
    let mut fires: Vec<f64> = slo.alert_windows().iter().map(|pair| pair.factor()).collect();
    fires.sort_by(f64::total_cmp);
    let (first, last) = (fires.first().copied().unwrap_or(1.0), fires.last().copied().unwrap_or(1.0));
    let mut steps = vec![(None, "green"), (Some(first.min(1.0)), "yellow"), (Some(last), "red")];
    steps.dedup_by_key(|(value, _)| *value);
    let left = Panel::stat(
        "Budget spent in",
        format!(
            "When the budget is gone if it goes on as over the window of {words}; \"spent\" if it is gone already."
        ),
    );
    let seconds = slo.period().nominal().as_secs_f64();
    let left =
        each(slo, left, |objective| exhaustion(slo, objective, &duration(window))).mappings(lasting(seconds)).steps(&[
            (None, "red"),
            (Some(seconds / 30.0), "orange"),
            (Some(seconds / 5.0), "yellow"),
            (Some(seconds * 0.999), "green"),
        ]);
    vec![rate.unit("none").decimals(2).min(0.0).steps(&steps), left.unit("s").min(0.0)]
}

/// Seconds until the budget is spent.
fn exhaustion(slo: &Slo, objective: &Objective, window: &str) -> String {
    let left = recorded(series::BUDGET_REMAINING, slo.name(), objective.name());
    let burn = windowed(series::BURN_RATE, slo.name(), objective.name(), window);
    let period = slo.period().nominal().as_secs_f64();
    lasts(&left, &burn, period, period)
}

/// left × period ÷ burn rate, from 0 to so much at `most`.
pub(super) fn lasts(left: &str, burn: &str, period: f64, most: f64) -> String {
    let (period, most) = (number(period), number(most));
    let burn = format!("max by (slo, objective) (clamp_min({burn}, 1e-9))");
    format!("clamp_max(clamp_min(max by (slo, objective) ({left}), 0) * {period} / {burn}, {most})")
}

/// What lasts for a whole period does not run out.
pub(super) fn lasting(period: f64) -> Value {
    json!([
        {"type": "value", "options": {"0": {"index": 0, "text": "spent", "color": "red"}}},
        {"type": "range", "options": {
            "from": period * 0.999, "to": null, "result": {"index": 1, "text": "it lasts", "color": "green"},
        }},
    ])
}

/// One value for each objective, under its name.
fn each(slo: &Slo, panel: Panel, expr: impl Fn(&Objective) -> String) -> Panel {
    let with = |panel: Panel, objective: &Objective| panel.now(expr(objective), shown(objective.name()));
    slo.objectives().iter().fold(panel, with).size(5, 6)
}

fn alerts(of: &Of) -> Panel {
    let description =
        "Every alert of this SLO that fires; empty if none does. Take P0 first: its runbook says what to do.";
    firing(Panel::table("Firing alerts", description).now(of.firing(&[]), "")).size(12, 6)
}

/// The columns of a table of alerts.
pub(super) fn firing(panel: Panel) -> Panel {
    let order = [label::SEVERITY, "alertname", label::SLO, label::OBJECTIVE, label::WINDOW, label::GUARD, "instance"];
    let index: serde_json::Map<String, Value> =
        order.iter().zip(0..).map(|(name, at)| ((*name).to_owned(), json!(at))).collect();
    let hidden = json!({
        "Time": true, "Value": true, "__name__": true, "alertstate": true, "job": true, "short_window": true,
    });
    let names = json!({
        "severity": "Severity", "alertname": "Alert", "slo": "SLO", "objective": "Objective", "window": "Window",
        "guard": "Guard", "instance": "Instance", "service": "Service", "threshold": "Under (%)",
    });
    let colours = json!([{"type": "value", "options": {
        "P0": {"index": 0, "color": "red"}, "P1": {"index": 1, "color": "orange"},
        "P2": {"index": 2, "color": "yellow"},
    }}]);
    panel
        .option("sortBy", json!([{"displayName": "Severity", "desc": false}]))
        .transformed(json!([
            {"id": "organize", "options": {"excludeByName": hidden, "indexByName": index, "renameByName": names}},
        ]))
        .but(
            "Severity",
            &[
                ("mappings", colours),
                ("custom.cellOptions", json!({"type": "color-background"})),
                ("custom.width", json!(90)),
            ],
        )
}

fn coverage(of: &Of) -> Panel {
    let description = "How much of each window has been observed, the least of all instances. Under 100 % after a \
                       restart, in-process burn rates, and breakers that trip on them, rest on less data. If nobody \
                       restarted anything, an instance keeps dying: look at its log.";
    let expr = of.raw(names::COVERAGE, &[]);
    Panel::graph("Coverage of the windows", description)
        .size(12, 6)
        .query(format!("min by ({}) ({expr})", label::WINDOW), format!("{{{{{}}}}}", label::WINDOW))
        .unit("percentunit")
        .min(0.0)
        .max(1.0)
}

fn heatmap(of: &Of) -> Panel {
    let description = "How many calls took how long. Two bands are two kinds of calls, or a cache that answers some \
                       of them; a band that rises is a service that slows down. Refused calls are in the lowest \
                       bucket.";
    let expr = of.raw(&format!("{}_bucket", names::DURATION), &[]);
    Panel::heatmap("Latency", description)
        .size(8, 9)
        .query(format!("sum by (le) (increase({expr}[{}]))", super::query::RATE), "{{le}}")
}

fn quantiles(slo: &Slo, of: &Of) -> Panel {
    let rate = of.rate(&format!("{}_bucket", names::DURATION), &[]);
    let mut thresholds: Vec<_> = slo.objectives().iter().filter_map(Objective::threshold).collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    let said = match thresholds.as_slice() {
        [] => "No objective has a threshold.".to_owned(),
        some => format!(
            "The red line is the threshold: {}.",
            some.iter().copied().map(in_words).collect::<Vec<_>>().join(", ")
        ),
    };
    let description = format!(
        "{said} Quantiles are read off the buckets, roughly; whether a call was within a threshold is counted, \
         exactly. Where half of the calls are slow, look for what all of them need; where a few are, for a lock, a \
         retry or one instance."
    );
    let lines: Vec<_> = thresholds.iter().map(|threshold| (threshold.as_secs_f64(), "red")).collect();
    let mut panel = Panel::graph("Latency quantiles", description).size(8, 9);
    for (quantile, name) in [("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99")] {
        panel = panel.query(format!("histogram_quantile({quantile}, sum by (le) ({rate}))"), name);
    }
    let panel = panel.unit("s").min(0.0).custom("fillOpacity", json!(0));
    if lines.is_empty() { panel } else { panel.lines(&lines) }
}

fn outcomes(of: &Of) -> Panel {
    let description = "Calls a second by how they ended. Failures point to the service, transport failures and \
                       time-outs to what is behind it, rejected and shed calls to its guards; degraded ones were \
                       answered by a fallback.";
    let by = label::OUTCOME;
    Panel::graph("Outcomes", description)
        .size(8, 9)
        .query(format!("sum by ({by}) ({})", of.rate(names::OUTCOMES, &[])), format!("{{{{{by}}}}}"))
        .unit("reqps")
        .min(0.0)
        .stacked()
        .quiet()
        .colour("success", "green")
        .colour("failure", "red")
        .colour("rejected", "purple")
        .colour("shed", "orange")
        .colour("degraded", "blue")
}
