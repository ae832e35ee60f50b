//! `GuardFuture`: the answer of a guarded call.

use super::call::{Call, Ended};
use super::fallback::Fallback;
use crate::guard::GuardError;
use crate::outcome::Classify;
use pin_project::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// The future of [`GuardService`](super::GuardService). Dropped before it is done, it counts as abandoned.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct GuardFuture<S: Service<Req>, F: Fallback<Req, S::Response>, C, Req> {
    #[pin]
    call: Call<S, F, C, Req>,
}

impl<S: Service<Req>, F: Fallback<Req, S::Response>, C, Req> GuardFuture<S, F, C, Req> {
    #[inline(always)] // see `Guarded::call`
    pub(super) fn new(call: Call<S, F, C, Req>) -> Self {
        Self { call }
    }
}

impl<S, F, C, Req> Future for GuardFuture<S, F, C, Req>
where
    S: Service<Req>,
    F: Fallback<Req, S::Response>,
    C: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, GuardError<S::Error>>;

    #[inline(always)] // see `Guarded::call`
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().call.poll(cx)) {
            Ended::Answered(result, permit, outcome) => {
                permit.finish(outcome);
                result.map_err(GuardError::Inner)
            }
            Ended::Counted(result) => result.map_err(GuardError::Inner),
            Ended::Rejected(rejection) => Err(GuardError::Rejected(rejection)),
        })
    }
}

impl<S: Service<Req>, F: Fallback<Req, S::Response>, C, Req> fmt::Debug for GuardFuture<S, F, C, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
