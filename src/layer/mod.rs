//! WRAP: a guard around any Tower service, and its HTTP faces.
//!
//! [`guarded`] and [`call`] are what all faces share: whom to ask for readiness, admission, the call and its fallback.
//! Each face then says what a refusal looks like and when a call is over.

mod call;
mod context;
mod fallback;
mod future;
mod guarded;
#[cfg(feature = "http")]
mod http;
#[allow(clippy::module_inception)] // each layer has a `layer.rs`
mod layer;
mod on_failure;
#[cfg(feature = "retry")]
mod retry;
mod service;
mod stale;

pub use context::{ReadContext, TaskContext};
pub use fallback::{Fallback, FallbackValue, FallbackWith, Unanswered};
pub use future::GuardFuture;
#[cfg(feature = "http")]
pub use http::{
    GuardBody, HttpClientFuture, HttpClientLayer, HttpClientService, HttpContext, HttpFuture, HttpLayer, HttpService,
};
pub use layer::GuardLayer;
pub use on_failure::{OnFailure, StandIn};
#[cfg(feature = "retry")]
pub use retry::{Pause, RetryBudget, RetryPolicy};
pub use service::GuardService;
pub use stale::{Stale, StaleAnswers};
