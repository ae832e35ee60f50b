//! One call: under way, or answered by a fallback.

use super::fallback::Fallback;
use crate::breaker::{Reason, Rejection};
use crate::guard::{FailedOver, FallbackPlace, Permit, Refusal};
use crate::outcome::{Classify, Outcome};
use pin_project::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How a call ended, as far as its future can say.
pub(super) enum Ended<Res, Err> {
    /// The service answered. Nothing is counted yet: the permit says when the call was over.
    Answered(Result<Res, Err>, Permit, Outcome),
    /// It is over, and counted.
    Counted(Result<Res, Err>),
    /// It was refused, and that is counted.
    Rejected(Rejection),
}

/// A guarded call. Whatever becomes of it, it is counted once.
#[pin_project]
pub(super) struct Call<Fut, F: Fallback<Req, Res>, C, Req, Res, Err> {
    #[pin]
    #[allow(clippy::type_complexity)] // it is named once
    state: State<Fut, C, Res, F::Kept, F::Refused, F::Failed<Result<Res, Err>>>,
}

#[pin_project(project = StateProj)]
enum State<Fut, C, Res, Kept, Refused, Failed> {
    Calling {
        #[pin]
        future: Fut,
        held: Option<(Permit, Kept, C)>,
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
    /// Answered already, and counted.
    Answered(Option<Res>),
    /// Refused, and counted.
    Rejected(Option<Rejection>),
    Done,
}

impl<Fut, F, C, Req, Res, Err> Call<Fut, F, C, Req, Res, Err>
where
    F: Fallback<Req, Res>,
{
    #[inline(always)]
    pub(super) fn calling(future: Fut, permit: Permit, kept: F::Kept, classifier: C) -> Self {
        Self { state: State::Calling { future, held: Some((permit, kept, classifier)) } }
    }

    #[inline(always)]
    pub(super) fn refused(fallback: F::Refused, refusal: Refusal, place: FallbackPlace) -> Self {
        Self { state: State::Refused { fallback, refusal: Some(refusal), place } }
    }

    #[inline(always)]
    pub(super) fn answered(response: Res) -> Self {
        Self { state: State::Answered(Some(response)) }
    }

    #[inline(always)]
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self { state: State::Rejected(Some(rejection)) }
    }
}

impl<Fut, F, C, Req, Res, Err> Future for Call<Fut, F, C, Req, Res, Err>
where
    Fut: Future<Output = Result<Res, Err>>,
    F: Fallback<Req, Res>,
    C: Classify<Res, Err>,
{
    type Output = Ended<Res, Err>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Calling { future, held } => {
                    let result = ready!(poll_counted(held, || future.poll(cx)));
                    let Some((permit, kept, classifier)) = held.take() else {
                        // It panicked, was counted as that, and was polled again all the same.
                        return Poll::Ready(Ended::Counted(result));
                    };
                    let outcome = classifier.classify(result.as_ref());
                    if outcome == Outcome::Success {
                        if let Ok(response) = &result {
                            F::succeeded(kept, response);
                        }
                    } else if F::ON_FAILURE
                        && permit.core().is_bad(outcome)
                        && let Some(place) = permit.core().fallback_place(F::WAITS)
                    {
                        let failure = Rejection::new(permit.core().name, Reason::Failed, Rejection::NEVER);
                        let call = permit.fail_over(outcome);
                        let fallback = F::failed(kept, failure, result);
                        state.set(State::Failed { fallback, call: Some(call), place });
                        continue;
                    }
                    state.set(State::Done);
                    return Poll::Ready(Ended::Answered(result, permit, outcome));
                }
                StateProj::Refused { fallback, refusal, .. } => {
                    let answer = ready!(poll_counted(refusal, || fallback.poll(cx)));
                    let refusal = refusal.take();
                    state.set(State::Done);
                    return match (answer, refusal) {
                        (Some(response), refusal) => {
                            refusal.into_iter().for_each(Refusal::degraded);
                            Poll::Ready(Ended::Counted(Ok(response)))
                        }
                        (None, Some(refusal)) => Poll::Ready(Ended::Rejected(refusal.reject())),
                        (None, None) => Poll::Pending, // polled after a panic
                    };
                }
                StateProj::Failed { fallback, call, .. } => {
                    let answer = ready!(poll_counted(call, || fallback.poll(cx)));
                    let call = call.take();
                    state.set(State::Done);
                    let count = if answer.is_ok() { FailedOver::degraded } else { FailedOver::failed };
                    call.into_iter().for_each(count);
                    return Poll::Ready(Ended::Counted(answer.map_or_else(|original| original, Ok)));
                }
                StateProj::Answered(answer) => {
                    return answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ended::Counted(Ok(answer))));
                }
                StateProj::Rejected(rejection) => {
                    return rejection.take().map_or(Poll::Pending, |r| Poll::Ready(Ended::Rejected(r)));
                }
                StateProj::Done => return Poll::Pending, // polled after it was done
            }
        }
    }
}

/// Polls, and drops what `counts` holds if that panics: the future itself may be dropped later, when no thread unwinds
/// any more, and the call would pass for an abandoned one.
pub(super) fn poll_counted<T, R>(counts: &mut Option<T>, poll: impl FnOnce() -> Poll<R>) -> Poll<R> {
    struct OnPanic<'a, T>(&'a mut Option<T>);

    impl<T> Drop for OnPanic<'_, T> {
        fn drop(&mut self) {
            *self.0 = None;
        }
    }

    let on_panic = OnPanic(counts);
    let polled = poll();
    std::mem::forget(on_panic);
    polled
}
