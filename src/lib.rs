//! In-process SLOs and circuit breaking.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod outcome;
mod record;
mod sync;
mod time;
mod window;

pub use error::Error;
pub use outcome::*;
pub use time::{Clock, ManualClock, Timestamp};
pub use window::{Latency, Reading, Window};
