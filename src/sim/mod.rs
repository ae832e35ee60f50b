//! TRY: a policy under open-loop load, on virtual time.

mod calls;
mod engine;
mod guarded;
mod load;
mod plan;
mod plot;
mod policy;
mod report;
mod service;
mod tally;

pub use load::{Arrivals, Phase};
pub use plan::Sim;
pub use policy::{Answer, Call, Ended, Policy};
pub use report::{Counts, PhaseReport, Report, Second};
pub use service::Service;
