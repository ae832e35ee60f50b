//! The alerts that are written for an SLO: rules, routes, runbooks and dashboards all speak of these, and of no others.

use super::Subject;
use crate::names::alert;
use crate::slo::Severity;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The budget goes too fast: one for each objective and pair of windows, with the pair's severity.
    BudgetBurn,
    /// Little of the budget is left.
    BudgetLow,
    /// A breaker has been open for long.
    BreakerOpen,
    /// A good part of the calls is shed.
    Shedding,
    /// An instance does not answer scrapes.
    InstanceDown,
    /// Nobody exports the SLO.
    Absent,
    /// What runs was declared otherwise than what is deployed.
    Drift,
    /// Somebody was paged, and it goes on: the next in line is paged.
    Unacknowledged,
}

impl Alarm {
    pub(super) const ALL: [Self; 8] = [
        Self::BudgetBurn,
        Self::BudgetLow,
        Self::BreakerOpen,
        Self::Shedding,
        Self::InstanceDown,
        Self::Absent,
        Self::Drift,
        Self::Unacknowledged,
    ];

    /// The alert's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BudgetBurn => alert::BUDGET_BURN,
            Self::BudgetLow => alert::BUDGET_LOW,
            Self::BreakerOpen => alert::BREAKER_OPEN,
            Self::Shedding => alert::SHEDDING,
            Self::InstanceDown => alert::INSTANCE_DOWN,
            Self::Absent => alert::ABSENT,
            Self::Drift => alert::DRIFT,
            Self::Unacknowledged => alert::UNACKNOWLEDGED,
        }
    }

    /// How urgent it is; of a burning budget the pair of windows says it.
    pub(super) fn severity(self, subject: &Subject<'_>) -> Severity {
        let severity = match self {
            Self::BudgetBurn | Self::Unacknowledged | Self::Absent => Severity::P0,
            Self::BreakerOpen | Self::Shedding | Self::InstanceDown => Severity::P1,
            Self::BudgetLow | Self::Drift => Severity::P2,
        };
        severity.min(subject.slo.highest_severity())
    }

    /// The path of its runbook in the kit: `runbooks/checkout-error-budget-burn.md`.
    pub(super) fn runbook(self, subject: &Subject<'_>) -> String {
        let mut words = String::new();
        for c in self.name().chars() {
            if c.is_ascii_uppercase() && !words.is_empty() {
                words.push('-');
            }
            words.push(c.to_ascii_lowercase());
        }
        format!("runbooks/{}-{words}.md", subject.slug)
    }
}
