//! `HttpClientService`: an HTTP client behind a guard.

use super::future::HttpClientFuture;
use crate::guard::{Guard, GuardError};
use crate::layer::fallback::Fallback;
use crate::layer::guarded::Guarded;
use crate::layer::http::body::{GuardBody, is_bodyless};
use crate::layer::{ReadContext, TaskContext};
use crate::outcome::Classify;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

/// An HTTP client behind a guard, made by [`HttpClientLayer`](super::HttpClientLayer).
///
/// Readiness is as [`GuardService`](crate::GuardService)'s. Its error is [`GuardError`]: a refusal, or the client's own.
pub struct HttpClientService<S, F, C, P = TaskContext> {
    guarded: Guarded<S, F, C, P>,
}

impl<S, F, C, P> HttpClientService<S, F, C, P> {
    pub(super) fn new(inner: S, guard: Guard, fallback: F, classifier: C, context: P) -> Self {
        Self { guarded: Guarded::new(inner, guard, fallback, classifier, context) }
    }

    /// The guard.
    pub fn guard(&self) -> Guard {
        self.guarded.guard
    }

    /// The service behind it.
    pub fn get_ref(&self) -> &S {
        &self.guarded.inner
    }

    /// The service behind it, for changing it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.guarded.inner
    }

    /// The service alone.
    pub fn into_inner(self) -> S {
        self.guarded.inner
    }
}

impl<S, F, C, P, ReqBody, B> Service<Request<ReqBody>> for HttpClientService<S, F, C, P>
where
    S: Service<Request<ReqBody>, Response = Response<B>> + Clone,
    F: Fallback<Request<ReqBody>, Response<B>> + Clone,
    P: ReadContext<Request<ReqBody>>,
    C: Classify<Response<B>, S::Error> + Clone,
    B: Body,
    B::Data: From<Bytes>,
{
    type Response = Response<GuardBody<B>>;
    type Error = GuardError<S::Error>;
    type Future = HttpClientFuture<S, F, C, ReqBody, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.guarded.poll_ready(cx).map_err(GuardError::Inner)
    }

    #[inline(never)] // whoever calls it then has the future written to where it stays
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        self.guarded.call(request, |request| is_bodyless(request.method()), HttpClientFuture::new)
    }
}

impl<S: Clone, F: Clone, C: Clone, P: Clone> Clone for HttpClientService<S, F, C, P> {
    fn clone(&self) -> Self {
        Self { guarded: self.guarded.clone() }
    }
}

impl<S: fmt::Debug, F, C, P> fmt::Debug for HttpClientService<S, F, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Guarded { inner, guard, .. } = &self.guarded;
        f.debug_struct("HttpClientService").field("inner", inner).field("guard", guard).finish_non_exhaustive()
    }
}
