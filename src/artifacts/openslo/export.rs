//! From declarations to OpenSLO's objects.

use super::Loss;
use super::extras::{AlertExtra, ObjectiveExtra, SloExtra, annotate};
use super::model::{
    AlertConditionSpec, AlertPolicySpec, Calendar, Condition, DataSourceSpec, Inline, Item, Metadata, Metric,
    MetricSource, NotificationTargetSpec, Object, ObjectiveSpec, RatioMetric, ServiceSpec, SliSpec, SloSpec,
    TimeWindow, VERSION, annotation,
};
use super::words::{duration, query};
use crate::artifacts::text::{slug, slug_unlike};
use crate::error::Error;
use crate::slo::file::{AlertModel, Length, SloModel};
use crate::slo::{AlertWindow, Objective, Period, Severity, Slo};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Where Prometheus is known under.
pub(super) const SOURCE: &str = "plimsoll-prometheus";
/// Who is told of alerts of a severity.
pub(super) const TARGETS: [(Severity, &str, &str); 3] = [
    (Severity::P0, "plimsoll-p0", "pager"),
    (Severity::P1, "plimsoll-p1", "ticket"),
    (Severity::P2, "plimsoll-p2", "chat"),
];

/// Everything in a few objects: those that are shared, and those of each SLO.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) shared: Vec<Value>,
    pub(super) slos: Vec<Vec<Value>>,
    /// By SLO.
    pub(super) losses: Vec<Vec<Loss>>,
}

pub(super) fn write(slos: &[Slo]) -> Result<Written, Error> {
    let mut names = Names::default();
    let mut services: Vec<(String, &str)> = Vec::new();
    let mut written = Written { shared: vec![source()?], slos: Vec::new(), losses: Vec::new() };
    for (severity, name, target) in TARGETS {
        let _ = severity;
        let spec = NotificationTargetSpec { target: target.to_owned(), description: None };
        written.shared.push(object("AlertNotificationTarget", Metadata::named(name), spec)?);
    }
    for slo in slos {
        slo.validate()?;
        let service = slo.service_name();
        // Services of one short name are one object: it has the name in full of the first.
        let short = slug(service);
        if !services.iter().any(|(known, _)| *known == short) {
            let display_name = Some(service.to_owned()).filter(|name| *name != short);
            let metadata = Metadata { display_name, ..Metadata::named(short.clone()) };
            written.shared.push(object("Service", metadata, ServiceSpec { description: None })?);
            services.push((short, service));
        }
        let (objects, losses) = one(slo, &mut names)?;
        written.slos.push(objects);
        written.losses.push(losses);
    }
    Ok(written)
}

/// What names are taken, by kind.
#[derive(Debug, Default)]
struct Names {
    slos: Vec<String>,
    policies: Vec<String>,
}

fn object<S: Serialize>(kind: &str, metadata: Metadata, spec: S) -> Result<Value, Error> {
    let object = Object { api_version: VERSION.to_owned(), kind: kind.to_owned(), metadata, spec };
    serde_json::to_value(object).map_err(|error| Error::unreadable(format!("{kind} cannot be written: {error}")))
}

fn source() -> Result<Value, Error> {
    let connection_details = Value::Object(serde_json::Map::new());
    let spec = DataSourceSpec { description: None, kind: "Prometheus".to_owned(), connection_details };
    object("DataSource", Metadata::named(SOURCE), spec)
}

fn one(slo: &Slo, names: &mut Names) -> Result<(Vec<Value>, Vec<Loss>), Error> {
    let mut losses = Vec::new();
    let whole = annotate(&extra(slo)?, annotation::SLO, &format!("SLO {}", slo.name()), &mut losses);
    let mut objects = Vec::new();
    for objective in slo.objectives() {
        let what = format!("SLO {}, objective {}", slo.name(), objective.name());
        let name = slug_unlike(&format!("{}-{}", slo.name(), objective.name()), &mut names.slos);
        let sli = SliSpec { description: None, threshold_metric: None, ratio_metric: Some(ratio(slo, objective)) };
        objects.push(object("SLI", Metadata::named(&name), sli)?);
        let mut policies = Vec::new();
        for ((raw, more), alert) in raw_alerts(slo)?.into_iter().zip(slo.alert_windows_of(objective)) {
            let (policy, metadata) = policy(&name, &raw, more, &alert, &what, names, &mut losses);
            policies.push(Item::Ref(metadata.name.clone()));
            objects.push(object("AlertPolicy", metadata, policy)?);
        }
        let slice = objective.slices().map(|(slice, _)| Length(slice)).filter(|Length(slice)| is_rounded(*slice));
        let threshold = objective.threshold().map(Length);
        let extra = ObjectiveExtra { threshold, of_successes: !objective.counts_failures(), slice };
        let extra = Some(extra).filter(|extra| *extra != ObjectiveExtra::default());
        let extra = extra.and_then(|extra| annotate(&extra, annotation::OBJECTIVE, &what, &mut losses));
        let metadata =
            Metadata::named(&name).annotated(annotation::SLO, whole.clone()).annotated(annotation::OBJECTIVE, extra);
        let spec = SloSpec {
            description: None,
            service: slug(slo.service_name()),
            indicator: None,
            indicator_ref: Some(name),
            time_window: vec![time_window(slo.period())],
            budgeting_method: if objective.slices().is_some() { "Timeslices" } else { "Occurrences" }.to_owned(),
            objectives: vec![objective_spec(objective)],
            alert_policies: policies,
        };
        objects.push(object("SLO", metadata, spec)?);
    }
    Ok((objects, losses))
}

/// What has no place in the format.
fn extra(slo: &Slo) -> Result<SloExtra, Error> {
    let model = SloModel::of(slo)?;
    let rounded = match slo.period() {
        Period::Rolling(length) => is_rounded(length),
        Period::CalendarMonth => false,
    };
    Ok(SloExtra {
        // What the format says, annotations need not; but that a service is named like its SLO is read as not said.
        service: model.service.filter(|service| slug(service) != *service || *service == slug(slo.name())),
        owner: model.owner,
        runbook: model.runbook,
        depends_on: model.depends_on,
        period: model.period.filter(|_| rounded),
        severity: model.severity,
        min_events: model.min_events,
        scrape_interval: model.scrape_interval,
        reachable_alerts: model.reachable_alerts,
        alerts_of_period: model.alerts.is_none(),
        budget_policy: model.budget_policy,
        accounting: model.accounting,
    })
}

fn is_rounded(d: Duration) -> bool {
    !d.as_nanos().is_multiple_of(60_000_000_000)
}

/// The alerts as they were declared, and whether they stand beside the others; in the order of `alert_windows_of`.
fn raw_alerts(slo: &Slo) -> Result<Vec<(AlertModel, bool)>, Error> {
    let model = SloModel::of(slo)?;
    let usual = || AlertWindow::for_period(slo.period()).iter().map(AlertModel::of).collect();
    let own: Vec<AlertModel> = model.alerts.unwrap_or_else(usual);
    let own = own.into_iter().map(|alert| (alert, false));
    Ok(own.chain(model.more_alerts.into_iter().map(|alert| (alert, true))).collect())
}

fn policy(
    slo: &str,
    raw: &AlertModel,
    more: bool,
    alert: &AlertWindow,
    object: &str,
    names: &mut Names,
    losses: &mut Vec<Loss>,
) -> (AlertPolicySpec, Metadata) {
    let severity = alert.severity();
    let (long, pending) = (duration(alert.long()), duration(alert.pending()));
    let name = slug_unlike(&format!("{slo}-{severity}-{long}"), &mut names.policies);
    let extra = AlertExtra {
        short: raw.short,
        long: Some(raw.long).filter(|Length(long)| is_rounded(*long)),
        held_for: raw.held_for.filter(|Length(held)| is_rounded(*held)),
        severity: Some(raw.severity).filter(|raw| *raw != severity),
        factor: Some(raw.factor).filter(|raw| *raw != alert.factor()),
        more,
    };
    let place = format!("{object}, alert {severity} over {long}");
    let extra = annotate(&extra, annotation::ALERT, &place, losses);
    let condition = AlertConditionSpec {
        description: None,
        severity: severity.to_string(),
        condition: Condition {
            kind: Some("burnrate".to_owned()),
            op: Some("gt".to_owned()),
            threshold: alert.factor(),
            lookback_window: long,
            alert_after: Some(pending),
        },
    };
    let metadata = Metadata::named(&name).annotated(annotation::ALERT, extra);
    let condition = Inline { kind: Some("AlertCondition".to_owned()), metadata, spec: condition };
    let target = TARGETS.iter().find(|(told, ..)| *told == severity).map(|(_, name, _)| Item::Ref((*name).to_owned()));
    let policy = AlertPolicySpec {
        description: None,
        alert_when_no_data: Some(false),
        alert_when_resolved: Some(true),
        alert_when_breaching: Some(true),
        conditions: vec![Item::Inline(Box::new(condition))],
        notification_targets: target.into_iter().collect(),
    };
    (policy, Metadata::named(name))
}

fn ratio(slo: &Slo, objective: &Objective) -> RatioMetric {
    let metric = |verdict| {
        let query = Value::String(query(slo.name(), objective.name(), verdict));
        let spec = Value::Object(std::iter::once(("query".to_owned(), query)).collect());
        let kind = Some("Prometheus".to_owned());
        Some(Metric { metric_source: MetricSource { metric_source_ref: Some(SOURCE.to_owned()), kind, spec } })
    };
    RatioMetric {
        counter: Some(true),
        good: metric(Some("good")),
        bad: None,
        total: metric(None),
        raw_type: None,
        raw: None,
    }
}

fn time_window(period: Period) -> TimeWindow {
    match period {
        Period::Rolling(length) => TimeWindow { duration: duration(length), is_rolling: Some(true), calendar: None },
        Period::CalendarMonth => TimeWindow {
            duration: "1M".to_owned(),
            is_rolling: Some(false),
            calendar: Some(Calendar { start_time: "2024-01-01 00:00:00".to_owned(), time_zone: "UTC".to_owned() }),
        },
    }
}

fn objective_spec(objective: &Objective) -> ObjectiveSpec {
    let slices = objective.slices();
    ObjectiveSpec {
        display_name: Some(objective.name().to_owned()),
        op: None,
        value: None,
        target: Some(objective.target().as_ratio()),
        target_percent: None,
        time_slice_target: slices.map(|(_, target)| target.as_ratio()),
        time_slice_window: slices.map(|(slice, _)| Value::String(duration(slice))),
        indicator: None,
        indicator_ref: None,
        composite_weight: None,
    }
}
