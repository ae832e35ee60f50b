//! How a guard limits, as a user writes it.

use crate::error::Error;
use std::time::Duration;

/// Calls that may wait, unless said otherwise.
const QUEUE: usize = 500;
/// The most that may be asked for: a line is never without an end.
const MOST: usize = 1_000_000;

/// Sheds what does not fit, early, and the least important first.
///
/// ```
/// use plimsoll::{Plimsoll, Shed, Slo};
/// use std::time::Duration;
///
/// let plimsoll = Plimsoll::new();
/// let checkout = plimsoll.declare(Slo::new("checkout").success(99.9).latency(99.0, Duration::from_millis(500)))?;
/// let guard = checkout.guard().shed(Shed::adaptive()).build()?;
/// assert!(guard.admit().is_ok());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    pub(super) fixed: Option<u32>,
    pub(super) queue: usize,
    pub(super) max_wait: Option<Duration>,
    pub(super) target: Option<Duration>,
    pub(super) warm_up: Duration,
}

impl Shed {
    /// Learns from latencies how many calls the service works on at once, and lets in no more; a call for which there is
    /// no room waits for one, if it can still be answered in time, and is refused otherwise.
    ///
    /// Nothing is to be tuned: the target is the SLO's own latency threshold, the longest if it has several. Nothing is
    /// limited until a call takes a quarter of that, and no longer once none has for a while.
    pub const fn adaptive() -> Self {
        Self { fixed: None, queue: QUEUE, max_wait: None, target: None, warm_up: Duration::ZERO }
    }

    /// Lets in `limit` calls at once. Whoever finds no room is refused, unless a [`queue`](Self::queue) is asked for.
    pub const fn fixed(limit: u32) -> Self {
        Self { fixed: Some(limit), queue: 0, ..Self::adaptive() }
    }

    /// Of a guard that limits nothing: no call takes long enough to engage it.
    pub(crate) const fn by_hand() -> Self {
        Self::adaptive().queue(0).target(Duration::MAX)
    }

    /// How many calls may wait for room, up to 1,000,000; with 0 whoever finds none is refused. The default is 500 for the
    /// adaptive limit, and 0 for a fixed one.
    ///
    /// Only [`Guard::run`](crate::Guard::run), [`Guard::acquire`](crate::Guard::acquire) and layers can wait. For a guard that
    /// is asked by others only, write 0: an adaptive limit then makes up for the line, and of the places that it adds the more
    /// important calls have more. Who waits takes about a hundred bytes, besides its future; one place in line for each is
    /// part of [`Guard::memory_footprint`](crate::Guard::memory_footprint).
    #[must_use]
    pub const fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// The longest that a call may wait. The default is what is left of the target after the time that a call takes.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// How long a call may take, waiting included. The default is the longest latency threshold that the SLO has.
    #[must_use]
    pub const fn target(mut self, target: Duration) -> Self {
        self.target = Some(target);
        self
    }

    /// Begins with an eighth of the limit and comes up to all of it over so long; while no limit is known, with eight calls at
    /// once that double eight times: for services that are slow until they are warm. `/readyz` says how far it is.
    ///
    /// It begins when the guard is made, when its breaker lets calls through again, and with the first call after ten times
    /// as long without any.
    #[must_use]
    pub const fn warm_up(mut self, over: Duration) -> Self {
        self.warm_up = over;
        self
    }

    /// Refuses what cannot work for a guard whose SLO has this latency threshold.
    pub(crate) fn check(&self, guard: &str, threshold: Option<Duration>) -> Result<(), Error> {
        let refuse = |what: &str| Err(Error::invalid(format!("guard \"{guard}\": {what}")));
        match (self.fixed, self.target.or(threshold)) {
            _ if self.queue > MOST => {
                refuse(&format!("a line of {} calls has no end in memory: write at most {MOST}", self.queue))
            }
            (Some(0), _) => refuse("`Shed::fixed(0)` would let nothing in: write at least 1"),
            (None, None) => refuse(
                "`Shed::adaptive()` needs to know how long a call may take: give the SLO a latency objective with \
                 `.latency(99.0, Duration::from_millis(500))`, or write `Shed::adaptive().target(…)`",
            ),
            (_, Some(target)) if target.is_zero() => {
                refuse("a target of zero cannot be met: write how long a call may take")
            }
            (Some(_), None) if self.queue > 0 && self.max_wait.is_none() => refuse(
                "calls would wait in its queue for ever: write `.max_wait(…)`, or give the SLO a latency objective",
            ),
            _ => Ok(()),
        }
    }
}
