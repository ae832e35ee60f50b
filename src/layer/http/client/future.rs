//! `HttpClientFuture`: the response to a guarded client.

use crate::guard::GuardError;
use crate::layer::call::{Call, Ended};
use crate::layer::fallback::Fallback;
use crate::layer::http::body::GuardBody;
use crate::outcome::Classify;
use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.call.poll(cx)) {
            Ended::Answered(Ok(response), permit, outcome) => {
                Ok(GuardBody::counting(response, permit, outcome, *this.bodyless))
            }
            Ended::Answered(Err(error), permit, outcome) => {
                permit.finish(outcome);
                Err(GuardError::Inner(error))
            }
            Ended::Counted(result) => {
                result.map(|response| response.map(GuardBody::counted)).map_err(GuardError::Inner)
            }
            Ended::Rejected(rejection) => Err(GuardError::Rejected(rejection)),
        })
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
