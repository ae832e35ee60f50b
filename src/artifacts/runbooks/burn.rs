//! The budget goes too fast, or is nearly gone.

use super::super::commands as run;
use super::super::page::Page;
use super::super::text::{in_words, markdown, rounded};
use super::super::{Alarm, Subject};
use super::causes;
use super::frame::About;
use super::numbers;
use crate::outcome::{Outcome, Verdict};
use crate::slo::Period;

pub(super) fn burn(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(page, Alarm::BudgetBurn, &meaning(about));
    about.first(
        page,
        &[
            (
                "Say that you have it: the next in line is not paged",
                run::silence(Alarm::Unacknowledged, slo.name(), "1h"),
            ),
            ("Which objective, how fast, since when", run::firing(Some(slo.name()))),
            ("What the service itself sees; it names open breakers first", run::status(slo.name())),
            ("How calls end: the largest bad one leads to the cause", run::ask(&run::outcomes(slo.name()))),
            (
                "What was rolled out of late",
                run::kubectl(about.kit, &format!("rollout history deployment/{}", about.deployment())),
            ),
        ],
    );
    page.block(&bad(about));
    causes::table(page, about);
    causes::sections(page, about);
    about.escalate(page, Alarm::BudgetBurn, "data is lost, or customers' money is concerned");
    about.over(page, Alarm::BudgetBurn, &ends(about.subject));
    about.afterwards(page);
    figures(page, about.subject);
}

/// What it means, in numbers that decide how much time there is.
fn meaning(about: &About<'_>) -> String {
    let (slo, subject) = (about.slo(), about.subject);
    let mut words = format!("{} breaks its promise: its error budget goes too fast.", about.name());
    let urgent = subject.objectives().next().and_then(|(_, pairs)| pairs.first().copied());
    if let Some(pair) = urgent {
        words += &format!(
            " {} fires over {} × as fast as allowed: at that rate the whole budget ({}) lasts {}.",
            pair.severity(),
            rounded(pair.factor()),
            numbers::period(slo.period()),
            numbers::lasts(subject, &pair),
        );
    } else {
        words += " No alert on its budget is declared, so this page is for whoever looks by hand.";
    }
    let last: Vec<String> = slo
        .objectives()
        .iter()
        .map(|objective| format!("{} {}", markdown(objective.name()), numbers::outage(subject, objective)))
        .collect();
    words + &format!(" If every event is bad it lasts: {}.", last.join(", "))
}

/// Which outcomes are bad here: that differs from SLO to SLO.
fn bad(about: &About<'_>) -> String {
    let accounting = about.slo().sli_accounting();
    let of = |verdict| {
        let all = Outcome::ALL.into_iter().filter(|outcome| accounting.verdict(*outcome, false) == verdict);
        all.map(|outcome| format!("`{}`", outcome.as_str())).collect::<Vec<_>>().join(", ")
    };
    let or_none = |words: String| if words.is_empty() { "none".to_owned() } else { words };
    let late = about.slo().objectives().iter().filter_map(|objective| {
        Some(format!("; for {}, also what takes over {}", markdown(objective.name()), in_words(objective.threshold()?)))
    });
    let late: String = late.collect();
    format!("Bad here: {}{late}. Not counted: {}.", or_none(of(Verdict::Bad)), or_none(of(Verdict::Excluded)))
}

fn ends(subject: &Subject<'_>) -> String {
    match subject.windows().first() {
        Some(short) => format!(
            "The burn rate is under the alert's factor in its short window, the shortest of which is {}; the last column under \
             [Numbers](#numbers) says how long that takes",
            in_words(*short)
        ),
        None => "The budget no longer goes down".to_owned(),
    }
}

/// Every number of the alert.
fn figures(page: &mut Page, subject: &Subject<'_>) {
    page.section("Numbers");
    page.block(&format!("Period: {}.", numbers::period(subject.slo.period())));
    page.table(numbers::BUDGET_HEADS, &numbers::budgets(subject));
    page.table(numbers::PAIR_HEADS, &numbers::pairs(subject));
    page.block(&format!(
        "An alert fires while the budget goes over that fast in *both* windows, and the long one holds at least {} events, 3 of \
         them bad. \"Fires after\" begins with healthy windows and even traffic; add one scrape and one evaluation.",
        subject.slo.least_events()
    ));
}

pub(super) fn low(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(
        page,
        Alarm::BudgetLow,
        &format!(
            "Little of {}'s error budget is left. Each step of the policy has an alert of its own. Nothing need be broken now: the budget may have gone over days. This is for working \
             hours: it is about what the team does next. If a burn alert fires as well, go to \
             [its runbook]({}) first.",
            about.name(),
            Alarm::BudgetBurn.runbook(about.subject).trim_start_matches("runbooks/")
        ),
    );
    about.first(
        page,
        &[
            ("How much is left, by objective: 1 is all, 0 is none", run::ask(&run::budget(slo.name()))),
            ("How fast it goes now: over 1, faster than it may", run::ask(&run::burn(slo.name()))),
            ("What happened, day by day", run::timeline("7d")),
        ],
    );
    page.section("What holds now");
    let mut steps: Vec<String> = slo
        .policy()
        .steps()
        .map(|(percent, action)| format!("under {} % left: {}", rounded(percent), markdown(action)))
        .collect();
    if steps.is_empty() {
        steps.push("under 10 % left (the policy has no step): go easy on changes".to_owned());
    }
    steps.push(format!("nothing left: {}", markdown(slo.policy().exhausted())));
    page.items(&steps);
    page.block(&format!(
        "Who decides, and what is excepted: [policy](../policy/error-budget.md). What may be bad over the period ({}):",
        numbers::period(slo.period())
    ));
    page.table(numbers::BUDGET_HEADS, &numbers::budgets(about.subject));
    page.section("Where it went");
    page.block("As a graph over the period: each point is the share of the budget that went in the day before it. Begin with the worst.");
    page.promql(&run::spent(slo.name(), "1d"));
    page.block("How calls ended on average over the week, and which instances had the bad ones:");
    page.promql(&run::outcomes(slo.name()).replace("[5m]", "[7d]"));
    page.promql(&run::bad_by_instance(slo.name()).replace("[5m]", "[7d]"));
    page.table(
        ["What you see", "It is", "Do"],
        &[
            row(
                "one or two steep steps",
                "incidents",
                "find each in the timeline; see whether its post-mortem's actions are done",
            ),
            row(
                "a steady slope, the same outcome every day",
                "a defect that nobody is paged for",
                "open a ticket for it, before features",
            ),
            row("steps at each release", "bad deploys", "roll out more slowly; look at what tests did not see"),
            row(
                "the slope of one dependency",
                &causes::dependency_row(about),
                "talk to its owner: its promise is too weak for this one, or it is not kept",
            ),
            row("steps at peak hours, `shed` or `slow`", "overload", "more capacity before the next peak"),
            row(
                "one instance or one tenant has most of it",
                "a bad node, or a noisy tenant",
                "drain the node; give the tenant a limit",
            ),
            row(
                "users notice nothing at all",
                "a promise that is too strict, or events that should not count",
                "review target and accounting with the owner",
            ),
        ],
    );
    about.escalate(page, Alarm::BudgetLow, "the budget is spent and somebody wants to release all the same");
    about.over(
        page,
        Alarm::BudgetLow,
        &format!("More of the budget is left than the alert asks for: {}", back(slo.period())),
    );
    about.afterwards(page);
}

/// When budget comes back.
fn back(period: Period) -> String {
    match period {
        Period::Rolling(length) => format!("a bad event counts for {}, so this may take as long", in_words(length)),
        Period::CalendarMonth => "all of it comes back on the first of the month (UTC)".to_owned(),
    }
}

fn row(seen: &str, is: &str, act: &str) -> [String; 3] {
    [seen.to_owned(), is.to_owned(), act.to_owned()]
}
