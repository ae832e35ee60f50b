//! `GuardLayer`: puts any Tower service behind a guard.

use super::context::TaskContext;
use super::fallback::{sealed, split};
use super::service::GuardService;
use crate::error::Error;
use crate::guard::{Guard, GuardBuilder};
use crate::outcome::ResultClassifier;
use std::fmt;
use tower_layer::Layer;

/// Puts services behind one guard: made by [`GuardBuilder::layer`] or [`Guard::layer`].
///
/// The service's error becomes [`GuardError`](crate::GuardError): a refusal, or the service's own.
///
/// ```
/// # use plimsoll::{Breaker, GuardError, Plimsoll, Slo};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let plimsoll = Plimsoll::new();
/// let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let layer = payments.guard().breaker(Breaker::default()).layer()?;
/// let service = layer.layer(service_fn(|cents: u32| async move { Ok::<_, std::io::Error>(cents) }));
/// assert_eq!(service.clone().oneshot(100).await?, 100);
/// layer.guard().force_open();
/// assert!(matches!(service.oneshot(100).await, Err(GuardError::Rejected(_))));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GuardLayer<F = (), C = ResultClassifier, P = TaskContext> {
    guard: Guard,
    fallback: F,
    classifier: C,
    context: P,
}

impl<F, C, P> GuardLayer<F, C, P> {
    /// The guard.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Says how calls ended with another classifier: not every `Err` is the callee's fault, nor every `Ok` a success.
    ///
    /// ```
    /// # use plimsoll::{Outcome, Plimsoll, Slo};
    /// # let plimsoll = Plimsoll::new();
    /// # let files = plimsoll.declare(Slo::new("files").success(99.9))?;
    /// let layer = files.guard().layer()?.classify(|result: Result<&String, &std::io::Error>| match result {
    ///     Ok(_) => Outcome::Success,
    ///     Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::Success,
    ///     Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Outcome::TimedOut,
    ///     Err(_) => Outcome::FAILURE,
    /// });
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn classify<D>(self, classifier: D) -> GuardLayer<F, D, P> {
        let Self { guard, fallback, context, .. } = self;
        GuardLayer { guard, fallback, classifier, context }
    }

    /// Says with another reader, or a closure, what a request brings along: its priority, deadline and tenant.
    pub fn context<Q>(self, context: Q) -> GuardLayer<F, C, Q> {
        let Self { guard, fallback, classifier, .. } = self;
        GuardLayer { guard, fallback, classifier, context }
    }
}

impl<S, F: Clone, C: Clone, P: Clone> Layer<S> for GuardLayer<F, C, P> {
    type Service = GuardService<S, F, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { guard, fallback, classifier, context } = self;
        GuardService::new(inner, *guard, fallback.clone(), classifier.clone(), context.clone())
    }
}

impl<F, C, P> fmt::Debug for GuardLayer<F, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<F: sealed::Sealed> GuardBuilder<F> {
    /// Makes the guard and a layer that puts any Tower service behind it. `Ok` is a success and `Err` a failure, unless
    /// [`GuardLayer::classify`] says otherwise.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and an [`Error`] if the fallback cannot work.
    pub fn layer(self) -> Result<GuardLayer<F>, Error> {
        let (guard, fallback) = split(self)?;
        Ok(GuardLayer { guard, fallback, classifier: ResultClassifier, context: TaskContext })
    }
}

impl Guard {
    /// A layer that puts any Tower service behind this guard.
    pub fn layer(&self) -> GuardLayer {
        GuardLayer { guard: *self, fallback: (), classifier: ResultClassifier, context: TaskContext }
    }
}
