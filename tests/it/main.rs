mod alert;
mod budget;
mod declare;
mod slo_math;
mod traffic;
