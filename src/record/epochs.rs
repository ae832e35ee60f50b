//! How old the calls in flight are, without touching them: each is counted in the epoch in which it started.

use super::Recorder;
use crate::sync::{AtomicUsize, Ordering};
use crate::time::Timestamp;
use std::time::Duration;

/// How many epochs can have calls in flight at once.
pub(crate) const EPOCHS: usize = 16;

/// Which epoch new calls are counted in.
#[derive(Debug)]
pub(super) struct Epochs(AtomicUsize);

impl Epochs {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    #[inline]
    pub(super) fn current(&self) -> u8 {
        // Relaxed: a call that is counted in the epoch that just closed is as old as that epoch says, to a hair.
        self.0.load(Ordering::Relaxed) as u8
    }
}

impl Recorder {
    /// Calls in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        (0..EPOCHS).map(|epoch| self.in_flight_of(epoch)).sum()
    }

    fn in_flight_of(&self, epoch: usize) -> u64 {
        let n = self.sum(epoch, Ordering::Relaxed);
        // Shards are read one after another: a call that moved between two readings may show as −1.
        if n > i64::MAX as u64 { 0 } else { n }
    }

    /// Closes the current epoch and opens one in which nothing is in flight; stays in it if there is none.
    pub(crate) fn turn_epoch(&self, now: Timestamp) {
        let mut closed_at = self.closed_at.lock();
        let current = usize::from(self.epochs.current());
        if let Some(next) = (0..EPOCHS).find(|epoch| *epoch != current && self.in_flight_of(*epoch) == 0) {
            closed_at[current] = now;
            self.epochs.0.store(next, Ordering::Relaxed);
        }
    }

    /// Calls that have been in flight for at least `age`.
    pub(crate) fn older_than(&self, age: Duration, now: Timestamp) -> u64 {
        let closed_at = *self.closed_at.lock();
        let current = usize::from(self.epochs.current());
        (0..EPOCHS)
            .filter(|epoch| *epoch != current && now.since(closed_at[*epoch]) >= age)
            .map(|epoch| self.in_flight_of(epoch))
            .sum()
    }
}
