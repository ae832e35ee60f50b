//! How cells are read: which of them are good, bad, or do not count.

use crate::outcome::{Accounting, Outcome, Tally, Verdict};
use std::time::Duration;

/// One way to read the cells: an objective's, or the breaker's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    /// What each outcome means.
    pub(crate) accounting: Accounting,
    /// Slower than this is bad, whatever the outcome.
    pub(crate) threshold: Option<Duration>,
    /// A call abandoned after this has been waited for long enough to say something.
    pub(crate) patience: Option<Duration>,
    /// Whether failed calls are left out, so that only the latency of the others counts.
    pub(crate) of_successes: bool,
}

impl Lane {
    /// The verdict on an outcome; `over` says whether a latency is over a threshold.
    pub(crate) fn verdict(&self, outcome: Outcome, over: impl Fn(Duration) -> bool) -> Verdict {
        let late = self.patience.is_some_and(&over);
        let verdict = self.accounting.verdict(outcome, late);
        let answered = matches!(outcome, Outcome::Success | Outcome::Slow | Outcome::Degraded);
        if self.of_successes && !answered && !(outcome == Outcome::Abandoned && late) {
            return Verdict::Excluded;
        }
        match verdict {
            Verdict::Good if self.threshold.is_some_and(&over) => Verdict::Bad,
            other => other,
        }
    }
}

/// A lane resolved against one recorder's cells: the verdict of each.
#[derive(Clone, Debug)]
pub(crate) struct Mapping(Box<[Verdict]>);

impl Mapping {
    pub(crate) fn new(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        Self(verdicts.into_iter().collect())
    }

    /// Bytes it takes.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.0)
    }

    /// The events of a snapshot of cells, by verdict.
    pub(crate) fn tally(&self, cells: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for (verdict, n) in self.0.iter().zip(cells) {
            tally.count(*verdict, *n);
        }
        tally
    }
}
