//! The error-budget policy: what the budgets are, what holds as they go down, who decides.

use super::super::page::Page;
use super::super::runbooks::frame::owner;
use super::super::runbooks::numbers::{self, BUDGET_HEADS};
use super::super::text::{in_words, markdown, rounded};
use super::super::{Kit, Subject};
use crate::slo::formulas;

pub(super) fn page(kit: &Kit) -> String {
    let mut page = Page::new("Error-budget policy");
    page.block(
        "An error budget is what a promise leaves over: 99.9 % good leaves 0.1 % that may be bad. While there is budget, the team \
         releases as it likes. As it goes down, the team does what is agreed here, until there is enough of it again. That is no \
         punishment: it is how reliability gets its share of the work.",
    );
    page.section("Rules for all");
    page.items(&[
        "**Who decides.** The owner of an SLO says that a step holds and that it ends. Whoever disagrees asks whoever both report to; \
         until then the step holds."
            .to_owned(),
        "**What is excepted, always.** Fixes of P0 incidents, security fixes, and changes that give budget back.".to_owned(),
        "**Whose budget.** Bad events count for the SLO that they are bad for, whoever caused them. If a dependency took more than half \
         of it, its owner joins, and the step there is the same."
            .to_owned(),
        "**When it ends.** A rolling period gives budget back as bad events get too old; a calendar month gives all of it back on the \
         first. The step ends when more is left than it asks for, not on a date."
            .to_owned(),
        "**Exceptions.** The owner may make one, in writing, with a reason and an end. All of them are read aloud at the next review."
            .to_owned(),
        "**Review.** Every quarter: are targets still what users need, did steps come in time, did anybody work around them?".to_owned(),
    ]);
    for subject in kit.subjects() {
        one(&mut page, &subject);
    }
    page.finish()
}

fn one(page: &mut Page, subject: &Subject<'_>) {
    let (slo, policy) = (subject.slo, subject.slo.policy());
    page.section(&format!("SLO {}", markdown(slo.name())));
    page.block(&format!(
        "Service: {}. Decides: {}. Period: {}.",
        markdown(slo.service_name()),
        owner(slo),
        numbers::period(slo.period())
    ));
    page.table(BUDGET_HEADS, &numbers::budgets(subject));
    let mut rows: Vec<[String; 3]> = policy
        .steps()
        .map(|(percent, action)| [format!("under {} %", rounded(percent)), share(subject, percent), markdown(action)])
        .collect();
    rows.push(["nothing".to_owned(), "0".to_owned(), markdown(policy.exhausted())]);
    page.table(["Budget left", "That is", "What holds"], &rows);
    page.block(&format!(
        "One incident that takes more than {} % of the budget ({}) gets a [post-mortem](../postmortem.md).",
        rounded(policy.postmortem()),
        share(subject, policy.postmortem())
    ));
}

/// A share of the budget, in events and in time, objective by objective.
fn share(subject: &Subject<'_>, percent: f64) -> String {
    let period = subject.slo.period().nominal();
    let each = subject.slo.objectives().iter().map(|objective| {
        let of = percent / 100.0;
        let outage = formulas::downtime_allowed(objective.target(), period).mul_f64(of);
        let events = objective.target().budget() * 1e6 * of;
        let what = if objective.slices().is_some() { "slices" } else { "events" };
        format!("{}: {} of a million {what}, or {}", markdown(objective.name()), rounded(events), in_words(outage))
    });
    each.collect::<Vec<_>>().join("; ")
}
