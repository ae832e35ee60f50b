//! Alert policies and conditions, as our pairs of windows.

use super::extras::{self, AlertExtra, SloExtra};
use super::library::Library;
use super::losses::in_metadata;
use super::model::{AlertConditionSpec, AlertPolicySpec, Item, Metadata, annotation};
use super::words::{duration, parse_duration};
use crate::slo::file::{AlertModel, Fault, Length, Node};
use crate::slo::{AlertWindow, Severity, Target};
use std::time::Duration;

/// One alert, as it was declared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taken {
    pub(super) alert: AlertModel,
    /// Whether it stands beside those of the period.
    pub(super) more: bool,
}

/// The alerts of an SLO object, for an objective with this target.
pub(super) fn of(
    node: &Node,
    policies: &[Item<AlertPolicySpec>],
    slo: Option<&SloExtra>,
    target: Target,
    library: &mut Library<'_>,
    lose: &mut impl FnMut(String),
) -> Result<Vec<Taken>, Fault> {
    let mut taken = Vec::new();
    for (i, item) in policies.iter().enumerate() {
        let place = format!("[{i}]");
        let path = ["spec", "alertPolicies", &place];
        let fault = |message: String| node.fault(&path, message);
        let (metadata, policy) = match item {
            Item::Inline(inline) => {
                in_metadata(&inline.metadata)
                    .for_each(|what| lose(format!("alert policy {:?}: {what}", inline.metadata.name)));
                (inline.metadata.clone(), inline.spec.clone())
            }
            Item::Ref(name) => {
                let found = library.policies.take(name).map_err(fault)?;
                (found.metadata.clone(), found.spec.clone())
            }
        };
        let name = &metadata.name;
        let told = [
            (policy.alert_when_no_data == Some(true), "an alert on missing data is a rule of its own, in the kit"),
            (policy.alert_when_resolved == Some(false), "that an alert is over is always told"),
            (policy.description.is_some(), "its description is not kept"),
            (policy.conditions.len() > 1, "each of its conditions is an alert of its own"),
        ];
        for (_, what) in told.into_iter().filter(|(is, _)| *is) {
            lose(format!("alert policy {name:?}: {what}"));
        }
        if policy.alert_when_breaching == Some(false) {
            lose(format!("alert policy {name:?} does not alert while the SLO is breached: it is left out"));
            continue;
        }
        if policy.conditions.is_empty() {
            return Err(fault(format!("alert policy {name:?} has no condition: write one")));
        }
        for condition in &policy.conditions {
            let (metadata, spec) = match condition {
                Item::Inline(inline) => {
                    in_metadata(&inline.metadata)
                        .for_each(|what| lose(format!("alert condition {:?}: {what}", inline.metadata.name)));
                    (inline.metadata.clone(), inline.spec.clone())
                }
                Item::Ref(name) => {
                    let found = library.conditions.take(name).map_err(fault)?;
                    (found.metadata.clone(), found.spec.clone())
                }
            };
            taken.push(condition_of(&metadata, &spec, slo, target, lose).map_err(fault)?);
        }
        for target in &policy.notification_targets {
            match target {
                Item::Ref(name) => _ = library.targets.take(name).map_err(fault)?,
                Item::Inline(inline) => lose(format!(
                    "notification target {:?} is not kept: who is told is said in Alertmanager's configuration",
                    inline.metadata.name
                )),
            }
        }
    }
    Ok(taken)
}

fn condition_of(
    metadata: &Metadata,
    spec: &AlertConditionSpec,
    slo: Option<&SloExtra>,
    target: Target,
    lose: &mut impl FnMut(String),
) -> Result<Taken, String> {
    let name = &metadata.name;
    let refuse = |what: String| Err(format!("alert condition {name:?}: {what}"));
    let condition = &spec.condition;
    if let Some(kind) = condition.kind.as_deref().filter(|kind| *kind != "burnrate") {
        return refuse(format!("{kind:?} is no kind of condition: write \"burnrate\""));
    }
    if let Some(op) = condition.op.as_deref().filter(|op| *op != "gt") {
        if op != "gte" {
            return refuse(format!("{op:?} is no way to burn too fast: write \"gt\""));
        }
        lose(format!("alert condition {name:?}: it fires over its threshold, not at it"));
    }
    if spec.description.is_some() {
        lose(format!("the description of alert condition {name:?} is not kept"));
    }
    let read = |given: &str| {
        let message = || format!("alert condition {name:?}: {given:?} is no duration: write such as \"1h\"");
        parse_duration(given).ok_or_else(message)
    };
    let long = read(&condition.lookback_window)?;
    let pending = condition.alert_after.as_deref().map_or(Ok(Duration::ZERO), read)?;
    let mut alert = AlertModel {
        severity: severity(&spec.severity, name, lose),
        long: Length(long),
        short: Length(Duration::ZERO),
        factor: condition.threshold,
        held_for: Some(Length(pending)).filter(|Length(pending)| !pending.is_zero()),
    };
    let Some(extra) = metadata.annotations.get(annotation::ALERT) else {
        // A twelfth is usual, and four scrapes of 15 s are the least.
        alert.short = Length((long / 12).max(Duration::from_secs(60)));
        lose(format!(
            "alert condition {name:?} has one window: a short one of {} beside it is taken",
            duration(alert.short.0)
        ));
        return Ok(Taken { alert, more: false });
    };
    let extra: AlertExtra = extras::parse(extra)
        .map_err(|fault| format!("alert condition {name:?}, annotation {:?}: {fault}", annotation::ALERT))?;
    // What was rounded, lowered or capped to fit is as it was, unless somebody changed it since.
    let same = |exact: &Length, given: &str| duration(exact.0) == given;
    alert.short = extra.short;
    if let Some(exact) = extra.long.filter(|exact| same(exact, &condition.lookback_window)) {
        alert.long = exact;
    }
    if let Some(exact) =
        extra.held_for.filter(|exact| condition.alert_after.as_deref().is_some_and(|given| same(exact, given)))
    {
        alert.held_for = Some(exact);
    }
    let highest = slo.and_then(|slo| slo.severity).unwrap_or(Severity::P0);
    if let Some(higher) = extra.severity.filter(|higher| highest.min(*higher) == alert.severity) {
        alert.severity = higher;
    }
    let capped = |factor: f64| {
        let window = AlertWindow::new(alert.severity, alert.long.0, alert.short.0, factor);
        window.capped(target).factor_micros()
    };
    let given = AlertWindow::new(alert.severity, alert.long.0, alert.short.0, alert.factor).factor_micros();
    if let Some(higher) = extra.factor.filter(|higher| capped(*higher) == given) {
        alert.factor = higher;
    }
    Ok(Taken { alert, more: extra.more })
}

/// Ours, or what others call them.
fn severity(given: &str, name: &str, lose: &mut impl FnMut(String)) -> Severity {
    if let Some(known) = Severity::ALL.into_iter().find(|known| known.as_str() == given) {
        return known;
    }
    let pages = ["page", "critical", "high", "sev0", "sev1", "p0", "1", "fatal", "urgent"];
    let soon = ["sev2", "p1", "2", "major", "error"];
    let lower = given.to_ascii_lowercase();
    let taken = if pages.contains(&lower.as_str()) {
        Severity::P0
    } else if soon.contains(&lower.as_str()) {
        Severity::P1
    } else {
        Severity::P2
    };
    lose(format!("alert condition {name:?}: severity {given:?} is taken as {taken}"));
    taken
}
