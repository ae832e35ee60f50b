//! In-process SLOs and circuit breaking.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod alert;
mod breaker;
mod budget;
mod error;
mod events;
#[cfg(feature = "metrics")]
mod expose;
mod guard;
#[cfg(feature = "tower")]
mod layer;
mod names;
pub mod ops;
mod outcome;
mod record;
mod registry;
mod slo;
mod sync;
mod time;
mod window;

pub use alert::{AlertState, AlertStatus, Alerts, Edge, Transition};
pub use breaker::{Breaker, Reason, Rejection, State, Why};
pub use budget::{Budget, BurnRate, InsufficientData, burn_rate, exceeds};
pub use error::Error;
pub use events::{Event, EventKind};
pub use guard::{Guard, GuardBuilder, GuardError, Permit};
#[cfg(feature = "tower")]
pub use layer::*;
pub use outcome::*;
pub use registry::{ObjectiveHandle, Plimsoll, SloHandle};
pub use slo::{AlertWindow, BudgetPolicy, Objective, Period, Severity, Slo, Target, formulas};
pub use time::{Clock, ManualClock, Timestamp};
pub use window::{Latency, Reading, Window};
