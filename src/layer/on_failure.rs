//! Fallbacks that are asked on failure too.

use super::fallback::{Fallback, FallbackValue, FallbackWith, sealed};
use super::stale::StaleAnswers;
use crate::breaker::Rejection;
use crate::error::Error;
use crate::guard::GuardBuilder;
use pin_project::pin_project;
use std::future::{Future, Ready, ready};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A fallback that is asked on failure too, made by [`GuardBuilder::also_on_failure`].
#[derive(Clone, Debug)]
pub struct OnFailure<F> {
    on_refusal: F,
}

impl<F: sealed::Sealed> sealed::Sealed for OnFailure<F> {
    fn check(&self) -> Result<(), Error> {
        self.on_refusal.check()
    }
}

/// The future of an answer in place of another, which it gives back if there is none.
#[pin_project]
#[derive(Debug)]
pub struct StandIn<Fut, T> {
    #[pin]
    future: Fut,
    original: Option<T>,
}

impl<Fut, Res, E, T> Future for StandIn<Fut, T>
where
    Fut: Future<Output = Result<Res, E>>,
{
    type Output = Result<Res, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.original.is_none() {
            return Poll::Pending; // polled after it was done
        }
        match this.future.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(response)) => {
                *this.original = None;
                Poll::Ready(Ok(response))
            }
            Poll::Ready(Err(_)) => this.original.take().map_or(Poll::Pending, |original| Poll::Ready(Err(original))),
        }
    }
}

impl<Req, Res, E, H, Fut> Fallback<Req, Res> for OnFailure<FallbackWith<H>>
where
    Req: Clone,
    H: Fn(Req, Rejection) -> Fut + Clone,
    Fut: Future<Output = Result<Res, E>>,
{
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = true;
    const WAITS: bool = true;
    type Kept = (H, Req);
    type Refused = <FallbackWith<H> as Fallback<Req, Res>>::Refused;
    type Failed<T> = StandIn<Fut, T>;

    fn keep(&self, request: &Req) -> Self::Kept {
        (self.on_refusal.handler.clone(), request.clone())
    }

    fn refused(&self, request: Req, rejection: Rejection) -> Self::Refused {
        self.on_refusal.refused(request, rejection)
    }

    fn succeeded(_: Self::Kept, _: &Res) {}

    fn failed<T>((handler, request): Self::Kept, failure: Rejection, original: T) -> Self::Failed<T> {
        StandIn { future: handler(request, failure), original: Some(original) }
    }
}

impl<Req, V: Clone> Fallback<Req, V> for OnFailure<FallbackValue<V>> {
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = true;
    const WAITS: bool = false;
    type Kept = Arc<V>;
    type Refused = Ready<Option<V>>;
    type Failed<T> = Ready<Result<V, T>>;

    fn keep(&self, _: &Req) -> Arc<V> {
        Arc::clone(&self.on_refusal.value)
    }

    fn refused(&self, request: Req, rejection: Rejection) -> Self::Refused {
        self.on_refusal.refused(request, rejection)
    }

    fn succeeded(_: Arc<V>, _: &V) {}

    fn failed<T>(value: Arc<V>, _: Rejection, _: T) -> Self::Failed<T> {
        ready(Ok(V::clone(&value)))
    }
}

impl<Req, Res, K, KeyOf> Fallback<Req, Res> for OnFailure<StaleAnswers<KeyOf, K, Res>>
where
    K: Hash + Eq,
    KeyOf: Fn(&Req) -> K,
    Res: Clone,
{
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = true;
    const WAITS: bool = false;
    type Kept = <StaleAnswers<KeyOf, K, Res> as Fallback<Req, Res>>::Kept;
    type Refused = Ready<Option<Res>>;
    type Failed<T> = Ready<Result<Res, T>>;

    fn keep(&self, request: &Req) -> Self::Kept {
        self.on_refusal.keep(request)
    }

    fn refused(&self, request: Req, rejection: Rejection) -> Self::Refused {
        self.on_refusal.refused(request, rejection)
    }

    fn succeeded(kept: Self::Kept, response: &Res) {
        <StaleAnswers<KeyOf, K, Res> as Fallback<Req, Res>>::succeeded(kept, response);
    }

    fn failed<T>((answers, key): Self::Kept, _: Rejection, original: T) -> Self::Failed<T> {
        ready(answers.fresh(&key).ok_or(original))
    }
}

macro_rules! also_on_failure {
    ($(<$($generic:ident),*> $fallback:ty;)*) => { $(
        impl<$($generic),*> GuardBuilder<$fallback> {
            /// Asks the fallback also when a call was let through and failed: when it ended in an outcome that is bad
            /// to the SLI. If the fallback answers, the call counts as degraded, while the breaker saw it fail; if not,
            /// the call's own answer or error is what the caller gets.
            ///
            /// A handler is then given a rejection whose reason is [`Reason::Failed`](crate::Reason::Failed), and every
            /// request is cloned for it. A value or a stale answer needs nothing of the request but its key.
            pub fn also_on_failure(self) -> GuardBuilder<OnFailure<$fallback>> {
                self.map_fallback(|on_refusal, _| OnFailure { on_refusal })
            }
        }
    )* };
}

also_on_failure! {
    <H> FallbackWith<H>;
    <V> FallbackValue<V>;
    <KeyOf, K, Res> StaleAnswers<KeyOf, K, Res>;
}
