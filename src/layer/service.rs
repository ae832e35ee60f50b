//! `GuardService`: any Tower service behind a guard.

use super::context::{ReadContext, TaskContext};
use super::fallback::Fallback;
use super::future::GuardFuture;
use super::guarded::Guarded;
use crate::guard::{Guard, GuardError};
use crate::outcome::Classify;
use std::fmt;
use std::task::{Context, Poll};
use tower_service::Service;

/// A service behind a guard, made by [`GuardLayer`](super::GuardLayer).
///
/// It keeps Tower's contract: the instance that was readied is the one that is called, and a clone is not ready. While
/// the breaker refuses it is ready at once, without its service being asked; a call that the breaker then lets through
/// after all, to a service that was not asked, is refused with [`Reason::NotReady`](crate::Reason::NotReady).
///
/// An error of the service's readiness is passed on as [`GuardError::Inner`]. It is not counted: there was no call.
pub struct GuardService<S, F, C, P = TaskContext> {
    guarded: Guarded<S, F, C, P>,
}

impl<S, F, C, P> GuardService<S, F, C, P> {
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

impl<S, F, C, P, Req> Service<Req> for GuardService<S, F, C, P>
where
    S: Service<Req> + Clone,
    F: Fallback<Req, S::Response> + Clone,
    P: ReadContext<Req>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = GuardError<S::Error>;
    type Future = GuardFuture<S, F, C, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.guarded.poll_ready(cx).map_err(GuardError::Inner)
    }

    #[inline(always)]
    fn call(&mut self, request: Req) -> Self::Future {
        self.guarded.call(request, |_| (), |call, ()| GuardFuture::new(call))
    }
}

impl<S: Clone, F: Clone, C: Clone, P: Clone> Clone for GuardService<S, F, C, P> {
    fn clone(&self) -> Self {
        Self { guarded: self.guarded.clone() }
    }
}

impl<S: fmt::Debug, F, C, P> fmt::Debug for GuardService<S, F, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Guarded { inner, guard, .. } = &self.guarded;
        f.debug_struct("GuardService").field("inner", inner).field("guard", guard).finish_non_exhaustive()
    }
}
