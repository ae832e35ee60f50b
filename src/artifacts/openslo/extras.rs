//! What a declaration says and OpenSLO cannot: kept in annotations, as JSON in the shape of [`file`](crate::slo::file).

use super::Loss;
use crate::slo::file::{AccountingModel, Fault, Format, Length, documents, read_node};
use crate::slo::{BudgetPolicy, Period, Severity};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fn no(flag: &bool) -> bool {
    !flag
}

/// Of the SLO as a whole; the same on all of its objectives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SloExtra {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runbook: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) depends_on: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scrape_interval: Option<Length>,
    #[serde(skip_serializing_if = "no")]
    pub(super) reachable_alerts: bool,
    /// The alerts are those that belong to the period.
    #[serde(skip_serializing_if = "no")]
    pub(super) alerts_of_period: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget_policy: Option<BudgetPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accounting: Option<AccountingModel>,
}

/// Of one objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ObjectiveExtra {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<Length>,
    #[serde(skip_serializing_if = "no")]
    pub(super) of_successes: bool,
    /// Of a timeslice, where it is no whole number of minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slice: Option<Length>,
}

/// Of one alert: its short window, and what is rounded or capped in the condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertExtra {
    pub(super) short: Length,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) long: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held_for: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) factor: Option<f64>,
    /// It stands beside the others, not in their place.
    #[serde(default, skip_serializing_if = "no")]
    pub(super) more: bool,
}

/// As an annotation; each field is one that the format has no place for.
pub(super) fn annotate<T: Serialize>(extra: &T, key: &str, object: &str, losses: &mut Vec<Loss>) -> Option<String> {
    let value = serde_json::to_value(extra).ok()?;
    for field in value.as_object()?.keys() {
        losses.push(Loss {
            object: object.to_owned(),
            what: format!("OpenSLO has no place for `{field}`: it is in the annotation {key:?}, for plimsoll alone"),
        });
    }
    Some(value.to_string())
}

/// Reads an annotation back.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    match documents(text.as_bytes(), Format::Json)?.as_slice() {
        [document] => read_node(document),
        _ => Err(Fault::nowhere("no JSON in it")),
    }
}
