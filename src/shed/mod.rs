//! ACT: who is let in when not all can be.
//!
//! Two loops. The inner one learns from latencies *how many* calls to let in ([`estimate`]), and those who find no room
//! wait as long as they can still be answered in time ([`queue`]). The outer one, burn rate and budget, says *who* goes
//! first and how hard ([`pressure`]). Neither sees the refusals they cause.

mod config;
mod context;
mod estimate;
mod limiter;
mod limits;
mod line;
mod places;
mod pressure;
mod priority;
mod queue;
mod shown;
mod warm_up;

pub use config::Shed;
pub use context::CallContext;
pub(crate) use limiter::{Ended, Limiter};
pub(crate) use line::Waiting;
pub(crate) use places::Places;
pub(crate) use pressure::Pressure;
pub use priority::Priority;
pub(crate) use shown::LimiterShown;
