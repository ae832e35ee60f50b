//! WRITE: what the people and machines around a service need, from its declarations alone.
//!
//! A [`Kit`] is the whole of it: Prometheus' configuration, rules and their tests, Alertmanager's routes, Grafana's
//! dashboards, runbooks, on-call page, error-budget policy, post-mortem template, Kubernetes objects, and OpenSLO. Nothing here
//! sees run-time state, so a kit can be written by a test, a build script or a program of its own.
//!
//! Keep what is deployed beside the code, and let a test hold the two together:
//!
//! ```no_run
//! # fn promises() -> Vec<plimsoll::Slo> { vec![plimsoll::Slo::new("checkout").success(99.9)] }
//! # /*
//! #[test]
//! fn what_is_deployed_is_what_is_declared() {
//! # */
//!     let kit = plimsoll::artifacts::Kit::new(promises()).unwrap();
//!     kit.assert_in_sync("ops/"); // PLIMSOLL_UPDATE=1 cargo test writes it
//! # /*
//! }
//! # */
//! ```

mod alarm;
mod alertmanager;
mod commands;
mod grafana;
mod kit;
mod kubernetes;
pub mod openslo;
mod page;
mod pages;
mod prometheus;
mod runbooks;
mod subject;
mod sync;
mod text;
mod yaml;

pub use kit::{Artifact, Kit};

use alarm::Alarm;
use subject::Subject;
