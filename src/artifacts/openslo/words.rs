//! Names, durations and queries as OpenSLO and Prometheus write them.

use crate::names::{self, label};
use std::time::Duration;

/// The units of the format's durations, in minutes; months, quarters and years are counted in days as its own tools do.
const UNITS: [(char, u64); 7] =
    [('d', 1_440), ('h', 60), ('m', 1), ('w', 10_080), ('M', 43_200), ('Q', 129_600), ('Y', 525_600)];

/// `30d`, `4w`, `5m`: a whole number and a unit.
pub(super) fn parse_duration(given: &str) -> Option<Duration> {
    let unit = given.chars().next_back()?;
    let digits = given.strip_suffix(unit)?;
    let (_, minutes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok())??;
    Some(Duration::from_secs(number.checked_mul(*minutes)?.checked_mul(60)?))
}

/// A duration in whole minutes, rounded up, in the largest unit that divides them.
pub(super) fn duration(d: Duration) -> String {
    let minutes = d.as_nanos().div_ceil(60_000_000_000);
    let (unit, length) =
        UNITS[..3].iter().find(|(_, length)| minutes.is_multiple_of(u128::from(*length))).unwrap_or(&('m', 1));
    match minutes {
        0 => "0m".to_owned(),
        _ => format!("{}{unit}", minutes / u128::from(*length)),
    }
}

/// The events of an objective, summed over instances: `good`, `bad`, or both.
pub(super) fn query(slo: &str, objective: &str, verdict: Option<&str>) -> String {
    let verdict = verdict.map_or("=~\"good|bad\"".to_owned(), |verdict| format!("=\"{verdict}\""));
    format!(
        "sum({}{{{}=\"{}\",{}=\"{}\",{}{verdict}}})",
        names::EVENTS,
        label::SLO,
        escape(slo),
        label::OBJECTIVE,
        escape(objective),
        label::VERDICT,
    )
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A query that selects the events of an objective, and nothing else that matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) slo: String,
    pub(super) objective: String,
    /// `None` for the good and the bad ones.
    pub(super) verdict: Option<String>,
    /// Labels that narrow it down.
    pub(super) rest: Vec<String>,
}

/// Reads a query as [`query`] writes them, with labels in any order and with or without the sum.
pub(super) fn parse_query(query: &str) -> Option<Selected> {
    let query = query.trim();
    let inner =
        query.strip_prefix("sum").map(str::trim_start).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
    let selector = inner.unwrap_or(query).trim().strip_prefix(names::EVENTS)?.trim_start();
    let mut rest = selector.strip_prefix('{')?.trim_start();
    let mut found = [None, None, None];
    let mut both = false;
    let mut others = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix('}') {
            let [slo, objective, verdict] = found;
            if !end.trim().is_empty() || (verdict.is_none() && !both) {
                return None;
            }
            return Some(Selected { slo: slo?, objective: objective?, verdict, rest: others });
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, after) = rest.split_at(end);
        let quote = after.find('"')?;
        let (matcher, (value, after)) = (after[..quote].trim(), text(&after[quote + 1..])?);
        match [label::SLO, label::OBJECTIVE, label::VERDICT].iter().position(|known| *known == name) {
            Some(place) if matcher == "=" && found[place].is_none() => found[place] = Some(value),
            Some(2) if matcher == "=~" && ["good|bad", "bad|good"].contains(&value.as_str()) => both = true,
            Some(_) => return None,
            None => others.push(format!("{name}{matcher}{value:?}")),
        }
        rest = after.trim_start();
        rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
    }
}

/// What is left of a string after its opening quote: its content, and what comes after the closing one.
fn text(rest: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((content, &rest[at + 1..])),
            '\\' => content.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                c @ ('\\' | '"' | '\'') => c,
                _ => return None,
            }),
            c => content.push(c),
        }
    }
    None
}
