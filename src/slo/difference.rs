//! What changes between two declarations of one SLO, and whether it can while it runs.

use super::{AlertWindow, Objective, Slo, text};
use crate::error::Error;
use std::time::Duration;

impl Slo {
    /// Refuses what takes a restart. What is counted by (objectives, thresholds, slices, accounting) and how much is
    /// remembered (the period, the finest step) is fixed when an SLO is first declared, as this was.
    ///
    /// # Errors
    ///
    /// [`Error::needs_restart`], for the first of them that is another in `next`.
    pub(crate) fn can_become(&self, next: &Self) -> Result<(), Error> {
        self.same_counting(next)?;
        self.same_memory(next)
    }

    /// What changes if this is declared as `next`, which it [can become](Self::can_become): in words, and nothing if
    /// nothing does.
    pub(crate) fn difference(&self, next: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut change = |what: &str, from: String, to: String| {
            if from != to {
                changes.push(format!("{what} from {from} to {to}"));
            }
        };
        let said = |text: Option<&str>| text.map_or("none".to_owned(), |text| format!("{text:?}"));
        change("service", said(Some(self.service_name())), said(Some(next.service_name())));
        change("owner", said(self.owner_name()), said(next.owner_name()));
        change("runbook", said(self.runbook_url()), said(next.runbook_url()));
        change("dependencies", self.dependencies.join(", "), next.dependencies.join(", "));
        change("highest severity", self.severity.to_string(), next.severity.to_string());
        change("least events", self.min_events.to_string(), next.min_events.to_string());
        change("scrape interval", text::duration(self.scraped_every()), text::duration(next.scraped_every()));
        for (old, new) in self.objectives.iter().zip(&next.objectives) {
            let name = old.name();
            change(&format!("target of {name:?}"), old.target().to_string(), new.target().to_string());
            change(&format!("alerts of {name:?}"), self.alerts_in_words(old), next.alerts_in_words(new));
        }
        if self.policy != next.policy {
            changes.push("the budget policy".to_owned());
        }
        changes
    }

    /// Refuses what would be counted by other rules.
    fn same_counting(&self, next: &Self) -> Result<(), Error> {
        let names = |slo: &Self| {
            let names: Vec<_> = slo.objectives.iter().map(|objective| format!("{:?}", objective.name())).collect();
            names.join(", ")
        };
        self.unless(names(self) == names(next), "objectives", names(self), names(next))?;
        let threshold = |objective: &Objective| objective.threshold().map_or("none".to_owned(), text::duration);
        let scope =
            |objective: &Objective| if objective.counts_failures() { "all calls" } else { "successes" }.to_owned();
        let slices = |objective: &Objective| {
            let words = |(length, target)| format!("{} at {target}", text::duration(length));
            objective.slices().map_or("none".to_owned(), words)
        };
        for (old, new) in self.objectives.iter().zip(&next.objectives) {
            for (what, from, to) in [
                ("threshold", threshold(old), threshold(new)),
                ("scope", scope(old), scope(new)),
                ("timeslices", slices(old), slices(new)),
            ] {
                self.unless(from == to, &format!("{what} of {:?}", old.name()), from, to)?;
            }
        }
        let same = self.accounting == next.accounting;
        self.unless(same, "accounting", "as it is".to_owned(), "another".to_owned())
    }

    /// Refuses what would need more to be remembered, or finer.
    fn same_memory(&self, next: &Self) -> Result<(), Error> {
        let same = self.period == next.period;
        self.unless(same, "period", self.period.to_string(), next.period.to_string())?;
        let longest = |slo: &Self| {
            let alerts = slo.alert_windows().iter().map(AlertWindow::long).max().unwrap_or_default();
            alerts.max(slo.period.nominal())
        };
        let (from, to) = (longest(self), longest(next));
        self.unless(to <= from, "longest window", text::duration(from), text::duration(to))?;
        let (from, to) = (self.finest_step(), next.finest_step());
        let sixty = |step: Duration| format!("over {}", text::duration(step.saturating_mul(60)));
        self.unless(to >= from, "shortest window", sixty(from), sixty(to))
    }

    fn unless(&self, kept: bool, what: &str, from: String, to: String) -> Result<(), Error> {
        if kept {
            return Ok(());
        }
        Err(Error::fixed(format!(
            "SLO {:?}: its {what} cannot change while it runs, from {from} to {to}: leave it as it is, or restart",
            self.name
        )))
    }

    fn alerts_in_words(&self, objective: &Objective) -> String {
        let words = self.alert_windows_of(objective).into_iter().map(|alert| {
            let held = alert.pending();
            let held = if held.is_zero() { String::new() } else { format!(" for {}", text::duration(held)) };
            let (long, short) = (text::duration(alert.long()), text::duration(alert.short()));
            format!("{} {long}/{short} over {}{held}", alert.severity(), alert.factor())
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}
