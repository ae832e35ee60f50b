//! What answers in place of a call that was refused, or that failed.

use crate::breaker::Rejection;
use crate::error::Error;
use crate::guard::GuardBuilder;
use pin_project::pin_project;
use std::future::{Pending, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as ready_or_return};
use std::{fmt, future::Future};

/// What a guard does in place of a call: nothing (`()`), or what [`GuardBuilder::fallback`],
/// [`fallback_value`](GuardBuilder::fallback_value) and [`stale`](GuardBuilder::stale) made.
///
/// No call pays for what its fallback does not need: a request is cloned only for a handler that is asked on failure
/// too, a key is made only for stale answers, and nothing is boxed.
pub trait Fallback<Req, Res>: sealed::Sealed {
    /// Whether it may answer a refused call.
    const ON_REFUSAL: bool;
    /// Whether it may answer a call that failed.
    const ON_FAILURE: bool;
    /// Whether its answers may be waited for. Those that are there at once are never under way.
    const WAITS: bool;
    /// What it keeps of a request while the call is under way.
    type Kept;
    /// Its answer to a refused call, if it has one.
    type Refused: Future<Output = Option<Res>>;
    /// Its answer to a failed call, or else the `T` that the call itself ended with.
    type Failed<T>: Future<Output = Result<Res, T>>;

    /// Looks at a request before the call takes it.
    fn keep(&self, request: &Req) -> Self::Kept;
    /// Answers a refused call.
    fn refused(&self, request: Req, rejection: Rejection) -> Self::Refused;
    /// Sees the answer of a call that succeeded.
    fn succeeded(kept: Self::Kept, response: &Res);
    /// Answers a failed call, which `original` is the answer of.
    fn failed<T>(kept: Self::Kept, failure: Rejection, original: T) -> Self::Failed<T>;
}

pub(super) mod sealed {
    use crate::error::Error;

    pub trait Sealed {
        /// Whether it can work.
        #[doc(hidden)]
        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }
}

impl sealed::Sealed for () {}

impl<Req, Res> Fallback<Req, Res> for () {
    const ON_REFUSAL: bool = false;
    const ON_FAILURE: bool = false;
    const WAITS: bool = false;
    type Kept = ();
    type Refused = Pending<Option<Res>>;
    type Failed<T> = Pending<Result<Res, T>>;

    fn keep(&self, _: &Req) {}

    fn refused(&self, _: Req, _: Rejection) -> Self::Refused {
        std::future::pending()
    }

    fn succeeded((): (), _: &Res) {}

    fn failed<T>((): (), _: Rejection, _: T) -> Self::Failed<T> {
        std::future::pending()
    }
}

/// A handler, made by [`GuardBuilder::fallback`].
#[derive(Clone)]
pub struct FallbackWith<H> {
    pub(super) handler: H,
}

impl<H> fmt::Debug for FallbackWith<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackWith").finish_non_exhaustive()
    }
}

impl<H> sealed::Sealed for FallbackWith<H> {}

impl<Req, Res, E, H, Fut> Fallback<Req, Res> for FallbackWith<H>
where
    H: Fn(Req, Rejection) -> Fut,
    Fut: Future<Output = Result<Res, E>>,
{
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = false;
    const WAITS: bool = true;
    type Kept = ();
    type Refused = Unanswered<Fut>;
    type Failed<T> = Pending<Result<Res, T>>;

    fn keep(&self, _: &Req) {}

    fn refused(&self, request: Req, rejection: Rejection) -> Self::Refused {
        Unanswered { future: (self.handler)(request, rejection) }
    }

    fn succeeded((): (), _: &Res) {}

    fn failed<T>((): (), _: Rejection, _: T) -> Self::Failed<T> {
        std::future::pending()
    }
}

/// The future of a handler's answer: its error, if it has one, is dropped.
#[pin_project]
#[derive(Debug)]
pub struct Unanswered<Fut> {
    #[pin]
    future: Fut,
}

impl<Fut, Res, E> Future for Unanswered<Fut>
where
    Fut: Future<Output = Result<Res, E>>,
{
    type Output = Option<Res>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready_or_return!(self.project().future.poll(cx)).ok())
    }
}

/// A value, made by [`GuardBuilder::fallback_value`].
#[derive(Clone, Debug)]
pub struct FallbackValue<V> {
    pub(super) value: Arc<V>,
}

impl<V> sealed::Sealed for FallbackValue<V> {}

impl<Req, V: Clone> Fallback<Req, V> for FallbackValue<V> {
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = false;
    const WAITS: bool = false;
    type Kept = ();
    type Refused = Ready<Option<V>>;
    type Failed<T> = Pending<Result<V, T>>;

    fn keep(&self, _: &Req) {}

    fn refused(&self, _: Req, _: Rejection) -> Self::Refused {
        ready(Some(V::clone(&self.value)))
    }

    fn succeeded((): (), _: &V) {}

    fn failed<T>((): (), _: Rejection, _: T) -> Self::Failed<T> {
        std::future::pending()
    }
}

impl<F> GuardBuilder<F> {
    /// Answers refused calls with `handler`, which is given the request and the refusal.
    ///
    /// If it answers `Ok`, the call counts as degraded; if it answers `Err`, the refusal stands, and is what the
    /// caller gets.
    ///
    /// ```
    /// # use plimsoll::{Breaker, Plimsoll, Rejection, Slo};
    /// # use tower::{Layer, Service, ServiceExt, service_fn};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let plimsoll = Plimsoll::new();
    /// # let prices = plimsoll.declare(Slo::new("prices").success(99.9))?;
    /// let layer = prices
    ///     .guard()
    ///     .breaker(Breaker::default())
    ///     .fallback(|item: u32, _: Rejection| async move { if item < 10 { Ok(5) } else { Err("no such item") } })
    ///     .layer()?;
    /// let service = layer.layer(service_fn(|item: u32| async move { Ok::<_, std::io::Error>(item * 2) }));
    /// assert_eq!(service.clone().oneshot(3).await?, 6);
    /// layer.guard().force_open();
    /// assert_eq!(service.clone().oneshot(3).await?, 5);
    /// assert!(service.oneshot(11).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn fallback<H, Req, Fut>(self, handler: H) -> GuardBuilder<FallbackWith<H>>
    where
        H: Fn(Req, Rejection) -> Fut,
        Fut: Future,
    {
        self.map_fallback(|_, _| FallbackWith { handler })
    }

    /// Answers refused calls with clones of `value`; they count as degraded.
    ///
    /// Take an owned type, such as `String`: with `&'static str` rustc refuses to call the service in an `async` block that
    /// must be `Send`, as a handler's must ("implementation of `Fallback` is not general enough").
    pub fn fallback_value<V: Clone>(self, value: V) -> GuardBuilder<FallbackValue<V>> {
        self.map_fallback(|_, _| FallbackValue { value: Arc::new(value) })
    }
}

/// Makes guard and fallback, if they can work.
pub(super) fn split<F: sealed::Sealed>(builder: GuardBuilder<F>) -> Result<(crate::guard::Guard, F), Error> {
    builder.fallback.check()?;
    builder.split()
}
