//! DECLARE: what is promised, as pure data. Nothing here measures, and nothing here knows the time.

mod alert_window;
mod declaration;
mod difference;
#[cfg(feature = "artifacts")]
pub mod file;
mod fingerprint;
pub mod formulas;
mod objective;
mod period;
mod policy;
mod severity;
mod target;
mod text;
mod validate;

pub use alert_window::AlertWindow;
pub(crate) use alert_window::{MICRO, micros};
pub use declaration::Slo;
#[cfg(feature = "artifacts")]
pub(crate) use fingerprint::fingerprint;
pub use objective::Objective;
pub use period::Period;
pub use policy::BudgetPolicy;
pub use severity::Severity;
pub use target::Target;
pub(crate) use validate::MOST_THRESHOLDS;
