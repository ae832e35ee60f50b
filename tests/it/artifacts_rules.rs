//! What rules do, beyond the tests that are written beside them: any declaration's are taken, changed ones are caught, and they
//! keep to the reference vectors.

use crate::any_slo::any_slo;
use crate::artifacts::{Folder, storefront};
use crate::promtool::{files_in, promtool, rules, yaml};
use plimsoll::artifacts::Kit;
use plimsoll::{AlertWindow, Severity, Slo, Target, formulas};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

#[test]
fn property_any_declaration_makes_rules_that_are_taken() {
    // Many files to a run: to start a process for each would take longer than all else.
    const CASES: usize = 40;
    let folder = Folder::new("any-rules");
    let mut runner = TestRunner::default();
    let mut files = Vec::new();
    let mut configs = Vec::new();
    for case in 0..CASES {
        let slo = any_slo().new_tree(&mut runner).unwrap().current();
        let kit = Kit::new([slo.clone()]).unwrap();
        let written = kit.files();
        let rules_file = written.iter().find(|file| file.path.starts_with("prometheus/rules/")).unwrap();
        labels_are_names(&slo, &rules(&rules_file.text));
        let path = folder.path().join(format!("{case}.yml"));
        fs::write(&path, &rules_file.text).unwrap();
        files.push(path);
        let config = written.iter().find(|file| file.path == "prometheus/prometheus.yml").unwrap();
        assert_eq!(yaml(&config.text)["scrape_configs"][0]["job_name"], slo.service_name());
        let path = folder.path().join(format!("config-{case}.yml"));
        fs::write(&path, config.text.replace("rules/*.yml", &format!("{case}.yml"))).unwrap();
        configs.push(path);
    }
    promtool(folder.path(), &["check", "rules"], &files).unwrap();
    promtool(folder.path(), &["check", "config"], &configs).unwrap();
}

#[test]
fn property_the_tests_of_any_declarations_rules_pass() {
    // Each takes promtool some seconds.
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).map_or(3, |cases: u32| cases / 50);
    let mut runner = TestRunner::default();
    for _ in 0..cases {
        let slo = any_slo().new_tree(&mut runner).unwrap().current();
        let folder = Folder::with("any-tests", &Kit::new([slo.clone()]).unwrap());
        let tests = files_in(&folder.path().join("prometheus/tests"));
        let said = promtool(folder.path(), &["test", "rules"], &tests);
        assert!(said.is_ok(), "{slo:?}\n{}", said.unwrap_err());
    }
}

/// Label values are what was declared, to the letter; of alerts, once Prometheus has filled the templates in.
fn labels_are_names(slo: &Slo, rules: &[Value]) {
    let objectives: BTreeSet<&str> = slo.objectives().iter().map(|objective| objective.name()).collect();
    let mut burning = BTreeSet::new();
    for rule in rules {
        let label = |label: &str| rule["labels"][label].as_str().map(|text| text.replace("{{\"{\"}}", "{"));
        assert_eq!(label("slo").as_deref(), Some(slo.name()), "{rule}");
        if let Some(objective) = label("objective") {
            assert!(objectives.contains(objective.as_str()), "{rule}");
            burning.insert(objective);
        }
        if rule["alert"].is_string() {
            assert_eq!(label("service").as_deref(), Some(slo.service_name()), "{rule}");
        }
    }
    assert_eq!(burning.iter().map(String::as_str).collect::<BTreeSet<_>>(), objectives);
}

#[test]
fn the_tests_of_the_rules_catch_what_is_wrong_with_them() {
    let folder = Folder::with("mutants", &Kit::new([Slo::new("payments").success(99.9)]).unwrap());
    let rules = folder.path().join("prometheus/rules/payments.yml");
    let right = fs::read_to_string(&rules).unwrap();
    let tests = files_in(&folder.path().join("prometheus/tests"));
    let mut survived = Vec::new();
    for (what, of, to, suffix) in [
        ("a factor", "> 14.4", "> 140.4", "payments.yml"),
        ("least bad events", "window=\"1h\"} >= 3", "window=\"1h\"} >= 1", "payments.yml"),
        (
            "held through silence",
            "alertstate=\"firing\",severity=\"P0\"",
            "alertstate=\"none\",severity=\"P0\"",
            "payments.yml",
        ),
        ("the short window", "<= 14.4", "<= -1", "payments.yml"),
        (
            "resets in a step",
            "or\n              plimsoll_events_total",
            "unless\n              plimsoll_events_total",
            "payments.budget.yml",
        ),
        ("steps that join", "[299999ms:15s]", "[2m:15s]", "payments.budget.yml"),
        (
            "the budget",
            "ratio{slo=\"payments\",objective=\"success\"} / 0.001",
            "ratio{slo=\"payments\",objective=\"success\"} / 0.002",
            "payments.budget.yml",
        ),
        ("how long it waits", "for: 15m", "for: 16m", "payments.watch.yml"),
        ("who is down", "up{job=\"payments\"} == 0", "up{job=\"payments\"} == 1", "payments.watch.yml"),
        ("the share shed", "> 0.05", "> 0.5", "payments.watch.yml"),
        ("the share open", ">= 0.5", ">= 0.05", "payments.watch.yml"),
    ] {
        let wrong = right.replace(of, to);
        assert_ne!(wrong, right, "{what}: {of} is not in the rules");
        fs::write(&rules, wrong).unwrap();
        promtool(folder.path(), &["check", "rules"], &[&rules]).unwrap();
        let asked: Vec<_> = tests.iter().filter(|test| test.ends_with(suffix)).collect();
        let said = promtool(folder.path(), &["test", "rules"], &asked);
        if said.is_ok() {
            survived.push(format!("{what}: {to}"));
        }
    }
    assert!(survived.is_empty(), "rules with these pass their tests: {survived:?}");
}

/// One test for promtool, of a kit's rules: samples and evaluations every 15 s.
fn tested(folder: &Folder, slug: &str, values: [&str; 2], checks: &[(String, bool)], expr: &str, labels: &str) {
    let series = |verdict: &str, values: &str| {
        json!({
            "series": format!("plimsoll_events_total{{slo=\"{slug}\",objective=\"success\",verdict=\"{verdict}\"}}"),
            "values": values,
        })
    };
    let checks: Vec<Value> = checks
        .iter()
        .map(|(at, fires)| {
            let samples = if *fires { json!([{"labels": labels, "value": 1}]) } else { json!([]) };
            json!({"expr": expr, "eval_time": at, "exp_samples": samples})
        })
        .collect();
    let test = json!({
        "rule_files": [format!("rules/{slug}.yml")],
        "evaluation_interval": "15s",
        "tests": [{
            "interval": "15s",
            "input_series": [series("good", values[0]), series("bad", values[1])],
            "promql_expr_test": checks,
        }],
    });
    let path = folder.path().join("prometheus/vector.yml");
    fs::write(&path, test.to_string()).unwrap();
    promtool(folder.path(), &["test", "rules"], &[path]).unwrap();
}

#[test]
fn the_first_pair_fires_and_clears_when_the_formulas_say() {
    // 99.9 %, and 15 % of errors for 10 minutes after an hour of none: SLO-MATH 4.
    let slo = Slo::new("payments").success(99.9);
    let folder = Folder::with("vector-4", &Kit::new([slo]).unwrap());
    let (target, errors) = (Target::percent(99.9).unwrap(), 0.15);
    let hour = Duration::from_secs(3_600);
    let fires = formulas::detection_time(target, errors, hour, 14.4).unwrap().as_secs_f64();
    let clears = 600.0 + formulas::reset_time(target, errors, hour / 12, 14.4).as_secs_f64();
    assert_eq!((fires, clears), (345.6, 871.2));
    let values = ["0+1000x240 240850+850x39 275000+1000x60", "0+0x240 150+150x39 6000+0x60"];
    // Within one scrape and one evaluation.
    let at = |seconds: f64| format!("{:.0}s", 3_600.0 + seconds);
    let evaluation = |seconds: f64| (seconds / 15.0).floor() * 15.0;
    let checks = [
        (at(evaluation(fires) - 15.0), false),
        (at(evaluation(fires) + 30.0), true),
        (at(evaluation(clears) - 15.0), true),
        (at(evaluation(clears) + 30.0), false),
    ];
    let expr = "count by (window) (ALERTS{alertname=\"ErrorBudgetBurn\",severity=\"P0\",alertstate=\"firing\"})";
    tested(&folder, "payments", values, &checks, expr, "{window=\"1h\"}");
}

#[test]
fn what_burns_exactly_at_a_factor_does_not_burn_over_it() {
    let pair = AlertWindow::new(Severity::P0, Duration::from_secs(3_600), Duration::from_secs(300), 1.0);
    let slo = Slo::new("exact").success(99.9).alerts(vec![pair]);
    let folder = Folder::with("vector-7", &Kit::new([slo]).unwrap());
    let values = ["0+999x300 299700+998x20", "0+1x300 300+2x20"];
    let checks = [("40m".to_owned(), false), ("74m".to_owned(), false), ("80m".to_owned(), true)];
    let expr = "count by (window) (ALERTS{alertname=\"ErrorBudgetBurn\",alertstate=\"firing\"})";
    tested(&folder, "exact", values, &checks, expr, "{window=\"1h\"}");
}

#[test]
fn a_calendar_month_begins_anew() {
    let kit = Kit::new([Slo::new("month").success(99.0).over_calendar_month()]).unwrap();
    let folder = Folder::with("month", &kit);
    // The rules of the period alone: its steps are given, one for every five minutes of two months.
    let mut file = yaml(&fs::read_to_string(folder.path().join("prometheus/rules/month.yml")).unwrap());
    let groups = file["groups"].as_array_mut().unwrap();
    groups.retain(|group| group["name"] == "month: budget");
    groups[0]["rules"].as_array_mut().unwrap().retain(|rule| {
        let record = rule["record"].as_str().unwrap_or_default();
        record != "plimsoll:bad_events:step" && record != "plimsoll:valid_events:step" && !record.is_empty()
    });
    // What promtool is given lies between its evaluations, so the series by third are given, too.
    groups[0]["rules"].as_array_mut().unwrap().retain(|rule| !rule["record"].as_str().unwrap().ends_with("third"));
    fs::write(folder.path().join("period.yml"), file.to_string()).unwrap();
    const DAY: usize = 288;
    let mut series = Vec::new();
    for (kind, each) in [("bad", 1), ("valid", 50)] {
        // January, February and March of 1970; the first step of a month ends five minutes into it.
        for (third, before, days) in [(1, 0, 31), (2, 31, 28), (0, 59, 31)] {
            let each = if third == 2 && kind == "bad" { 0 } else { each };
            let ahead = if before == 0 { "_".to_owned() } else { format!("_x{}", before * DAY + 1) };
            series.push(json!({
                "series": format!("plimsoll:{kind}_events:step_by_third{{slo=\"month\",objective=\"success\",third=\"{third}\"}}"),
                "values": format!("{ahead} {each}+0x{} _x10", days * DAY - 1),
            }));
        }
    }
    let labels = "{slo=\"month\",objective=\"success\"}";
    let check = |at: &str, record: &str, value: f64| {
        let series = format!("{record}{labels}");
        json!({"expr": series, "eval_time": at, "exp_samples": [{"labels": series, "value": value}]})
    };
    let (bad, left) = ("plimsoll:period_bad_events:sum", "plimsoll:error_budget_remaining:ratio");
    let valid = "plimsoll:period_valid_events:sum";
    let test = json!({
        "rule_files": ["period.yml"],
        "evaluation_interval": "12h",
        "tests": [{
            "interval": "5m",
            "input_series": series,
            "promql_expr_test": [
                check("12h", bad, 144.0),
                check("12h", left, -1.0),
                check("732h", bad, 8_784.0),
                check("756h", bad, 0.0),
                check("756h", valid, 144.0 * 50.0),
                check("756h", left, 1.0),
                check("1404h", valid, (27.0 * 288.0 + 144.0) * 50.0),
                check("1428h", bad, 144.0),
                check("1428h", valid, 144.0 * 50.0),
                check("2148h", valid, (30.0 * 288.0 + 144.0) * 50.0),
            ],
        }],
    });
    fs::write(folder.path().join("test.yml"), test.to_string()).unwrap();
    promtool(folder.path(), &["test", "rules"], &["test.yml"]).unwrap();
}

#[test]
fn rules_of_two_slos_do_not_meet() {
    // Each rule speaks of its own SLO alone, in every selector.
    for file in storefront().files().iter().filter(|file| file.path.starts_with("prometheus/rules/")) {
        let own = file.path.trim_start_matches("prometheus/rules/").trim_end_matches(".yml");
        for rule in rules(&file.text) {
            let expr = rule["expr"].as_str().unwrap();
            let other = ["checkout", "payments"].into_iter().find(|name| *name != own).unwrap();
            assert!(!expr.contains(&format!("slo=\"{other}\"")), "{expr}");
            assert!(expr.contains(&format!("slo=\"{own}\"")) || expr.contains("up{job="), "{expr}");
        }
    }
}
