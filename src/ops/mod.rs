//! SHOW to people: the status page, and the routes that a service needs to be run.

#[cfg(feature = "axum")]
mod router;
mod stands;
mod status;
mod words;

#[cfg(feature = "axum")]
pub use router::{router, router_with};
pub use status::status;
