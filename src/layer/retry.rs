//! Retries that cannot multiply an outage.

use crate::breaker::State;
use crate::guard::{Guard, GuardError};
use crate::shed::CallContext;
use crate::time::Timestamp;
use parking_lot::Mutex;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::retry::Policy;
use tower::retry::budget::Budget;

/// Calls are forgotten at this rate: they count e times less after so long.
const MEMORY: Duration = Duration::from_secs(10);

/// How many extra calls, retries and hedges alike, may go through a guard: at most 20 % of the calls of the last ten seconds
/// or so, and three more; none while its breaker refuses.
///
/// A client that retries every failure three times sends four times the traffic to a service that is failing already. With
/// a budget it sends a fifth more. Clones share one budget; make one for each guard. Source: *Site Reliability Engineering*,
/// ch. 21, "Client-side retry budgets".
///
/// ```
/// # use plimsoll::{Breaker, Plimsoll, RetryBudget, Slo};
/// # let plimsoll = Plimsoll::new();
/// let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let guard = payments.guard().breaker(Breaker::default()).build()?;
/// let budget = RetryBudget::new(guard);
/// assert_eq!((0..10).filter(|_| budget.try_spend()).count(), 3); // nobody has called yet
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone)]
pub struct RetryBudget {
    guard: Guard,
    ratio: f64,
    least: f64,
    spent: Arc<Mutex<Spent>>,
}

/// Calls and, among them, extra ones, of late.
#[derive(Debug)]
struct Spent {
    at: Timestamp,
    /// All calls when last looked at.
    seen: u64,
    calls: f64,
    extra: f64,
}

impl RetryBudget {
    /// For the calls through `guard`.
    pub fn new(guard: Guard) -> Self {
        let spent = Spent { at: guard.core.now(), seen: calls(&guard), calls: 0.0, extra: 0.0 };
        Self { guard, ratio: 0.2, least: 3.0, spent: Arc::new(Mutex::new(spent)) }
    }

    /// At most this share of the calls, 0..=1, and `least` more. The default is 0.2 and 3.
    #[must_use]
    pub fn at_most(mut self, ratio: f64, least: u32) -> Self {
        self.ratio = if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, 1.0) };
        self.least = f64::from(least);
        self
    }

    /// Whether one more extra call may be made; it is counted. Ask before each retry, and before each hedge.
    pub fn try_spend(&self) -> bool {
        let now = self.guard.core.now();
        if !matches!(self.guard.state(), State::Closed | State::ForcedClosed | State::WouldBeOpen)
            || CallContext::current().due().is_some_and(|due| due <= now)
        {
            return false;
        }
        let mut spent = self.spent.lock();
        // Read under the lock, and never going back: what was seen before would else be counted once more.
        let (now, seen) = (now.max(spent.at), calls(&self.guard).max(spent.seen));
        let kept = (-now.since(spent.at).as_secs_f64() / MEMORY.as_secs_f64()).exp();
        // An extra call is among the calls as well; it must not pay for others.
        spent.calls = spent.calls * kept + (seen - spent.seen) as f64;
        spent.extra *= kept;
        (spent.at, spent.seen) = (now, seen);
        let own = (spent.calls - spent.extra).max(0.0);
        // A little more than the exact number, which a sum of fractions seldom meets.
        let may = spent.extra + 1.0 <= self.least + self.ratio * own + 1e-6;
        if may {
            spent.extra += 1.0;
        }
        may
    }

    /// A policy for [`tower::retry::Retry`], to be put around the guard: up to three retries, with growing pauses, of calls
    /// that were let through and failed.
    pub fn policy<E>(&self) -> RetryPolicy<E> {
        RetryPolicy { budget: self.clone(), attempts: 3, pause: Duration::from_millis(25), retriable: |_| true }
    }
}

/// For policies that take any budget of Tower's.
impl Budget for RetryBudget {
    /// Does nothing: the guard counts the calls.
    fn deposit(&self) {}

    fn withdraw(&self) -> bool {
        self.try_spend()
    }
}

/// Everything that has come to a guard so far, refused or not.
fn calls(guard: &Guard) -> u64 {
    guard.core.recorder.outcomes().iter().fold(guard.in_flight(), |sum, n| sum.wrapping_add(*n))
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("guard", &self.guard.name()).finish_non_exhaustive()
    }
}

/// Retries within a [`RetryBudget`], made by [`RetryBudget::policy`].
///
/// ```
/// # use plimsoll::{Breaker, GuardError, Plimsoll, RetryBudget, Slo};
/// # use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let plimsoll = Plimsoll::new();
/// # let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let layer = payments.guard().breaker(Breaker::default()).layer()?;
/// let budget = RetryBudget::new(layer.guard());
/// let client = ServiceBuilder::new()
///     .retry(budget.policy())
///     .layer(layer)
///     .service(service_fn(|cents: u32| async move { Ok::<_, std::io::Error>(cents) }));
/// assert_eq!(client.oneshot(100).await?, 100);
/// # Ok(()) }
/// ```
pub struct RetryPolicy<E> {
    budget: RetryBudget,
    attempts: u32,
    pause: Duration,
    retriable: fn(&E) -> bool,
}

impl<E> RetryPolicy<E> {
    /// At most so many retries of one call. The default is 3.
    #[must_use]
    pub fn attempts(mut self, retries: u32) -> Self {
        self.attempts = retries;
        self
    }

    /// Waits a random part of `first` before the first retry, and of twice as much before each further one. The default is
    /// 25 ms.
    #[must_use]
    pub fn pause(mut self, first: Duration) -> Self {
        self.pause = first;
        self
    }

    /// Only errors of which this says so: not what would fail in the same way again, nor what must not happen twice.
    #[must_use]
    pub fn only(mut self, retriable: fn(&E) -> bool) -> Self {
        self.retriable = retriable;
        self
    }
}

impl<Req: Clone, Res, E> Policy<Req, Res, GuardError<E>> for RetryPolicy<E> {
    type Future = Pause;

    fn retry(&mut self, _: &mut Req, result: &mut Result<Res, GuardError<E>>) -> Option<Self::Future> {
        // What was refused was refused for a reason, which is still there.
        let Err(GuardError::Inner(error)) = result else { return None };
        if self.attempts == 0 || !(self.retriable)(error) || !self.budget.try_spend() {
            return None;
        }
        self.attempts -= 1;
        // Clients that failed together shall not come back together.
        let part = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        let pause = self.pause.mul_f64(part);
        self.pause = self.pause.saturating_mul(2);
        Some(Pause(crate::guard::timer(pause)))
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

impl<E> Clone for RetryPolicy<E> {
    fn clone(&self) -> Self {
        let Self { budget, attempts, pause, retriable } = self;
        Self { budget: budget.clone(), attempts: *attempts, pause: *pause, retriable: *retriable }
    }
}

impl<E> fmt::Debug for RetryPolicy<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("budget", &self.budget)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// The time before a retry; none where no runtime can sleep.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Pause(Option<Pin<Box<tokio::time::Sleep>>>);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Ready(()), |sleep| sleep.as_mut().poll(cx))
    }
}
