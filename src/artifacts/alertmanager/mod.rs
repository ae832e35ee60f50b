//! Alertmanager: who is told of what, when and how; and the proof that it is so.
//!
//! | file | what it is |
//! |---|---|
//! | `alertmanager/alertmanager.yml` | routes by owner and severity, inhibition, receivers |
//! | `alertmanager/templates/plimsoll.tmpl` | what the messages say |
//! | `alertmanager/tests.sh` | asks `amtool` where each alert goes, and fails if that is elsewhere |
//!
//! A P0 goes to pager and chat, a P1 to chat and ticket, a P2 to chat in working hours. Each owner of an SLO is a [`Team`]
//! with receivers and secrets of its own, so that the pager that rings is that of whoever can help; what has no owner, and
//! what nobody declared, goes to the team `on-call`.
//!
//! Decided here, and why:
//!
//! - **No dependency mutes a P0.** While a dependency pages, the P1 and P2 alerts that its death explains are muted in all
//!   that depend on it. A P0 says that users are hurt now: that the fallback does not hold, which is news, and nobody
//!   else's to mend. Muting it would also lose pages: those of a dependency that somebody silenced for a weekend would mute
//!   on, and Alertmanager sends no "resolved" for a page that was muted after it had been sent.
//! - **A dead instance is told of although a P0 fires.** All other P1 and P2 alerts of that SLO say the same thing as the
//!   P0, slower; that a process died says something else.
//! - **Acknowledged is a page whose escalation is silenced**, not the page: the pager would never hear that it is over.

mod inhibit;
mod matcher;
mod receivers;
mod routes;
mod script;
mod team;

use super::{Alarm, Artifact, Kit, yaml};
use serde_json::json;
use team::Team;

/// Where secrets are read from: a directory for each team.
const SECRETS: &str = "/etc/alertmanager/secrets";

/// The messages; the alert that an acknowledgement silences stands as `@UNACKNOWLEDGED@`.
const TEMPLATE: &str = include_str!("plimsoll.tmpl");

pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let teams = Team::all(kit);
    let config = json!({
        "templates": ["templates/*.tmpl"],
        "route": routes::tree(&teams),
        "time_intervals": [routes::working_hours(kit.in_time_zone())],
        "inhibit_rules": inhibit::rules(kit.slos()),
        "receivers": receivers::all(kit, &teams),
    });
    vec![
        Artifact::new("alertmanager/alertmanager.yml", yaml::documents(&head(&teams), &[config])),
        Artifact::new(
            "alertmanager/templates/plimsoll.tmpl",
            TEMPLATE.replace("@UNACKNOWLEDGED@", Alarm::Unacknowledged.name()),
        ),
        Artifact::new("alertmanager/tests.sh", script::write(kit, &teams)),
    ]
}

/// What whoever deploys it must know.
fn head(teams: &[Team<'_>]) -> String {
    let mut head = format!(
        "Alertmanager 0.25 or later. Written by plimsoll from declared SLOs: change those, not this file. `sh tests.sh` says where\n\
         each alert goes.\n\
         \n\
         P0: pager and chat. P1: chat and ticket. P2: chat, in working hours; one that begins and ends outside them is never sent.\n\
         What no route expects goes to the team {} as a P1 does, so that somebody sees it.\n\
         \n\
         Secrets are files, a directory for each team:\n",
        Team::REST
    );
    for team in teams {
        head += &format!("  {SECRETS}/{}/: of {}\n", team.slug, team.in_words());
    }
    head + &format!(
        "    pager-key        integration key (Events API v2) of the PagerDuty service that pages the first line\n    \
             second-line-key  the same, of the service that pages the second line\n    \
             chat-url         URL of an incoming webhook of Slack: it names the channel\n    \
             ticket-token     bearer token for the ticket system's webhook\n\
         \n\
         Escalation: {unacknowledged} fires when a P0 has fired for 15 minutes, and pages the second line, unless it is silenced:\n\
         the link \"Acknowledge\" in each message does that. Alertmanager does not see what is acknowledged in PagerDuty. Where an\n\
         escalation policy there passes pages on, let it alone do so: give second-line-key the key of a service that pages nobody.\n\
         \n\
         Inhibition, in the order of inhibit_rules: a P0 mutes the P1 and P2 of its SLO, but not that an instance is down; an SLO\n\
         that nobody exports mutes its instances that are down; a P1 mutes the P2 of its SLO; and while a dependency pages, what\n\
         that explains is muted in all that depend on it, but never a P0.",
        unacknowledged = Alarm::Unacknowledged.name()
    )
}
