//! `GuardFuture`: the answer of a guarded call.

use super::call::{Call, Face};
use super::fallback::Fallback;
use crate::breaker::Rejection;
use crate::guard::{GuardError, Permit};
use crate::outcome::{Classify, Outcome};
use pin_project::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
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
        self.project().call.poll(cx, Plain)
    }
}

/// Over when the service has answered.
struct Plain;

impl<Res, Err> Face<Res, Err> for Plain {
    type Answer = Result<Res, GuardError<Err>>;

    #[inline(always)] // see `Guarded::call`
    fn answered(self, result: Result<Res, Err>, permit: Permit, outcome: Outcome) -> Self::Answer {
        permit.finish(outcome);
        result.map_err(GuardError::Inner)
    }

    fn counted(self, result: Result<Res, Err>) -> Self::Answer {
        result.map_err(GuardError::Inner)
    }

    fn rejected(self, rejection: Rejection) -> Self::Answer {
        Err(GuardError::Rejected(rejection))
    }
}

impl<S: Service<Req>, F: Fallback<Req, S::Response>, C, Req> fmt::Debug for GuardFuture<S, F, C, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
