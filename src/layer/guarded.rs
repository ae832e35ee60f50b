//! What every face of a guard has inside: the service, the guard, and whether the service was readied.

use super::call::Call;
use super::fallback::Fallback;
use crate::breaker::Wait;
use crate::guard::{Guard, Refusal};
use crate::outcome::Classify;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tower_service::Service;

/// A call to `S`.
pub(super) type Called<S, F, C, Req> =
    Call<<S as Service<Req>>::Future, F, C, Req, <S as Service<Req>>::Response, <S as Service<Req>>::Error>;

/// A service behind a guard. Clones are independent: a clone is not ready.
pub(super) struct Guarded<S, F, C> {
    pub(super) inner: S,
    pub(super) guard: Guard,
    fallback: F,
    classifier: C,
    /// Whether `inner` has been readied and not called since.
    ready: bool,
    /// Registered with the breaker while `inner` is not ready.
    wait: Option<Wait>,
}

impl<S: Clone, F: Clone, C: Clone> Clone for Guarded<S, F, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.guard, self.fallback.clone(), self.classifier.clone())
    }
}

impl<S, F, C> Guarded<S, F, C> {
    pub(super) fn new(inner: S, guard: Guard, fallback: F, classifier: C) -> Self {
        Self { inner, guard, fallback, classifier, ready: false, wait: None }
    }

    /// Ready if `inner` is, and also while the breaker would refuse anyway.
    pub(super) fn poll_ready<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Service<Req>,
    {
        if self.would_refuse() {
            // What was readied stays ready: it is still owed a call.
            self.wait = None;
            return Poll::Ready(Ok(()));
        }
        let polled = self.inner.poll_ready(cx);
        self.ready = matches!(polled, Poll::Ready(Ok(())));
        if polled.is_ready() {
            self.wait = None;
            return polled;
        }
        if let Some(gate) = &self.guard.core.gate {
            gate.wake_on_change(&mut self.wait, cx.waker());
            // It may have opened before it knew of the waker.
            if self.would_refuse() {
                self.wait = None;
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    #[inline(always)]
    fn would_refuse(&self) -> bool {
        let core = self.guard.core;
        core.gate.as_ref().is_some_and(|gate| gate.refuses(|| core.now()).is_some())
    }

    /// Admission happens here, not in `poll_ready`: a server asks for readiness before there is a request.
    ///
    /// `wrap` makes the face's own future of the call.
    // Always inlined, and wrapped where it is made: moved from one place in memory to the next, a call costs more than
    // all that is counted for it.
    #[inline(always)]
    pub(super) fn call<Req, W>(&mut self, request: Req, wrap: impl FnOnce(Called<S, F, C, Req>) -> W) -> W
    where
        S: Service<Req>,
        F: Fallback<Req, S::Response>,
        C: Classify<S::Response, S::Error> + Clone,
    {
        let core = self.guard.core;
        let admitted = if self.ready { core.admit_or_fall_back() } else { Err(core.refuse_unready()) };
        let refusal = match admitted {
            Ok(permit) => {
                self.ready = false;
                let classifier = self.classifier.clone();
                let kept = self.fallback.keep(&request);
                return wrap(Call::calling(self.inner.call(request), permit, kept, classifier));
            }
            Err(refusal) => refusal,
        };
        self.refuse(refusal, request, wrap)
    }

    #[inline(always)]
    fn refuse<Req, W>(&self, refusal: Refusal, request: Req, wrap: impl FnOnce(Called<S, F, C, Req>) -> W) -> W
    where
        S: Service<Req>,
        F: Fallback<Req, S::Response>,
    {
        if F::ON_REFUSAL && F::WAITS {
            if let Some(place) = self.guard.core.fallback_place(F::WAITS) {
                let rejection = refusal.rejection();
                return wrap(Call::refused(self.fallback.refused(request, rejection), refusal, place));
            }
        } else if F::ON_REFUSAL {
            // Its answer is there or not: a call that is over need not be carried through a future.
            let answer = self.fallback.refused(request, refusal.rejection());
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(Some(response)) = pin!(answer).poll(&mut cx) {
                refusal.degraded_at_once();
                return wrap(Call::answered(response));
            }
        }
        wrap(Call::rejected(refusal.reject()))
    }
}
