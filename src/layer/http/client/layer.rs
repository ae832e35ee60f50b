//! `HttpClientLayer`: puts HTTP clients behind a guard.

use super::service::HttpClientService;
use crate::error::Error;
use crate::guard::{Guard, GuardBuilder};
use crate::layer::TaskContext;
use crate::layer::fallback::{sealed, split};
use crate::outcome::StatusClassifier;
use std::fmt;
use tower_layer::Layer;

/// Puts HTTP clients behind one guard: made by [`GuardBuilder::http_client`] or [`Guard::http_client`].
///
/// For services that answer with an [`http::Response`], such as hyper-util's client. A refusal is
/// [`GuardError::Rejected`](crate::GuardError::Rejected). A response is judged by its status, 5xx as a failure and 429 as
/// degraded, an error as a failure of transport, unless [`classify`](Self::classify) says otherwise, and counts when its
/// body is over: read it to its end, or the call counts as abandoned ([`GuardBody`](crate::GuardBody)).
///
/// A client with a response of its own, such as reqwest's, takes [`GuardBuilder::layer`] and a
/// [classifier](crate::GuardLayer::classify) of `Result<&reqwest::Response, &reqwest::Error>`; its calls count when the head
/// of the response is there.
///
/// ```
/// # use http_body_util::{BodyExt, Empty};
/// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// # use plimsoll::{Breaker, GuardError, Plimsoll, Slo};
/// # use tower::{Layer, ServiceExt};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let plimsoll = Plimsoll::new();
/// # let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let layer = payments.guard().breaker(Breaker::default()).http_client()?;
/// let client = layer.layer(Client::builder(TokioExecutor::new()).build_http::<Empty<&'static [u8]>>());
/// # layer.guard().force_open();
///
/// let request = http::Request::get("http://127.0.0.1:9/pay").body(Empty::new())?;
/// match client.oneshot(request).await {
///     Ok(response) => println!("{:?}", response.into_body().collect().await?.to_bytes()),
///     Err(GuardError::Rejected(rejection)) => println!("{rejection}"),
///     Err(GuardError::Inner(error)) => println!("{error}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HttpClientLayer<F = (), C = StatusClassifier, P = TaskContext> {
    guard: Guard,
    fallback: F,
    classifier: C,
    context: P,
}

impl<F, C, P> HttpClientLayer<F, C, P> {
    /// The guard.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Says with another classifier what the head of a response, or the client's error, means.
    pub fn classify<D>(self, classifier: D) -> HttpClientLayer<F, D, P> {
        let Self { guard, fallback, context, .. } = self;
        HttpClientLayer { guard, fallback, classifier, context }
    }

    /// Says with another reader, or a closure, what a request brings along: its priority, deadline and tenant.
    pub fn context<Q>(self, context: Q) -> HttpClientLayer<F, C, Q> {
        let Self { guard, fallback, classifier, .. } = self;
        HttpClientLayer { guard, fallback, classifier, context }
    }
}

impl<S, F: Clone, C: Clone, P: Clone> Layer<S> for HttpClientLayer<F, C, P> {
    type Service = HttpClientService<S, F, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { guard, fallback, classifier, context } = self;
        HttpClientService::new(inner, *guard, fallback.clone(), classifier.clone(), context.clone())
    }
}

impl<F, C, P> fmt::Debug for HttpClientLayer<F, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<F: sealed::Sealed> GuardBuilder<F> {
    /// Makes the guard and a layer for HTTP clients.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and an [`Error`] if the fallback cannot work.
    pub fn http_client(self) -> Result<HttpClientLayer<F>, Error> {
        let (guard, fallback) = split(self)?;
        guard.core.expect_first_bytes();
        Ok(HttpClientLayer { guard, fallback, classifier: StatusClassifier, context: TaskContext })
    }
}

impl Guard {
    /// A layer that puts HTTP clients behind this guard.
    pub fn http_client(&self) -> HttpClientLayer {
        self.core.expect_first_bytes();
        HttpClientLayer { guard: *self, fallback: (), classifier: StatusClassifier, context: TaskContext }
    }
}
