//! From an answer to an [`Outcome`].

use super::Outcome;

/// Says how a call ended, from its answer.
///
/// Closures implement it: `|result: Result<&Response, &Error>| …`.
pub trait Classify<Res: ?Sized, Err: ?Sized> {
    /// The outcome of a call that gave `result`.
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;
}

impl<Res: ?Sized, Err: ?Sized, F> Classify<Res, Err> for F
where
    F: Fn(Result<&Res, &Err>) -> Outcome,
{
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self(result)
    }
}

/// `Ok` is a success, `Err` a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultClassifier;

impl<Res: ?Sized, Err: ?Sized> Classify<Res, Err> for ResultClassifier {
    #[inline]
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::FAILURE,
        }
    }
}

/// By HTTP status: 5xx fails, 429 degrades, everything else (4xx with it) is a success; an `Err` is a transport failure.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusClassifier;

#[cfg(feature = "http")]
impl<B, Err: ?Sized> Classify<http::Response<B>, Err> for StatusClassifier {
    #[inline]
    fn classify(&self, result: Result<&http::Response<B>, &Err>) -> Outcome {
        match result {
            Ok(response) if response.status().is_server_error() => Outcome::FAILURE,
            Ok(response) if response.status() == http::StatusCode::TOO_MANY_REQUESTS => Outcome::Degraded,
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure(super::FailureClass::Transport),
        }
    }
}
