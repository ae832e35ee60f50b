//! The on-call page: who has what, how a page is taken, handed over and escalated, and whether alerts are any good.

use super::super::commands as run;
use super::super::page::{Page, listed};
use super::super::runbooks::frame::{ESCALATE, owner};
use super::super::text::{markdown, rounded};
use super::super::{Alarm, Kit, Subject};
use crate::names::{alert, label, recorded};

pub(super) fn page(kit: &Kit) -> String {
    let mut page = Page::new("On call");
    let zone = markdown(kit.in_time_zone());
    page.section("A page came");
    page.steps(&[
        "**Acknowledge** within 5 minutes, with the link in the message or the command below, for as long as you are at it. It \
         silences the escalation, not the page: you still hear when it ends. Do not silence the page itself."
            .to_owned(),
        "**Open the runbook** that the alert links to. Its first screen has what to type.".to_owned(),
        "**Say so** in the incident's channel: what fires, that you have it, when you will write next.".to_owned(),
        format!("**Escalate** after {ESCALATE} without a measure that works. It is never wrong to call."),
        "**Close**: nothing forced, shed or silenced any more; a post-mortem if the policy asks for one.".to_owned(),
    ]);
    let first = kit.slos().first();
    let mut lines = run::setup_of(kit, &kit.services());
    lines.extend(first.map(|slo| format!("# acknowledge: replace {} by the alert's SLO", one_line(slo.name()))));
    lines.extend(first.map(|slo| run::silence(Alarm::Unacknowledged, slo.name(), "1h")));
    page.sh(&lines);
    page.block(
        "Commands here and in runbooks are for bash. Each instance answers and obeys for itself alone, so `STATUS` and `CONTROL` list \
         all of them; variables that are set already, one for each service, come before what is written here. In Kubernetes a \
         service's address leads to any one of its pods. Name the pods before you paste a runbook, in a shell within the cluster:",
    );
    page.sh(&kit.services().iter().flat_map(|service| run::pods(kit, service)).collect::<Vec<_>>());

    page.section("Who has what");
    let rows: Vec<[String; 5]> = kit.subjects().iter().map(row).collect();
    page.table(["SLO", "Service", "Owner", "Depends on", "Runbook"], &rows);

    page.section("Rotation");
    page.items(&[
        "One week, from Monday after the hand-over to the next. A first line and a second line; the second line has the first line's \
         week after that."
            .to_owned(),
        "At least four people share it, better eight: nobody is first more often than every fourth week.".to_owned(),
        format!(
            "Working hours are Monday to Friday, 09:00 to 17:00, {zone}: the next section says what is sent when."
        ),
        "Two incidents in a shift are what one person can follow up well. If more come week after week, release less: that is what the \
         [policy](policy/error-budget.md) is for."
            .to_owned(),
        "Who was paged between 22:00 and 07:00 begins later the next day. Swap shifts in writing, before they begin.".to_owned(),
        "On a shift: reachable within 5 minutes, at a computer within 15, no other project work that cannot wait.".to_owned(),
    ]);

    page.section("Who is told of what");
    page.table(
        ["Alert", "Goes to", "First after", "Again after"],
        &[
            ["P0", "pager and chat", "10 seconds", "1 hour"],
            ["P1", "chat and ticket: for the same day", "1 minute", "12 hours"],
            ["P2", "chat, in working hours", "5 minutes", "1 day"],
            [alert::UNACKNOWLEDGED, "the second line's pager, and chat", "at once", "1 hour"],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.block(&format!(
        "One page for each SLO, however many of its objectives burn. A P0 mutes P1 and P2 of its SLO, but not {down}. While an SLO that \
         others depend on has a P0, their P1 and P2 alerts that it explains are muted, but never their P0: their users are hurt, too. The \
         team of the dependency leads. A P1 may be sent when its P0 is over: its window is longer, and still holds the incident. It is the \
         ticket for what is left to do.",
        down = alert::INSTANCE_DOWN
    ));

    page.section("Hand-over");
    page.block("Both meet for 15 minutes. After the first block of this page, the one who leaves runs this; both read what it prints:");
    page.sh(&[
        "# what still fires".to_owned(),
        run::firing(None),
        "# what somebody keeps quiet, and for how long".to_owned(),
        "amtool --alertmanager.url=\"$ALERTMANAGER\" silence query".to_owned(),
        "# what the service sees, and what is forced or shed by hand".to_owned(),
        run::status_of_all(),
        run::guards(),
        "# budgets, the smallest first: under 0 it is overspent".to_owned(),
        run::ask(&format!("sort({})", recorded::BUDGET_REMAINING)),
        "# what happened this week".to_owned(),
        run::timeline("7d"),
    ]);
    page.checklist(
        &[
            "Each alert that fires: who has it, what was tried, what comes next.",
            "Each silence: why, and whether it may end. None is longer than the shift.",
            "Each guard that is forced or sheds by hand: why, and when it ends.",
            "Budgets under a step of the policy: what holds, and who was told.",
            "Rollouts, migrations and load tests of the coming week.",
            "Post-mortems and action items that are late.",
            "Runbooks that were wrong: fixed, or a ticket.",
            "The new first line got a test page, and acknowledged it.",
        ]
        .map(str::to_owned),
    );

    page.section("Escalation");
    page.table(
        ["After", "Who", "How"],
        &[
            ["at once", "first line", "P0 pages it"],
            [ESCALATE, "second line", "by itself if nobody acknowledged; else the first line calls"],
            ["30 minutes", "owner of the SLO, and of those it depends on", "the first line calls; see the table above"],
            [
                "1 hour, or data or money is lost",
                "whoever leads the owners, and whoever speaks to customers",
                "the second line calls",
            ],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.block(&format!(
        "The second line is paged by the alert {}, {ESCALATE} into a P0, unless that alert is silenced: acknowledging does just that. \
         An acknowledgement in the pager itself is not seen here. If the pager's own policy escalates, let it alone do so. From the second person on, one leads and does nothing else: decides, writes the times down, speaks to others.",
        alert::UNACKNOWLEDGED
    ));
    review(&mut page, kit);
    page.finish()
}

/// A comment's end is the end of its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect()
}

fn row(subject: &Subject<'_>) -> [String; 5] {
    let slo = subject.slo;
    let on: Vec<String> = slo.dependencies().map(markdown).collect();
    [
        markdown(slo.name()),
        markdown(slo.service_name()),
        owner(slo),
        if on.is_empty() { "-".to_owned() } else { listed(&on) },
        format!("[{}]({})", Alarm::BudgetBurn.name(), Alarm::BudgetBurn.runbook(subject)),
    ]
}

fn review(page: &mut Page, kit: &Kit) {
    page.section("Are the alerts any good?");
    page.block("Once a week, 20 minutes, both lines. For each page: did somebody have to do something, and did the runbook help?");
    page.table(
        ["", "Is", "Good enough"],
        &[
            ["Precision", "pages that needed somebody, of all pages", "over 80 %"],
            ["Recall", "incidents that paged, of all that took more than 2 % of a budget", "all"],
            ["Detection time", "from the first bad event to the page", "what Numbers in the runbook says"],
            ["Reset time", "from the end of the trouble to \"resolved\"", "what Numbers in the runbook says"],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.block("How often each alert fired in the last week:");
    let fired = format!("sum by (alertname, {}, {})", label::SEVERITY, label::SLO);
    page.promql(&format!("sort_desc({fired} (changes(ALERTS_FOR_STATE[7d]) + 1))"));
    page.block("How long each fired, in rule evaluations:");
    page.promql(&format!("sort_desc({fired} (count_over_time(ALERTS{{alertstate=\"firing\"}}[7d])))"));
    page.block(
        "Budget that went without a burn alert: over 2 % of it in the last day. Each is a page that was missed:",
    );
    page.promql(&format!(
        "({left} offset 1d - {left} > 0.02) unless on ({slo}) \
         max by ({slo}) (max_over_time(ALERTS{{alertname=\"{burn}\",alertstate=\"firing\"}}[1d]))",
        left = recorded::BUDGET_REMAINING,
        slo = label::SLO,
        burn = alert::BUDGET_BURN
    ));
    page.block(
        "If a page needed nobody: raise `min_events`, or take what hurts nobody out of the accounting. If one was missed: set a stricter \
         target, or add an objective. Change the declaration, never a threshold in a generated file.",
    );
    let most: Vec<String> = kit
        .slos()
        .iter()
        .map(|slo| format!("{}: {} %", markdown(slo.name()), rounded(slo.policy().postmortem())))
        .collect();
    page.block(&format!(
        "An incident gets a post-mortem if it took more than this share of a budget: {}.",
        most.join("; ")
    ));
}
