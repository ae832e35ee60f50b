//! Alertmanager's part of the kit, with Alertmanager's own tool as the judge.

use crate::any_slo::any_slo;
use crate::artifacts::{Folder, messaging, storefront};
use plimsoll::artifacts::Kit;
use plimsoll::{AlertWindow, Severity, Slo};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Names that end a matcher, a regular expression, a template, a word of a shell or a line in something.
pub(crate) const ODD: [&str; 40] = [
    r#"a"b"#,
    r#"""#,
    r"a\",
    r"\\",
    r#"\""#,
    r"\n",
    r"a\.b",
    "a.b",
    "a|b",
    "|",
    "^a$",
    ".*",
    ".+",
    "a?",
    "(a)",
    "[a-z]",
    "a{2}",
    "{",
    "}",
    "{{ . }}",
    r#"{{ template "x" . }}"#,
    "}}",
    "a,b",
    "a=b",
    "=~",
    "!=",
    "'",
    "a'b",
    "$(id)",
    "`id`",
    "$HOME",
    "@file",
    "--help",
    "  two  ",
    "#a",
    "<!here>",
    "<a|b> & c",
    "Kasse – 1",
    "\u{1F600}é",
    "a\u{2028}b\u{feff}",
];

fn amtool(folder: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("amtool").current_dir(folder.join("alertmanager")).args(args).output();
    let output = output.unwrap_or_else(|error| {
        panic!("amtool does not run ({error}): tests/run.sh installs it, with Debian's package prometheus-alertmanager")
    });
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[track_caller]
fn checked(folder: &Path) {
    let (good, text) = amtool(folder, &["check-config", "alertmanager.yml"]);
    assert!(good && text.contains("1 templates"), "{text}");
}

/// Where an alert with these labels goes.
fn receiver(folder: &Path, labels: &[(&str, &str)]) -> String {
    let mut args = vec!["config".to_owned(), "routes".into(), "test".into(), "--config.file=alertmanager.yml".into()];
    // As Alertmanager's documentation says a value is quoted.
    let quoted = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#);
    args.extend(labels.iter().map(|(label, value)| format!("{label}=\"{}\"", quoted(value))));
    let (good, text) = amtool(folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(good, "{labels:?}: {text}");
    text.lines().next().unwrap_or_default().replace("Warning: --config.file flag overrides the --alertmanager.url.", "")
}

/// Runs the kit's own tests from its directory, as its README says; whether they passed, and what they said.
fn tests_sh(folder: &Path) -> (bool, String) {
    let output = Command::new("sh").arg("alertmanager/tests.sh").current_dir(folder).output().unwrap();
    (
        output.status.success(),
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat(),
    )
}

#[test]
fn amtool_accepts_what_is_written_and_each_alert_goes_where_it_should() {
    for (name, kit, least) in [("routes-a", storefront(), 28), ("routes-b", messaging(), 60)] {
        let folder = Folder::with(name, &kit);
        checked(folder.path());
        let (good, said) = tests_sh(folder.path());
        assert!(good, "{said}");
        let tested = said.lines().filter(|line| line.starts_with("ok ")).count();
        assert!(tested >= least && said.contains(&format!("{tested} routes tested, 0 wrong")), "{said}");
    }
}

#[test]
fn every_alert_that_the_rules_raise_has_a_route() {
    for (name, kit) in [("raised-a", storefront()), ("raised-b", messaging())] {
        let folder = Folder::with(name, &kit);
        let mut raised = BTreeSet::new();
        for file in fs::read_dir(folder.path().join("prometheus/rules")).unwrap() {
            let rules = fs::read_to_string(file.unwrap().path()).unwrap();
            let rules: Value = serde_saphyr::from_str(&rules).unwrap();
            let groups = rules["groups"].as_array().unwrap().iter();
            for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
                if let Some(alert) = rule["alert"].as_str() {
                    let label = |label: &str| rule["labels"][label].as_str().unwrap().to_owned();
                    raised.insert((alert.to_owned(), label("severity"), label("slo"), label("service")));
                }
            }
        }
        assert!(raised.len() >= 9 * kit.slos().len(), "{raised:?}");
        for (alert, severity, slo, service) in &raised {
            let labels = [("alertname", alert.as_str()), ("severity", severity), ("slo", slo), ("service", service)];
            let way = match (alert.as_str(), severity.as_str()) {
                ("PageUnacknowledged", _) => "second-line",
                (_, "P0") => "pager-and-chat",
                (_, "P1") => "chat-and-ticket",
                _ => "chat",
            };
            let declared = kit.slos().iter().find(|declared| declared.name() == slo).unwrap();
            assert_eq!(
                receiver(folder.path(), &labels),
                format!("{}-{way}", declared.owner_name().unwrap()),
                "{labels:?}"
            );
        }
    }
}

#[test]
fn tests_sh_fails_on_any_route_that_is_swapped() {
    let kit = Kit::new([Slo::new("checkout").success(99.9).owner("shop"), Slo::new("mail").success(99.0)]).unwrap();
    let folder = Folder::with("swapped", &kit);
    let config = folder.path().join("alertmanager/alertmanager.yml");
    let right = fs::read_to_string(&config).unwrap();
    let routed: Vec<(usize, &str)> = right.match_indices("receiver: ").collect();
    assert_eq!(routed.len(), 10, "the root, a team's, and four by severity of each");
    for (at, _) in routed {
        let rest = &right[at..];
        let line = rest.split_inclusive('\n').next().unwrap();
        // Another that exists, so that only the tests can tell.
        let other = if line.contains("on-call-chat\n") { "receiver: shop-chat\n" } else { "receiver: on-call-chat\n" };
        fs::write(&config, format!("{}{other}{}", &right[..at], &rest[line.len()..])).unwrap();
        let (good, said) = tests_sh(folder.path());
        assert!(!good && said.contains("WRONG"), "{line} → {other}{said}");
    }
    fs::write(&config, right.replace("send_resolved: true", "send_resolved: perhaps")).unwrap();
    let (good, said) = tests_sh(folder.path());
    assert!(!good && said.contains("FAILED"), "{said}");
}

#[test]
fn odd_names_are_matched_and_nothing_else_is() {
    // Two owners in turn, so that names stand in regular expressions beside each other.
    let slos = ODD.iter().enumerate().map(|(i, name)| {
        Slo::new(*name).success(99.9).owner(["a \"team\"", "{{ b }}"][i % 2]).depends_on(ODD[(i + 7) % ODD.len()])
    });
    let folder = Folder::with("odd-names", &Kit::new(slos).unwrap());
    checked(folder.path());
    for (i, name) in ODD.iter().enumerate() {
        let to =
            |slo: &str| receiver(folder.path(), &[("alertname", "ErrorBudgetBurn"), ("severity", "P0"), ("slo", slo)]);
        assert_eq!(to(name), format!("{}-pager-and-chat", ["a-team", "b"][i % 2]), "{name:?}");
        assert_eq!(to(&format!("{name}x")), "on-call-pager-and-chat", "{name:?} and more");
    }
    // The kit's own tests say so too, in a shell.
    let worst =
        ["a'b", "'", "$(id)", "`id`", r#"""#, r"a\", "{{ . }}", "  two  "].map(|name| Slo::new(name).success(99.9));
    let few = Folder::with("odd-few", &Kit::new(worst).unwrap());
    let (good, said) = tests_sh(few.path());
    assert!(good && said.contains(" 0 wrong"), "{said}");
    for near in ["a\"", "aa", "axb", "z", "aaa", "", "a", "b"] {
        let labels = [("severity", "P0"), ("slo", near)];
        assert_eq!(receiver(folder.path(), &labels), "on-call-pager-and-chat", "{near:?}");
    }
}

#[test]
fn property_any_kit_is_accepted_and_routed_as_its_tests_say() {
    // A kit has several SLOs, and each of them a dozen routes: few cases are many routes.
    let cases = Config::default().cases.div_ceil(64);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let kits = prop::collection::vec(any_slo(), 1..6).prop_map(|slos| {
        let mut names = BTreeSet::new();
        slos.into_iter().filter(|slo| names.insert(slo.name().to_owned())).collect::<Vec<_>>()
    });
    let ran = runner.run(&kits, |slos| {
        let folder = Folder::with("any-routes", &Kit::new(slos).unwrap());
        checked(folder.path());
        let (good, said) = tests_sh(folder.path());
        prop_assert!(good, "{}", said);
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn urgency_follows_the_declaration() {
    // No P0 by declaration: then nothing of it pages, and its tests say so.
    let quiet = Slo::new("quiet").success(99.9).severity(Severity::P1);
    let slow = AlertWindow::new(Severity::P2, Duration::from_secs(86_400), Duration::from_secs(7_200), 3.0);
    let folder = Folder::with("quiet", &Kit::new([quiet, Slo::new("slow").success(99.0).alerts(vec![slow])]).unwrap());
    let (good, said) = tests_sh(folder.path());
    assert!(good, "{said}");
    let of = |slo: &str| said.lines().filter(|line| line.contains(&format!("slo=\"{slo}\""))).collect::<Vec<_>>();
    let paging = |line: &&&str| line.contains("pager") || line.contains("second-line");
    assert_eq!((of("quiet").len(), of("quiet").iter().filter(paging).count()), (9, 0), "{said}");
    let burns: Vec<&str> = of("slow").into_iter().filter(|line| line.contains("ErrorBudgetBurn")).collect();
    assert!(burns.len() == 1 && burns[0].contains("on-call-chat <-"), "{burns:?}");
}

#[test]
fn working_hours_are_the_kit_s_and_no_secret_is_inline() {
    let kit = storefront().time_zone("Europe/Berlin").tickets_at("https://tickets.shop.example/hook");
    let folder = Folder::with("hours", &kit);
    checked(folder.path());
    let config = fs::read_to_string(folder.path().join("alertmanager/alertmanager.yml")).unwrap();
    assert!(config.contains("location: Europe/Berlin") && config.contains("url: https://tickets.shop.example/hook"));
    let told: Vec<&str> = config.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    for secret in ["routing_key:", "service_key:", "api_url:", "credentials:", "password:", "bearer_token:"] {
        assert!(told.iter().all(|line| !line.trim_start_matches("- ").starts_with(secret)), "{secret}");
    }
    // Whatever is sent is sent again when it is over.
    let sending = told
        .iter()
        .filter(|line| line.starts_with("- routing_key") || line.starts_with("- api_url") || line.starts_with("- url"));
    let resolved = told.iter().filter(|line| **line == "send_resolved: true").count();
    assert_eq!(sending.count(), resolved);
    // No other time zone is taken for the one that was meant.
    let nowhere = Folder::with("nowhere", &storefront().time_zone("Mars/Olympus"));
    let (good, said) = amtool(nowhere.path(), &["check-config", "alertmanager.yml"]);
    assert!(!good && said.contains("Mars/Olympus"), "{said}");
}
