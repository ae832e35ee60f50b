//! One binary for all integration tests, a module per room.

mod alert;
mod budget;
mod declare;
mod slo_math;
mod smoke;
mod tidy;
mod traffic;
