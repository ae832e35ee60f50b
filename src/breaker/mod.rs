//! ACT: trip, probe, ramp.
//!
//! [`Breaker`] is what a user configures. [`core`] is the state machine, pure: `now` is passed in, nothing is read.
//! [`trip`] judges what was counted. [`gate`] shares the two between threads: one atomic word decides admission while
//! the circuit is closed, and everything else happens under a lock that no successful call takes.

mod config;
mod control;
mod core;
mod gate;
mod hold;
mod rejection;
mod trip;
mod wait;

pub use config::Breaker;
pub(crate) use control::{LiveTarget, Watched, bytes_beside};
pub use core::State;
#[cfg(feature = "metrics")]
pub(crate) use core::Transitions;
pub(crate) use core::{Mode, Ticket, Transition};
pub(crate) use gate::{Gate, Report};
pub(crate) use hold::Hold;
pub use rejection::{Reason, Rejection};
pub use trip::Why;
#[cfg(feature = "tower")]
pub(crate) use wait::Wait;
