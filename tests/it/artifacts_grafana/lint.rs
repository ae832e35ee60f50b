//! The rules of Grafana's dashboard linter, by the linter's names, and what else a dashboard must keep to.
//!
//! Not applied: `target-logql-rule` and `target-logql-auto-rule`, for there is no Loki; `target-promql-rule` and
//! `template-label-promql-rule`, for promtool itself judges every expression, in the module above.
//!
//! Applied with exceptions: `template-job-rule`, `template-instance-rule`, `target-job-rule` and `target-instance-rule`
//! hold for what a process exports. Recorded series are sums over instances, and alerts belong to an SLO: neither has
//! these labels. Which SLO a guard counts for is joined by job and instance to series that have been chosen by both.

use super::{dashboards, hostile, list, panels, text};
use crate::artifacts::{messaging, storefront};
use plimsoll::artifacts::Kit;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The units that are used, of those that Grafana knows.
const UNITS: [&str; 6] = ["none", "percentunit", "s", "reqps", "cps", "short"];
const WIDTH: u64 = 24;

/// All checks, on all dashboards of a kit.
pub(super) fn check(kit: &Kit) {
    for (path, dashboard) in dashboards(kit) {
        model(&path, &dashboard);
        template_datasource_rule(&path, &dashboard);
        template_job_and_instance_rules(&path, &dashboard);
        template_on_time_change_reload_rule(&path, &dashboard);
        uneditable_dashboard(&path, &dashboard);
        grid(&path, &dashboard);
        for panel in panels(&dashboard) {
            let place = format!("{path}: {}", panel["title"]);
            panel_datasource_rule(&place, panel);
            panel_title_description_rule(&place, panel);
            panel_units_rule(&place, panel);
            panel_no_targets_rule(&place, panel);
            scales(&place, panel);
            for target in list(&panel["targets"]) {
                let expr = text(&target["expr"]);
                target_rate_interval_rule(&place, expr);
                target_counter_agg_rule(&place, expr);
                target_job_and_instance_rules(&place, expr);
            }
        }
    }
}

/// To be imported and to be provisioned: no inputs to ask for, no ids of one database, no plug-ins.
fn model(path: &str, dashboard: &Value) {
    let dashboard = dashboard.as_object().unwrap();
    let foreign = dashboard.keys().find(|key| key.starts_with("__"));
    assert_eq!(foreign, None, "{path}");
    assert_eq!((&dashboard["id"], &dashboard["schemaVersion"]), (&Value::Null, &json!(39)), "{path}");
    let core = ["row", "timeseries", "stat", "table", "heatmap", "state-timeline"];
    let mut ids = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        assert!(core.contains(&text(&panel["type"])), "{path}: {}", panel["type"]);
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: two panels have id {}", panel["id"]);
        let mut references = BTreeSet::new();
        let targets = list(&panel["targets"]);
        assert!(targets.iter().all(|target| references.insert(text(&target["refId"]))), "{path}: {}", panel["title"]);
    }
    let alerts =
        list(&dashboard["annotations"]["list"]).iter().filter(|query| text(&query["expr"]).starts_with("ALERTS{"));
    assert_eq!(alerts.count(), 3, "{path}: a mark for each severity");
}

fn template_datasource_rule(path: &str, dashboard: &Value) {
    let pickers = list(&dashboard["templating"]["list"]).iter().filter(|variable| variable["type"] == "datasource");
    let pickers: Vec<_> = pickers.map(|variable| (&variable["name"], &variable["label"], &variable["query"])).collect();
    assert_eq!(pickers, [(&json!("datasource"), &json!("Data source"), &json!("prometheus"))], "{path}");
}

fn template_job_and_instance_rules(path: &str, dashboard: &Value) {
    let is_used = dashboard.to_string().contains("$job");
    for (name, label) in [("job", "Job"), ("instance", "Instance")] {
        let variable = list(&dashboard["templating"]["list"]).iter().find(|variable| variable["name"] == name);
        assert_eq!(variable.is_some(), is_used, "{path}: {name}");
        let Some(variable) = variable else { continue };
        assert_eq!((&variable["label"], &variable["type"]), (&json!(label), &json!("query")), "{path}");
        assert_eq!((&variable["multi"], &variable["allValue"]), (&json!(true), &json!(".+")), "{path}: {name}");
        assert_eq!(variable["datasource"]["uid"], "${datasource}", "{path}: {name}");
    }
}

fn template_on_time_change_reload_rule(path: &str, dashboard: &Value) {
    for variable in list(&dashboard["templating"]["list"]).iter().filter(|variable| variable["type"] == "query") {
        assert_eq!(variable["refresh"], 2, "{path}: {}", variable["name"]);
    }
}

fn uneditable_dashboard(path: &str, dashboard: &Value) {
    assert_eq!(dashboard["editable"], false, "{path}");
}

fn panel_datasource_rule(place: &str, panel: &Value) {
    let expected = json!({"type": "prometheus", "uid": "${datasource}"});
    let all = std::iter::once(panel).chain(list(&panel["targets"]));
    all.for_each(|it| assert_eq!(it["datasource"], expected, "{place}"));
}

fn panel_title_description_rule(place: &str, panel: &Value) {
    assert!(!text(&panel["title"]).is_empty() && text(&panel["description"]).len() > 30, "{place}");
}

fn panel_units_rule(place: &str, panel: &Value) {
    let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
    assert!(UNITS.contains(&unit), "{place}: {unit}");
}

fn panel_no_targets_rule(place: &str, panel: &Value) {
    assert!(!list(&panel["targets"]).is_empty(), "{place}");
}

/// A graph begins at 0, or ends at 100 %; and colours are said for all kinds but maps.
fn scales(place: &str, panel: &Value) {
    let defaults = &panel["fieldConfig"]["defaults"];
    if panel["type"] == "timeseries" {
        assert!(defaults["min"].is_number() || defaults["max"].is_number(), "{place}");
    }
    if panel["type"] != "heatmap" {
        let steps = list(&defaults["thresholds"]["steps"]);
        assert_eq!(steps.first().map(|step| &step["value"]), Some(&Value::Null), "{place}");
        let values: Vec<f64> = steps.iter().filter_map(|step| step["value"].as_f64()).collect();
        assert!(values.is_sorted(), "{place}: {values:?}");
    }
}

fn target_rate_interval_rule(place: &str, expr: &str) {
    for call in expr.split("rate(").skip(1) {
        let range = call.split_once('[').map(|(_, range)| range.split(']').next());
        // Names may hold brackets: those are escaped, and never the first.
        assert_eq!(range, Some(Some("$__rate_interval")), "{place}: {expr}");
    }
}

/// Selectors: the name of a series, and what is in its braces.
fn selectors(expr: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let (mut quoted, mut escaped, mut begin) = (false, false, None);
    for (at, c) in expr.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' if !quoted => begin = Some(at),
            '}' if !quoted => {
                let begin: usize = begin.take().unwrap();
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let name = expr[..begin].rfind(|c| !is_name(c)).map_or(0, |before| before + 1);
                found.push((name, &expr[name..begin], &expr[begin + 1..at]));
            }
            _ => {}
        }
    }
    found
}

fn target_counter_agg_rule(place: &str, expr: &str) {
    let counters = ["_total", "_bucket", "_sum", "_count"];
    for (at, name, _) in
        selectors(expr).into_iter().filter(|(_, name, _)| counters.iter().any(|end| name.ends_with(end)))
    {
        let before = &expr[..at];
        assert!(before.ends_with("rate(") || before.ends_with("increase("), "{place}: {name} in {expr}");
    }
}

fn target_job_and_instance_rules(place: &str, expr: &str) {
    for (_, name, inside) in selectors(expr) {
        let is_raw = name.starts_with("plimsoll_") && name != "plimsoll_guard_info";
        let is_chosen = inside.ends_with("job=~\"$job\",instance=~\"$instance\"");
        assert_eq!(is_raw, is_chosen, "{place}: {name} in {expr}");
        assert!(
            is_raw || name.starts_with("plimsoll:") || ["ALERTS", "plimsoll_guard_info"].contains(&name),
            "{place}: {name}"
        );
    }
}

/// Nothing lies on anything else or beyond the edge, and what stands side by side is of one height.
fn grid(path: &str, dashboard: &Value) {
    let mut taken = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
        assert!(w > 0 && h > 0 && x + w <= WIDTH, "{path}: {}", panel["gridPos"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{path}: {} lies on another panel", panel["title"]);
        }
    }
    let bottom = taken.iter().map(|(_, y)| y + 1).max().unwrap_or(0);
    let lines: BTreeSet<u64> =
        list(&dashboard["panels"]).iter().map(|panel| panel["gridPos"]["y"].as_u64().unwrap()).collect();
    for panel in list(&dashboard["panels"]) {
        let (y, h) = (panel["gridPos"]["y"].as_u64().unwrap(), panel["gridPos"]["h"].as_u64().unwrap());
        assert!(
            y + h == bottom || lines.contains(&(y + h)),
            "{path}: {} is not as high as those beside it",
            panel["title"]
        );
        assert!(
            lines.range(y + 1..y + h).next().is_none(),
            "{path}: {} is higher than those beside it",
            panel["title"]
        );
    }
}

#[test]
fn dashboards_keep_to_the_linters_rules() {
    for kit in [storefront(), messaging(), hostile()] {
        check(&kit);
    }
}

#[test]
fn selectors_are_told_from_what_names_hold() {
    let expr = r#"sum(rate(a:b_total{slo="x\"}{",job=~"$job"}[1m])) / c{}"#;
    assert_eq!(selectors(expr), [(9, "a:b_total", r#"slo="x\"}{",job=~"$job""#), (52, "c", "")]);
}
