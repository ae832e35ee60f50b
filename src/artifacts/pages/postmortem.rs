//! The template of a post-mortem.

use super::super::commands as run;
use super::super::page::Page;
use super::super::runbooks::numbers;
use super::super::text::{markdown, rounded};
use super::super::{Kit, Subject};

pub(super) fn page(kit: &Kit) -> String {
    let mut page = Page::new("Post-mortem: *what broke, for whom, on which day*");
    page.block(
        "Copy this page, fill it within five working days, discuss it within ten. It is about what happened and what we change, not \
         about who did it: everybody acted sensibly with what they knew at the time. Write \"the deploy\", not a name. Delete what is \
         in italics.",
    );
    page.table(
        ["", ""],
        &[
            ["Severity", "*P0, P1 or P2*"],
            ["Began, noticed, stopped hurting, over (UTC)", "*four times*"],
            ["Led by, written by", "*roles are enough*"],
            ["Status", "*draft, discussed, done*"],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.section("In three sentences");
    page.block("*What users saw. Why. What we did about it.*");

    page.section("Impact");
    page.block("In terms of the budget: how much of it went, of 1. Put the length of the incident for `2h`, and run it when it is over.");
    page.sh(&run::setup_of(kit, &kit.services()));
    let asks: Vec<String> = kit.slos().iter().map(|slo| run::ask(&run::spent(slo.name(), "2h"))).collect();
    page.sh(&asks);
    let rows: Vec<[String; 5]> = kit.subjects().iter().flat_map(rows).collect();
    page.table(["SLO, objective", "May be bad", "Bad events", "Budget spent", "Post-mortem from"], &rows);
    page.block("*Rows that were not concerned: delete. And in words of users: orders not placed, messages late.*");

    page.section("Timeline");
    page.block(
        "Each process wrote down what it saw: trips, alerts, recoveries, and what operators did. Print it for as long as the incident \
         took, paste it here, and add what people saw and decided. A restart empties it: fetch it soon.",
    );
    page.sh(&[run::timeline("6h")]);
    page.block("*paste*");
    page.table(
        ["", "Took", "Expected"],
        &[
            ["From the first bad event to the alert", "", "see Numbers in the runbook"],
            ["From the alert to somebody who has it", "", "5 minutes"],
            ["From there to the measure that helped", "", "15 minutes, or escalated"],
            ["From there to the end of the alert", "", "see Numbers in the runbook"],
        ]
        .map(|row| row.map(str::to_owned)),
    );

    page.section("Contributing factors");
    page.block("*There is never just one. For each: what was so, and why that seemed right. Ask why until the answer is something to change.*");
    page.items(&["*trigger*", "*what let it spread*", "*what hid it*", "*what made it last*"].map(str::to_owned));

    page.section("What went well");
    page.block("*Fallbacks that held, breakers that opened in time, alerts that came before users' complaints.*");
    page.section("What went badly");
    page.block("*Steps of the runbook that were wrong or missing: fix the declaration or the process, so that the next page is right.*");
    page.section("Where we got lucky");
    page.block("*What would have made it worse, and only by chance did not. Luck is a missing action item.*");

    page.section("Action items");
    page.block("*Few, each with one owner and a date, each as a ticket. \"Be more careful\" is none.*");
    let row = |kind: &str| {
        ["".to_owned(), kind.to_owned(), "*one person*".to_owned(), "*date*".to_owned(), "*link*".to_owned()]
    };
    page.table(
        ["What", "Kind", "Owner", "Due", "Ticket"],
        &[row("prevent"), row("detect sooner"), row("limit the damage"), row("recover sooner")],
    );
    page.section("Before it is done");
    page.checklist(
        &[
            "Nothing is still forced, shed or silenced.",
            "The budget's [policy](policy/error-budget.md) was looked up: which step holds now?",
            "The runbook is right, or there is a ticket for it.",
            "Owners of the SLOs that depend on this one have read it.",
            "Every action item has an owner and a date.",
        ]
        .map(str::to_owned),
    );
    page.finish()
}

fn rows(subject: &Subject<'_>) -> Vec<[String; 5]> {
    let slo = subject.slo;
    let row = |objective| {
        [
            format!("{}, {}", markdown(slo.name()), markdown(crate::slo::Objective::name(objective))),
            format!("{}, or {} of outage", numbers::per_million(objective), numbers::outage(subject, objective)),
            String::new(),
            String::new(),
            format!("{} %", rounded(slo.policy().postmortem())),
        ]
    };
    slo.objectives().iter().map(row).collect()
}
