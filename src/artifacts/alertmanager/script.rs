//! The route tests: `amtool` is asked where each alert would go.

use super::matcher::is;
use super::routes::ALERTNAME;
use super::team::{Team, Way};
use crate::artifacts::text::shell;
use crate::artifacts::{Alarm, Kit, Subject};
use crate::names::label;
use crate::slo::Severity;
use std::fmt::Write;

const HEAD: &str = r#"#!/bin/sh
# Where each alert goes, asked of amtool (it comes with Alertmanager): sh alertmanager/tests.sh
# Fails if one goes elsewhere than expected. Whether a P2 comes in working hours is not asked: amtool knows no hours.
# Written by plimsoll from declared SLOs: change those, not this file.
set -u
cd "$(dirname "$0")" || exit 2
command -v amtool >/dev/null || { echo "amtool is not installed: it comes with Alertmanager" >&2; exit 2; }
amtool check-config alertmanager.yml || exit 1
tested=0
wrong=0

# The receiver, and the labels of an alert.
expect() {
    receiver=$1
    shift
    tested=$((tested + 1))
    if got=$(amtool config routes test --config.file=alertmanager.yml --verify.receivers="$receiver" "$@" 2>&1); then
        printf 'ok     %s <- %s\n' "$receiver" "$*"
    else
        wrong=$((wrong + 1))
        printf 'WRONG  %s <- %s\n%s\n' "$receiver" "$*" "$got"
    fi
}

"#;

const FOOT: &str = r#"
printf '%s routes tested, %s wrong\n' "$tested" "$wrong"
[ "$wrong" -eq 0 ]
"#;

pub(super) fn write(kit: &Kit, teams: &[Team<'_>]) -> String {
    let mut script = HEAD.to_owned();
    for subject in kit.subjects() {
        let Some(team) = teams.iter().find(|team| team.subjects.iter().any(|own| own.slug == subject.slug)) else {
            continue;
        };
        for alarm in Alarm::ALL {
            for severity in severities(alarm, &subject) {
                let way = if alarm == Alarm::Unacknowledged { Way::SecondLine } else { Way::of(severity) };
                let (slo, service) = (subject.slo.name(), subject.slo.service_name());
                let labels = [
                    (ALERTNAME, alarm.name()),
                    (label::SEVERITY, severity.as_str()),
                    (label::SLO, slo),
                    (label::SERVICE, service),
                ];
                expect(&mut script, &team.receiver(way), &labels);
            }
        }
        // A severity that nobody writes must not be lost.
        let labels = [(ALERTNAME, "Foreign"), (label::SLO, subject.slo.name())];
        expect(&mut script, &team.receiver(Way::ChatAndTicket), &labels);
    }
    script.push_str("# What nobody declared.\n");
    for team in teams.iter().filter(|team| team.owner.is_none()) {
        for severity in Severity::ALL {
            let labels = [(ALERTNAME, "Foreign"), (label::SEVERITY, severity.as_str())];
            expect(&mut script, &team.receiver(Way::of(severity)), &labels);
        }
        expect(&mut script, &team.receiver(Way::SecondLine), &[(ALERTNAME, Alarm::Unacknowledged.name())]);
        expect(
            &mut script,
            &team.receiver(Way::ChatAndTicket),
            &[(ALERTNAME, "Foreign"), (label::SEVERITY, "warning")],
        );
        expect(&mut script, &team.receiver(Way::ChatAndTicket), &[]);
    }
    script.push_str(FOOT);
    script
}

fn expect(script: &mut String, receiver: &str, labels: &[(&str, &str)]) {
    script.push_str("expect ");
    script.push_str(receiver);
    for (label, value) in labels {
        _ = write!(script, " {}", shell(&is(label, value)));
    }
    script.push('\n');
}

/// With which severities an alert of this SLO comes: the most urgent first. Who is never paged has nothing to acknowledge.
fn severities(alarm: Alarm, subject: &Subject<'_>) -> Vec<Severity> {
    if alarm == Alarm::Unacknowledged && subject.slo.highest_severity() != Severity::P0 {
        return Vec::new();
    }
    if alarm != Alarm::BudgetBurn {
        return vec![alarm.severity(subject)];
    }
    let written = |severity: &Severity| subject.slo.alert_windows().iter().any(|pair| pair.severity() == *severity);
    Severity::ALL.into_iter().filter(written).collect()
}
