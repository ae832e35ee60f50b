//! OpenSLO v1: what goes out comes back, what comes in is taken or told, and what is wrong is refused.

use crate::any_slo::any_slo;
use plimsoll::artifacts::openslo::{self, Import};
use plimsoll::artifacts::{Artifact, Kit};
use plimsoll::file::Format;
use plimsoll::{AlertWindow, Error, Objective, Period, Severity, Slo};
use proptest::prelude::*;
use std::time::Duration;

const FORMATS: [Format; 2] = [Format::Yaml, Format::Json];
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn read(text: &str) -> Import {
    openslo::import(text, Format::Yaml).unwrap()
}

fn losses(import: &Import) -> Vec<String> {
    import.losses.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(text: &str, words: &[&str]) -> Error {
    let error = openslo::import(text, Format::Yaml).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
    error
}

/// Every field that the format has, in the forms that teams write: by hand, for other systems.
const BROUGHT: &str = r#"
apiVersion: openslo/v1
kind: Service
metadata:
  name: search
  displayName: Search
spec:
  description: Finds things
---
- apiVersion: openslo/v1
  kind: SLI
  metadata:
    name: search-ok
    displayName: Searches that worked
  spec:
    description: by status
    ratioMetric:
      counter: true
      bad:
        metricSource:
          metricSourceRef: mimir
          type: Prometheus
          spec:
            query: sum(http_requests_total{code=~"5.."})
      total:
        metricSource: {type: Prometheus, spec: {query: sum(http_requests_total)}}
- apiVersion: openslo/v1
  kind: SLO
  metadata:
    name: search-availability
    displayName: Search works
    labels: {team: search, tier: [one, two]}
    annotations: {example.com/board: "12"}
  spec:
    description: People find things
    service: search
    indicatorRef: search-ok
    timeWindow: [{duration: 4w, isRolling: true}]
    budgetingMethod: Occurrences
    objectives:
    - {displayName: good, target: 0.9995}
    - {displayName: splendid, targetPercent: 99.99}
    alertPolicies:
    - alertPolicyRef: fast
    - kind: AlertPolicy
      metadata: {name: slow}
      spec:
        description: slow burn
        alertWhenNoData: true
        alertWhenBreaching: true
        conditions:
        - conditionRef: slow-burn
        notificationTargets:
        - targetRef: mail
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast}
spec:
  alertWhenBreaching: true
  alertWhenResolved: true
  conditions:
  - kind: AlertCondition
    metadata: {name: fast-burn}
    spec:
      severity: page
      condition: {kind: burnrate, threshold: 14.4, lookbackWindow: 1h, alertAfter: 2m}
  notificationTargets:
  - kind: AlertNotificationTarget
    metadata: {name: pager}
    spec: {target: pagerduty}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: slow-burn}
spec:
  severity: ticket
  condition: {kind: burnrate, op: gte, threshold: 1, lookbackWindow: 3d}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: mail}
spec: {target: email, description: to the team}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: mimir}
spec: {type: Prometheus, connectionDetails: {url: http://mimir.example, password: secret}}
"#;

#[test]
fn what_others_wrote_is_taken_or_told() {
    let import = read(BROUGHT);
    let expected = Slo::new("search-availability")
        .service("search")
        .objective(Objective::success(99.95).named("good"))
        .objective(Objective::success(99.99).named("splendid"))
        .over_days(28)
        .alerts(vec![
            AlertWindow::new(Severity::P0, HOUR, 5 * MINUTE, 14.4).held_for(2 * MINUTE),
            AlertWindow::new(Severity::P2, 72 * HOUR, 6 * HOUR, 1.0),
        ]);
    assert_eq!(import.slos, [expected]);
    let losses = losses(&import);
    for words in [
        "SLO search-availability: its description",
        "SLO search-availability: its display name",
        "SLO search-availability: its label \"team\"",
        "SLO search-availability: its label \"tier\"",
        "SLO search-availability: its annotation \"example.com/board\"",
        "SLI \"search-ok\" is measured by Prometheus ({\"query\":\"sum(http_requests_total{code=~\\\"5..\\\"})\"}): count its events",
        "SLI \"search-ok\" is measured by Prometheus ({\"query\":\"sum(http_requests_total)\"})",
        "the description of SLI \"search-ok\"",
        "SLI search-ok: its display name",
        "alert policy \"slow\": an alert on missing data",
        "alert policy \"slow\": its description",
        "alert condition \"fast-burn\": severity \"page\" is taken as P0",
        "alert condition \"fast-burn\" has one window: a short one of 5m",
        "alert condition \"slow-burn\": severity \"ticket\" is taken as P2",
        "alert condition \"slow-burn\": it fires over its threshold, not at it",
        "notification target \"pager\" is not kept",
        "AlertNotificationTarget mail: its target \"email\" is not kept",
        "AlertNotificationTarget mail: its description",
        "Service search: its display name",
        "Service search: its description",
        "DataSource mimir: how to connect to it is not kept",
    ] {
        assert!(losses.iter().any(|loss| loss.contains(words)), "no {words:?} in {losses:#?}");
    }
    assert!(losses.iter().all(|loss| !loss.contains("secret")), "{losses:#?}");
    let distinct: std::collections::BTreeSet<_> = losses.iter().collect();
    assert_eq!(distinct.len(), losses.len(), "told twice: {losses:#?}");
}

#[test]
fn what_we_count_is_taken_exactly() {
    let slo = |query: &str, total: &str| {
        format!(
            "apiVersion: openslo/v1
kind: SLO
metadata: {{name: any}}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  indicator:
    metadata: {{name: any}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{spec: {{query: '{query}'}}}}}}
        total: {{metricSource: {{spec: {{query: '{total}'}}}}}}
  objectives: [{{target: 0.999}}]
"
        )
    };
    let ours = Slo::new("check\"out").objective(Objective::success(99.9).named("works")).service("shop");
    for (good, total) in [
        (
            r#"sum(plimsoll_events_total{slo="check\"out",objective="works",verdict="good"})"#,
            r#"sum(plimsoll_events_total{slo="check\"out",objective="works",verdict=~"good|bad"})"#,
        ),
        (
            r#" sum ( plimsoll_events_total { verdict="good" , objective="works", slo="check\"out", } ) "#,
            r#"plimsoll_events_total{verdict=~"bad|good",slo="check\"out",objective="works"}"#,
        ),
    ] {
        let import = read(&slo(good, total));
        assert_eq!(import.slos, std::slice::from_ref(&ours));
        assert_eq!(
            losses(&import),
            ["SLO check\"out: it has no alert policies: the alerts that belong to its period are taken"]
        );
    }
    let narrowed = r#"sum(plimsoll_events_total{slo="a",objective="b",verdict="good",job="c"})"#;
    let import = read(&slo(narrowed, &narrowed.replace("=\"good\"", "=~\"good|bad\"")));
    assert_eq!(import.slos[0].name(), "a");
    assert!(losses(&import)[0].contains("counts where job=\"c\" alone"), "{:?}", losses(&import));
    // Something else, or nearly so, is somebody else's.
    for query in [
        r#"sum(plimsoll_events_total{slo="a",objective="b",verdict="bad"})"#,
        r#"sum(plimsoll_events_total{slo="a",objective="c",verdict="good"})"#,
        r#"sum(plimsoll_events_total{slo="a",objective="b"})"#,
        r#"sum(plimsoll_events_total{slo=~"a",objective="b",verdict="good"})"#,
        r#"sum(plimsoll_events_total{slo="a",slo="a",objective="b",verdict="good"})"#,
        r#"sum(plimsoll_events_total{slo="a",objective="b",verdict="good"} offset 1d)"#,
        r#"sum(plimsoll_events_total{slo="a,objective="b",verdict="good"})"#,
        r#"sum(plimsoll_events_total{slo="a",objective="b",verdict="good"#,
        r#"sum(other{slo="a",objective="b",verdict="good"})"#,
        "",
    ] {
        let import = read(&slo(query, r#"sum(plimsoll_events_total{slo="a",objective="b",verdict=~"good|bad"})"#));
        assert_eq!(import.slos[0].name(), "any", "{query}");
        assert!(losses(&import).iter().any(|loss| loss.contains("count its events in code")), "{query}");
    }
}

#[test]
fn windows_methods_and_composites() {
    let slo = |rest: &str| {
        format!("apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: any}}\nspec:\n  service: any\n{rest}")
    };
    let raw =
        "indicator: {metadata: {name: i}, spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: X}}}}}";
    let with = |window: &str, method: &str, objective: &str| {
        read(&slo(&format!(
            "  {raw}\n  timeWindow: {window}\n  budgetingMethod: {method}\n  objectives: [{objective}]\n"
        )))
    };
    let usual = "{target: 0.99}";
    for (window, period, loss) in [
        ("[{duration: 90m}]", Period::Rolling(90 * MINUTE), None),
        ("[{duration: 1M, isRolling: true}]", Period::Rolling(720 * HOUR), Some("1M is taken as 30 days")),
        ("[{duration: 1M, calendar: {startTime: 2020-01-01 00:00:00, timeZone: UTC}}]", Period::CalendarMonth, None),
        (
            "[{duration: 1M, calendar: {startTime: 2020-01-21 12:30:00, timeZone: America/New_York}}]",
            Period::CalendarMonth,
            Some("begin on the first"),
        ),
        (
            "[{duration: 1Q, isRolling: false, calendar: {startTime: 2020-01-01 00:00:00, timeZone: UTC}}]",
            Period::Rolling(90 * 24 * HOUR),
            Some("calendar period of 1Q"),
        ),
        ("[]", Period::Rolling(720 * HOUR), Some("30 rolling days")),
    ] {
        let import = with(window, "Occurrences", usual);
        assert_eq!(import.slos[0].period(), period, "{window}");
        let told = losses(&import).into_iter().find(|told| loss.is_some_and(|loss| told.contains(loss)));
        assert_eq!(told.is_some(), loss.is_some(), "{:?}", losses(&import));
    }
    let sliced = |window: &str| {
        with(
            "[{duration: 30d}]",
            "Timeslices",
            &format!("{{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: {window}}}"),
        )
    };
    for (window, minutes) in [("5m", 5), ("5", 5), ("1", 1)] {
        let (length, target) = sliced(window).slos[0].objectives()[0].slices().unwrap();
        assert_eq!((length, target.as_percent()), (minutes * MINUTE, 95.0));
    }
    // An hour's own alerts look back over seconds: there is no room in them for slices of a minute.
    let short = "{target: 0.9, timeSliceTarget: 0.95, timeSliceWindow: 1m}";
    let short = with("[{duration: 1h}]", "Timeslices", short);
    assert_eq!(short.slos[0].alert_windows(), []);
    assert!(losses(&short).iter().any(|loss| loss.contains("too short for its slices: it has none")), "{short:?}");
    let averaged = with("[{duration: 30d}]", "RatioTimeslices", "{target: 0.99, timeSliceWindow: 5m}");
    assert!(losses(&averaged).iter().any(|loss| loss.contains("average over timeslices")));

    let each = |name: &str| format!("{{displayName: {name}, target: 0.99, compositeWeight: 2, {raw}}}");
    let composite = format!(
        "  timeWindow: [{{duration: 30d}}]\n  budgetingMethod: Occurrences\n  objectives: [{}, {}]\n",
        each("a"),
        each("a")
    );
    let import = read(&slo(&composite));
    let names: Vec<_> = import.slos[0].objectives().iter().map(Objective::name).collect();
    assert_eq!(names, ["a", "a-2"]);
    assert!(
        losses(&import).iter().any(|loss| loss.contains("weight"))
            && losses(&import).iter().any(|loss| loss.contains("\"a-2\""))
    );
}

#[test]
fn what_is_wrong_is_refused_with_line_and_path() {
    let base = "apiVersion: openslo/v1
kind: SLO
metadata: {name: any}
spec:
  service: any
  indicatorRef: sli
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
  - target: 0.999
  alertPolicies: []
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: sli}
spec:
  ratioMetric:
    good: {metricSource: {type: X, spec: {}}}
    total: {metricSource: {type: X, spec: {}}}
";
    read(base);
    assert_eq!(read(&base.replace("alertPolicies: []", "alertPolicies:")), read(base), "a list of nothing");
    for (from, to, words) in [
        ("service: any", "servce: any", &["line 5, spec.servce: unknown field `servce`", "`service`"][..]),
        ("{name: any}", "{name: any, owner: x}", &["line 3, metadata.owner: unknown field"]),
        ("- target: 0.999", "- target: 0.999\n    weight: 1", &["line 11, spec.objectives[0].weight: unknown field"]),
        ("good: {", "good: {query: x, ", &["line 18, spec.ratioMetric.good.query: unknown field"]),
        ("0.999", "1", &["line 10, spec.objectives[0].target: a target of 100 %"]),
        ("0.999", "0.99900000001", &["line 10, spec.objectives[0].target", "9 decimals"]),
        ("target: 0.999", "targetPercent: 0", &["line 10, spec.objectives[0].targetPercent: a target of 0 %"]),
        ("target: 0.999", "value: 3", &["line 10, spec.objectives[0]: write either `target`"]),
        ("- target: 0.999", "- {target: 0.9, targetPercent: 90}", &["line 10, spec.objectives[0]: write either"]),
        ("30d", "30 days", &["line 7, spec.timeWindow[0].duration: \"30 days\" is no duration"]),
        ("30d", "99999999999999999d", &["line 7, spec.timeWindow[0].duration"]),
        ("30d", "-1d", &["line 7, spec.timeWindow[0].duration"]),
        ("isRolling: true", "isRolling: maybe", &["line 7, spec.timeWindow[0].isRolling", "a boolean"]),
        (
            "[{duration: 30d, isRolling: true}]",
            "[{duration: 1d}, {duration: 40d}]",
            &["line 7, spec.timeWindow: more than one"],
        ),
        ("Occurrences", "Guesses", &["line 8, spec.budgetingMethod: \"Guesses\" is no method"]),
        ("Occurrences", "Timeslices", &["line 10, spec.objectives[0]: timeslices need"]),
        (
            "indicatorRef: sli",
            "indicatorRef: none",
            &["line 6, spec.indicatorRef: no SLI is named \"none\"; there are \"sli\""],
        ),
        ("  indicatorRef: sli\n", "", &["spec: no indicator"]),
        (
            "alertPolicies: []",
            "alertPolicies: [{alertPolicyRef: x}]",
            &["line 11, spec.alertPolicies[0]: no AlertPolicy is named \"x\""],
        ),
        ("alertPolicies: []", "alertPolicies: [x]", &["line 11, spec.alertPolicies[0]: no AlertPolicy is named \"x\""]),
        (
            "alertPolicies: []",
            "alertPolicies: [{targetRef: x}]",
            &["line 11, spec.alertPolicies[0]: write either `alertPolicyRef: NAME`"],
        ),
        (
            "alertPolicies: []",
            "alertPolicies: [{kind: X, metadata: {name: x}, spec: {conditions: []}}]",
            &["`kind: AlertPolicy`"],
        ),
        ("kind: SLI", "kind: SLA", &["line 14, kind: \"SLA\" is no kind"]),
        (
            "apiVersion: openslo/v1\nkind: SLI",
            "apiVersion: openslo/v2\nkind: SLI",
            &["line 13, apiVersion: \"openslo/v2\" is not read"],
        ),
        (
            "kind: SLI\nmetadata: {name: sli}\nspec:\n  ratioMetric",
            "kind: SLI\nmetadata: {name: sli}\nspec:\n  thresholdMetric",
            &["line 18, spec.thresholdMetric.good: unknown field"],
        ),
        ("    total:", "    raw:", &["SLI \"sli\": write `good` or `bad`, and `total`"]),
        ("0.999", ".nan", &["line 10", "no YAML"]),
    ] {
        assert!(base.contains(from), "{from}");
        assert!(refused(&base.replacen(from, to, 1), words).is_unreadable(), "{to}");
    }
    refused(&format!("{base}---\n{base}"), &["metadata.name: there is a SLO named \"any\" already, in line 1"]);
    refused(
        &base.replace("{name: any}", "{name: any, annotations: {plimsoll/slo: '{\"ownr\": 1}'}}"),
        &["line 3, metadata.annotations.plimsoll/slo: in its text, line 1, ownr: unknown field"],
    );
    refused("- kind: SLO", &["line 1, [0].apiVersion: \"\" is not read"]);
    refused("x", &["line 1, apiVersion"]);
    // What the declaration refuses, by its own reasons.
    assert!(refused(&base.replace("30d", "10Y"), &["line 1, SLO any: SLO \"any\": a period of 3650d"]).is_invalid());
    let error = openslo::import("a = 1", Format::Toml).unwrap_err();
    assert!(error.is_unreadable() && openslo::export(&[], Format::Toml).unwrap_err().is_unreadable());
}

#[test]
fn what_goes_out_is_the_formats_own() {
    let slo =
        Slo::new("check out").success(99.95).latency(99.0, Duration::from_millis(500)).owner("team").over_days(28);
    let export = openslo::export(std::slice::from_ref(&slo), Format::Json).unwrap();
    let objects: Vec<serde_json::Value> = serde_json::from_str(&export.text).unwrap();
    let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("SLO").len(), of("SLI").len(), of("AlertPolicy").len(), of("Service").len()), (2, 2, 8, 1));
    assert_eq!((of("AlertNotificationTarget").len(), of("DataSource").len()), (3, 1));
    let first = of("SLO")[0];
    assert_eq!(first["metadata"]["name"], "check-out-success");
    assert_eq!(first["spec"]["service"], "check-out");
    assert_eq!(first["spec"]["objectives"][0]["target"], 0.9995);
    assert_eq!(first["spec"]["timeWindow"], serde_json::json!([{"duration": "28d", "isRolling": true}]));
    assert_eq!(of("Service")[0]["metadata"]["displayName"], "check out");
    assert_eq!(
        of("SLI")[0]["spec"]["ratioMetric"]["good"]["metricSource"]["spec"]["query"],
        r#"sum(plimsoll_events_total{slo="check out",objective="success",verdict="good"})"#
    );
    let condition = &of("AlertPolicy")[0]["spec"]["conditions"][0]["spec"];
    assert_eq!(condition["severity"], "P0");
    assert_eq!(condition["condition"]["threshold"], 13.44);
    assert_eq!(condition["condition"]["lookbackWindow"], "1h");
    let told: Vec<_> = export.losses.iter().map(ToString::to_string).collect();
    for words in [
        "SLO check out: OpenSLO has no place for `owner`",
        "objective latency: OpenSLO has no place for `threshold`",
        "alert P0 over 1h: OpenSLO has no place for `short`",
    ] {
        assert!(told.iter().any(|told| told.contains(words)), "no {words:?} in {told:#?}");
    }
    // Names of objects are labels of DNS, and no two of a kind are the same.
    let twins = [
        Slo::new("A b").success(99.0),
        Slo::new("a-B").success(99.0),
        Slo::new("ü".repeat(99)).success(99.0),
        Slo::new("a".repeat(99)).success(99.0),
    ];
    let export = openslo::export(&twins, Format::Json).unwrap();
    let objects: Vec<serde_json::Value> = serde_json::from_str(&export.text).unwrap();
    let mut seen = std::collections::HashSet::new();
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(
            (1..=63).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{name}"
        );
        assert!(
            !name.starts_with('-')
                && !name.ends_with('-')
                && seen.insert((object["kind"].to_string(), name.to_owned())),
            "{name}"
        );
    }
    assert_eq!(openslo::import(&export.text, Format::Json).unwrap().slos, twins);
}

#[test]
fn a_field_that_was_changed_holds_against_an_annotation() {
    let slo = Slo::new("checkout")
        .success(90.0)
        .reachable_alerts()
        .severity(Severity::P1)
        .over(40 * 24 * HOUR + Duration::from_secs(61))
        .service("Shop");
    let text = openslo::export(std::slice::from_ref(&slo), Format::Yaml).unwrap().text;
    assert_eq!(read(&text).slos, [slo]);
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "no {from:?} in {text}");
        read(&text.replace(from, to)).slos.remove(0)
    };
    assert_eq!(changed("target: 0.9\n", "target: 0.95\n").objectives()[0].target().as_percent(), 95.0);
    assert_eq!(changed("duration: 57602m", "duration: 40d").period(), Period::Rolling(960 * HOUR));
    assert_eq!(changed("service: shop", "service: store").service_name(), "store");
    let alerts = changed("threshold: 8.0", "threshold: 7").alert_windows();
    assert_eq!((alerts[0].factor(), alerts[0].severity()), (7.0, Severity::P1));
    let alerts = changed("severity: P2", "severity: P1").alert_windows();
    assert_eq!(alerts.iter().filter(|alert| alert.severity() == Severity::P1).count(), 4);
}

#[test]
fn a_kit_has_them_in_files() {
    let slos = [Slo::new("checkout").success(99.9).owner("team"), Slo::new("Shared").success(99.0)];
    let files: Vec<Artifact> =
        Kit::new(slos.clone()).unwrap().files().into_iter().filter(|file| file.path.starts_with("openslo/")).collect();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["openslo/checkout.yaml", "openslo/shared-2.yaml", "openslo/shared.yaml"]);
    assert!(files[0].text.starts_with("# SLO checkout: OpenSLO has no place for `owner`"), "{}", files[0].text);
    let all: String = files.iter().map(|file| file.text.as_str()).collect();
    let import = read(&all);
    assert_eq!((import.slos, import.losses), (slos.to_vec(), vec![]));
}

#[test]
fn hostile_objects_are_refused_soon() {
    for text in [
        "- ".repeat(1 << 19),
        "[".repeat(1 << 20),
        "apiVersion: openslo/v1\n---\n".repeat(30_000),
        format!(
            "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {{name: a}}\nspec: {{type: x, connectionDetails: {}1{}}}",
            "[".repeat(100),
            "]".repeat(100)
        ),
        format!("a: &a [{}]\n", "x,".repeat(1000))
            + &(0..20).map(|i| format!("b{i}: &b{i} [{}]\n", "*a,".repeat(20))).collect::<String>(),
    ] {
        refused(&text, &[""]);
    }
    refused(&" ".repeat(10 << 20), &["over 1048576 bytes"]);
    assert!(openslo::import(b"\xff", Format::Yaml).is_err());
    // Many objects that refer to each other are no more than many.
    let one = |i: u32| format!("---\napiVersion: openslo/v1\nkind: Service\nmetadata: {{name: s{i}}}\nspec: {{}}\n");
    let text: String = (0..900).map(one).collect();
    assert!(read(&text).slos.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_declaration_comes_back_as_it_went_out(slos in prop::collection::vec(any_slo(), 1..3)) {
        let mut slos = slos;
        slos.dedup_by(|a, b| a.name() == b.name());
        for format in FORMATS {
            let text = openslo::export(&slos, format).unwrap().text;
            let import = openslo::import(&text, format).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(&import.slos, &slos, "{}", text);
            prop_assert_eq!(losses(&import), Vec::<String>::new());
        }
    }

    #[test]
    fn any_damage_is_read_or_refused(at in 0_usize..3_000, cut in 0_usize..30, put in "[\\[\\]{}:,'\"&*!|>%@`#\\-a-z0-9 \n]{0,6}") {
        let (from, to) = (at.min(BROUGHT.len()), (at + cut).min(BROUGHT.len()));
        let _ = openslo::import(format!("{}{put}{}", &BROUGHT[..from], &BROUGHT[to..]), Format::Yaml);
    }
}
