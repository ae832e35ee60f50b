//! What every runbook has: who is concerned, what to type first, when to call whom, how it ends.

use super::super::commands as run;
use super::super::page::{Page, listed};
use super::super::text::{in_words, link, markdown, rounded};
use super::super::{Alarm, Kit, Subject};
use crate::slo::{Severity, Slo};
use std::time::Duration;

/// How long somebody tries alone.
pub(in crate::artifacts) const ESCALATE: &str = "15 minutes";

/// How much of an SLO's calls may be shed, and how long a breaker may be open: as the rules have it.
pub(super) const SHED_OVER: &str = "5 %";

/// What a runbook is about.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) kit: &'a Kit,
    pub(super) subjects: &'a [Subject<'a>],
    pub(super) subject: &'a Subject<'a>,
}

impl<'a> About<'a> {
    pub(super) fn slo(&self) -> &'a Slo {
        self.subject.slo
    }

    /// The SLO's name, as Markdown.
    pub(super) fn name(&self) -> String {
        markdown(self.slo().name())
    }

    /// The service's name, as Markdown.
    pub(super) fn service(&self) -> String {
        markdown(self.slo().service_name())
    }

    /// What objects of the service are called in Kubernetes.
    pub(super) fn deployment(&self) -> String {
        self.kit.slug_of(self.slo().service_name())
    }

    /// Another SLO of the kit.
    pub(super) fn other(&self, name: &str) -> Option<&'a Subject<'a>> {
        self.subjects.iter().find(|other| other.slo.name() == name)
    }

    /// How long something lasts before an alert fires, in words; some scrapes at least. The rules say the same.
    pub(super) fn lasting(&self, alarm: Alarm) -> String {
        let (scrapes, minutes) = match alarm {
            Alarm::BreakerOpen => (20, 10),
            Alarm::Shedding => (4, 5),
            Alarm::InstanceDown => (4, 1),
            Alarm::Absent => (8, 2),
            Alarm::BudgetBurn | Alarm::BudgetLow | Alarm::Drift | Alarm::Unacknowledged => (20, 15),
        };
        in_words(Duration::from_secs(60 * minutes).max(self.slo().scraped_every().saturating_mul(scrapes)))
    }

    /// SLOs of the kit that depend on this one.
    pub(super) fn dependents(&self) -> Vec<&'a Subject<'a>> {
        let name = self.slo().name();
        self.subjects.iter().filter(|other| other.slo.dependencies().any(|on| on == name)).collect()
    }

    /// `[checkout](checkout-error-budget-burn.md)`, with who answers for it; text alone of an SLO that is declared elsewhere.
    pub(super) fn whose(&self, name: &str) -> String {
        match self.other(name) {
            Some(other) => format!(
                "[{}]({}) ({})",
                markdown(name),
                Alarm::BudgetBurn.runbook(other).trim_start_matches("runbooks/"),
                owner(other.slo)
            ),
            None => format!("{} (declared by another team)", markdown(name)),
        }
    }

    /// The first lines: what is wrong, how urgent that is, and where else to look.
    pub(super) fn lead(&self, page: &mut Page, alarm: Alarm, meaning: &str) {
        page.block(meaning);
        let mut facts = Vec::new();
        if alarm == Alarm::BudgetBurn {
            facts.push(format!("**{}**", urgency(self.subject)));
        } else {
            facts.push(format!("**{}.**", alarm.severity(self.subject)));
        }
        facts.push(format!("Service {}, owner: {}.", self.service(), owner(self.slo())));
        let dashboard = link(&self.kit.dashboard_url(self.subject));
        facts.push(format!("[Dashboard]({dashboard}) · [On call](../oncall.md)"));
        if let Some(own) =
            self.slo().runbook_url().filter(|url| url.starts_with("https://") || url.starts_with("http://"))
        {
            facts.push(format!("· [The team's own runbook]({})", link(own)));
        }
        page.block(&facts.join(" "));
    }

    /// What to type first. Each command has a comment that says what it shows.
    pub(super) fn first(&self, page: &mut Page, commands: &[(&str, String)]) {
        page.section("First five minutes");
        let mut lines = run::setup(self.kit, self.slo().service_name());
        for (n, (shows, command)) in commands.iter().enumerate() {
            lines.push(format!("# {}. {shows}", n + 1));
            lines.push(command.clone());
        }
        page.sh(&lines);
    }

    /// When to call somebody, and whom.
    pub(super) fn escalate(&self, page: &mut Page, alarm: Alarm, at_once_if: &str) {
        page.section("Escalate");
        if alarm.severity(self.subject) == Severity::P2 {
            page.block(&format!(
                "Nobody is called at night for this. Within {ESCALATE}, find out whose it is and open a ticket for them; \
                 speak to them at once if {at_once_if}."
            ));
        } else {
            page.block(&format!(
                "After {ESCALATE} without a measure that works, or at once if {at_once_if}. It is never wrong to call."
            ));
        }
        let mut who = vec![format!("Owner of {}: {}", self.name(), owner(self.slo()))];
        who.extend(self.slo().dependencies().map(|name| format!("It depends on {}", self.whose(name))));
        who.extend(
            self.dependents().iter().map(|other| format!("Tell: {} depends on it", self.whose(other.slo.name()))),
        );
        page.items(&who);
    }

    /// How it ends.
    pub(super) fn over(&self, page: &mut Page, alarm: Alarm, condition: &str) {
        page.section("It is over when");
        page.block(&format!("{condition}."));
        let mut look =
            vec!["# it still fires while this returns anything".to_owned(), run::ask(&run::alert(alarm, self.subject))];
        if !matches!(alarm, Alarm::BudgetLow | Alarm::Drift) {
            look.extend([
                "# nothing is left forced, shed by hand or silenced".to_owned(),
                run::guards(),
                run::silences(self.slo().name()),
            ]);
        }
        page.sh(&look);
    }

    /// What is left to do.
    pub(super) fn afterwards(&self, page: &mut Page) {
        let name = self.slo().name();
        page.section("Afterwards");
        page.block("Replace `2h` by the length of the incident:");
        page.sh(&[
            "# how much of the budget it took: 1 is all of it".to_owned(),
            run::ask(&run::spent(name, "2h")),
            "# what happened, for the post-mortem".to_owned(),
            run::timeline("2h"),
        ]);
        page.block(&format!(
            "Over {} % of the budget: write a [post-mortem](../postmortem.md). What is agreed for a low budget is in the \
             [policy](../policy/error-budget.md).",
            rounded(self.slo().policy().postmortem())
        ));
    }
}

/// Who answers for an SLO, as Markdown.
pub(in crate::artifacts) fn owner(slo: &Slo) -> String {
    slo.owner_name().map_or_else(|| format!("nobody is named; ask who runs {}", markdown(slo.service_name())), markdown)
}

/// What the severities of its burn alerts ask for.
fn urgency(subject: &Subject<'_>) -> String {
    let fires = |severity: &Severity| subject.slo.alert_windows().iter().any(|pair| pair.severity() == *severity);
    let words = Severity::ALL.into_iter().filter(fires).map(|severity| match severity {
        Severity::P0 => "P0: act now.",
        Severity::P1 => "P1: act today.",
        Severity::P2 => "P2: act in working hours.",
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The SLO's dependencies, with who answers for each.
pub(super) fn dependencies(about: &About<'_>) -> Option<String> {
    let all: Vec<String> = about.slo().dependencies().map(|name| about.whose(name)).collect();
    (!all.is_empty()).then(|| listed(&all))
}
