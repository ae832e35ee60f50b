//! What an alert says: where it stands, and that it changed.

use crate::budget::BurnRate;
use crate::slo::Severity;
use crate::time::Timestamp;
use crate::window::Window;
use std::sync::Arc;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertState {
    /// The budget does not burn over the factor.
    #[default]
    Inactive,
    /// It does, but not for long enough yet.
    Pending {
        /// Since when it does.
        since: Timestamp,
    },
    /// It does, and somebody should know.
    Firing {
        /// Since when it fires.
        since: Timestamp,
    },
}

impl AlertState {
    /// Whether it fires.
    pub const fn is_firing(self) -> bool {
        matches!(self, Self::Firing { .. })
    }

    /// The name it is shown under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending { .. } => "pending",
            Self::Firing { .. } => "firing",
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// The condition holds; the alert fires if it goes on for as long as declared.
    Pending,
    /// A pending alert ended before it fired.
    Withdrawn,
    /// The alert fires.
    Firing,
    /// An alert that fired is over.
    Resolved,
}

impl Transition {
    /// The name it is shown under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Withdrawn => "withdrawn",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert changed its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// What changed.
    pub transition: Transition,
    /// When it was noticed.
    pub at: Timestamp,
    /// How long the state lasted that ended here; zero if the alert was inactive.
    pub after: std::time::Duration,
    /// The alert as it stands from here on.
    pub alert: AlertStatus,
}

/// One alert: a pair of windows over one objective.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertStatus {
    /// The objective's place in the SLO.
    pub objective: usize,
    /// The objective's name.
    pub name: Arc<str>,
    /// How urgent it is.
    pub severity: Severity,
    /// The long window.
    pub long: Window,
    /// The short window.
    pub short: Window,
    /// The burn rate over which it fires.
    pub factor: f64,
    /// Where it stands.
    pub state: AlertState,
    /// The burn rate over the long window; `None` without valid events.
    pub long_burn: Option<BurnRate>,
    /// The burn rate over the short window; `None` without valid events.
    pub short_burn: Option<BurnRate>,
    /// The share of the period's budget that was spent in the long window, as far as it was observed, 0 and up.
    pub spent: f64,
}
