//! The tree of routes: by team, then by severity.

use super::matcher::{is, is_one_of};
use super::team::{Team, Way};
use crate::artifacts::Alarm;
use crate::names::label;
use crate::slo::Severity;
use serde_json::{Value, json};

const WORKING_HOURS: &str = "working-hours";
/// What Alertmanager itself calls the name of an alert.
pub(super) const ALERTNAME: &str = "alertname";

/// All routes. The root is the way of last resort: an alert that no other route takes is a ticket for those who take
/// what nobody owns.
pub(super) fn tree(teams: &[Team<'_>]) -> Value {
    let mut routes: Vec<Value> = Vec::new();
    let mut root = Value::Null;
    for team in teams {
        if team.owner.is_none() {
            routes.extend(by_severity(team));
            root = json!({
                "receiver": team.receiver(Way::ChatAndTicket),
                "group_by": [ALERTNAME, label::SLO, label::SERVICE],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "12h",
            });
        } else {
            let names = team.subjects.iter().map(|subject| subject.slo.name());
            routes.push(json!({
                "matchers": [is_one_of(label::SLO, names)],
                "receiver": team.receiver(Way::ChatAndTicket),
                "group_by": [label::SLO, label::SERVICE],
                "routes": by_severity(team),
            }));
        }
    }
    root["routes"] = Value::Array(routes);
    root
}

/// A team's routes: what is urgent is sent soon and said again soon. What is not waits for the P0 that may mute it.
fn by_severity(team: &Team<'_>) -> Vec<Value> {
    let escalated = json!({
        "matchers": [is(ALERTNAME, Alarm::Unacknowledged.name())],
        "receiver": team.receiver(Way::SecondLine),
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "1h",
    });
    let of = |severity: Severity| {
        let (wait, interval, repeat) = match severity {
            Severity::P0 => ("10s", "1m", "1h"),
            Severity::P1 => ("1m", "5m", "12h"),
            Severity::P2 => ("5m", "30m", "1d"),
        };
        let mut route = json!({
            "matchers": [is(label::SEVERITY, severity.as_str())],
            "receiver": team.receiver(Way::of(severity)),
            "group_wait": wait,
            "group_interval": interval,
            "repeat_interval": repeat,
        });
        if severity == Severity::P2 {
            route["active_time_intervals"] = json!([WORKING_HOURS]);
        }
        route
    };
    std::iter::once(escalated).chain(Severity::ALL.into_iter().map(of)).collect()
}

/// Monday to Friday, nine to five.
pub(super) fn working_hours(time_zone: &str) -> Value {
    json!({
        "name": WORKING_HOURS,
        "time_intervals": [{
            "weekdays": ["monday:friday"],
            "times": [{ "start_time": "09:00", "end_time": "17:00" }],
            "location": time_zone,
        }],
    })
}
