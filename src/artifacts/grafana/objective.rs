//! One objective: the indicator against its target, the budget over the period, and how fast it goes.

use super::model::{Panel, shown};
use super::query::{Of, is, recorded, windowed};
use crate::artifacts::Subject;
use crate::artifacts::text::{duration, in_words, markdown, rounded};
use crate::names::{self, label, recorded as series};
use crate::slo::{AlertWindow, Objective, Period, Slo};
use serde_json::json;
use std::time::Duration;

/// The panels of one objective.
pub(super) fn panels(subject: &Subject<'_>, objective: &Objective, pairs: &[AlertWindow]) -> Vec<Panel> {
    let slo = subject.slo;
    let mut panels = vec![Panel::row(shown(&promise(slo, objective)))];
    panels.push(sli(slo, objective, pairs));
    panels.push(budget(slo, objective));
    panels.push(volume(slo, objective));
    let width = 24 / u32::try_from(pairs.len().clamp(1, 4)).unwrap_or(4);
    panels.extend(pairs.iter().map(|pair| burn(slo, objective, pair).size(width, 7)));
    panels
}

/// `latency: 99 % of events good within 500 ms, over 30 days`.
pub(super) fn promise(slo: &Slo, objective: &Objective) -> String {
    let within = objective.threshold().map(|threshold| format!(" within {}", in_words(threshold))).unwrap_or_default();
    let what = match objective.slices() {
        Some((slice, _)) => format!("slices of {}", in_words(slice)),
        None => "events".to_owned(),
    };
    format!("{}: {} of {what} good{within}, over {}", objective.name(), objective.target(), period(slo.period()))
}

pub(super) fn period(period: Period) -> String {
    match period {
        Period::Rolling(length) => in_words(length),
        Period::CalendarMonth => "the calendar month".to_owned(),
    }
}

/// The long window of the fastest alert: what "now" means.
pub(super) fn recent(slo: &Slo) -> Option<Duration> {
    slo.alert_windows().iter().map(AlertWindow::long).min()
}

fn sli(slo: &Slo, objective: &Objective, pairs: &[AlertWindow]) -> Panel {
    let (target, budget) = (objective.target(), objective.target().budget());
    let description = format!(
        "The share of what was good; the red line is the target, {target}. Under it, the budget goes faster than \
         allowed. Look at the windows side by side: the short one falls first, and recovers first."
    );
    let mut panel = Panel::graph("Indicator against its target", description).size(8, 8);
    let fastest = pairs.iter().min_by_key(|pair| pair.long());
    for window in fastest.iter().flat_map(|pair| [pair.short(), pair.long()]).map(duration) {
        let bad = windowed(series::BAD_RATIO, slo.name(), objective.name(), &window);
        panel = panel.query(format!("1 - {bad}"), format!("over {window}"));
    }
    if fastest.is_none() {
        let of = |verdict| {
            let labels = [is(label::OBJECTIVE, objective.name()), is(label::VERDICT, verdict)];
            format!("sum({})", Of::slo(slo.name()).rate(names::EVENTS, &labels))
        };
        panel = panel.query(format!("{0} / ({0} + {1})", of("good"), of("bad")), "good events");
    }
    panel
        .unit("percentunit")
        .max(1.0)
        .custom("axisSoftMin", json!((1.0 - 4.0 * budget).max(0.0)))
        .lines(&[(target.as_ratio(), "red")])
}

fn budget(slo: &Slo, objective: &Objective) -> Panel {
    let mut description = format!(
        "What is left of the error budget of {}: 100 % is all of it, at 0 % the promise is broken.",
        period(slo.period())
    );
    for (percent, action) in slo.policy().steps() {
        description += &format!(" Under {} %: {}.", rounded(percent), markdown(action));
    }
    description += &format!(" Spent: {}.", markdown(slo.policy().exhausted()));
    let since = match slo.period() {
        Period::CalendarMonth => "now/M".to_owned(),
        // Grafana knows no milliseconds here.
        Period::Rolling(length) => duration(Duration::from_secs(length.as_secs())),
    };
    let mut lines: Vec<_> = slo.policy().steps().map(|(percent, _)| (percent / 100.0, "orange")).collect();
    // The lowest first.
    lines.reverse();
    lines.insert(0, (0.0, "red"));
    Panel::graph("Error budget left, over the period", shown(&description))
        .size(8, 8)
        .query(recorded(series::BUDGET_REMAINING, slo.name(), objective.name()), "left")
        .unit("percentunit")
        .max(1.0)
        .custom("axisSoftMin", json!(0.0))
        .custom("fillOpacity", json!(20))
        .colour("left", "blue")
        .lines(&lines)
        .since(&since)
}

fn volume(slo: &Slo, objective: &Objective) -> Panel {
    let expr = Of::slo(slo.name()).rate(names::EVENTS, &[is(label::OBJECTIVE, objective.name())]);
    let description = "Events a second by verdict. Only good and bad ones count for the objective. If the sum falls \
                       to nothing, it is the traffic that is missing: look upstream first.";
    Panel::graph("Events by verdict", description)
        .size(8, 8)
        .query(format!("sum by ({}) ({expr})", label::VERDICT), format!("{{{{{}}}}}", label::VERDICT))
        .unit("cps")
        .min(0.0)
        .stacked()
        .colour("good", "green")
        .colour("bad", "red")
        .colour("excluded", "text")
}

/// Both windows of an alert, against the factor that both must exceed.
fn burn(slo: &Slo, objective: &Objective, pair: &AlertWindow) -> Panel {
    let (long, short) = (duration(pair.long()), duration(pair.short()));
    let factor = rounded(pair.factor());
    let colour = match pair.severity().as_str() {
        "P0" => "red",
        "P1" => "orange",
        _ => "yellow",
    };
    let spent = pair.factor() * pair.long().as_secs_f64() / slo.period().nominal().as_secs_f64() * 100.0;
    let description = format!(
        "The {severity} alert fires while both windows burn over {factor}, with at least {least} events in the long \
         one; by then {spent} % of the budget is gone within {long}. If only the short window is over the line, wait; \
         if only the long one is, the trouble is over and the alert has ended.",
        severity = pair.severity(),
        least = slo.least_events(),
        spent = rounded(spent),
        long = in_words(pair.long()),
    );
    let of = |window: &str| windowed(series::BURN_RATE, slo.name(), objective.name(), window);
    Panel::graph(format!("{}: burn rate over {factor}, {long} and {short}", pair.severity()), description)
        .query(of(&long), format!("over {long}"))
        .query(of(&short), format!("over {short}"))
        .unit("none")
        .min(0.0)
        .custom("axisSoftMax", json!(pair.factor() * 1.25))
        .lines(&[(pair.factor(), colour)])
}
