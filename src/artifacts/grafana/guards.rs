//! What the guards of an SLO do: their breakers, and what they refuse and shed.

use super::model::Panel;
use super::query::{INSTANCE, Of, RATE, guard, is};
use crate::names::{self, label};
use serde_json::{Value, json};

/// A breaker's states: the number that stands for each, its name for people, and its colour.
const STATES: [(&str, &str, &str); 7] = [
    ("closed", "closed", "green"),
    ("open", "open", "red"),
    ("half_open", "half-open", "yellow"),
    ("ramping", "ramping", "blue"),
    ("forced_open", "forced open", "dark-red"),
    ("forced_closed", "forced closed", "dark-green"),
    ("would_be_open", "would be open", "orange"),
];

pub(super) fn panels(of: &Of) -> Vec<Panel> {
    vec![
        Panel::row("Guards"),
        states(of),
        refusals(of),
        sheds(of),
        saturation(of),
        in_flight(of),
        waiting(of),
        keys(of),
    ]
}

/// Exactly one state is 1: the sum is the number of the one that is.
fn states(of: &Of) -> Panel {
    let weighed = STATES
        .iter()
        .zip(0..)
        .map(|((state, ..), number)| format!("{number} * {}", guard(names::BREAKER_STATE, &[is(label::STATE, state)])));
    let weighed: Vec<String> = weighed.collect();
    let expr = format!("sum by ({}, {INSTANCE}) ({})", label::GUARD, of.guards(&format!("({})", weighed.join(" or "))));
    let words: serde_json::Map<String, Value> = STATES
        .iter()
        .zip(0..)
        .map(|((_, words, colour), number)| {
            (number.to_string(), json!({"index": number, "text": words, "color": colour}))
        })
        .collect();
    let description = "Each breaker over time. Open: it refuses calls because they would fail; look at what it \
                       guards. Open on one instance only: look at that instance. Would be open: it only observes, \
                       and refuses nothing.";
    Panel::timeline("Breakers", description)
        .size(24, 8)
        .query(expr, format!("{{{{{}}}}} {{{{{INSTANCE}}}}}", label::GUARD))
        .mappings(json!([{"type": "value", "options": words}]))
}

fn per_second(of: &Of, name: &str, by: &str) -> String {
    let rate = format!("rate({}[{RATE}])", guard(name, &[]));
    format!("sum by ({}, {by}) ({})", label::GUARD, of.guards(&rate))
}

fn refusals(of: &Of) -> Panel {
    let description = "Calls refused, by guard and reason. Open, probing, ramping: its breaker; fix or replace what \
                       it guards. Limit, queue_full, queue_timeout, pressure, deadline: too much is asked; add \
                       instances, or shed a class of calls. Fallback_limit counts fallbacks that were not asked, \
                       beside the refusal itself.";
    Panel::graph("Refused, by reason", description)
        .size(8, 8)
        .query(per_second(of, names::REJECTIONS, label::REASON), "{{guard}}: {{reason}}")
        .unit("reqps")
        .min(0.0)
        .quiet()
        .stacked()
}

fn sheds(of: &Of) -> Panel {
    let description = "Calls shed, by guard and priority: the lowest goes first. If critical ones go, what is left \
                       is not enough for those that matter: add instances now.";
    Panel::graph("Shed, by priority", description)
        .size(8, 8)
        .query(per_second(of, names::SHEDS, label::PRIORITY), "{{guard}}: {{priority}}")
        .unit("reqps")
        .min(0.0)
        .quiet()
        .stacked()
}

fn level(of: &Of, how: &str, name: &str) -> String {
    format!("{how} by ({}) ({})", label::GUARD, of.guards(&guard(name, &[])))
}

fn saturation(of: &Of) -> Panel {
    let description = "Demand over capacity, the highest of all instances: calls in progress, waiting and lately \
                       shed. Over 1, more is asked than can be done; over 0.7 for minutes, add instances before it \
                       gets there. It is 0 while no limit is known. The second line is the share of calls shed.";
    Panel::graph("Saturation", description)
        .size(8, 8)
        .query(level(of, "max", names::SATURATION), "{{guard}}: saturation")
        .query(level(of, "max", names::SHED_RATIO), "{{guard}}: share shed")
        .unit("percentunit")
        .min(0.0)
        .quiet()
        .custom("axisSoftMax", json!(1.0))
        .lines(&[(0.7, "yellow"), (1.0, "red")])
}

fn in_flight(of: &Of) -> Panel {
    let limit = of.guards(&format!("({} < +Inf)", guard(names::CONCURRENCY_LIMIT, &[])));
    let description = "Calls in progress, and how many are allowed at once; a guard without a limiter has no limit. \
                       If calls pile up while as many a second come as before, each of them takes longer: look at \
                       latency.";
    Panel::graph("In flight, and the limit", description)
        .size(8, 8)
        .query(level(of, "sum", names::IN_FLIGHT), "{{guard}}: in flight")
        .query(format!("sum by ({}) ({limit})", label::GUARD), "{{guard}}: limit")
        .unit("none")
        .min(0.0)
        .quiet()
        .custom("fillOpacity", json!(0))
}

fn waiting(of: &Of) -> Panel {
    let description = "Calls that wait to be let in. A queue that never empties only adds latency: add instances, \
                       or shed.";
    Panel::graph("Waiting", description)
        .size(8, 8)
        .query(level(of, "sum", names::QUEUED), "{{guard}}")
        .unit("none")
        .min(0.0)
        .quiet()
}

fn keys(of: &Of) -> Panel {
    let by = format!("{}, {}", label::GUARD, label::STATE);
    let expr = format!("sum by ({by}) ({})", of.guards(&guard(names::KEYED_BREAKERS, &[])));
    let description = "For guards with a breaker for each tenant, route or endpoint: how many of these are in which \
                       state. A few open ones are tenants in trouble, and the status page names them; if all are \
                       open, it is an outage.";
    Panel::graph("Keys, by state of their breaker", description)
        .size(8, 8)
        .query(expr, "{{guard}}: {{state}}")
        .unit("none")
        .min(0.0)
        .quiet()
        .stacked()
}
