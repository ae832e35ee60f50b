//! One binary for all integration tests, a module per room.
// Helpers outside `#[test]` functions may fail a test as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alert;
#[cfg(feature = "artifacts")]
mod any_slo;
#[cfg(feature = "artifacts")]
mod artifacts;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod artifacts_agree;
#[cfg(feature = "artifacts")]
mod artifacts_alertmanager;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod artifacts_backfill;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod artifacts_grafana;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod artifacts_incident;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod artifacts_messages;
#[cfg(feature = "artifacts")]
mod artifacts_prometheus;
#[cfg(feature = "artifacts")]
mod artifacts_rules;
#[cfg(feature = "http")]
mod body;
mod breaker_faults;
mod breaker_modes;
mod breaker_outage;
mod budget;
#[cfg(feature = "http")]
mod clients;
mod clock;
mod declare;
mod declare_refused;
#[cfg(feature = "axum")]
mod examples;
#[cfg(feature = "prometheus")]
mod expose;
#[cfg(feature = "tower")]
mod fallback;
#[cfg(feature = "artifacts")]
mod file;
#[cfg(feature = "artifacts")]
mod file_hostile;
#[cfg(feature = "tower")]
mod harness;
#[cfg(feature = "http")]
mod http;
mod keyed;
#[cfg(feature = "artifacts")]
mod kubernetes;
#[cfg(feature = "tower")]
mod layer;
mod naive_breaker;
#[cfg(feature = "artifacts")]
mod openslo;
mod ops;
#[cfg(feature = "axum")]
mod ops_control;
mod ops_timeline;
#[cfg(all(feature = "artifacts", feature = "axum"))]
mod page_commands;
#[cfg(feature = "artifacts")]
mod pages;
#[cfg(feature = "axum")]
mod prometheus;
#[cfg(feature = "artifacts")]
mod promtool;
mod property_breaker;
#[cfg(feature = "prometheus")]
mod property_exposition;
#[cfg(feature = "artifacts")]
mod property_pages;
mod property_windows;
#[cfg(feature = "prometheus")]
mod publish;
mod quantiles;
mod recording;
mod reload;
mod rig;
mod shed;
#[cfg(feature = "http")]
mod shed_layers;
mod shed_line;
mod shed_operate;
mod shed_warm;
#[cfg(feature = "sim")]
mod sim;
mod slo_math;
mod smoke;
#[cfg(feature = "axum")]
mod storefront;
#[cfg(feature = "prometheus")]
mod support;
mod tidy;
mod traffic;
