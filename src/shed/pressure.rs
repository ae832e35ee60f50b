//! The outer loop: how hard to shed, by how fast the budget goes and how much is left of it. Pure arithmetic.

use crate::outcome::Tally;
use crate::slo::Target;
use crate::time::Timestamp;
use std::time::Duration;

/// What happened is forgotten at this rate: it counts e times less after so long.
const MEMORY: Duration = Duration::from_secs(60);
/// Events it takes to say anything.
const LEAST: f64 = 20.0;
/// A burn rate of 1 is no pressure yet; one that pages is all of it.
const PAGES: f64 = 14.4;

/// How fast one objective's budget went of late, the guard's own refusals left out: they must not feed what causes them.
#[derive(Debug)]
pub(crate) struct Burn {
    target: Target,
    last: Tally,
    bad: f64,
    valid: f64,
}

impl Burn {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, last: Tally::default(), bad: 0.0, valid: 0.0 }
    }

    /// The burn rate of late, with everything counted so far being `now`, and so long after the last time.
    fn rate(&mut self, counted: Tally, elapsed: Duration) -> f64 {
        let kept = (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.bad = self.bad * kept + counted.bad.saturating_sub(self.last.bad) as f64;
        self.valid = self.valid * kept + counted.valid().saturating_sub(self.last.valid()) as f64;
        self.last = counted;
        if self.valid < LEAST {
            return 0.0;
        }
        self.bad / self.valid * Target::WHOLE as f64 / self.target.budget_parts() as f64
    }
}

/// How hard to shed, 0..=1: over one half only as the budget runs out.
#[derive(Debug)]
pub(crate) struct Pressure {
    burns: Vec<Burn>,
    at: Timestamp,
}

impl Pressure {
    pub(crate) fn new(targets: impl IntoIterator<Item = Target>, now: Timestamp) -> Self {
        Self { burns: targets.into_iter().map(Burn::new).collect(), at: now }
    }

    /// With what was counted of each objective so far, and the share of the budget that is left of the poorest.
    pub(crate) fn update(&mut self, counted: impl IntoIterator<Item = Tally>, left: f64, now: Timestamp) -> f64 {
        let elapsed = now.since(self.at);
        self.at = now;
        let burns = self.burns.iter_mut().zip(counted).map(|(burn, counted)| burn.rate(counted, elapsed));
        let fastest = burns.fold(0.0, f64::max);
        let haste = ((fastest - 1.0) / (PAGES - 1.0)).clamp(0.0, 1.0);
        haste * (1.0 - left.clamp(0.0, 1.0) / 2.0)
    }
}
