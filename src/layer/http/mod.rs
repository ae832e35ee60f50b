//! The HTTP faces: servers, whose refusals are responses, and clients, whose refusals are errors. Both count a call when
//! its body is over.

mod body;
mod client;
mod future;
#[allow(clippy::module_inception)]
mod layer;
mod problem;
mod service;

pub use body::GuardBody;
pub use client::{HttpClientFuture, HttpClientLayer, HttpClientService};
pub use future::HttpFuture;
pub use layer::HttpLayer;
pub use service::HttpService;

use crate::guard::Guard;
use crate::record::histogram::BUCKETS;
use crate::window::Latency;

impl Guard {
    /// How long the first bytes of answers took, since the guard was made: when a response's head was there. None if it
    /// has no HTTP face.
    pub fn first_byte(&self) -> Option<Latency> {
        let recorder = self.core.first_bytes()?;
        let mut buckets = [0; BUCKETS];
        recorder.add_latency_to(&mut buckets);
        Some(Latency::new(1.0, buckets.into_iter()))
    }
}
