//! The HTTP faces: servers, whose refusals are responses, and clients, whose refusals are errors. Both count a call when
//! its body is over.

mod body;
mod client;
mod context;
mod future;
#[allow(clippy::module_inception)]
mod layer;
mod problem;
mod service;

pub use body::GuardBody;
pub use client::{HttpClientFuture, HttpClientLayer, HttpClientService};
pub use context::HttpContext;
pub use future::HttpFuture;
pub use layer::HttpLayer;
pub use service::HttpService;
