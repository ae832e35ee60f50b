//! No declaration gets into the structure of a page: with any text in it, a page has the blocks, links and cells that it has
//! with plain words.

use crate::any_slo::any_slo;
use crate::pages::{accepted_by_promtool, blocks, events, files, pages, rules, script};
use plimsoll::artifacts::Kit;
use plimsoll::{BudgetPolicy, Objective, Slo};
use proptest::prelude::*;
use pulldown_cmark::{Event, Tag, TagEnd};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The SLO with each of its texts put through `name`; texts that are equal stay so.
fn renamed(slo: &Slo, mut name: impl FnMut(&str) -> String) -> Slo {
    let mut new = Slo::new(name(slo.name())).service(name(slo.service_name())).severity(slo.highest_severity());
    new = slo.owner_name().map(&mut name).into_iter().fold(new, Slo::owner);
    new = slo.dependencies().map(&mut name).collect::<Vec<_>>().into_iter().fold(new, Slo::depends_on);
    let period = slo.period();
    new = match period {
        plimsoll::Period::Rolling(length) => new.over(length),
        plimsoll::Period::CalendarMonth => new.over_calendar_month(),
    };
    let mut policy = BudgetPolicy::default().postmortem_over(slo.policy().postmortem());
    policy = policy.when_exhausted(name(slo.policy().exhausted()));
    policy = slo.policy().steps().fold(policy, |policy, (percent, action)| policy.under(percent, name(action)));
    let objectives: Vec<Objective> =
        slo.objectives().iter().map(|objective| objective.clone().named(name(objective.name()))).collect();
    new = objectives.into_iter().fold(new, Slo::objective).alerts(slo.alert_windows()).reachable_alerts();
    new.budget_policy(policy)
        .accounting(slo.sli_accounting())
        .min_events(slo.least_events())
        .scrape_interval(slo.scraped_every())
}

/// Everything but words.
fn structure(text: &str) -> String {
    let mut shape = String::new();
    let mut in_code = false;
    for event in events(text) {
        match event {
            Event::Start(Tag::Link { .. }) => shape.push_str("link "),
            Event::Start(Tag::CodeBlock(kind)) => {
                in_code = true;
                _ = writeln!(shape, "{kind:?}");
            }
            Event::End(TagEnd::CodeBlock) => in_code = false,
            // Lines of code are counted: a name has none.
            Event::Text(code) if in_code => _ = writeln!(shape, "lines {}", code.lines().count()),
            Event::Start(tag) => _ = writeln!(shape, "{tag:?}"),
            Event::End(tag) => _ = writeln!(shape, "end {tag:?}"),
            Event::Code(_) => shape.push_str("code "),
            Event::Html(_) | Event::InlineHtml(_) => shape.push_str("HTML "),
            Event::Rule | Event::HardBreak | Event::TaskListMarker(_) | Event::SoftBreak => {
                _ = writeln!(shape, "{event:?}")
            }
            _ => {}
        }
    }
    assert!(!shape.contains("HTML"), "{text}");
    shape
}

/// Bash, with a text on its standard input.
fn bash(arguments: &[&str], input: &str) -> std::process::Output {
    let mut child = Command::new("bash")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || to.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

/// Kubernetes takes the names (RFC 1123), and files are called after them.
fn names(kit: &Kit) {
    for file in files(kit).into_iter().filter(|file| file.path.starts_with("kubernetes/")) {
        let object: serde_json::Value = serde_saphyr::from_str(&file.text).unwrap();
        let Some(name) = object["metadata"]["name"].as_str() else {
            continue;
        };
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(plain && !name.starts_with('-') && !name.ends_with('-') && (1..=63).contains(&name.len()), "{name}");
        assert!(file.path.starts_with(&format!("kubernetes/{name}-")), "{}", file.path);
    }
}

/// What Markdown makes something of.
const MARKUP: [&str; 16] = [
    "`a`",
    "*a*",
    "**a**",
    "_a_ ",
    "~~a~~",
    "[a](b)",
    "![a](b)",
    "<b>",
    "<!-- a -->",
    "<https://a.example>",
    "|a|",
    "](a)",
    "&lt;b&gt;",
    "\\",
    "``` ",
    "# ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_gets_into_the_structure_of_a_page(slo in any_slo(), markup in prop::sample::select(MARKUP.to_vec())) {
        let mut words = BTreeMap::new();
        let plain = renamed(&slo, |text| {
            let next = words.len();
            words.entry(text.to_owned()).or_insert_with(|| format!("plain{next}")).clone()
        });
        let odd = renamed(&slo, |text| format!("{markup}{text}{markup}"));
        prop_assume!(plain.validate().is_ok() && odd.validate().is_ok());
        let (odd, plain) = (pages(&Kit::new([odd]).unwrap()), pages(&Kit::new([plain]).unwrap()));
        prop_assert_eq!(odd.len(), plain.len());
        for (odd, plain) in odd.iter().zip(&plain) {
            prop_assert_eq!(structure(&odd.text), structure(&plain.text), "{}", odd.text);
        }
    }

    #[test]
    fn every_declaration_writes_commands_queries_and_names_that_tools_take(slo in any_slo()) {
        let kit = Kit::new([slo]).unwrap();
        let script = script(&kit);
        let parsed = bash(&["-n"], &script);
        prop_assert!(parsed.status.success(), "{}\n{script}", String::from_utf8_lossy(&parsed.stderr));
        // A query that is handed over in a command arrives as the shell makes it.
        let mut queries: Vec<String> = Vec::new();
        let mut asked = String::from("promtool() { printf '%s\\n' \"$4\"; }\n");
        for page in pages(&kit) {
            queries.extend(blocks(&page.text, "promql").iter().map(|query| query.trim_end().to_owned()));
            for line in blocks(&page.text, "sh").iter().flat_map(|block| block.lines()) {
                if line.starts_with("promtool query ") {
                    asked.extend([line, "\n"]);
                }
            }
        }
        names(&kit);
        let asked = bash(&[], &asked);
        prop_assert!(asked.status.success());
        queries.extend(String::from_utf8(asked.stdout).unwrap().lines().map(str::to_owned));
        accepted_by_promtool(&rules(queries));
    }
}
