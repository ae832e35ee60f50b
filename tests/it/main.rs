//! One test binary, a module per room.
// Helpers outside `#[test]` functions may fail a test as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alert;
mod budget;
mod declare;
mod declare_refused;
mod slo_math;
mod traffic;
