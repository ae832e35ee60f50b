//! Dashboards: what they ask, how they look, and that no name can make them ask or look otherwise.

mod life;
mod lint;
mod live;

use crate::any_slo::any_slo;
use crate::artifacts::{Folder, messaging, storefront};
use plimsoll::artifacts::Kit;
use plimsoll::{Objective, Slo};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// What Grafana puts in place of variables, for a dashboard of the last six hours.
const VARIABLES: [(&str, &str); 4] =
    [("job", ".+"), ("instance", ".+"), ("__rate_interval", "1m"), ("__range", "21600s")];

/// Names that mean something to Grafana, to Prometheus or to regular expressions.
fn hostile() -> Kit {
    let odd = Slo::new("a\"b\\c $job [[instance]] ${datasource} {{guard}} .*|x")
        .objective(Objective::success(99.9).named("$__range {{le}} }]\""))
        .objective(Objective::latency(99.0, Duration::from_millis(500)).named("[[job]] *b* <i>"))
        .owner("$job")
        .service("${job}")
        .runbook("https://example/$job?a=${instance}")
        .depends_on("overview");
    Kit::new([odd, Slo::new("overview").success(99.9), Slo::new("Dependencies").success(99.0)]).unwrap()
}

/// Each dashboard of a kit: its path, and what is in it.
fn dashboards(kit: &Kit) -> Vec<(String, Value)> {
    let files =
        kit.files().into_iter().filter(|file| file.path.starts_with("grafana/") && file.path.ends_with(".json"));
    files.map(|file| (file.path, serde_json::from_str(&file.text).unwrap())).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Every panel but headings.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row")
}

/// Everything that a dashboard asks Prometheus: where, and in PromQL.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for panel in panels(dashboard) {
        for target in list(&panel["targets"]) {
            all.push((format!("{} {}", panel["title"], target["refId"]), text(&target["expr"]).to_owned()));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        assert_eq!(annotation["expr"], annotation["target"]["expr"]);
        all.push((format!("annotation {}", annotation["name"]), text(&annotation["expr"]).to_owned()));
    }
    for variable in list(&dashboard["templating"]["list"]).iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"]["query"]);
        // The values of a label are those by which the series can be grouped.
        let (series, label) =
            query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
        all.push((format!("variable {}", variable["name"]), format!("group by ({label}) ({series})")));
    }
    all
}

/// What Grafana takes for a variable: `$name`, `${name…}`, `[[name]]`; where, and the name.
fn variables(text: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut found = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        if let Some(inner) = rest.strip_prefix('{') {
            let (name, end) = (word(inner), inner.find('}'));
            if let Some(end) = end.filter(|end| name > 0 && (name == *end || inner[name..].starts_with(['.', ':']))) {
                found.push((at..at + end + 3, &inner[..name]));
            }
        } else if word(rest) > 0 {
            found.push((at..at + 1 + word(rest), &rest[..word(rest)]));
        }
    }
    for (at, _) in text.match_indices("[[") {
        let rest = &text[at + 2..];
        let name = word(rest);
        if let Some(end) = rest.find("]]").filter(|end| name > 0 && (name == *end || rest[name..].starts_with(':'))) {
            found.push((at..at + end + 4, &rest[..name]));
        }
    }
    found
}

/// An expression as Grafana sends it.
fn sent(expr: &str) -> String {
    let mut sent = expr.to_owned();
    let mut found = variables(expr);
    found.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, name) in found {
        let (_, value) =
            VARIABLES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("${name} in {expr}"));
        sent.replace_range(range, value);
    }
    sent
}

/// A kit's expressions, judged by promtool.
fn parse(name: &str, kit: &Kit) {
    let dashboards = dashboards(kit);
    let exprs = dashboards.iter().flat_map(|(_, dashboard)| queries(dashboard));
    let rules: Vec<Value> = exprs
        .zip(0..)
        .map(|((_, expr), n)| json!({"record": format!("expression:{n}"), "expr": sent(&expr)}))
        .collect();
    let folder = Folder::new(name);
    let file = folder.path().join("expressions.json");
    // What is JSON is YAML.
    fs::write(&file, json!({"groups": [{"name": "all", "rules": rules}]}).to_string()).unwrap();
    let output = Command::new("promtool").args(["check", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", fs::read_to_string(&file).unwrap());
}

/// Every text that people see and in which Grafana looks for variables.
fn words(dashboard: &Value) -> Vec<&str> {
    let mut all = vec![text(&dashboard["title"]), text(&dashboard["description"])];
    for panel in list(&dashboard["panels"]) {
        all.push(text(&panel["title"]));
        all.extend(panel["description"].as_str());
        all.extend(list(&panel["targets"]).iter().map(|target| text(&target["legendFormat"])));
    }
    all
}

fn no_name_is_a_variable(kit: &Kit) {
    for (path, dashboard) in dashboards(kit) {
        for words in words(&dashboard) {
            assert_eq!(variables(words), [], "{path}: {words}");
        }
        for link in list(&dashboard["links"]) {
            let url = text(&link["url"]);
            let known = variables(url)
                .into_iter()
                .all(|(range, name)| name == "datasource" && url[range].ends_with(":queryparam}"));
            assert!(known, "{path}: {url}");
        }
        for (place, expr) in queries(&dashboard) {
            let known = |name: &str| VARIABLES.iter().any(|(known, _)| *known == name);
            let unknown = variables(&expr).into_iter().find(|(_, name)| !known(name));
            assert_eq!(unknown, None, "{path}, {place}: {expr}");
        }
    }
}

#[test]
fn variables_are_found_as_grafana_finds_them() {
    let names = |text| variables(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names("a$job b ${instance:regex} ${x.y} [[job]] [[job:csv]]"), ["job", "instance", "x", "job", "job"]);
    assert_eq!(names("$ ${} ${a b} [[]] [[a b]] $\u{2060}job [\u{2060}[job]] \\x24job $-"), [""; 0]);
    assert_eq!(sent("rate(x{job=~\"$job\"}[$__rate_interval])"), "rate(x{job=~\".+\"}[1m])");
}

#[test]
fn expressions_parse_whatever_the_names() {
    for (name, kit) in [("parse-a", storefront()), ("parse-b", messaging()), ("parse-c", hostile())] {
        no_name_is_a_variable(&kit);
        parse(name, &kit);
    }
}

#[test]
fn legends_hold_no_label_of_a_users_making() {
    // A legend's labels are those of series.
    let known =
        ["slo", "objective", "verdict", "window", "outcome", "guard", "reason", "priority", "state", "instance", "le"];
    for (path, dashboard) in dashboards(&hostile()) {
        for target in panels(&dashboard).flat_map(|panel| list(&panel["targets"])) {
            let legend = text(&target["legendFormat"]);
            for label in legend.split("{{").skip(1) {
                let label = label.split("}}").next().unwrap();
                assert!(known.contains(&label), "{path}: {legend}");
            }
        }
    }
}

#[test]
fn uids_are_short_and_each_is_given_once() {
    let long = |end: &str| Slo::new(format!("{}{end}", "a-long-name-".repeat(8))).success(99.9);
    let alike =
        Kit::new([long("1"), long("2"), Slo::new("überlast").success(99.0), Slo::new("–").success(99.0)]).unwrap();
    for kit in [storefront(), messaging(), hostile(), alike] {
        let mut uids: Vec<String> =
            dashboards(&kit).iter().map(|(_, dashboard)| text(&dashboard["uid"]).to_owned()).collect();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        uids.iter().for_each(|uid| assert!(uid.len() <= 40 && uid.chars().all(plain), "{uid}"));
        assert_eq!(uids.len(), kit.slos().len() + 2);
        uids.sort_unstable();
        uids.dedup();
        assert_eq!(uids.len(), kit.slos().len() + 2);
    }
}

#[test]
fn every_state_of_a_breaker_is_drawn() {
    let (_, dashboard) = dashboards(&storefront()).swap_remove(0);
    let timeline = panels(&dashboard).find(|panel| panel["type"] == "state-timeline").unwrap();
    let (expr, words) =
        (text(&timeline["targets"][0]["expr"]), &timeline["fieldConfig"]["defaults"]["mappings"][0]["options"]);
    for (number, state) in plimsoll::State::ALL.iter().enumerate() {
        let matcher = format!("state=\"{}\"", state.as_str());
        let at = expr.find(&matcher).unwrap_or_else(|| panic!("{state:?}"));
        let weight = expr[..at].rsplit([' ', '(']).nth(2).unwrap();
        let word = text(&words[weight]["text"]).replace([' ', '-'], "_");
        assert_eq!(word, state.as_str(), "{number}");
    }
    assert_eq!(words.as_object().unwrap().len(), plimsoll::State::ALL.len());
}

proptest! {
    // Each case starts promtool.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn property_any_declaration_gives_dashboards_that_parse(slos in prop::collection::vec(any_slo(), 1..3)) {
        let Ok(kit) = Kit::new(slos) else { return Ok(()) };
        no_name_is_a_variable(&kit);
        lint::check(&kit);
        parse("parse-any", &kit);
    }
}

#[test]
fn chains_are_followed_to_their_ends() {
    let slo =
        |name: &str, on: &[&str]| on.iter().fold(Slo::new(name).success(99.9), |slo, other| slo.depends_on(*other));
    let chains = |slos: Vec<Slo>| {
        let kit = Kit::new(slos).unwrap();
        lint::check(&kit);
        let dashboards = dashboards(&kit);
        let (_, dashboard) = dashboards.into_iter().find(|(path, _)| path.ends_with("/dependencies.json")).unwrap();
        let rows = list(&dashboard["panels"]).iter().filter(|panel| panel["type"] == "row");
        rows.filter_map(|row| text(&row["title"]).strip_prefix("Which is slow: ").map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(chains(vec![slo("a", &[])]), [""; 0]);
    assert_eq!(chains(vec![slo("c", &[]), slo("b", &["c"]), slo("a", &["b"])]), ["a → b → c"]);
    assert_eq!(
        chains(vec![slo("a", &["b", "c"]), slo("b", &["d"]), slo("c", &["d"]), slo("d", &[])]),
        ["a → b → d → c"]
    );
    assert_eq!(chains(vec![slo("a", &["elsewhere"]), slo("b", &["elsewhere"])]), ["a → elsewhere", "b → elsewhere"]);
    assert_eq!(chains(vec![slo("a", &["b"]), slo("b", &["a"])]), ["a → b"], "a circle is gone round once");
    assert_eq!(chains(vec![slo("a", &["b"]), slo("b", &["c"]), slo("c", &["b"])]), ["a → b → c"]);
}

#[test]
fn provisioning_says_where_things_are() {
    let files = storefront().files();
    let of = |path: &str| &files.iter().find(|file| file.path == path).unwrap().text;
    let datasource = of("grafana/provisioning/datasources/prometheus.yml");
    for line in ["apiVersion: 1", "  type: prometheus", "  uid: prometheus", "    timeInterval: 15s"] {
        assert!(datasource.lines().any(|found| found == line), "{line}\n{datasource}");
    }
    let dashboards = of("grafana/provisioning/dashboards/plimsoll.yml");
    for line in ["apiVersion: 1", "  type: file", "    path: /var/lib/grafana/dashboards/plimsoll"] {
        assert!(dashboards.lines().any(|found| found == line), "{line}\n{dashboards}");
    }
}
