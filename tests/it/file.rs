//! Declarations in files: what is read, what is written, and what is refused, with line and path.

use crate::any_slo::any_slo;
use plimsoll::file::{self, Format};
use plimsoll::{Accounting, AlertWindow, BudgetPolicy, Error, Objective, Outcome, Period, Severity, Slo, Verdict};
use proptest::prelude::*;
use std::time::Duration;

const FORMATS: [Format; 3] = [Format::Toml, Format::Yaml, Format::Json];
const MINUTE: Duration = Duration::from_secs(60);

/// Everything that can be said.
const FULL: &str = r#"
[[slos]]
name = "checkout"
service = "shop"
owner = "team-checkout"
runbook = "https://runbooks.example/checkout"
period = "28d"
severity = "P1"
min_events = 20
scrape_interval = "30s"
reachable_alerts = true

[[slos.objectives]]
target = 99.95

[[slos.objectives]]
target = "99"
threshold = "500ms"

[[slos.objectives]]
name = "quick"
target = 90
threshold = "1500us"
of_successes = true
timeslices = { length = "1m", target = 95.0 }

[[slos.more_alerts]]
severity = "P1"
long = "2h"
short = "10m"
factor = 10
held_for = "90s"

[slos.budget_policy]
postmortem_over = 30
when_exhausted = "pray"
under = [{ percent = 20, action = "freeze" }, { percent = 50.5, action = "slow down" }]

[slos.accounting]
degraded = "bad"
failure_client = "excluded"
late_abandoned = "excluded"

[[slos]]
name = "presence"
period = "calendar month"
objectives = [{ target = 99.9 }]
alerts = []
"#;

fn full() -> [Slo; 2] {
    let quick = Objective::latency(90.0, Duration::from_micros(1_500)).named("quick").of_successes();
    let checkout = Slo::new("checkout")
        .success(99.95)
        .latency(99.0, Duration::from_millis(500))
        .objective(quick.timeslices(MINUTE, 95.0))
        .service("shop")
        .owner("team-checkout")
        .runbook("https://runbooks.example/checkout")
        .over_days(28)
        .severity(Severity::P1)
        .min_events(20)
        .scrape_interval(Duration::from_secs(30))
        .reachable_alerts()
        .alert(AlertWindow::new(Severity::P1, 120 * MINUTE, 10 * MINUTE, 10.0).held_for(Duration::from_secs(90)))
        .budget_policy(
            BudgetPolicy::default()
                .under(20.0, "freeze")
                .under(50.5, "slow down")
                .postmortem_over(30.0)
                .when_exhausted("pray"),
        )
        .accounting(
            Accounting::sli()
                .with(Outcome::Degraded, Verdict::Bad)
                .with(Outcome::Failure(plimsoll::FailureClass::Client), Verdict::Excluded)
                .with_late_abandoned(Verdict::Excluded),
        );
    [checkout, Slo::new("presence").success(99.9).over_calendar_month().alerts(Vec::new())]
}

/// Refused with all of these words.
#[track_caller]
pub(crate) fn refused(text: impl AsRef<[u8]>, format: Format, words: &[&str]) -> Error {
    let error = file::read(text, format).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
    error
}

#[test]
fn a_file_says_what_the_builder_says() {
    assert_eq!(file::read(FULL, Format::Toml).unwrap(), full());
    for format in FORMATS {
        let text = file::write(&full(), format).unwrap();
        assert_eq!(file::read(&text, format).unwrap(), full(), "{text}");
    }
}

#[test]
fn what_is_left_out_is_as_in_the_builder() {
    for (text, format) in [
        ("slos:\n- name: checkout\n  objectives:\n  - target: 99.9", Format::Yaml),
        ("slos: [{name: checkout, objectives: [{target: 99.9}]}]", Format::Yaml),
        (r#"{"slos": [{"name": "checkout", "objectives": [{"target": 99.9}]}]}"#, Format::Json),
        ("slos = [{ name = 'checkout', objectives = [{ target = 99.9 }] }]", Format::Toml),
    ] {
        assert_eq!(file::read(text, format).unwrap(), [Slo::new("checkout").success(99.9)]);
    }
}

#[test]
fn yaml_may_share_parts() {
    let text = "
slos:
- &base
  name: checkout
  owner: team-checkout
  objectives: [{target: 99.9}]
- <<: *base
  name: payments
";
    let slos = file::read(text, Format::Yaml).unwrap();
    assert_eq!(slos[1], Slo::new("payments").success(99.9).owner("team-checkout"));
}

#[test]
fn what_is_wrong_is_told_with_line_and_path() {
    let toml = |text: &str| format!("[[slos]]\nname = 'a'\n{text}");
    for (text, words) in [
        ("ownr = 'x'", &["line 3, slos[0].ownr: unknown field `ownr`", "`owner`"][..]),
        (
            "[[slos.objectives]]\ntarget = 100",
            &["line 4, slos[0].objectives[0].target: a target of 100 %", "such as 99.9"],
        ),
        ("objectives = [{ target = 99.99999999 }]", &["line 3, slos[0].objectives[0].target", "7 decimals"]),
        ("objectives = [{ target = '99.900000000000000001' }]", &["line 3", "7 decimals"]),
        ("objectives = [{ target = 'most' }]", &["line 3", "\"most\" is no target"]),
        ("objectives = [{ target = nan }]", &["line 3", "NaN"]),
        (
            "[[slos.objectives]]\ntarget = 99.0\nthreshold = 500",
            &["line 5, slos[0].objectives[0].threshold", "a duration, such as"],
        ),
        ("[[slos.objectives]]\ntarget = 99.0\nthreshold = '0.5s'", &["line 5", "\"0.5s\" is no duration", "500ms"]),
        ("period = '99999999999999999999d'", &["line 3, slos[0].period", "is no duration"]),
        ("period = '18446744073709551615d'", &["line 3, slos[0].period", "is no duration"]),
        ("period = 'a month'", &["\"a month\" is no duration", "or \"calendar month\""]),
        ("severity = 'high'", &["line 3, slos[0].severity: \"high\" is no severity", "\"P2\""]),
        ("[[slos.objectives]]\nname = 'x'", &["line 3, slos[0].objectives[0]: missing field `target`"]),
        ("min_events = -1", &["line 3, slos[0].min_events: invalid value: integer `-1`"]),
        ("min_events = 99999999999999999999", &["line 3", "too large"]),
        ("[slos.accounting]\nrefused = 'bad'", &["line 4, slos[0].accounting.refused", "write one of success, slow"]),
        (
            "[slos.accounting]\nshed = 'evil'",
            &["line 4, slos[0].accounting.shed: unknown variant `evil`", "`excluded`"],
        ),
        ("min_events = 5\nmin_events = 5", &["line 4", "no TOML"]),
        ("objectives = [", &["line 3", "no TOML"]),
    ] {
        assert!(refused(toml(text), Format::Toml, words).is_unreadable());
    }
    for (text, words) in [
        ("slos:\n- name: a\n  nme: b", &["line 3, slos[0].nme: unknown field"][..]),
        ("slos:\n- name: a\n  name: b", &["line 3", "no YAML"]),
        ("slos:\n- name: 12\n", &["line 2, slos[0].name: invalid type: integer `12`"]),
        ("slos:\n- name: a\n  objectives:\n  - {target: .nan}", &["line 4", "no YAML"]),
        ("slos:\n- name: a\n  objectives:\n  - {target: !!float 1e999}", &["line 4"]),
        ("slos: [{name: a, reachable_alerts: yes}]", &["line 1, slos[0].reachable_alerts", "a boolean"]),
        ("slos: []\n---\nslos: []", &["2 documents"]),
        ("", &["0 documents"]),
        ("slos:\n\t- name: a", &["line 2", "no YAML"]),
        ("slos: !slo [a]", &["no YAML"]),
        ("slo: []", &["line 1, slo: unknown field `slo`"]),
    ] {
        assert!(refused(text, Format::Yaml, words).is_unreadable());
    }
    for (text, words) in [
        ("{\"slos\": [\n{\"name\": \"a\",\n \"nme\": 1}]}", &["line 3, slos[0].nme: unknown field"][..]),
        ("{\"slos\": [\n{\"name\": \"a\",\n \"name\": \"b\"}]}", &["line 3, slos[0].name: the key is there twice"]),
        ("{\"slos\": [\n{\"name\": NaN}]}", &["line 2", "no JSON"]),
        ("{\"slos\": [], }", &["line 1", "no JSON"]),
        ("{\"slos\":\n[{\"name\": \"a\", \"min_events\": 1e999}]}", &["line 2", "no JSON"]),
        ("{\"slos\": []} x", &["line 1", "no JSON"]),
    ] {
        assert!(refused(text, Format::Json, words).is_unreadable());
    }
}

#[test]
fn what_cannot_work_is_told_with_its_line() {
    let text = "slos:\n- name: a\n  objectives: [{target: 99.9}]\n- name: b\n  objectives: [{target: 90}]";
    assert!(refused(text, Format::Yaml, &["line 4, slos[1]: SLO \"b\"", ".reachable_alerts()"]).is_unreachable());
    let text = "[[slos]]\nname='a'\nobjectives=[{target=99}]\n[[slos]]\nname='a'\nobjectives=[{target=99}]";
    assert!(refused(text, Format::Toml, &["line 4, slos[1]", "in the file already"]).is_duplicate());
    let nothing = Slo::new("a").success(100.0);
    assert!(file::write(&[nothing], Format::Toml).unwrap_err().is_invalid());
}

#[test]
fn a_path_is_read_by_its_ending() {
    let folder = std::env::temp_dir().join(format!("plimsoll-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (ending, format) in
        [("toml", Format::Toml), ("yml", Format::Yaml), ("YAML", Format::Yaml), ("json", Format::Json)]
    {
        let path = folder.join(format!("slos.{ending}"));
        std::fs::write(&path, file::write(&full(), format).unwrap()).unwrap();
        assert_eq!(file::read_path(&path).unwrap(), full());
        std::fs::write(&path, "}").unwrap();
        assert!(file::read_path(&path).unwrap_err().to_string().starts_with(&format!("{}: ", path.display())));
    }
    for (name, word) in [("slos.ini", "must end in .toml"), ("none.toml", "none.toml: "), ("slos", "must end in")] {
        let error = file::read_path(folder.join(name)).unwrap_err();
        assert!(error.is_unreadable() && error.to_string().contains(word), "{error}");
    }
    assert!(file::read_path(folder.join("..").join("x.toml").join("y.toml")).unwrap_err().is_unreadable());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn each_type_reads_and_writes_itself() {
    let [slo, _] = full();
    let value = serde_json::to_value(&slo).unwrap();
    assert_eq!(value["period"], "28d");
    assert_eq!(value["objectives"][0]["target"], 99.95);
    assert_eq!(serde_json::from_value::<Slo>(value).unwrap(), slo);
    assert_eq!(serde_json::from_str::<Period>("\"calendar month\"").unwrap(), Period::CalendarMonth);
    assert_eq!(serde_json::from_str::<Severity>("\"P2\"").unwrap(), Severity::P2);
    let objective: Objective = serde_json::from_str(r#"{"target": "99.9 %", "threshold": "1s"}"#).unwrap();
    assert_eq!(objective, Objective::latency(99.9, Duration::from_secs(1)));
    assert!(serde_json::to_string(&Objective::success(0.0)).unwrap_err().to_string().contains("cannot be kept"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_declaration_is_read_as_it_was_written(slos in prop::collection::vec(any_slo(), 1..3)) {
        let mut slos = slos;
        slos.dedup_by(|a, b| a.name() == b.name());
        for format in FORMATS {
            let text = file::write(&slos, format).unwrap();
            let read = file::read(&text, format);
            prop_assert_eq!(read.as_ref(), Ok(&slos), "{:?}\n{}", format, text);
        }
    }
}
