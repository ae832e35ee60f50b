//! From OpenSLO's objects to declarations.

use super::alerts::{self, Taken};
use super::extras::{self, ObjectiveExtra, SloExtra};
use super::indicator::{self, Indicator};
use super::library::{Found, Library};
use super::model::{Metadata, ObjectiveSpec, SloSpec, TimeWindow, annotation};
use super::words::parse_duration;
use super::{Import, Loss};
use crate::artifacts::text::slug;
use crate::error::Error;
use crate::slo::file::{AlertModel, Fault, Length, Node, ObjectiveModel, SlicesModel, SloModel, percent_of_ratio};
use crate::slo::{AlertWindow, Period, Slo, Target};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// One of our SLOs in the making: with us, what has several indicators may be one.
#[derive(Debug)]
struct Draft<'a> {
    name: String,
    node: &'a Node,
    extra: Option<SloExtra>,
    service: String,
    period: Period,
    alerts: Option<Vec<Taken>>,
    objectives: Vec<ObjectiveModel>,
}

pub(super) fn import(documents: &[Node]) -> Result<Import, Error> {
    let mut library = Library::of(documents).map_err(Fault::into_error)?;
    let mut losses = Vec::new();
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for found in std::mem::take(&mut library.slos.found) {
        for draft in draft(&found, &mut library, &mut losses).map_err(Fault::into_error)? {
            match drafts.iter_mut().find(|known| known.name == draft.name) {
                Some(known) => known.join(draft).map_err(Fault::into_error)?,
                None => drafts.push(draft),
            }
        }
    }
    let mut slos = Vec::new();
    for draft in drafts {
        let (name, line) = (draft.name.clone(), draft.node.line());
        let says_no_alerts = draft.alerts.is_none();
        let mut slo = draft.slo(&mut losses);
        if says_no_alerts && slo.validate().is_err_and(|error| error.is_too_fine()) {
            let what = "the alerts that belong to its period are too short for its slices: it has none".to_owned();
            losses.push(Loss { object: format!("SLO {name}"), what });
            slo = slo.alerts(Vec::new());
        }
        slo.validate().map_err(|error| error.at(&format!("line {line}, SLO {name}")))?;
        slos.push(slo);
    }
    super::losses::of_the_rest(&library, &slos, &mut losses);
    // What several objectives share was met with each of them.
    let mut told = HashSet::new();
    losses.retain(|loss: &Loss| told.insert((loss.object.clone(), loss.what.clone())));
    Ok(Import { slos, losses })
}

/// What an SLO object stands for: several, if its objectives have indicators that are ours and of several SLOs.
fn draft<'a>(
    found: &Found<'a, SloSpec>,
    library: &mut Library<'a>,
    losses: &mut Vec<Loss>,
) -> Result<Vec<Draft<'a>>, Fault> {
    let Found { node, metadata, spec, .. } = found;
    let object = format!("SLO {}", metadata.name);
    let mut lose = |what: String| losses.push(Loss { object: object.clone(), what });
    let extra: Option<SloExtra> = read_extra(node, metadata, annotation::SLO)?;
    let of_objective: Option<ObjectiveExtra> = read_extra(node, metadata, annotation::OBJECTIVE)?;
    if spec.description.is_some() {
        lose("its description is not kept".to_owned());
    }
    let period = period(node, &spec.time_window, extra.as_ref(), &mut lose)?;
    let shared =
        indicator::of(node, &["spec"], spec.indicator.as_ref(), spec.indicator_ref.as_deref(), library, &mut lose)?;
    if spec.objectives.is_empty() {
        return Err(node.fault(&["spec", "objectives"], "there is none: write at least one"));
    }
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for (i, objective) in spec.objectives.iter().enumerate() {
        let place = format!("[{i}]");
        let path = ["spec", "objectives", &place];
        let (inline, by_name) = (objective.indicator.as_ref(), objective.indicator_ref.as_deref());
        let own = indicator::of(node, &path, inline, by_name, library, &mut lose)?;
        let indicator = match (&shared, &own) {
            (Some(indicator), None) | (None, Some(indicator)) => indicator,
            (None, None) => return Err(node.fault(&["spec"], "no indicator: write `indicator` or `indicatorRef`")),
            (Some(_), Some(_)) => {
                return Err(node.fault(&path, "an indicator here and one of the whole SLO: leave one of them out"));
            }
        };
        let slo = match indicator {
            Indicator::Ours(selected) => selected.slo.clone(),
            Indicator::Foreign => metadata.name.clone(),
        };
        let target = target(node, &path, objective)?;
        let taken = alerts::of(node, &spec.alert_policies, extra.as_ref(), target, library, &mut lose)?;
        let taken = (extra.is_some() || !taken.is_empty()).then_some(taken);
        let model = model(node, &path, spec, objective, target, of_objective.as_ref(), &mut lose)?;
        let place = drafts.iter().position(|draft| draft.name == slo).unwrap_or_else(|| {
            drafts.push(Draft {
                name: slo,
                node,
                extra: extra.clone(),
                service: spec.service.clone(),
                period,
                alerts: taken,
                objectives: Vec::new(),
            });
            drafts.len() - 1
        });
        drafts[place].add(model, indicator, objective, &mut lose);
    }
    super::losses::of_metadata(&object, metadata, losses);
    Ok(drafts)
}

fn read_extra<T: serde::de::DeserializeOwned>(node: &Node, metadata: &Metadata, key: &str) -> Result<Option<T>, Fault> {
    let read = |text: &String| {
        extras::parse(text)
            .map_err(|fault| node.fault(&["metadata", "annotations", key], format!("in its text, {fault}")))
    };
    metadata.annotations.get(key).map(read).transpose()
}

fn period(
    node: &Node,
    windows: &[TimeWindow],
    extra: Option<&SloExtra>,
    lose: &mut impl FnMut(String),
) -> Result<Period, Fault> {
    let window = match windows {
        [window] => window,
        [] => {
            lose("it has no time window: 30 rolling days are taken".to_owned());
            return Ok(Period::default());
        }
        _ => return Err(node.fault(&["spec", "timeWindow"], "more than one time window: leave one")),
    };
    let path = ["spec", "timeWindow", "[0]"];
    let given = &window.duration;
    let length = parse_duration(given).ok_or_else(|| {
        let message =
            format!("{given:?} is no duration: write a whole number and one of m, h, d, w, M, Q, Y, such as \"30d\"");
        node.fault(&["spec", "timeWindow", "[0]", "duration"], message)
    })?;
    if window.is_rolling.unwrap_or(window.calendar.is_none()) {
        if window.calendar.is_some() {
            return Err(node.fault(&path, "both rolling and by the calendar: leave one of the two out"));
        }
        // What was rounded to fit, unless somebody changed it since.
        if let Some(Period::Rolling(exact)) = extra.and_then(|extra| extra.period)
            && super::words::duration(exact) == *given
        {
            return Ok(Period::Rolling(exact));
        }
        if given.ends_with(['M', 'Q', 'Y']) {
            lose(format!("a rolling period of {given} is taken as {} days", length.as_secs() / 86_400));
        }
        return Ok(Period::Rolling(length));
    }
    if given == "1M" {
        let whole = |calendar: &super::model::Calendar| {
            calendar.time_zone == "UTC" && calendar.start_time.ends_with("-01 00:00:00")
        };
        if !window.calendar.as_ref().is_some_and(whole) {
            lose("calendar months begin on the first, 00:00 UTC".to_owned());
        }
        return Ok(Period::CalendarMonth);
    }
    lose(format!("a calendar period of {given} is taken as a rolling one; only months are kept by the calendar"));
    Ok(Period::Rolling(length))
}

fn target(node: &Node, path: &[&str; 3], objective: &ObjectiveSpec) -> Result<Target, Fault> {
    let at = |key| [path[0], path[1], path[2], key];
    let (key, percent) = match (objective.target, objective.target_percent) {
        (Some(ratio), None) => ("target", exact(node, &at("target"), ratio)?),
        (None, Some(percent)) => ("targetPercent", percent),
        _ => return Err(node.fault(path, "write either `target` or `targetPercent`")),
    };
    Target::percent(percent).map_err(|error| node.fault(&at(key), error.to_string()))
}

fn exact(node: &Node, path: &[&str], ratio: f64) -> Result<f64, Fault> {
    let message = || format!("{ratio} has more digits than are kept: write at most 9 decimals");
    percent_of_ratio(ratio).ok_or_else(|| node.fault(path, message()))
}

fn model(
    node: &Node,
    path: &[&str; 3],
    spec: &SloSpec,
    objective: &ObjectiveSpec,
    target: Target,
    extra: Option<&ObjectiveExtra>,
    lose: &mut impl FnMut(String),
) -> Result<ObjectiveModel, Fault> {
    let at = |key| [path[0], path[1], path[2], key];
    let timeslices = match (spec.budgeting_method.as_str(), objective.time_slice_target, &objective.time_slice_window) {
        ("Timeslices", Some(share), Some(window)) => {
            let minutes = |n: u64| n.checked_mul(60).map(Duration::from_secs);
            let length = match window {
                Value::String(text) => parse_duration(text),
                number => number.as_u64().and_then(minutes),
            };
            let length = length.ok_or_else(|| {
                node.fault(&at("timeSliceWindow"), format!("{window} is no duration: write minutes, or \"5m\""))
            })?;
            let finer = extra.and_then(|extra| extra.slice);
            let finer = finer.filter(|Length(slice)| window.as_str() == Some(&super::words::duration(*slice)));
            let percent = exact(node, &at("timeSliceTarget"), share)?;
            let target =
                Target::percent(percent).map_err(|error| node.fault(&at("timeSliceTarget"), error.to_string()))?;
            Some(SlicesModel { length: finer.unwrap_or(Length(length)), target })
        }
        ("Timeslices", ..) => {
            return Err(node.fault(path, "timeslices need `timeSliceTarget` and `timeSliceWindow`"));
        }
        ("Occurrences" | "RatioTimeslices", share, window) => {
            if spec.budgeting_method == "RatioTimeslices" {
                lose("an average over timeslices is not kept: events are counted".to_owned());
            } else if share.is_some() || window.is_some() {
                lose("timeslices of a budget by occurrences are not kept".to_owned());
            }
            None
        }
        (other, ..) => {
            let message = format!("{other:?} is no method: write \"Occurrences\" or \"Timeslices\"");
            return Err(node.fault(&["spec", "budgetingMethod"], message));
        }
    };
    if objective.composite_weight.is_some() {
        lose("the weight of an objective in a composite is not kept".to_owned());
    }
    Ok(ObjectiveModel {
        name: None,
        target,
        threshold: extra.and_then(|extra| extra.threshold),
        of_successes: extra.is_some_and(|extra| extra.of_successes),
        timeslices,
    })
}

impl<'a> Draft<'a> {
    /// Takes in an objective, under the name that it has or that is free.
    fn add(
        &mut self,
        mut model: ObjectiveModel,
        indicator: &Indicator,
        given: &ObjectiveSpec,
        lose: &mut impl FnMut(String),
    ) {
        let name = match (indicator, &given.display_name) {
            (Indicator::Ours(selected), displayed) => {
                if displayed.as_ref().is_some_and(|displayed| *displayed != selected.objective) {
                    lose(format!("the display name of objective {:?} is not kept", selected.objective));
                }
                selected.objective.clone()
            }
            (Indicator::Foreign, Some(displayed)) => displayed.clone(),
            (Indicator::Foreign, None) => "success".to_owned(),
        };
        let condition = (given.op.as_deref(), given.value);
        if condition != (None, None) {
            lose(format!("the condition of objective {name:?} is not kept: what counts as good is decided in code"));
        }
        let taken = |name: &String| self.objectives.iter().any(|other| other.name.as_ref() == Some(name));
        if matches!(indicator, Indicator::Foreign) && taken(&name) {
            let free = (2_u32..).map(|n| format!("{name}-{n}")).find(|name| !taken(name));
            lose(format!("another objective is named {name:?}: this one is {:?}", free.as_deref().unwrap_or_default()));
            model.name = free;
        } else {
            model.name = Some(name);
        }
        self.objectives.push(model);
    }

    /// Takes in what is another part of the same SLO.
    fn join(&mut self, other: Draft<'a>) -> Result<(), Fault> {
        let differs = [
            ("spec.service", self.service != other.service),
            ("spec.timeWindow", self.period != other.period),
            ("spec.alertPolicies", self.alerts != other.alerts),
            ("metadata.annotations", self.extra != other.extra),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            let message = format!(
                "it measures SLO {:?}, as does the object in line {}, but differs in `{what}`: make them the same",
                self.name,
                self.node.line()
            );
            return Err(other.node.fault(&["metadata", "name"], message));
        }
        self.objectives.extend(other.objectives);
        Ok(())
    }

    fn slo(self, losses: &mut Vec<Loss>) -> Slo {
        let Draft { name, extra, service, period, alerts, objectives, .. } = self;
        if alerts.is_none() {
            let what = "it has no alert policies: the alerts that belong to its period are taken".to_owned();
            losses.push(Loss { object: format!("SLO {name}"), what });
        }
        let extra = extra.unwrap_or_default();
        let (more, own): (Vec<Taken>, Vec<Taken>) = alerts.iter().flatten().cloned().partition(|alert| alert.more);
        let (more, own) = (models(more), models(own));
        let usual: Vec<_> = AlertWindow::for_period(period).iter().map(AlertModel::of).collect();
        let of_period = alerts.is_none() || (extra.alerts_of_period && own == usual);
        // The service's name in full, unless somebody changed the short one since.
        let in_full = extra.service.clone().filter(|in_full| slug(in_full) == service);
        let unsaid = extra.service.is_none() && (service == slug(&name) || service == name);
        SloModel {
            service: in_full.or_else(|| (!unsaid).then_some(service)),
            owner: extra.owner,
            runbook: extra.runbook,
            depends_on: extra.depends_on,
            period: Some(period),
            severity: extra.severity,
            min_events: extra.min_events,
            scrape_interval: extra.scrape_interval,
            reachable_alerts: extra.reachable_alerts,
            objectives,
            alerts: (!of_period).then_some(own),
            more_alerts: more,
            budget_policy: extra.budget_policy,
            accounting: extra.accounting,
            name,
        }
        .slo()
    }
}

fn models(taken: Vec<Taken>) -> Vec<AlertModel> {
    taken.into_iter().map(|taken| taken.alert).collect()
}
