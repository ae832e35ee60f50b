//! Reads the text exposition format, strictly, and asks `promtool` about it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

/// A series: its name, and its labels in the order of their names.
pub(crate) type Series = (String, BTreeMap<String, String>);

/// A text that was read.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) samples: BTreeMap<Series, f64>,
    /// Kinds by family.
    pub(crate) kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a text; panics where Prometheus would complain.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        let mut helped = BTreeSet::new();
        let mut last = String::new();
        let mut done = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let name = rest.split(' ').next().unwrap();
                assert!(helped.insert(name.to_owned()), "two HELP lines of {name}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(read.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "two TYPE lines of {name}");
            } else {
                let (series, value) = sample(line);
                let family = read.family(&series.0);
                if family != last {
                    assert!(done.insert(family.clone()), "the series of {family} are not together");
                    last = family;
                }
                assert!(read.samples.insert(series, value).is_none(), "twice: {line}");
            }
        }
        read
    }

    fn family(&self, name: &str) -> String {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        base.filter(|base| self.kinds.get(*base).is_some_and(|kind| kind == "histogram")).unwrap_or(name).to_owned()
    }

    /// The one series of a name with these labels, and no others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: BTreeMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *self.samples.get(&key).unwrap_or_else(|| panic!("no series {key:?}"))
    }

    /// All series of a name that have these labels.
    pub(crate) fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = (&'a Series, f64)> {
        self.samples
            .iter()
            .filter(move |((of, has), _)| {
                of == name && labels.iter().all(|(k, v)| has.get(*k).is_some_and(|value| value == v))
            })
            .map(|(series, value)| (series, *value))
    }

    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).map(|(_, value)| value).sum()
    }
}

fn sample(line: &str) -> (Series, f64) {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').unwrap();
        return ((name.to_owned(), BTreeMap::new()), value.parse().unwrap());
    };
    let mut labels = BTreeMap::new();
    let mut chars = rest.chars();
    loop {
        let label: String = chars.by_ref().take_while(|c| *c != '=').collect();
        assert_eq!(chars.next(), Some('"'), "{line}");
        let mut value = String::new();
        loop {
            match chars.next().unwrap_or_else(|| panic!("no end of the label: {line}")) {
                '"' => break,
                '\\' => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('"' | '\\')) => c,
                    other => panic!("escaped {other:?}: {line}"),
                }),
                c => value.push(c),
            }
        }
        assert!(labels.insert(label, value).is_none(), "{line}");
        match chars.next() {
            Some(',') => {}
            Some('}') => break,
            other => panic!("{other:?} after a label: {line}"),
        }
    }
    let value = chars.as_str().strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    ((name.to_owned(), labels), value.parse().unwrap())
}

/// Has `promtool check metrics` say that `text` is well-formed and well-named.
pub(crate) fn promtool(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("promtool does not run ({error}): tests/run.sh installs it, with Debian's package prometheus")
    });
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(said.status.success() && words.trim().is_empty(), "promtool: {words}\n{text}");
}
