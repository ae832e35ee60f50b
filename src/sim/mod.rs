//! TRY: what a policy does under load, before the load comes.
//!
//! A [`Sim`] is a service with so many workers behind one queue, and an open load on it: requests come whether or not others
//! were answered, as those of many users do. It runs on virtual time, event by event, and drives a real
//! [`Guard`]: what is tried is what runs in production. The course of four minutes at
//! thousands of requests a second takes a second or so, and the same seed gives the same course.
//!
//! A test of one's own policy, "at three times what it can do, my checkout keeps 95 % of its goodput":
//!
//! ```
//! use plimsoll::sim::{Phase, Service, Sim};
//! use plimsoll::{Shed, Slo};
//! use std::time::Duration;
//!
//! let (seconds, ms) = (Duration::from_secs, Duration::from_millis);
//! let report = Sim::new(2, Service::exponential(ms(10))) // two workers: 200 requests a second
//!     .deadline(ms(100)) // clients leave after that
//!     .settle(seconds(5)) // of each phase, not counted
//!     .phase(Phase::new(seconds(20), 0.7))
//!     .phase(Phase::new(seconds(30), 3.0))
//!     .phase(Phase::new(seconds(20), 0.7))
//!     .run(|plimsoll| {
//!         let checkout = plimsoll.declare(Slo::new("checkout").latency(99.0, ms(100)))?;
//!         checkout.guard().shed(Shed::adaptive()).build()
//!     })?;
//! assert!(report.phases()[1].goodput() > 0.95, "{report}");
//! assert!(report.recovery() < Some(seconds(2)), "{report}");
//! # Ok::<(), plimsoll::Error>(())
//! ```
//!
//! [`Phase`] changes the load, the capacity or the share of failures; [`Sim::mix`] gives requests priorities;
//! [`Sim::retries`] and [`Sim::refusal_cost`] make it as bad as it is in production. [`Report::plot`] draws it. With
//! [`Policy`] anything else that admits is tried on the same requests.
//!
//! What it leaves out: the network, and the time that clients take to come back (they retry at once).

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

#[cfg(doc)]
use crate::guard::Guard;
