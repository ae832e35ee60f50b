//! Runbooks and pages: their links lead somewhere, their commands and queries are what tools take.

use crate::artifacts::{Folder, messaging, storefront};
use plimsoll::Slo;
use plimsoll::artifacts::{Artifact, Kit};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A name that every format has something to say about.
pub(crate) const ODD: &str = "a'b\"c `$(x)` {{y}} [z](w) <i> | # \\ – ü %/?&";

/// A kit in which every text is odd.
pub(crate) fn odd() -> Kit {
    let owed = Slo::new(format!("{ODD} 2")).service(ODD).owner(ODD).success(99.9);
    let slo = Slo::new(ODD).service(ODD).owner(ODD).success(99.9).latency(99.0, Duration::from_millis(300));
    Kit::new([slo.depends_on(format!("{ODD} 2")).depends_on("elsewhere *x*"), owed]).unwrap()
}

/// An SLO that is called as a route is.
pub(crate) fn timeline() -> Kit {
    Kit::new([Slo::new("timeline").success(99.9)]).unwrap()
}

/// A kit's pages. All files are written for it, which takes a while: once for each kit of these tests.
pub(crate) fn pages(kit: &Kit) -> Vec<Artifact> {
    let mut pages = files(kit);
    pages.retain(|file| file.path.ends_with(".md"));
    assert!(pages.len() > 10, "{} pages", pages.len());
    pages
}

pub(crate) fn files(kit: &Kit) -> Vec<Artifact> {
    static WRITTEN: Mutex<BTreeMap<String, Vec<Artifact>>> = Mutex::new(BTreeMap::new());
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    written.entry(format!("{kit:?}")).or_insert_with(|| kit.files()).clone()
}

pub(crate) fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS)
}

/// The code blocks of a language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut inside) = (Vec::new(), false);
    for event in events(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(name))) => {
                assert!(["sh", "promql"].contains(&&*name), "a block of {name:?}");
                inside = *name == *language;
                if inside {
                    blocks.push(String::new());
                }
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(line) if inside => blocks.last_mut().unwrap().push_str(&line),
            _ => {}
        }
    }
    blocks
}

fn kits() -> [Kit; 4] {
    [storefront(), messaging(), odd(), timeline()]
}

/// Headings as GitHub names them, and links.
fn anchors_and_links(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut anchors, mut links, mut heading) = (BTreeSet::new(), Vec::new(), None);
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let title = heading.take().unwrap().to_lowercase().replace(' ', "-");
                anchors.insert(title.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect());
            }
            Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|title| title.push_str(&text)),
            Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
            _ => {}
        }
    }
    (anchors, links)
}

#[test]
fn every_link_leads_somewhere() {
    for kit in kits() {
        let files: BTreeMap<String, String> = files(&kit).into_iter().map(|file| (file.path, file.text)).collect();
        for page in pages(&kit) {
            let (_, links) = anchors_and_links(&page.text);
            for link in links.iter().filter(|link| !link.starts_with("https://")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let path = match path.strip_prefix("../") {
                    _ if path.is_empty() => page.path.clone(),
                    Some(above) => above.to_owned(),
                    None if folder.is_empty() => path.to_owned(),
                    None => format!("{folder}/{path}"),
                };
                let to = files.get(&path).unwrap_or_else(|| panic!("{}: no {path}", page.path));
                let there = anchor.is_empty() || anchors_and_links(to).0.contains(anchor);
                assert!(there, "{}: no heading #{anchor} in {path}", page.path);
            }
        }
    }
}

#[test]
fn every_alert_has_its_runbook_and_they_agree_on_times() {
    for kit in [storefront(), messaging()] {
        let files: BTreeMap<String, String> = files(&kit).into_iter().map(|file| (file.path, file.text)).collect();
        let rules = files.iter().filter(|(path, _)| path.starts_with("prometheus/rules/"));
        let (mut seen, mut waits) = (BTreeSet::new(), "");
        for line in rules.flat_map(|(_, text)| text.lines()) {
            if line.trim_start().starts_with("- alert:") {
                waits = "";
            }
            waits = line.trim().strip_prefix("for: ").unwrap_or(waits);
            let Some(url) = line.trim().strip_prefix("runbook_url: ") else {
                continue;
            };
            let page = url.trim_matches('"').strip_prefix("https://runbooks.example/").unwrap();
            let text = files.get(&format!("runbooks/{page}")).unwrap_or_else(|| panic!("no runbook {page}"));
            if !page.contains("-error-budget-") && !waits.is_empty() {
                let minutes = waits.trim_end_matches('m');
                let words = if minutes == "1" { "1 minute".to_owned() } else { format!("{minutes} minutes") };
                assert!(text.contains(&words), "{page} does not say {words}");
            }
            seen.insert(page.to_owned());
        }
        let written: BTreeSet<String> =
            files.keys().filter_map(|path| path.strip_prefix("runbooks/")).map(str::to_owned).collect();
        assert_eq!(seen, written, "a runbook for each alert, and no other");
    }
}

#[test]
fn the_first_screen_of_a_runbook_has_what_to_type() {
    for page in kits().iter().flat_map(pages).filter(|page| page.path.starts_with("runbooks/")) {
        let lines: Vec<&str> = page.text.lines().collect();
        let first = lines.iter().position(|line| *line == "```sh").unwrap();
        assert!(first <= 9, "{}: the first command is in line {first}", page.path);
        let most = if page.path.contains("-error-budget-burn") { 190 } else { 130 };
        assert!(lines.len() <= most, "{} has {} lines", page.path, lines.len());
        for words in ["## First five minutes", "## Escalate", "## It is over when", "## Afterwards", "15 minutes"] {
            assert!(page.text.contains(words), "{}: no {words:?}", page.path);
        }
    }
}

#[test]
fn readme_names_everything_in_the_kit() {
    for kit in [storefront(), messaging()] {
        let files = files(&kit);
        let readme = &files.iter().find(|file| file.path == "README.md").unwrap().text;
        for file in files.iter().filter(|file| file.path != "README.md") {
            let top = file.path.split_inclusive('/').next().unwrap();
            assert!(readme.contains(&format!("`{top}")), "{top} ({})", file.path);
        }
    }
}

/// Runs a checker on a text and says what it said, if it refused.
fn refused(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let folder = Folder::new(&format!("refused-{program}-{:?}", std::thread::current().id()));
    let file = folder.path().join("input");
    std::fs::write(&file, input).unwrap();
    let checked = Command::new(program).args(arguments).arg(&file).stdin(Stdio::null()).output();
    let checked = checked.unwrap_or_else(|error| panic!("{program} does not run ({error}): tests/run.sh installs it"));
    let said = || {
        let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
        format!("{program}: {out}{err}")
    };
    (!checked.status.success()).then(said)
}

/// All commands of a kit, a block after the other, each in a subshell.
pub(crate) fn script(kit: &Kit) -> String {
    let mut script = String::from("#!/bin/bash\n");
    for page in pages(kit) {
        for block in blocks(&page.text, "sh") {
            _ = write!(script, "# {}\n(\n{block})\n", page.path);
        }
    }
    script
}

/// Rules that have each query as their expression.
pub(crate) fn rules(queries: impl IntoIterator<Item = String>) -> String {
    let rules: BTreeSet<String> = queries.into_iter().collect();
    assert!(!rules.is_empty());
    let rules: Vec<serde_json::Value> =
        rules.iter().enumerate().map(|(n, q)| serde_json::json!({"record": format!("q:{n}"), "expr": q})).collect();
    serde_json::json!({"groups": [{"name": "pages", "rules": rules}]}).to_string()
}

#[track_caller]
pub(crate) fn accepted_by_promtool(rules: &str) {
    assert_eq!(refused("promtool", &["check", "rules", "--lint=none"], rules), None, "{rules}");
}

#[test]
fn every_command_is_bash() {
    for kit in kits() {
        let script = script(&kit);
        assert_eq!(refused("bash", &["-n"], &script), None, "{script}");
        // In a subshell each block may set what it likes.
        let checked = refused("shellcheck", &["--severity=warning", "--exclude=SC2030,SC2031"], &script);
        assert_eq!(checked, None, "{script}");
    }
}

#[test]
fn every_query_is_promql() {
    for kit in kits() {
        let queries = pages(&kit).into_iter().flat_map(|page| blocks(&page.text, "promql"));
        accepted_by_promtool(&rules(queries.map(|query| query.trim_end().to_owned())));
    }
}

#[test]
fn headings_go_down_step_by_step() {
    for page in kits().iter().flat_map(pages) {
        let mut last = None;
        for event in events(&page.text) {
            let Event::Start(Tag::Heading { level, .. }) = event else {
                continue;
            };
            let depth = level as usize;
            assert!(depth <= last.map_or(1, |last: HeadingLevel| last as usize + 1), "{}", page.path);
            assert!(last.is_none() || depth > 1, "{}: two titles", page.path);
            last = Some(level);
        }
    }
}
