//! What several rooms' tests need.

#[cfg(all(feature = "artifacts", feature = "axum"))]
pub(crate) mod alertmanager;
pub(crate) mod exposition;
#[cfg(feature = "axum")]
pub(crate) mod prometheus;
