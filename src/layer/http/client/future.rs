//! `HttpClientFuture`: the response to a guarded client.

use crate::breaker::Rejection;
use crate::guard::{GuardError, Permit};
use crate::layer::call::{Call, Face};
use crate::layer::fallback::Fallback;
use crate::layer::http::body::GuardBody;
use crate::outcome::{Classify, Outcome};
use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// The future of [`HttpClientService`](super::HttpClientService). Dropped before it is done, it counts as abandoned.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct HttpClientFuture<S, F, C, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    F: Fallback<Request<ReqBody>, Response<B>>,
{
    #[pin]
    call: Call<S, F, C, Request<ReqBody>>,
    bodyless: bool,
}

impl<S, F, C, ReqBody, B> HttpClientFuture<S, F, C, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    F: Fallback<Request<ReqBody>, Response<B>>,
{
    #[inline(always)] // see `Guarded::call`
    pub(super) fn new(call: Call<S, F, C, Request<ReqBody>>, bodyless: bool) -> Self {
        Self { call, bodyless }
    }
}

impl<S, F, C, ReqBody, B> Future for HttpClientFuture<S, F, C, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    F: Fallback<Request<ReqBody>, Response<B>>,
    C: Classify<Response<B>, S::Error>,
    B: Body,
{
    type Output = Result<Response<GuardBody<B>>, GuardError<S::Error>>;

    #[inline(always)] // see `Guarded::call`
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.call.poll(cx, Client { bodyless: *this.bodyless })
    }
}

/// Over when the body is. A refusal is an error.
struct Client {
    bodyless: bool,
}

impl<B: Body, E> Face<Response<B>, E> for Client {
    type Answer = Result<Response<GuardBody<B>>, GuardError<E>>;

    #[inline(always)] // see `Guarded::call`
    fn answered(self, result: Result<Response<B>, E>, permit: Permit, outcome: Outcome) -> Self::Answer {
        match result {
            Ok(response) => Ok(GuardBody::counting(response, permit, outcome, self.bodyless)),
            Err(error) => {
                permit.finish(outcome);
                Err(GuardError::Inner(error))
            }
        }
    }

    fn counted(self, result: Result<Response<B>, E>) -> Self::Answer {
        result.map(|response| response.map(GuardBody::counted)).map_err(GuardError::Inner)
    }

    fn rejected(self, rejection: Rejection) -> Self::Answer {
        Err(GuardError::Rejected(rejection))
    }
}

impl<S, F, C, ReqBody, B> fmt::Debug for HttpClientFuture<S, F, C, ReqBody, B>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    F: Fallback<Request<ReqBody>, Response<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientFuture").finish_non_exhaustive()
    }
}
