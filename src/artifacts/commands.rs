//! Commands and queries to copy: what runbooks and pages share.

use super::text::{duration, promql, selector, shell};
use super::{Alarm, Kit, Subject};
use crate::names::{self, label, recorded};
use std::fmt::Write;
use std::time::Duration;

/// Where operators change things, unless somebody says otherwise.
const CONTROL_PORT: &str = "9000";

/// Where everything is, unless the environment says otherwise already.
pub(super) fn setup(kit: &Kit, service: &str) -> Vec<String> {
    setup_of(kit, &[service])
}

/// The same for several services. Each has variables of its own: who goes from one service's runbook to another's, in one
/// shell, must not give orders to the first.
pub(super) fn setup_of(kit: &Kit, services: &[&str]) -> Vec<String> {
    let control = |at: &String| format!("{}:{CONTROL_PORT}", at.rsplit_once(':').map_or(at.as_str(), |(host, _)| host));
    let words = |kind: &str, of: &dyn Fn(&str) -> Vec<String>| {
        let each = services
            .iter()
            .map(|service| format!("${{{}:-{}}}", variable(kit, kind, service), quoted(&of(service).join(" "))));
        format!("{kind}={}", each.collect::<Vec<_>>().join("' '"))
    };
    vec![
        "PROMETHEUS=${PROMETHEUS:-http://prometheus:9090}".to_owned(),
        "ALERTMANAGER=${ALERTMANAGER:-http://alertmanager:9093}".to_owned(),
        "# every instance of the service: ops::router, then ops::control (pods: see the on-call page)".to_owned(),
        words("STATUS", &|service| kit.addresses_of(service)),
        words("CONTROL", &|service| kit.addresses_of(service).iter().map(control).collect()),
    ]
}

/// The variable that names all instances of a service: `STATUS_OF_CHECKOUT`.
fn variable(kit: &Kit, kind: &str, service: &str) -> String {
    format!("{kind}_OF_{}", kit.slug_of(service).to_ascii_uppercase().replace('-', "_"))
}

/// A word within `${…:-…}`.
fn quoted(word: &str) -> String {
    match shell(word) {
        plain if plain == word => plain,
        quoted => quoted.replace('}', "'\\}'"),
    }
}

/// The pods of a service, for a shell within the cluster: [`setup`] takes them from there.
pub(super) fn pods(kit: &Kit, service: &str) -> Vec<String> {
    let (namespace, name) = (kit.namespace_slug(), kit.slug_of(service));
    let [status, control] = ["STATUS", "CONTROL"].map(|kind| variable(kit, kind, service));
    vec![
        format!(
            "PODS=$(kubectl -n {namespace} get pods -l app.kubernetes.io/name={name} -o jsonpath='{{.items[*].status.podIP}}')"
        ),
        format!(
            "{status}=$(printf '%s:{} ' $PODS) {control}=$(printf '%s:{CONTROL_PORT} ' $PODS)",
            kit.port_of(service)
        ),
    ]
}

/// The page of one SLO, from every instance.
pub(super) fn status(slo: &str) -> String {
    format!("for at in $STATUS; do curl -sS \"http://$at/slo/{}\"; done", path(slo))
}

/// The page of everything, from every instance.
pub(super) fn status_of_all() -> String {
    "for at in $STATUS; do curl -sS \"http://$at/slo\"; done".to_owned()
}

/// What happened, to paste into a post-mortem.
pub(super) fn timeline(since: &str) -> String {
    format!("for at in $STATUS; do curl -sS \"http://$at/slo/timeline?since={since}\"; done")
}

/// Every guard, its state, and what can be done about it.
pub(super) fn guards() -> String {
    "for at in $CONTROL; do curl -sS \"http://$at/control\"; done".to_owned()
}

/// Does something to a guard on every instance: each decides for itself. The guard is in a line of its own, to be changed.
pub(super) fn control(guard: &str, act: &str) -> Vec<String> {
    let mark = if act.contains('?') { '&' } else { '?' };
    vec![
        format!("GUARD={}", encoded(guard)),
        format!(
            "for at in $CONTROL; do curl -sS -X POST \"http://$at/control/guards/$GUARD/{act}{mark}by=$USER\"; done"
        ),
    ]
}

/// Asks Prometheus.
pub(super) fn ask(query: &str) -> String {
    format!("promtool query instant \"$PROMETHEUS\" {}", shell(query))
}

/// Which alerts fire; of one SLO, if it is named.
pub(super) fn firing(slo: Option<&str>) -> String {
    let only = slo.map_or_else(String::new, |slo| format!(" {}", shell(&matcher(label::SLO, slo))));
    format!("amtool --alertmanager.url=\"$ALERTMANAGER\" --output=extended alert query --active{only}")
}

/// Keeps an alert quiet: somebody has it.
pub(super) fn silence(alarm: Alarm, slo: &str, lasting: &str) -> String {
    format!(
        "amtool --alertmanager.url=\"$ALERTMANAGER\" silence add --author=\"$USER\" --duration={lasting} \
         --comment=\"$USER has it\" alertname={} {}",
        alarm.name(),
        shell(&matcher(label::SLO, slo))
    )
}

/// Who keeps what quiet.
pub(super) fn silences(slo: &str) -> String {
    format!("amtool --alertmanager.url=\"$ALERTMANAGER\" silence query {}", shell(&matcher(label::SLO, slo)))
}

/// Source: Alertmanager, "Matcher": values may be quoted, with `\"` and `\\` in them.
pub(super) fn matcher(label: &str, value: &str) -> String {
    format!("{label}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `kubectl`, in the kit's namespace.
pub(super) fn kubectl(kit: &Kit, words: &str) -> String {
    format!("kubectl -n {} {words}", kit.namespace_slug())
}

/// An SLO's name in `/slo/…`, where `timeline` is something else.
fn path(slo: &str) -> String {
    if slo == "timeline" { "%74imeline".to_owned() } else { encoded(slo) }
}

/// Source: RFC 3986, 2.3: what is not unreserved is percent-encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// How calls end of late, by outcome.
pub(super) fn outcomes(slo: &str) -> String {
    let calls = selector(names::OUTCOMES, &[(label::SLO, slo)]);
    format!("sort_desc(sum by ({}) (rate({calls}[5m])) > 0)", label::OUTCOME)
}

/// The share of bad events by instance.
pub(super) fn bad_by_instance(slo: &str) -> String {
    let bad = selector(names::EVENTS, &[(label::SLO, slo), (label::VERDICT, "bad")]);
    let all = format!("{}{{{}={},{}!=\"excluded\"}}", names::EVENTS, label::SLO, promql(slo), label::VERDICT);
    format!("sort_desc(sum by (instance) (rate({bad}[5m])) / sum by (instance) (rate({all}[5m])))")
}

/// How fast the budget goes, in every window.
pub(super) fn burn(slo: &str) -> String {
    format!("sort_desc({})", selector(recorded::BURN_RATE, &[(label::SLO, slo)]))
}

/// How fast the budget goes of several SLOs, at its worst.
pub(super) fn burn_of(slos: &[String]) -> String {
    let each: Vec<String> = slos.iter().map(|slo| selector(recorded::BURN_RATE, &[(label::SLO, slo)])).collect();
    format!("sort_desc(max by ({}, {}) ({}))", label::SLO, label::WINDOW, each.join(" or "))
}

/// What is left of the budget.
pub(super) fn budget(slo: &str) -> String {
    selector(recorded::BUDGET_REMAINING, &[(label::SLO, slo)])
}

/// The share of the budget that went in the last `since`.
pub(super) fn spent(slo: &str, since: &str) -> String {
    let left = budget(slo);
    format!("{left} offset {since} - {left}")
}

/// How long calls take: the quantile that the SLO promises something about, by instance.
pub(super) fn quantile(slo: &str, quantile: f64) -> String {
    let buckets = selector(&format!("{}_bucket", names::DURATION), &[(label::SLO, slo)]);
    format!("histogram_quantile({quantile}, sum by (instance, le) (rate({buckets}[5m])))")
}

/// Something about guards, of those alone whose calls count for the SLO.
pub(super) fn of_guards(of: &str, slo: &str) -> String {
    let info = selector(names::GUARD_INFO, &[(label::SLO, slo)]);
    format!("{of} * on (instance, {}) group_left ({}) {info}", label::GUARD, label::SLO)
}

/// Breakers that are not closed.
pub(super) fn open_breakers(slo: &str) -> String {
    let states = format!("{}{{{}!=\"closed\"}}", names::BREAKER_STATE, label::STATE);
    format!("{} == 1", of_guards(&states, slo))
}

/// Calls refused, by reason.
pub(super) fn refusals(slo: &str) -> String {
    let refused = format!("rate({}[5m])", names::REJECTIONS);
    format!("sum by ({}, {}) ({}) > 0", label::GUARD, label::REASON, of_guards(&refused, slo))
}

/// Calls shed, by priority.
pub(super) fn sheds(slo: &str) -> String {
    let shed = format!("rate({}[5m])", names::SHEDS);
    format!("sum by ({}, {}) ({}) > 0", label::GUARD, label::PRIORITY, of_guards(&shed, slo))
}

/// How many keys have a breaker that is not closed.
pub(super) fn unwell_keys(slo: &str) -> String {
    let states = format!("{}{{{}!=\"closed\"}}", names::KEYED_BREAKERS, label::STATE);
    format!("{} > 0", of_guards(&states, slo))
}

/// Whether Prometheus reaches a service's instances.
pub(super) fn up(service: &str) -> String {
    selector("up", &[("job", service)])
}

/// What each instance declares.
pub(super) fn info(slo: &str) -> String {
    selector(names::INFO, &[(label::SLO, slo)])
}

/// How many instances declare what.
pub(super) fn declarations(slo: &str) -> String {
    format!("count by ({}) ({} == 1)", label::DECLARATION, info(slo))
}

/// How full guards are, the fullest first.
pub(super) fn saturation(slo: &str) -> String {
    format!("sort_desc({})", of_guards(names::SATURATION, slo))
}

/// Calls now over calls a week ago.
pub(super) fn traffic(slo: &str) -> String {
    let calls = selector(names::OUTCOMES, &[(label::SLO, slo)]);
    format!("sum(rate({calls}[5m])) / sum(rate({calls}[5m] offset 1w))")
}

/// Whether an alert still fires.
pub(super) fn alert(alarm: Alarm, subject: &Subject<'_>) -> String {
    let labels = [("alertname", alarm.name()), (label::SLO, subject.slo.name()), ("alertstate", "firing")];
    selector("ALERTS", &labels)
}

/// Bad and valid events of the last `window`, by objective.
pub(super) fn events(slo: &str, window: Duration) -> String {
    let events = selector(names::EVENTS, &[(label::SLO, slo)]);
    format!("sum by ({}, {}) (increase({events}[{}]))", label::OBJECTIVE, label::VERDICT, duration(window))
}
