//! What a stretch of the log amounts to, taken for one incident.

use super::status::wall;
use super::timeline::{SECOND, what};
use super::words::duration;
use crate::events::{Event, EventKind};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What has its own state: an alert or a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'a> {
    Alert { slo: &'a str, objective: &'a str, severity: &'a str, long: std::time::Duration },
    Breaker { guard: &'a str, key: Option<&'a str> },
}

#[derive(Debug)]
pub(super) struct Incident<'a> {
    began: &'a Event,
    /// Something was amiss before the first event that is known.
    earlier: bool,
    detected: Option<&'a Event>,
    /// What the process did by itself, and what somebody did.
    mitigated: [Option<&'a Event>; 2],
    ended: Option<&'a Event>,
    /// What is not over yet, and in which state.
    open: Vec<String>,
}

impl<'a> Incident<'a> {
    /// Nothing, if no alert and no breaker says that something was amiss.
    pub(super) fn read(events: &[&'a Event]) -> Option<Self> {
        let mut amiss: BTreeMap<Who<'a>, (&'a str, &'a Event)> = BTreeMap::new();
        let (mut began, mut earlier) = (None, false);
        let (mut detected, mut mitigated) = (None, [None, None]);
        let highest = events.iter().filter_map(|event| fired(&event.kind)).min();
        let mut ended = None;
        for event in events.iter().copied() {
            let Some((who, before, now)) = change(&event.kind) else {
                match &event.kind {
                    EventKind::Operator { .. } if began.is_some() => mitigated[1] = mitigated[1].or(Some(event)),
                    // Nobody is told how a breaker does whose key was forgotten.
                    EventKind::Evicted { guard, key, .. } => {
                        amiss.remove(&Who::Breaker { guard, key: Some(key) });
                    }
                    _ => {}
                }
                continue;
            };
            // Only alerts and breakers that decided for themselves begin an incident: a forced breaker alone is none.
            let began_earlier = before && !amiss.contains_key(&who);
            let forced = now.is_some_and(|now| now.starts_with("forced"));
            if began.is_none() && (began_earlier || (now.is_some() && !forced)) {
                (began, earlier) = (Some(event), began_earlier);
            }
            if fired(&event.kind).is_some() {
                detected = detected.or(Some(event));
            }
            if began.is_some() && now == Some("open") {
                mitigated[0] = mitigated[0].or(Some(event));
            }
            match now {
                Some(now) => _ = amiss.insert(who, (now, event)),
                None => _ = amiss.remove(&who),
            }
            let matters = |who: &Who<'_>| match who {
                Who::Alert { severity, .. } => highest.is_none_or(|highest| *severity <= highest),
                Who::Breaker { .. } => true,
            };
            if began.is_some() && !amiss.keys().any(matters) {
                ended = ended.or(Some(event));
            } else if matters(&who) {
                ended = None;
            }
        }
        let open = amiss.iter().map(|(who, (now, _))| who.named(now)).collect();
        Some(Self { began: began?, earlier, detected, mitigated, ended, open })
    }

    /// As a list in Markdown.
    pub(super) fn tell(&self, page: &mut String) {
        let after = |event: &Event| match duration(event.at.since(self.began.at)) {
            _ if event.number == self.began.number => String::new(),
            after => format!(", {after} after it began"),
        };
        let at = |event: &Event| wall(event.wall, SECOND);
        // Writing to a `String` cannot fail.
        let mut row = |name: &str, text: String| _ = writeln!(page, "- **{name}**: {text}");
        let before = if self.earlier { "before " } else { "" };
        row(
            "Began",
            format!("{before}{} UTC, by the first sign in the log: {}", at(self.began), what(&self.began.kind)),
        );
        let told = |event: &Event| format!("{} UTC{}: {}", at(event), after(event), what(&event.kind));
        row("Detected", self.detected.map_or("no alert fired".to_owned(), told));
        match self.mitigated {
            [None, None] => row("Mitigated", "no breaker opened, and no operator acted".to_owned()),
            by => by.into_iter().flatten().for_each(|event| row("Mitigated", told(event))),
        }
        match self.ended {
            Some(event) => {
                row("Ended", told(event));
                let before = if self.earlier { "over " } else { "" };
                row("Lasted", format!("{before}{}", duration(event.at.since(self.began.at))));
            }
            None => row("Ended", "not yet".to_owned()),
        }
        if !self.open.is_empty() {
            row("Not over", self.open.join(", "));
        }
    }
}

impl Who<'_> {
    fn named(&self, now: &str) -> String {
        let name = match self {
            Self::Alert { slo, objective, severity, .. } => format!("alert {severity} {slo}/{objective}"),
            Self::Breaker { guard, key: None } => format!("breaker {guard}"),
            Self::Breaker { guard, key: Some(key) } => format!("breaker {guard}/{key}"),
        };
        super::markdown::escape(&format!("{name} ({})", now.replace('_', " ")))
    }
}

/// The severity of an alert that fires here: `P0` is the least of strings, and the highest of severities.
fn fired(kind: &EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Alert { state: "firing", severity, .. } => Some(severity),
        _ => None,
    }
}

/// Who changed, whether it was amiss before, and the state it is in if it is amiss now.
fn change(kind: &EventKind) -> Option<(Who<'_>, bool, Option<&'static str>)> {
    match kind {
        EventKind::Alert { slo, objective, severity, state, long, .. } => {
            let over = matches!(*state, "resolved" | "withdrawn");
            let who = Who::Alert { slo, objective, severity, long: *long };
            Some((who, over, (!over).then_some(*state)))
        }
        EventKind::Breaker { guard, key, from, to, .. } => {
            let calm = |state: &str| state == "closed";
            let who = Who::Breaker { guard, key: key.as_deref() };
            Some((who, !calm(from) && !from.starts_with("forced"), (!calm(to)).then_some(*to)))
        }
        _ => None,
    }
}
