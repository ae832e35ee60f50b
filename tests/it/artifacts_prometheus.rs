//! What is written for Prometheus, before its own tool: configuration, rules, and the tests of the rules.

use crate::artifacts::{Folder, messaging, storefront};
use crate::promtool::{files_in, promtool, rules, yaml};
use plimsoll::artifacts::Kit;
use plimsoll::{AlertWindow, BudgetPolicy, Objective, Severity, Slo};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Declarations from the edges of what is allowed.
fn odd() -> Vec<Slo> {
    let eight = (1..=8).fold(Slo::new("eight"), |slo, n| {
        slo.objective(Objective::success(99.0 + f64::from(n) / 10.0).named(format!("objective {n}")))
    });
    let pair = |severity, long: u64, short: u64, factor| {
        AlertWindow::new(severity, Duration::from_secs(long), Duration::from_secs(short), factor)
    };
    vec![
        Slo::new("four weeks").success(99.99).over_days(28),
        Slo::new("a week").success(99.9).latency(95.0, Duration::from_millis(300)).over_days(7),
        Slo::new("month").success(99.9).over_calendar_month(),
        Slo::new("an hour").success(99.0).over_minutes(60),
        Slo::new("a minute").success(95.0).over_minutes(1).reachable_alerts(),
        Slo::new("nines").success(99.999).min_events(1).over_days(90),
        Slo::new("lax").success(60.0).reachable_alerts().severity(Severity::P1),
        Slo::new("seconds").success(99.0).over_minutes(10).scrape_interval(Duration::from_secs(1)).alerts(vec![
            pair(Severity::P0, 40, 8, 10.0),
            pair(Severity::P0, 80, 8, 6.0),
            pair(Severity::P2, 80, 16, 5.0).held_for(Duration::from_secs(5)),
        ]),
        Slo::new("held").success(99.9).alert(pair(Severity::P1, 7_200, 600, 10.0).held_for(3 * MINUTE)),
        Slo::new("slices")
            .objective(Objective::success(99.0).named("up").timeslices(MINUTE, 95.0))
            .success(99.9)
            .alerts(vec![pair(Severity::P0, 3_600, 300, 14.4), pair(Severity::P1, 21_600, 1_800, 6.0)]),
        Slo::new("sliced month")
            .objective(Objective::success(90.0).timeslices(10 * MINUTE, 99.0))
            .over_calendar_month()
            .alerts(vec![pair(Severity::P2, 86_400, 3_600, 3.0)]),
        Slo::new("unalerted").success(99.9).alerts(Vec::new()).scrape_interval(2 * MINUTE),
        eight.reachable_alerts().alerts(vec![pair(Severity::P0, 3_600, 300, 14.4)]),
        Slo::new("{{ $labels }} \"x\" `y` 'z' \\ ${a} [[b]] # \u{2028} – ✓")
            .objective(Objective::success(99.9).named("a\"b{{c}}`d`\\"))
            .objective(Objective::latency(99.0, MINUTE).named("%q, {} | > &").of_successes())
            .service("{{ .Alerts }}: - \"job\"")
            .owner("{{end}}")
            .runbook("https://example.org/{{x}}?a=\"b\"&c='d'")
            .budget_policy(
                BudgetPolicy::default().under(33.3, "{{ stop }} \"now\" `!`").under(5.0, "\\n").when_exhausted("{{"),
            ),
    ]
}

fn odd_kit() -> Kit {
    Kit::new(odd()).unwrap()
}

#[track_caller]
fn every_configuration_is_taken(folder: &Path) {
    for variant in ["prometheus.yml", "prometheus-file-discovery.yml"] {
        let said = promtool(folder, &["check", "config"], &[format!("prometheus/{variant}")]).unwrap();
        assert!(said.contains("rule files found") && !said.contains("WARN"), "{said}");
    }
    // Debian builds Prometheus without Kubernetes' discovery, whose key alone it does not know.
    let variant = folder.join("prometheus/prometheus-kubernetes.yml");
    let text = fs::read_to_string(&variant).unwrap();
    let said = promtool(folder, &["check", "config"], &["prometheus/prometheus-kubernetes.yml"]);
    if let Err(said) = said {
        let mut config = yaml(&text);
        for job in config["scrape_configs"].as_array_mut().unwrap() {
            let found = job.as_object_mut().unwrap().shift_remove("kubernetes_sd_configs").unwrap();
            assert_eq!(found[0]["role"], "pod");
            assert!(found[0]["namespaces"]["names"][0].is_string(), "{found}");
        }
        fs::write(folder.join("prometheus/rest.yml"), config.to_string()).unwrap();
        let rest = promtool(folder, &["check", "config"], &["prometheus/rest.yml"]);
        fs::remove_file(folder.join("prometheus/rest.yml")).unwrap();
        assert!(rest.is_ok(), "{rest:?}");
        assert!(said.contains("kubernetes_sd_configs not found"), "{said}");
    }
}

#[test]
fn configurations_pass_promtool() {
    for (name, kit) in [("config-a", storefront()), ("config-b", messaging()), ("config-c", odd_kit())] {
        every_configuration_is_taken(Folder::with(name, &kit).path());
    }
}

#[test]
fn rules_pass_promtool() {
    for (name, kit) in [("rules-a", storefront()), ("rules-b", messaging()), ("rules-c", odd_kit())] {
        let folder = Folder::with(name, &kit);
        let files = files_in(&folder.path().join("prometheus/rules"));
        assert_eq!(files.len(), kit.slos().len());
        promtool(folder.path(), &["check", "rules"], &files).unwrap();
    }
}

#[test]
fn the_tests_of_the_golden_rules_pass() {
    for (name, kit) in [("tests-a", storefront()), ("tests-b", messaging())] {
        let folder = Folder::with(name, &kit);
        promtool(folder.path(), &["test", "rules"], &files_in(&folder.path().join("prometheus/tests"))).unwrap();
    }
}

#[test]
fn the_tests_of_odd_rules_pass() {
    let folder = Folder::with("tests-c", &odd_kit());
    let files = files_in(&folder.path().join("prometheus/tests"));
    assert_eq!(files.len(), 3 * odd().len());
    promtool(folder.path(), &["test", "rules"], &files).unwrap();
}

/// What fires in a test, with when: `(minutes, name, severity)`.
fn fires(tests: &Value, name: &str) -> Vec<(String, String)> {
    let test = tests["tests"].as_array().unwrap().iter().find(|test| test["name"] == name).unwrap();
    let checks = test["promql_expr_test"].as_array().unwrap().iter();
    let firing = checks.flat_map(|check| {
        let samples = check["exp_samples"].as_array().unwrap().iter();
        let labels = samples.map(|sample| sample["labels"].as_str().unwrap().to_owned());
        labels.filter(|labels| labels.contains("firing")).map(|labels| (check["eval_time"].to_string(), labels))
    });
    firing.collect()
}

#[test]
fn the_tests_tell_the_incidents_that_they_should() {
    let kit = storefront();
    let files = kit.files();
    let tests = yaml(&files.iter().find(|file| file.path == "prometheus/tests/payments.yml").unwrap().text);
    let page = "alertname=\"ErrorBudgetBurn\",alertstate=\"firing\",severity=\"P0\"";
    let pages = |name| fires(&tests, name).iter().any(|(_, labels)| labels.contains(page));
    assert!(pages("an outage, and its end") && pages("a slow burn: 10 % fail"));
    // At 1 % of errors 99.9 % burns at 10 in the end, which is under 14.4.
    assert!(!pages("a slower burn: 1 % fail") && !fires(&tests, "a slower burn: 1 % fail").is_empty());
    assert_eq!(fires(&tests, "low traffic: a single call fails"), []);
    // An instance that dies in an outage takes nothing back: an hour later the page goes on.
    let dead = fires(&tests, "the only instance dies in an outage");
    for wanted in [page, "InstanceDown", "SloMetricsAbsent", "PageUnacknowledged"] {
        assert!(dead.iter().any(|(_, labels)| labels.contains(wanted)), "{wanted}: {dead:?}");
    }
    let last = dead.iter().rfind(|(_, labels)| labels.contains(page)).unwrap();
    let minutes = last.0.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap();
    assert!(minutes > 60, "{last:?}");
}

#[test]
fn each_alert_has_all_that_its_reader_needs() {
    for kit in [storefront(), messaging(), odd_kit()] {
        for file in kit.files().iter().filter(|file| file.path.starts_with("prometheus/rules/")) {
            let alerts: Vec<Value> = rules(&file.text).into_iter().filter(|rule| rule["alert"].is_string()).collect();
            assert!(alerts.len() >= 7, "{}", file.path);
            for alert in alerts {
                for label in ["severity", "slo", "service"] {
                    assert!(!alert["labels"][label].as_str().unwrap().is_empty(), "{label}: {alert}");
                }
                for annotation in ["summary", "description", "action", "runbook_url", "dashboard_url"] {
                    let said = alert["annotations"][annotation].as_str().unwrap_or_default();
                    assert!(said.len() > 10 && !said.contains('\n'), "{annotation}: {alert}");
                }
                assert!(alert["annotations"]["runbook_url"].as_str().unwrap().starts_with("https://"), "{alert}");
                assert!(alert["annotations"]["action"].as_str().unwrap().ends_with('.'), "{alert}");
            }
        }
    }
}

#[test]
fn nothing_that_may_be_declared_is_too_much() {
    let forever = Slo::new("forever").success(99.9).alerts(Vec::new()).scrape_interval(Duration::MAX);
    let once = Slo::new("once").success(99.9).min_events(u64::MAX).alerts(Vec::new());
    let strict = Slo::new("strict").success(99.999_999_9).over_days(366);
    assert!(Kit::new([forever, once, strict]).unwrap().files().len() > 12);
}
