//! What an outcome means: good, bad, or not counted at all.

use super::{FailureClass, Outcome, Row};
use std::ops::{Add, AddAssign};

/// What an event means to an SLI or to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Counts, and is what was promised.
    Good,
    /// Counts, and spends budget.
    Bad,
    /// Does not count: it says nothing about the service.
    Excluded,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Good, Self::Bad, Self::Excluded];

    /// The name it is exported under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Excluded => "excluded",
        }
    }
}

/// Maps each [`Outcome`] to a [`Verdict`].
///
/// There are two: one for the SLI ([`Accounting::sli`], what the user of the service got) and one for the breaker
/// ([`Accounting::breaker`], what the callee showed of its health).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounting {
    /// By row; longer than needed, so that an index can be masked.
    verdicts: [Verdict; 16],
    late_abandoned: Verdict,
}

impl Accounting {
    /// The SLI's default: refusals, time-outs, panics, failures and broken bodies are bad; a degraded answer is good
    /// (and counted apart); an abandoned call is excluded, unless it had already outlived the latency threshold: then
    /// it is bad.
    pub const fn sli() -> Self {
        Self { verdicts: [Verdict::Bad; 16], late_abandoned: Verdict::Bad }
            .with(Outcome::Success, Verdict::Good)
            .with(Outcome::Slow, Verdict::Good)
            .with(Outcome::Degraded, Verdict::Good)
            .with(Outcome::Abandoned, Verdict::Excluded)
    }

    /// The breaker's default: as the SLI's, but its own refusals, the limiter's and fallbacks' answers are excluded,
    /// so that they never feed the control signal.
    pub const fn breaker() -> Self {
        Self::sli()
            .with(Outcome::Rejected, Verdict::Excluded)
            .with(Outcome::Shed, Verdict::Excluded)
            .with(Outcome::Degraded, Verdict::Excluded)
            .with(Outcome::Failure(FailureClass::Client), Verdict::Excluded)
    }

    /// The same with another verdict for `outcome`.
    #[must_use]
    pub const fn with(mut self, outcome: Outcome, verdict: Verdict) -> Self {
        self.verdicts[outcome.row().0 as usize] = verdict;
        self
    }

    /// The same with another verdict for calls that were abandoned after they had outlived the latency threshold.
    #[must_use]
    pub const fn with_late_abandoned(mut self, verdict: Verdict) -> Self {
        self.late_abandoned = verdict;
        self
    }

    /// What `outcome` means; `late` says whether the call had outlived the latency threshold.
    pub const fn verdict(&self, outcome: Outcome, late: bool) -> Verdict {
        self.verdict_of(outcome.row(), late)
    }

    /// By row, as bits: what is good however late it comes, and is not slow.
    pub(crate) fn plain_rows(&self) -> u16 {
        let is_plain = |row: &Row| {
            *row != Row::SLOW && [false, true].map(|late| self.verdict_of(*row, late)) == [Verdict::Good; 2]
        };
        Outcome::ALL.iter().map(|outcome| outcome.row()).filter(is_plain).fold(0, |rows, row| rows | 1 << row.0)
    }

    #[inline]
    pub(crate) const fn verdict_of(&self, row: Row, late: bool) -> Verdict {
        const ABANDONED: u8 = Outcome::Abandoned.row().0;
        if late && row.0 == ABANDONED { self.late_abandoned } else { self.verdicts[row.0 as usize % 16] }
    }
}

/// Events by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Good events.
    pub good: u64,
    /// Bad events.
    pub bad: u64,
    /// Events that do not count.
    pub excluded: u64,
}

impl Tally {
    /// The events that count: good and bad.
    pub const fn valid(&self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    /// All events.
    pub const fn total(&self) -> u64 {
        self.valid().saturating_add(self.excluded)
    }

    /// Counts `n` events of a verdict.
    pub fn count(&mut self, verdict: Verdict, n: u64) {
        let cell = match verdict {
            Verdict::Good => &mut self.good,
            Verdict::Bad => &mut self.bad,
            Verdict::Excluded => &mut self.excluded,
        };
        *cell = cell.saturating_add(n);
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.good = self.good.saturating_add(other.good);
        self.bad = self.bad.saturating_add(other.bad);
        self.excluded = self.excluded.saturating_add(other.excluded);
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}
