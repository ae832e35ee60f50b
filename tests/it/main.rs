//! One binary for all integration tests, a module per room.

mod alert;
#[cfg(feature = "http")]
mod body;
mod budget;
#[cfg(feature = "http")]
mod clients;
mod declare;
#[cfg(feature = "tower")]
mod fallback;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod rig;
mod slo_math;
mod smoke;
mod traffic;
