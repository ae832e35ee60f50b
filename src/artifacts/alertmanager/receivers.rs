//! The receivers of each team: pager, chat and ticket system. Secrets are files; what is said is in the templates.

use super::team::{Team, Way};
use crate::artifacts::Kit;
use serde_json::{Value, json};

pub(super) fn all(kit: &Kit, teams: &[Team<'_>]) -> Vec<Value> {
    let receivers = teams.iter().flat_map(|team| Way::ALL.map(|way| receiver(kit, team, way)));
    receivers.collect()
}

fn receiver(kit: &Kit, team: &Team<'_>, way: Way) -> Value {
    let mut receiver = json!({ "name": team.receiver(way) });
    match way {
        Way::PagerAndChat => receiver["pagerduty_configs"] = json!([pager(&team.secret("pager-key"))]),
        Way::SecondLine => receiver["pagerduty_configs"] = json!([pager(&team.secret("second-line-key"))]),
        Way::ChatAndTicket => receiver["webhook_configs"] = json!([ticket(kit, team)]),
        Way::Chat => {}
    }
    // All that goes anywhere goes to the chat too: there people see who else was told.
    receiver["slack_configs"] = json!([chat(team)]);
    receiver
}

fn pager(key_file: &str) -> Value {
    let link = |template: &str, text: &str| json!({ "href": shown(template), "text": text });
    json!({
        "routing_key_file": key_file,
        "send_resolved": true,
        "description": shown("plimsoll.title"),
        "severity": "critical",
        "class": "{{ .CommonLabels.alertname }}",
        "component": "{{ .CommonLabels.service }}",
        "group": "{{ .CommonLabels.slo }}",
        "details": {
            "firing": r#"{{ template "plimsoll.alerts" .Alerts.Firing }}"#,
            "resolved": r#"{{ template "plimsoll.alerts" .Alerts.Resolved }}"#,
        },
        "links": [
            link("plimsoll.runbook", "Runbook"),
            link("plimsoll.dashboard", "Dashboard"),
            link("plimsoll.acknowledge", "Acknowledge: nobody else is paged"),
            link("plimsoll.silence", "Silence"),
        ],
    })
}

fn chat(team: &Team<'_>) -> Value {
    json!({
        "api_url_file": team.secret("chat-url"),
        "send_resolved": true,
        "color": shown("plimsoll.slack.color"),
        "title": shown("plimsoll.slack.title"),
        "fallback": shown("plimsoll.slack.title"),
        "text": shown("plimsoll.slack.text"),
    })
}

fn ticket(kit: &Kit, team: &Team<'_>) -> Value {
    json!({
        "url": kit.tickets(),
        "send_resolved": true,
        "http_config": { "authorization": { "type": "Bearer", "credentials_file": team.secret("ticket-token") } },
    })
}

/// What a template makes of all that is to be said.
fn shown(template: &str) -> String {
    format!(r#"{{{{ template "{template}" . }}}}"#)
}
