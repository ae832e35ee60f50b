//! SHOW to people: the status page, the story of an incident, and the routes that a service needs to be run.
//!
//! [`status`] and [`timeline`] are texts. With the `axum` feature, `router` serves them and what else shows how the service
//! does, and `control`, apart from it on purpose, serves what changes something.

#[cfg(feature = "axum")]
mod control;
mod incident;
#[cfg(feature = "axum")]
mod json;
mod markdown;
#[cfg(feature = "axum")]
mod one_slo;
#[cfg(feature = "axum")]
mod query;
#[cfg(feature = "axum")]
mod router;
mod status;
mod timeline;
mod words;

#[cfg(feature = "axum")]
pub use control::control;
#[cfg(feature = "axum")]
use one_slo::one_slo;
#[cfg(feature = "axum")]
pub use router::{router, router_with};
pub use status::status;
pub use timeline::timeline;
