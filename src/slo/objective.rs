//! One indicator with its target.

use super::Target;
use crate::error::Error;
use std::time::Duration;

/// One indicator with its target: "99.9 % of logins succeed in under 500 ms".
///
/// Nothing fails here; [`Slo::validate`](super::Slo::validate) says what is wrong.
///
/// ```
/// use plimsoll::Objective;
/// use std::time::Duration;
///
/// let correct = Objective::success(99.9).named("correct");
/// let quick = Objective::latency(99.0, Duration::from_millis(500));
/// assert_eq!(correct.name(), "correct");
/// assert_eq!(quick.threshold(), Some(Duration::from_millis(500)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    name: String,
    target: Result<Target, Error>,
    threshold: Option<Duration>,
    successes_only: bool,
    slices: Option<(Duration, Result<Target, Error>)>,
}

impl Objective {
    /// `percent` of the events are good, by the SLO's accounting. Named `success`.
    ///
    /// It is also the one for indicators that are no request at all, fed by hand: give those a name of their own.
    pub fn success(percent: f64) -> Self {
        Self {
            name: "success".to_owned(),
            target: Target::percent(percent),
            threshold: None,
            successes_only: false,
            slices: None,
        }
    }

    /// `percent` of the events are good and took at most `threshold`, 1 us ..= 60 s. Named `latency`.
    pub fn latency(percent: f64, threshold: Duration) -> Self {
        Self { name: "latency".to_owned(), threshold: Some(threshold), ..Self::success(percent) }
    }

    /// The same under another name, unique in its SLO.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Latency alone: calls that failed are excluded, not bad.
    #[must_use]
    pub fn of_successes(mut self) -> Self {
        self.successes_only = true;
        self
    }

    /// Counts slices of time instead of events: a slice is good if `slice_percent` of its events were.
    ///
    /// A slice without valid events does not count. The objective's own target is then the share of good slices.
    #[must_use]
    pub fn timeslices(mut self, slice: Duration, slice_percent: f64) -> Self {
        self.slices = Some((slice, Target::percent(slice_percent)));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its target. Of an objective that validation refuses, the strictest target there is.
    pub fn target(&self) -> Target {
        self.target.as_ref().copied().unwrap_or(Target::STRICTEST)
    }

    /// How long a good event may take, if that matters.
    pub fn threshold(&self) -> Option<Duration> {
        self.threshold
    }

    /// Whether failed calls count as bad; not so for latency [`of_successes`](Self::of_successes).
    pub fn counts_failures(&self) -> bool {
        !self.successes_only
    }

    /// The length of a slice and the share of good events that makes it good; `None` where events are counted.
    pub fn slices(&self) -> Option<(Duration, Target)> {
        let (slice, target) = self.slices.as_ref()?;
        Some((*slice, target.as_ref().copied().unwrap_or(Target::STRICTEST)))
    }

    /// What was wrong with a target, if anything.
    pub(super) fn target_error(&self) -> Option<&Error> {
        let slice = self.slices.as_ref().and_then(|(_, target)| target.as_ref().err());
        self.target.as_ref().err().or(slice)
    }
}
