//! The shape of a declaration in a file. It is the builder's, so that whoever knows one knows the other.

use super::super::{AlertWindow, BudgetPolicy, Objective, Period, Severity, Slo, Target};
use super::words::Length;
use crate::outcome::{Accounting, Outcome, Verdict};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::collections::BTreeMap;
use std::time::Duration;

fn no(flag: &bool) -> bool {
    !flag
}

/// An [`Slo`] in a file: what is left out is as in the builder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an SLO, with its fields")]
pub(crate) struct SloModel {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runbook: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) depends_on: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) period: Option<Period>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_events: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scrape_interval: Option<Length>,
    #[serde(default, skip_serializing_if = "no")]
    pub(crate) reachable_alerts: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) objectives: Vec<ObjectiveModel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alerts: Option<Vec<AlertModel>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) more_alerts: Vec<AlertModel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) budget_policy: Option<BudgetPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accounting: Option<AccountingModel>,
}

/// An [`Objective`]: one with a threshold is one of latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an objective, with its fields")]
pub(crate) struct ObjectiveModel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<Length>,
    #[serde(default, skip_serializing_if = "no")]
    pub(crate) of_successes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeslices: Option<SlicesModel>,
}

/// The slices of time that an objective is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "slices of time, with its fields")]
pub(crate) struct SlicesModel {
    pub(crate) length: Length,
    pub(crate) target: Target,
}

/// An [`AlertWindow`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an alert, with its fields")]
pub(crate) struct AlertModel {
    pub(crate) severity: Severity,
    pub(crate) long: Length,
    pub(crate) short: Length,
    pub(crate) factor: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_for: Option<Length>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a budget policy, with its fields")]
struct PolicyModel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postmortem_over: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when_exhausted: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    under: Vec<StepModel>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a step of a budget policy, with its fields")]
struct StepModel {
    percent: f64,
    action: String,
}

/// The outcomes that mean something else than they do by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountingModel(BTreeMap<Named, Meaning>);

/// An outcome, or `late_abandoned`, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named(&'static str);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Meaning {
    Good,
    Bad,
    Excluded,
}

const LATE: &str = "late_abandoned";

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = String::deserialize(deserializer)?;
        let names = || Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain([LATE]);
        names().find(|name| *name == given).map(Self).ok_or_else(|| {
            let names: Vec<_> = names().collect();
            de::Error::custom(format!("no outcome has that name: write one of {}", names.join(", ")))
        })
    }
}

impl AccountingModel {
    fn of(accounting: Accounting) -> Option<Self> {
        let meaning = |verdict| match verdict {
            Verdict::Good => Meaning::Good,
            Verdict::Bad => Meaning::Bad,
            Verdict::Excluded => Meaning::Excluded,
        };
        let usual = Accounting::sli();
        let late = (LATE, Outcome::Abandoned, true);
        let all = Outcome::ALL.into_iter().map(|outcome| (outcome.as_str(), outcome, false)).chain([late]);
        let unusual = all.filter_map(|(name, outcome, late)| {
            let verdict = accounting.verdict(outcome, late);
            (verdict != usual.verdict(outcome, late)).then(|| (Named(name), meaning(verdict)))
        });
        Some(Self(unusual.collect())).filter(|model| !model.0.is_empty())
    }

    fn accounting(&self) -> Accounting {
        self.0.iter().fold(Accounting::sli(), |all, (Named(name), meaning)| {
            let verdict = match meaning {
                Meaning::Good => Verdict::Good,
                Meaning::Bad => Verdict::Bad,
                Meaning::Excluded => Verdict::Excluded,
            };
            match Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == *name) {
                Some(outcome) => all.with(outcome, verdict),
                None => all.with_late_abandoned(verdict),
            }
        })
    }
}

impl SloModel {
    /// Of a declaration whose targets can be kept.
    pub(crate) fn of(slo: &Slo) -> Result<Self, crate::error::Error> {
        let alerts = |alerts: &Vec<AlertWindow>| alerts.iter().map(AlertModel::of).collect::<Vec<_>>();
        Ok(Self {
            name: slo.name.clone(),
            service: slo.service.clone(),
            owner: slo.owner.clone(),
            runbook: slo.runbook.clone(),
            depends_on: slo.dependencies.clone(),
            period: Some(slo.period).filter(|period| *period != Period::default()),
            severity: Some(slo.severity).filter(|severity| *severity != Severity::P0),
            min_events: Some(slo.min_events).filter(|n| *n != Slo::new("").min_events),
            scrape_interval: slo.scrape_interval.map(Length),
            reachable_alerts: slo.reachable,
            objectives: slo.objectives.iter().map(ObjectiveModel::of).collect::<Result<_, _>>()?,
            alerts: slo.alerts.as_ref().map(alerts),
            more_alerts: alerts(&slo.more_alerts),
            budget_policy: Some(slo.policy.clone()).filter(|policy| *policy != BudgetPolicy::default()),
            accounting: AccountingModel::of(slo.accounting),
        })
    }

    /// The declaration that it stands for; nothing is validated.
    pub(crate) fn slo(self) -> Slo {
        let fresh = Slo::new(self.name);
        Slo {
            service: self.service,
            owner: self.owner,
            runbook: self.runbook,
            dependencies: self.depends_on,
            severity: self.severity.unwrap_or(fresh.severity),
            objectives: self.objectives.into_iter().map(ObjectiveModel::objective).collect(),
            period: self.period.unwrap_or(fresh.period),
            policy: self.budget_policy.unwrap_or_default(),
            accounting: self.accounting.map_or(fresh.accounting, |model| model.accounting()),
            min_events: self.min_events.unwrap_or(fresh.min_events),
            scrape_interval: self.scrape_interval.map(|Length(interval)| interval),
            alerts: self.alerts.map(|alerts| alerts.iter().map(AlertModel::window).collect()),
            more_alerts: self.more_alerts.iter().map(AlertModel::window).collect(),
            reachable: self.reachable_alerts,
            ..fresh
        }
    }
}

impl ObjectiveModel {
    fn of(objective: &Objective) -> Result<Self, crate::error::Error> {
        if let Some(error) = objective.target_error() {
            return Err(error.clone());
        }
        let usual = if objective.threshold().is_some() { "latency" } else { "success" };
        Ok(Self {
            name: Some(objective.name().to_owned()).filter(|name| name != usual),
            target: objective.target(),
            threshold: objective.threshold().map(Length),
            of_successes: !objective.counts_failures(),
            timeslices: objective.slices().map(|(length, target)| SlicesModel { length: Length(length), target }),
        })
    }

    fn objective(self) -> Objective {
        let percent = self.target.as_percent();
        let mut objective = match self.threshold {
            Some(Length(threshold)) => Objective::latency(percent, threshold),
            None => Objective::success(percent),
        };
        if let Some(name) = self.name {
            objective = objective.named(name);
        }
        if self.of_successes {
            objective = objective.of_successes();
        }
        if let Some(SlicesModel { length: Length(length), target }) = self.timeslices {
            objective = objective.timeslices(length, target.as_percent());
        }
        objective
    }
}

impl AlertModel {
    pub(crate) fn of(alert: &AlertWindow) -> Self {
        Self {
            severity: alert.severity(),
            long: Length(alert.long()),
            short: Length(alert.short()),
            factor: alert.factor(),
            held_for: Some(Length(alert.pending())).filter(|Length(pending)| *pending != Duration::ZERO),
        }
    }

    pub(crate) fn window(&self) -> AlertWindow {
        let window = AlertWindow::new(self.severity, self.long.0, self.short.0, self.factor);
        self.held_for.map_or(window, |Length(pending)| window.held_for(pending))
    }
}

/// In the shape of [`file`](crate::slo::file), as are all that follow.
impl Serialize for Slo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SloModel::of(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Slo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SloModel::deserialize(deserializer).map(SloModel::slo)
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectiveModel::of(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ObjectiveModel::deserialize(deserializer).map(ObjectiveModel::objective)
    }
}

impl Serialize for AlertWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AlertModel::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AlertWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AlertModel::deserialize(deserializer).map(|model| model.window())
    }
}

impl Serialize for BudgetPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let usual = Self::default();
        let model = PolicyModel {
            postmortem_over: Some(self.postmortem()).filter(|percent| *percent != usual.postmortem()),
            when_exhausted: Some(self.exhausted().to_owned()).filter(|action| action != usual.exhausted()),
            under: self.steps().map(|(percent, action)| StepModel { percent, action: action.to_owned() }).collect(),
        };
        model.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BudgetPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let model = PolicyModel::deserialize(deserializer)?;
        let policy =
            model.under.into_iter().fold(Self::default(), |policy, step| policy.under(step.percent, step.action));
        let policy = model.postmortem_over.into_iter().fold(policy, Self::postmortem_over);
        Ok(model.when_exhausted.into_iter().fold(policy, Self::when_exhausted))
    }
}
