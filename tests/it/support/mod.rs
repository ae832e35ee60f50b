//! What several rooms' tests need.

pub(crate) mod exposition;
#[cfg(feature = "axum")]
pub(crate) mod prometheus;
