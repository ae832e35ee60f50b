//! In-process SLOs and circuit breaking.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod outcome;
mod slo;
mod sync;
mod time;
mod window;

pub use error::Error;
pub use outcome::*;
pub use slo::{AlertWindow, BudgetPolicy, Objective, Period, Severity, Slo, Target};
pub use time::{Clock, ManualClock, Timestamp};
pub use window::{Reading, Window};
