//! One binary for all integration tests, a module per room.

mod alert;
mod budget;
mod declare;
#[cfg(feature = "tower")]
mod fallback;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod rig;
mod slo_math;
mod smoke;
mod traffic;
