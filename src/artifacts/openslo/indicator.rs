//! What an SLI measures: events that we count, or something else.

use super::library::Library;
use super::losses::in_metadata;
use super::model::{Inline, Metric, RatioMetric, SliSpec};
use super::words::{Selected, parse_query};
use crate::slo::file::{Fault, Node};

/// What an objective is about.
#[derive(Debug)]
pub(super) enum Indicator {
    /// Good and bad events of an objective of ours.
    Ours(Selected),
    /// Anything else: its events are to be counted in code.
    Foreign,
}

/// The indicator at `path`, if there is one, inside or by name.
pub(super) fn of(
    node: &Node,
    path: &[&str],
    inline: Option<&Inline<SliSpec>>,
    by_name: Option<&str>,
    library: &mut Library<'_>,
    lose: &mut impl FnMut(String),
) -> Result<Option<Indicator>, Fault> {
    let (metadata, spec) = match (inline, by_name) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(node.fault(path, "both `indicator` and `indicatorRef`: leave one of them out"));
        }
        (Some(inline), None) => {
            in_metadata(&inline.metadata).for_each(|what| lose(format!("SLI {:?}: {what}", inline.metadata.name)));
            (inline.metadata.clone(), inline.spec.clone())
        }
        (None, Some(name)) => {
            let path: Vec<&str> = path.iter().copied().chain(["indicatorRef"]).collect();
            let found = library.slis.take(name).map_err(|message| node.fault(&path, message))?;
            (found.metadata.clone(), found.spec.clone())
        }
    };
    let name = &metadata.name;
    if spec.description.is_some() {
        lose(format!("the description of SLI {name:?} is not kept"));
    }
    let found = match (&spec.ratio_metric, &spec.threshold_metric) {
        (Some(ratio), None) => ratio_metric(ratio, name, lose),
        (None, Some(metric)) => {
            foreign(name, &[metric], lose);
            Ok(Indicator::Foreign)
        }
        _ => Err("write either `ratioMetric` or `thresholdMetric`".to_owned()),
    };
    let message = |why| node.fault(path, format!("SLI {name:?}: {why}"));
    found.map(Some).map_err(message)
}

fn ratio_metric(ratio: &RatioMetric, name: &str, lose: &mut impl FnMut(String)) -> Result<Indicator, String> {
    let RatioMetric { counter, good, bad, total, raw_type, raw } = ratio;
    let (part, verdict, total) = match (good, bad, total, raw) {
        (Some(good), None, Some(total), None) if raw_type.is_none() => (good, "good", total),
        (None, Some(bad), Some(total), None) if raw_type.is_none() => (bad, "bad", total),
        (None, None, None, Some(raw))
            if raw_type.as_deref().is_some_and(|kind| ["success", "failure"].contains(&kind)) =>
        {
            foreign(name, &[raw], lose);
            return Ok(Indicator::Foreign);
        }
        _ => {
            return Err(
                "write `good` or `bad`, and `total`; or `raw`, and `rawType`, `success` or `failure`".to_owned()
            );
        }
    };
    match (selected(part), selected(total)) {
        (Some(part), Some(mut all))
            if part.verdict.as_deref() == Some(verdict)
                && all.verdict.is_none()
                && (&part.slo, &part.objective, &part.rest) == (&all.slo, &all.objective, &all.rest) =>
        {
            for label in all.rest.drain(..) {
                lose(format!("SLI {name:?} counts where {label} alone, and plimsoll counts all in the process"));
            }
            if *counter == Some(false) {
                lose(format!("SLI {name:?} says that its metrics are no counters, and they are"));
            }
            Ok(Indicator::Ours(all))
        }
        _ => {
            foreign(name, &[part, total], lose);
            Ok(Indicator::Foreign)
        }
    }
}

fn selected(metric: &Metric) -> Option<Selected> {
    metric.metric_source.spec.get("query").and_then(serde_json::Value::as_str).and_then(parse_query)
}

fn foreign(name: &str, metrics: &[&Metric], lose: &mut impl FnMut(String)) {
    for metric in metrics {
        let source = &metric.metric_source;
        let of = source.kind.as_deref().or(source.metric_source_ref.as_deref()).unwrap_or("an unnamed source");
        let spec = source.spec.to_string();
        let spec: String =
            if spec.chars().count() > 500 { spec.chars().take(500).chain(['…']).collect() } else { spec };
        lose(format!("SLI {name:?} is measured by {of} ({spec}): count its events in code, with a guard or by hand"));
    }
}
