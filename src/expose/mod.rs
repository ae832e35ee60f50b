//! SHOW to machines: everything that is counted, under the names of [`names`](crate::names).
//!
//! [`catalogue`] says what there is and reads it, all of one SLO from one snapshot of its cells; [`families`] says which
//! series that makes; [`facade`] hands them to the `metrics` crate, and `text` writes them down as
//! Prometheus reads them. None of it is on the way of a call: it happens when somebody asks.
//!
//! What is promised of every exposition, also while calls go on:
//!
//! * every series is there from the declaration on, at zero;
//! * `plimsoll_request_duration_seconds_count` = the sum over outcomes = the sum over verdicts of each objective, to the
//!   unit, and each bucket bound that is one of the SLO's thresholds counts exactly the calls that did not exceed it;
//! * counters and buckets never go down.

mod catalogue;
mod durations;
mod facade;
mod families;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "prometheus")]
mod text;

use catalogue::Catalogue;
use parking_lot::Mutex;

/// What is kept from one exposition to the next.
#[derive(Debug, Default)]
struct Kept {
    catalogue: Mutex<Catalogue>,
    facade: Mutex<facade::Facade>,
    #[cfg(feature = "prometheus")]
    text: Mutex<text::Text>,
}
