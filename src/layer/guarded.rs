//! What every face of a guard has inside: the service, the guard, and whether the service was readied.

use super::call::Call;
use super::context::ReadContext;
use super::fallback::Fallback;
use crate::breaker::Wait;
use crate::guard::{Entered, Guard};
use crate::outcome::Classify;
use crate::shed::CallContext;
use std::task::{Context, Poll};
use tower_service::Service;

/// A service behind a guard. Clones are independent: a clone is not ready.
pub(super) struct Guarded<S, F, C, P> {
    pub(super) inner: S,
    pub(super) guard: Guard,
    fallback: F,
    classifier: C,
    context: P,
    /// Whether `inner` has been readied and not called since.
    ready: bool,
    /// Registered with the breaker while `inner` is not ready.
    wait: Option<Wait>,
}

impl<S: Clone, F: Clone, C: Clone, P: Clone> Clone for Guarded<S, F, C, P> {
    fn clone(&self) -> Self {
        let Self { inner, guard, fallback, classifier, context, .. } = self;
        Self::new(inner.clone(), *guard, fallback.clone(), classifier.clone(), context.clone())
    }
}

impl<S, F, C, P> Guarded<S, F, C, P> {
    pub(super) fn new(inner: S, guard: Guard, fallback: F, classifier: C, context: P) -> Self {
        Self { inner, guard, fallback, classifier, context, ready: false, wait: None }
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

    #[inline]
    fn would_refuse(&self) -> bool {
        let core = self.guard.core;
        core.gate.as_ref().is_some_and(|gate| gate.refuses(|| core.now()).is_some())
    }

    /// Admission happens here, not in `poll_ready`: a server asks for readiness before there is a request.
    ///
    /// `look` takes from the request what `wrap` needs to make the face's own future of the call.
    // Always inlined, and wrapped where it is made: to be moved from one place in memory to the next costs a call more than
    // all that is counted for it. A request that was borrowed is moved by copying it, so all who look do so here.
    #[inline(always)]
    pub(super) fn call<Req, T, W>(
        &mut self,
        request: Req,
        look: impl FnOnce(&Req) -> T,
        wrap: impl FnOnce(Call<S, F, C, Req>, T) -> W,
    ) -> W
    where
        S: Service<Req> + Clone,
        F: Fallback<Req, S::Response> + Clone,
        C: Classify<S::Response, S::Error> + Clone,
        P: ReadContext<Req>,
    {
        let seen = look(&request);
        if !self.ready {
            return self.unready(request, |call| wrap(call, seen));
        }
        let context = self.context.read(&request);
        if context.is_none()
            && let Some(permit) = self.guard.core.admit_at_once()
        {
            self.ready = false;
            let (kept, classifier) = (self.fallback.keep(&request), self.classifier.clone());
            return wrap(Call::calling(self.inner.call(request), permit, kept, classifier, None), seen);
        }
        wrap(self.enter(request, context), seen)
    }

    #[cold]
    fn unready<Req, W>(&self, request: Req, wrap: impl FnOnce(Call<S, F, C, Req>) -> W) -> W
    where
        S: Service<Req>,
        F: Fallback<Req, S::Response>,
    {
        Call::refused(self.guard.core.refuse_unready(), &self.fallback, request, wrap)
    }

    #[cold]
    fn enter<Req>(&mut self, request: Req, context: Option<CallContext>) -> Call<S, F, C, Req>
    where
        S: Service<Req> + Clone,
        F: Fallback<Req, S::Response> + Clone,
        C: Clone,
    {
        let core = self.guard.core;
        // Nobody outlives whom it works for.
        let outer = CallContext::current().due();
        let context = context.or_else(|| CallContext::is_present().then(CallContext::current));
        let context = context.map(|context| context.seen_at(core.now()).under(outer));
        match core.enter(context.unwrap_or_default()) {
            Entered::In(permit) => {
                self.ready = false;
                let (kept, classifier) = (self.fallback.keep(&request), self.classifier.clone());
                let future = match context {
                    Some(context) => context.sync_scope(|| self.inner.call(request)),
                    None => self.inner.call(request),
                };
                Call::calling(future, permit, kept, classifier, context)
            }
            Entered::Waits(admission) => {
                // The one that was readied is the one that will be called.
                let unready = self.inner.clone();
                let readied = std::mem::replace(&mut self.inner, unready);
                self.ready = false;
                let held = (readied, self.fallback.clone(), self.classifier.clone(), request);
                Call::waiting(admission, held, context)
            }
            Entered::Refused(started, rejection) => {
                let refusal = core.refuse(started, rejection, &context.unwrap_or_default());
                Call::refused(refusal, &self.fallback, request, |call| call)
            }
        }
    }
}
