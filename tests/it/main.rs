//! One binary for all integration tests, a module per room.

mod alert;
mod budget;
mod declare;
#[cfg(feature = "prometheus")]
mod expose;
mod ops;
#[cfg(feature = "axum")]
mod prometheus;
mod slo_math;
mod smoke;
#[cfg(feature = "prometheus")]
mod support;
mod traffic;
