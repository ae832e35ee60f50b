//! Outbound HTTP: a refusal is an error, since nothing was answered.

mod future;
mod layer;
mod service;

pub use future::HttpClientFuture;
pub use layer::HttpClientLayer;
pub use service::HttpClientService;
