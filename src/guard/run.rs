//! Guarding anything that is no Tower service.

use super::Guard;
use crate::breaker::Rejection;
use crate::outcome::{Classify, ResultClassifier};
use std::fmt;

/// What a guarded call fails with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardError<E> {
    /// The guard refused the call: the service behind it was not asked.
    Rejected(Rejection),
    /// The service behind it failed.
    Inner(E),
}

impl<E> GuardError<E> {
    /// The refusal, if it was one.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Inner(_) => None,
        }
    }

    /// The same as the boxed error that Tower's own middleware speaks of; a [`Rejection`] is found by downcasting.
    ///
    /// Only an `E` that is an [`Error`](std::error::Error) makes this type one too, and a boxed error is none: put
    /// `.map_err(GuardError::into_boxed)` around a service whose own error is boxed already.
    pub fn into_boxed(self) -> Box<dyn std::error::Error + Send + Sync>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self {
            Self::Rejected(rejection) => rejection.into(),
            Self::Inner(error) => error.into(),
        }
    }

    /// The service's own error, if it was one.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Rejected(_) => None,
            Self::Inner(error) => Some(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for GuardError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for GuardError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Inner(error) => error.source(),
        }
    }
}

impl<E> From<Rejection> for GuardError<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Guard {
    /// Awaits `call` if the guard lets it through. `Ok` is a success, `Err` a failure; dropping this future counts as
    /// abandoned.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub async fn run<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, GuardError<E>> {
        self.run_classified(ResultClassifier, call).await
    }

    /// [`run`](Self::run), with a classifier that says how the call ended: not every `Err` is the callee's fault.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub async fn run_classified<T, E>(
        &self,
        classifier: impl Classify<T, E>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, GuardError<E>> {
        let permit = self.acquire().await?;
        let result = call.await;
        permit.finish(classifier.classify(result.as_ref()));
        result.map_err(GuardError::Inner)
    }

    /// Calls `call` if the guard lets it through, on this thread.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub fn call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, GuardError<E>> {
        let permit = self.admit()?;
        let result = call();
        permit.finish(ResultClassifier.classify(result.as_ref()));
        result.map_err(GuardError::Inner)
    }
}
