//! All SLOs at a glance: which is in trouble, how fast its budget goes, what fires.

use super::detail::{firing, gravities, lasting, lasts};
use super::model::{Dashboard, Panel};
use super::objective::recent;
use super::query::{Of, is, labelled, recorded};
use super::{annotations, links, number, uid};
use crate::artifacts::Subject;
use crate::artifacts::text::{duration, in_words};
use crate::names::{label, recorded as series};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn dashboard(subjects: &[Subject<'_>]) -> Dashboard {
    let of = Of::any(subjects.iter().map(|subject| subject.slo.name()));
    let mut panels = vec![table(subjects, &of), alerts(&of), budgets(&of)];
    panels.extend(burning(subjects));
    panels.extend(events(subjects));
    Dashboard {
        uid: uid(Subject::OVERVIEW),
        title: "SLOs: overview".to_owned(),
        description: "Every SLO: its state, its error budget, how fast that goes, and what fires.".to_owned(),
        variables: Vec::new(),
        annotations: annotations(&of),
        links: links(Subject::OVERVIEW),
        panels,
    }
}

/// SLOs that are asked about in the same words: the same window, the same period.
fn alike(subjects: &[Subject<'_>], window: impl Fn(&Subject<'_>) -> Option<Duration>) -> Vec<(Of, Duration, Duration)> {
    let mut groups: BTreeMap<(Duration, Duration), Vec<&str>> = BTreeMap::new();
    for subject in subjects {
        if let Some(window) = window(subject) {
            groups.entry((window, subject.slo.period().nominal())).or_default().push(subject.slo.name());
        }
    }
    groups.into_iter().map(|((window, period), names)| (Of::any(names), window, period)).collect()
}

/// A column of the table: one value for each objective.
fn column(expr: &str) -> String {
    format!("max by ({}, {}) ({expr})", label::SLO, label::OBJECTIVE)
}

/// What the rows are: each objective, with its target and its SLO's dashboard; and how many events it had, which is
/// known from the beginning, where ratios have to wait for events.
fn rows(subjects: &[Subject<'_>]) -> String {
    let mut rows = Vec::new();
    for subject in subjects {
        for objective in subject.slo.objectives() {
            let within = objective.threshold().map(|threshold| format!(" in {}", in_words(threshold)));
            let target = format!("{}{}", objective.target(), within.unwrap_or_default());
            let events = column(&recorded(series::PERIOD_VALID, subject.slo.name(), objective.name()));
            rows.push(labelled(&labelled(&events, "target", &target), "dashboard", &subject.dashboard_uid()));
        }
    }
    rows.join(" or ")
}

fn table(subjects: &[Subject<'_>], of: &Of) -> Panel {
    let events = of.series(series::PERIOD_VALID, &[]);
    // An SLO that nobody exports has no objectives: its alert says that, and stands for it.
    let state = format!(
        "0 * {} + on (slo) group_left () ({gravest} or on (slo) 0 * max by (slo) ({events})) or on (slo) {gravest}",
        column(&events),
        gravest = of.gravest(),
    );
    let sli = column(&format!("1 - {}", of.series(series::PERIOD_BAD_RATIO, &[])));
    let left = column(&of.series(series::BUDGET_REMAINING, &[]));
    let longest = subjects.iter().map(|subject| subject.slo.period().nominal()).max().unwrap_or_default();
    let by_recent = || alike(subjects, |subject| recent(subject.slo));
    let burn = by_recent().into_iter().map(|(of, window, _)| burn_of(&of, window)).map(|burn| column(&burn));
    let lasts = by_recent().into_iter().map(|(of, window, period)| {
        let left = of.series(series::BUDGET_REMAINING, &[]);
        lasts(&left, &burn_of(&of, window), period.as_secs_f64(), longest.as_secs_f64())
    });
    let description = "Click an SLO for its details. State is the most severe alert that fires for it; burn rate is how \
                       many times as fast as allowed the budget goes, over the long window of its fastest alert. \
                       Begin with the reddest.";
    let lines = subjects.iter().map(|subject| subject.slo.objectives().len()).sum::<usize>().min(16);
    let mut panel = Panel::table("SLOs", description)
        .size(24, 4 + u32::try_from(lines).unwrap_or(16))
        .now(rows(subjects), "")
        .now(state, "")
        .now(sli, "")
        .now(left, "");
    let (burn, lasts): (Vec<_>, Vec<_>) = (burn.collect(), lasts.collect());
    if !burn.is_empty() {
        panel = panel.now(burn.join(" or "), "").now(lasts.join(" or "), "");
    }
    let coloured = || ("custom.cellOptions", json!({"type": "color-background", "mode": "basic"}));
    let steps = |steps: serde_json::Value| ("thresholds", json!({"mode": "absolute", "steps": steps}));
    panel
        .transformed(json!([
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": {"Time": true},
                "indexByName": {"slo": 0, "objective": 1, "Value #B": 2, "target": 3, "Value #C": 4, "Value #D": 5,
                                "Value #E": 6, "Value #F": 7, "Value #A": 8, "dashboard": 9},
                "renameByName": {"slo": "SLO", "objective": "Objective", "Value #B": "State", "target": "Target",
                                 "Value #C": "Indicator", "Value #D": "Budget left", "Value #E": "Burn rate",
                                 "Value #F": "Budget spent in", "Value #A": "Events"},
            }},
        ]))
        .option("sortBy", json!([{"displayName": "State", "desc": true}]))
        .but("SLO", &[("links", json!([{
            "title": "Details", "url": "/d/${__data.fields.dashboard}?${datasource:queryparam}&${__url_time_range}",
        }]))])
        .but("dashboard", &[("custom.hidden", json!(true))])
        .but("State", &[("mappings", gravities()), coloured()])
        .but("Events", &[("unit", json!("short"))])
        .but("Indicator", &[("unit", json!("percentunit")), ("decimals", json!(3))])
        .but("Budget left", &[
            ("unit", json!("percentunit")),
            ("decimals", json!(1)),
            ("min", json!(0)),
            ("max", json!(1)),
            ("custom.cellOptions", json!({"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})),
            steps(json!([
                {"value": null, "color": "red"}, {"value": 0, "color": "orange"}, {"value": 0.2, "color": "yellow"},
                {"value": 0.5, "color": "green"},
            ])),
        ])
        .but("Burn rate", &[
            ("decimals", json!(2)),
            coloured(),
            steps(json!([
                {"value": null, "color": "green"}, {"value": 1, "color": "yellow"}, {"value": 6, "color": "orange"},
                {"value": 14.4, "color": "red"},
            ])),
        ])
        .but("Budget spent in", &[("unit", json!("s")), ("mappings", lasting(longest.as_secs_f64()))])
}

fn burn_of(of: &Of, window: Duration) -> String {
    of.series(series::BURN_RATE, &[is(label::WINDOW, &duration(window))])
}

fn alerts(of: &Of) -> Panel {
    let description = "Every alert of these SLOs that fires; empty if none does. Take P0 first: its description \
                       says what to do.";
    firing(Panel::table("Firing alerts", description).now(of.firing(&[]), "")).size(12, 8)
}

fn budgets(of: &Of) -> Panel {
    let description = "What is left of each error budget. A step down is an incident; a steady slope is a leak that \
                       nobody was paged for: open a ticket.";
    Panel::graph("Error budget left", description)
        .size(12, 8)
        .query(of.series(series::BUDGET_REMAINING, &[]), "{{slo}}: {{objective}}")
        .unit("percentunit")
        .max(1.0)
        .custom("axisSoftMin", json!(0.0))
        .custom("fillOpacity", json!(0))
        .lines(&[(0.0, "red")])
        .since("30d")
}

fn burning(subjects: &[Subject<'_>]) -> Option<Panel> {
    let description = "How many times as fast as allowed each budget goes, over the long window of its fastest \
                       alert. Several that rise together share a cause: look at the dependencies.";
    let panel = Panel::graph("Burn rate", description)
        .size(12, 8)
        .unit("none")
        .min(0.0)
        .custom("fillOpacity", json!(0))
        .custom("axisSoftMax", json!(2.0))
        .lines(&[(1.0, "yellow")]);
    let groups = alike(subjects, |subject| recent(subject.slo));
    let some = !groups.is_empty();
    let with = |panel: Panel, (of, window, _): (Of, Duration, Duration)| {
        panel.query(burn_of(&of, window), format!("{{{{slo}}}}: {{{{objective}}}} over {}", duration(window)))
    };
    some.then(|| groups.into_iter().fold(panel, with))
}

fn events(subjects: &[Subject<'_>]) -> Option<Panel> {
    let description = "Good and bad events a second, of all instances. No events: does nobody call, or does nobody \
                       get through?";
    let panel = Panel::graph("Events", description).size(12, 8).unit("cps").min(0.0).custom("fillOpacity", json!(0));
    let groups = alike(subjects, |subject| subject.windows().first().copied());
    let some = !groups.is_empty();
    let with = |panel: Panel, (of, window, _): (Of, Duration, Duration)| {
        let valid = of.series(series::VALID, &[is(label::WINDOW, &duration(window))]);
        panel.query(format!("max by (slo) ({valid}) / {}", number(window.as_secs_f64())), "{{slo}}")
    };
    some.then(|| groups.into_iter().fold(panel, with))
}
