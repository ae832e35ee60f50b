//! `HttpLayer`: puts an HTTP server's services behind a guard.

use super::context::HttpContext;
use super::service::HttpService;
use crate::error::Error;
use crate::guard::{Guard, GuardBuilder};
use crate::layer::fallback::{sealed, split};
use crate::outcome::StatusClassifier;
use std::fmt;
use tower_layer::Layer;

/// Puts the services of axum and hyper servers behind one guard: made by [`GuardBuilder::http`] or [`Guard::http`].
///
/// The service's error stays what it was. A refusal is a response: 503 with `Retry-After` in whole seconds, and a
/// problem document (RFC 9457) with the members `guard`, `reason` and `retry_after_seconds`. A response is judged by
/// its status, 5xx as a failure and 429 as degraded, unless [`classify`](Self::classify) says otherwise, and counts when
/// its body is over ([`GuardBody`](super::GuardBody)).
///
/// A layer around a whole router also guards its fallback; `Router::route_layer` and `MethodRouter::layer` guard less. axum
/// boxes a call and its body once more for each of these, which takes as many instructions as the guard does. A guard around
/// the router from outside (`layer.layer(router)`, and the body of its response into `axum::body::Body`) does without.
///
/// ```
/// # use axum::{Router, body::Body, http::Request, routing::get};
/// # use plimsoll::{Breaker, Plimsoll, Slo};
/// # use std::time::Duration;
/// # use tower::ServiceExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let plimsoll = Plimsoll::new();
/// let checkout = plimsoll.declare(Slo::new("checkout").success(99.95).latency(99.0, Duration::from_millis(500)))?;
/// let layer = checkout.guard().breaker(Breaker::default()).http()?;
/// let guard = layer.guard();
/// let app: Router = Router::new().route("/checkout", get(|| async { "paid" })).layer(layer);
///
/// guard.force_open();
/// let response = app.oneshot(Request::get("/checkout").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 503);
/// assert!(response.headers().contains_key("retry-after"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HttpLayer<F = (), C = StatusClassifier, P = HttpContext> {
    guard: Guard,
    fallback: F,
    classifier: C,
    context: P,
}

impl<F, C, P> HttpLayer<F, C, P> {
    /// The guard.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Says with another classifier what the head of a response, or the service's error, means.
    ///
    /// ```
    /// # use axum::{body::Body, http::{Response, StatusCode}};
    /// # use plimsoll::{FailureClass, Outcome, Plimsoll, Slo};
    /// # use std::convert::Infallible;
    /// # let plimsoll = Plimsoll::new();
    /// # let files = plimsoll.declare(Slo::new("files").success(99.9))?;
    /// let layer = files.guard().http()?.classify(|result: Result<&Response<Body>, &Infallible>| match result {
    ///     Ok(response) if response.status().is_server_error() => Outcome::FAILURE,
    ///     Ok(response) if response.status() == StatusCode::CONFLICT => Outcome::Failure(FailureClass::Client),
    ///     _ => Outcome::Success,
    /// });
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn classify<D>(self, classifier: D) -> HttpLayer<F, D, P> {
        let Self { guard, fallback, context, .. } = self;
        HttpLayer { guard, fallback, classifier, context }
    }

    /// Says with another reader, or a closure, what a request brings along: its priority, deadline and tenant. Unless it is
    /// said, no header is believed ([`HttpContext`](super::HttpContext)).
    pub fn context<Q>(self, context: Q) -> HttpLayer<F, C, Q> {
        let Self { guard, fallback, classifier, .. } = self;
        HttpLayer { guard, fallback, classifier, context }
    }
}

impl<S, F: Clone, C: Clone, P: Clone> Layer<S> for HttpLayer<F, C, P> {
    type Service = HttpService<S, F, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { guard, fallback, classifier, context } = self;
        HttpService::new(inner, *guard, fallback.clone(), classifier.clone(), context.clone())
    }
}

impl<F, C, P> fmt::Debug for HttpLayer<F, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<F: sealed::Sealed> GuardBuilder<F> {
    /// Makes the guard and a layer for the HTTP services of a server: axum's routers, hyper's connections.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and an [`Error`] if the fallback cannot work.
    pub fn http(self) -> Result<HttpLayer<F>, Error> {
        let (guard, fallback) = split(self)?;
        guard.core.expect_first_bytes();
        Ok(HttpLayer { guard, fallback, classifier: StatusClassifier, context: HttpContext::new() })
    }
}

impl Guard {
    /// A layer that puts the HTTP services of a server behind this guard.
    pub fn http(&self) -> HttpLayer {
        self.core.expect_first_bytes();
        HttpLayer { guard: *self, fallback: (), classifier: StatusClassifier, context: HttpContext::new() }
    }
}
