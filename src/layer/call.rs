//! One call: under way, or answered by a fallback.

use super::fallback::Fallback;
use crate::breaker::{Reason, Rejection};
use crate::guard::{Admission, FailedOver, FallbackPlace, Permit, Refusal};
use crate::outcome::{Classify, Outcome};
use crate::shed::CallContext;
use pin_project::pin_project;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tower_service::Service;

/// What a face makes of a call that is over.
pub(super) trait Face<Res, Err> {
    type Answer;

    /// The service answered. Nothing is counted yet: the permit says when the call was over.
    fn answered(self, result: Result<Res, Err>, permit: Permit, outcome: Outcome) -> Self::Answer;
    /// It is over, and counted.
    fn counted(self, result: Result<Res, Err>) -> Self::Answer;
    /// It was refused, and that is counted.
    fn rejected(self, rejection: Rejection) -> Self::Answer;
}

/// A call that waits to be let in.
struct Waiting<S, F, C, Req> {
    admission: Admission,
    /// The service that was readied, and what it will be called with.
    held: Option<(S, F, C, Req)>,
    context: Option<CallContext>,
}

/// A guarded call. Whatever becomes of it, it is counted once.
#[pin_project]
pub(super) struct Call<S: Service<Req>, F: Fallback<Req, S::Response>, C, Req> {
    #[pin]
    #[allow(clippy::type_complexity)] // it is named once
    state: State<S, F, C, Req, S::Future, S::Response, F::Kept, F::Refused, F::Failed<Result<S::Response, S::Error>>>,
}

#[pin_project(project = StateProj)]
enum State<S, F, C, Req, Fut, Res, Kept, Refused, Failed> {
    /// Boxed: it is rare, and would make every future larger.
    Waiting(Box<Waiting<S, F, C, Req>>),
    Calling {
        #[pin]
        future: Fut,
        held: Option<(Permit, Kept, C)>,
        context: Option<CallContext>,
    },
    Refused {
        #[pin]
        fallback: Refused,
        refusal: Option<Refusal>,
        place: FallbackPlace,
    },
    Failed {
        #[pin]
        fallback: Failed,
        call: Option<FailedOver>,
        place: FallbackPlace,
    },
    /// Refused, answered at once, and counted.
    Answered(Option<Res>),
    /// Refused, and counted.
    Rejected(Option<Rejection>),
    Done,
}

impl<S, F, C, Req> Call<S, F, C, Req>
where
    S: Service<Req>,
    F: Fallback<Req, S::Response>,
{
    pub(super) fn waiting(admission: Admission, held: (S, F, C, Req), context: Option<CallContext>) -> Self {
        Self { state: State::Waiting(Box::new(Waiting { admission, held: Some(held), context })) }
    }

    #[inline(always)] // see `Guarded::call`
    pub(super) fn calling(
        future: S::Future,
        permit: Permit,
        kept: F::Kept,
        classifier: C,
        context: Option<CallContext>,
    ) -> Self {
        Self { state: State::Calling { future, held: Some((permit, kept, classifier)), context } }
    }

    /// Asks the fallback, if there is one that has a place.
    #[inline(always)] // see `Guarded::call`
    pub(super) fn refused<W>(refusal: Refusal, fallback: &F, request: Req, wrap: impl FnOnce(Self) -> W) -> W {
        if F::ON_REFUSAL && F::WAITS {
            if let Some(place) = refusal.core().fallback_place(F::WAITS) {
                let fallback = fallback.refused(request, refusal.rejection());
                return wrap(Self { state: State::Refused { fallback, refusal: Some(refusal), place } });
            }
        } else if F::ON_REFUSAL {
            // The answer is there or not: what is over need not be carried through a future.
            let answer = fallback.refused(request, refusal.rejection());
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(Some(response)) = pin!(answer).poll(&mut cx) {
                refusal.degraded_at_once();
                return wrap(Self { state: State::Answered(Some(response)) });
            }
        }
        wrap(Self { state: State::Rejected(Some(refusal.reject())) })
    }
}

impl<S, F, C, Req> Call<S, F, C, Req>
where
    S: Service<Req>,
    F: Fallback<Req, S::Response>,
    C: Classify<S::Response, S::Error>,
{
    /// A service's future that is done is dropped with this.
    #[inline(always)] // see `Guarded::call`
    pub(super) fn poll<A: Face<S::Response, S::Error>>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        face: A,
    ) -> Poll<A::Answer> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Waiting(waiting) => {
                    let Waiting { admission, held, context } = &mut **waiting;
                    let admitted = ready!(admission.poll(cx));
                    let Some((mut service, fallback, classifier, request)) = held.take() else {
                        return Poll::Pending; // polled after a panic
                    };
                    let next = match admitted {
                        Ok(permit) => {
                            let kept = fallback.keep(&request);
                            let call = || service.call(request);
                            let future = match *context {
                                Some(context) => context.sync_scope(call),
                                None => call(),
                            };
                            Self::calling(future, permit, kept, classifier, *context)
                        }
                        Err(rejection) => {
                            let refusal = admission.core.refuse(admission.started, rejection, &admission.context);
                            Self::refused(refusal, &fallback, request, |call| call)
                        }
                    };
                    state.set(next.state);
                }
                StateProj::Calling { future, held, context } => {
                    let poll = || match *context {
                        Some(context) => context.sync_scope(|| future.poll(cx)),
                        None => future.poll(cx),
                    };
                    // Looked at where it is, and moved once.
                    let polled = poll_counted(held, poll);
                    let Poll::Ready(answer) = &polled else { return Poll::Pending };
                    let Some((permit, kept, classifier)) = held.take() else {
                        // It panicked, was counted as that, and was polled again all the same.
                        return polled.map(|result| face.counted(result));
                    };
                    let outcome = classifier.classify(answer.as_ref());
                    if outcome == Outcome::Success {
                        if let Ok(response) = answer {
                            F::succeeded(kept, response);
                        }
                    } else if F::ON_FAILURE
                        && permit.core().is_bad(outcome)
                        && let Some(place) = permit.core().fallback_place(F::WAITS)
                    {
                        let failure = Rejection::new(permit.core().name, Reason::Failed, Rejection::NEVER);
                        let call = permit.fail_over(outcome);
                        let Poll::Ready(result) = polled else { return Poll::Pending };
                        let fallback = F::failed(kept, failure, result);
                        state.set(State::Failed { fallback, call: Some(call), place });
                        continue;
                    }
                    let Poll::Ready(result) = polled else { return Poll::Pending };
                    return Poll::Ready(face.answered(result, permit, outcome));
                }
                StateProj::Refused { fallback, refusal, .. } => {
                    let answer = ready!(poll_counted(refusal, || fallback.poll(cx)));
                    let refusal = refusal.take();
                    state.set(State::Done);
                    return match (answer, refusal) {
                        (Some(response), refusal) => {
                            refusal.into_iter().for_each(Refusal::degraded);
                            Poll::Ready(face.counted(Ok(response)))
                        }
                        (None, Some(refusal)) => Poll::Ready(face.rejected(refusal.reject())),
                        (None, None) => Poll::Pending, // polled after a panic
                    };
                }
                StateProj::Failed { fallback, call, .. } => {
                    let answer = ready!(poll_counted(call, || fallback.poll(cx)));
                    let call = call.take();
                    state.set(State::Done);
                    let count = if answer.is_ok() { FailedOver::degraded } else { FailedOver::failed };
                    call.into_iter().for_each(count);
                    return Poll::Ready(face.counted(answer.map_or_else(|original| original, Ok)));
                }
                StateProj::Answered(answer) => {
                    return answer.take().map_or(Poll::Pending, |answer| Poll::Ready(face.counted(Ok(answer))));
                }
                StateProj::Rejected(rejection) => {
                    return rejection.take().map_or(Poll::Pending, |rejection| Poll::Ready(face.rejected(rejection)));
                }
                StateProj::Done => return Poll::Pending, // polled after it was done
            }
        }
    }
}

/// Polls, and drops what `counts` holds if that panics: the future itself may be dropped later, when no thread unwinds
/// any more, and the call would pass for an abandoned one.
pub(super) fn poll_counted<T: Default, R>(counts: &mut T, poll: impl FnOnce() -> Poll<R>) -> Poll<R> {
    struct OnPanic<'a, T: Default>(&'a mut T);

    impl<T: Default> Drop for OnPanic<'_, T> {
        fn drop(&mut self) {
            *self.0 = T::default();
        }
    }

    let on_panic = OnPanic(counts);
    let polled = poll();
    std::mem::forget(on_panic);
    polled
}
