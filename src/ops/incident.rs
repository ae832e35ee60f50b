//! What a stretch of the log amounts to, taken for one incident.

use super::status::wall;
use super::timeline::{SECOND, what};
use super::words::duration;
use crate::events::{Event, EventKind};
use crate::slo::Severity;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What has its own state: an alert or a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'a> {
    Alert { slo: &'a str, objective: &'a str, severity: &'a str, long: std::time::Duration },
    Breaker { guard: &'a str, key: Option<&'a str> },
}

/// What is known of an incident.
#[derive(Debug, Default)]
pub(super) struct Incident<'a> {
    began: Option<&'a Event>,
    /// Something was amiss before the first event that is known.
    earlier: bool,
    /// The first alert that paged, and the first that opened a ticket.
    detected: [Option<&'a Event>; 2],
    /// The highest severity that fired: `P0` is the least of strings.
    highest: Option<&'a str>,
    /// What the process did by itself, and what somebody did.
    mitigated: [Option<&'a Event>; 2],
    ended: Option<&'a Event>,
    /// What is not over, in which state.
    amiss: BTreeMap<Who<'a>, &'a str>,
}

impl<'a> Incident<'a> {
    /// The incident of the time since `from`, told from its beginning; none if no alert and no breaker says that something
    /// was amiss.
    pub(super) fn read(events: &'a [Event], from: Timestamp) -> Option<Self> {
        let mut incident = Self::default();
        let (before, since) = events.split_at(events.partition_point(|event| event.at < from));
        for event in before {
            incident.take(event);
            incident = incident.unless_over();
        }
        since.iter().for_each(|event| incident.take(event));
        incident.began.is_some().then_some(incident)
    }

    fn take(&mut self, event: &'a Event) {
        let Some((who, was, now)) = change(&event.kind) else {
            match &event.kind {
                EventKind::Operator { .. } if self.began.is_some() => keep_first(&mut self.mitigated[1], event),
                // Nobody is told how a breaker does whose key was forgotten.
                EventKind::Evicted { guard, key, .. } => _ = self.amiss.remove(&Who::Breaker { guard, key: Some(key) }),
                _ => {}
            }
            return;
        };
        let earlier = was && !self.amiss.contains_key(&who);
        // A breaker that was forced, and let go of, is no incident.
        if self.began.is_none() && (earlier || matches!(now, Some("open" | "would_be_open" | "pending" | "firing"))) {
            (self.began, self.earlier) = (Some(event), earlier);
        }
        if let (Who::Alert { severity, .. }, Some("firing")) = (who, now) {
            keep_first(&mut self.detected[usize::from(severity >= Severity::P2.as_str())], event);
            self.highest = Some(self.highest.map_or(severity, |highest| highest.min(severity)));
        }
        if now == Some("open") {
            keep_first(&mut self.mitigated[0], event);
        }
        match now {
            Some(now) => _ = self.amiss.insert(who, now),
            None => _ = self.amiss.remove(&who),
        }
        if self.began.is_none() || self.amiss.keys().any(|who| self.matters(*who)) {
            self.ended = None;
        } else {
            keep_first(&mut self.ended, event);
        }
    }

    /// Slow alerts go on long after an incident that set off faster ones.
    fn matters(&self, who: Who<'_>) -> bool {
        match who {
            Who::Alert { severity, .. } => self.highest.is_none_or(|highest| severity <= highest),
            Who::Breaker { .. } => true,
        }
    }

    /// Of one that is over only what still goes on.
    fn unless_over(self) -> Self {
        if self.ended.is_some() { Self { amiss: self.amiss, ..Self::default() } } else { self }
    }

    /// As a list in Markdown.
    pub(super) fn tell(&self, page: &mut String) {
        let Some(began) = self.began else { return };
        let after = |event: &Event| match duration(event.at.since(began.at)) {
            _ if event.number == began.number => String::new(),
            after => format!(", {after} after it began"),
        };
        let at = |event: &Event| wall(event.wall, SECOND);
        // Writing to a `String` cannot fail.
        let mut row = |name: &str, text: String| _ = writeln!(page, "- **{name}**: {text}");
        let before = if self.earlier { "before " } else { "" };
        row("Began", format!("{before}{} UTC, by the first sign in the log: {}", at(began), what(&began.kind)));
        let told = |event: &Event| format!("{} UTC{}: {}", at(event), after(event), what(&event.kind));
        let [paged, ticket] = self.detected;
        row("Detected", paged.or(ticket).map_or("no alert fired".to_owned(), told));
        match self.mitigated {
            [None, None] => row("Mitigated", "no breaker opened, and no operator acted".to_owned()),
            by => by.into_iter().flatten().for_each(|event| row("Mitigated", told(event))),
        }
        match self.ended {
            Some(event) => {
                row("Ended", told(event));
                let before = if self.earlier { "over " } else { "" };
                row("Lasted", format!("{before}{}", duration(event.at.since(began.at))));
            }
            None => row("Ended", "not yet".to_owned()),
        }
        if !self.amiss.is_empty() {
            let open: Vec<String> = self.amiss.iter().map(|(who, now)| who.named(now)).collect();
            row("Not over", open.join(", "));
        }
    }
}

impl Who<'_> {
    fn named(&self, now: &str) -> String {
        let name = match self {
            Self::Alert { slo, objective, severity, long } => {
                format!("alert {severity} {slo}/{objective} over {}", duration(*long))
            }
            Self::Breaker { guard, key: None } => format!("breaker {guard}"),
            Self::Breaker { guard, key: Some(key) } => format!("breaker {guard}/{key}"),
        };
        super::markdown::escape(&format!("{name} ({})", now.replace('_', " ")))
    }
}

fn keep_first<'a>(known: &mut Option<&'a Event>, event: &'a Event) {
    *known = known.or(Some(event));
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
            // A ramp may be the end of what was forced.
            let was = matches!(*from, "open" | "half_open" | "would_be_open");
            let who = Who::Breaker { guard, key: key.as_deref() };
            Some((who, was, (*to != "closed").then_some(*to)))
        }
        _ => None,
    }
}
