//! How old the calls in flight are, without touching them: each is counted in the epoch in which it started.

use super::Recorder;
use super::shard::Write;
use crate::time::Timestamp;
use std::time::Duration;

/// How many epochs can have calls in flight at once.
pub(crate) const EPOCHS: usize = if cfg!(plimsoll_loom) { 2 } else { 16 };

/// The epoch that new calls are counted in, and what is known of the others. Shards know which it is by themselves: they are
/// at hand when a call comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Epochs {
    current: usize,
    past: [Past; EPOCHS],
}

/// What is known of an epoch that is not the current one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    closed_at: Timestamp,
    /// Calls in flight in it whose age says nothing.
    forgiven: u64,
    /// Calls that were in flight in it when it was opened again for want of a free one, and since when at the latest.
    carried: (u64, Timestamp),
}

impl Recorder {
    /// Calls in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight_by_epoch().iter().sum()
    }

    fn in_flight_by_epoch(&self) -> [u64; EPOCHS] {
        // Shards are read one after another: a call that moved between two readings may show as −1.
        self.sum_in_flight().map(|n| if n > i32::MAX as u32 { 0 } else { n.into() })
    }

    /// Closes the current epoch and opens one in which nothing is in flight that counts; if there is none, the oldest, of
    /// which it is remembered how many old calls are in it.
    pub(crate) fn turn_epoch(&self, now: Timestamp) {
        let mut epochs = self.epochs.lock();
        let Epochs { current, past } = &mut *epochs;
        let in_flight = self.in_flight_by_epoch();
        for (past, n) in past.iter_mut().zip(in_flight) {
            // Of what was forgiven some has ended: it shall not cover for calls that came later.
            past.forgiven = past.forgiven.min(n);
            past.carried.0 = past.carried.0.min(n);
        }
        let free = |epoch: &usize| *epoch != *current && in_flight[*epoch] == past[*epoch].forgiven;
        let others = || (0..EPOCHS).filter(|epoch| *epoch != *current);
        let next = others().filter(free).min_by_key(|epoch| in_flight[*epoch]);
        let Some(next) = next.or_else(|| others().min_by_key(|epoch| past[*epoch].closed_at)) else { return };
        past[*current].closed_at = now;
        past[next].carried = (in_flight[next], past[next].closed_at);
        *current = next;
        self.own.iter().for_each(|shard| shard.turn_epoch(next as u32));
        self.shared.turn_epoch(next as u32);
    }

    /// Holds the age of what is in flight now against nobody any more: it was admitted in an earlier life.
    pub(crate) fn forgive(&self) {
        for (past, n) in self.epochs.lock().past.iter_mut().zip(self.in_flight_by_epoch()) {
            past.forgiven = n;
        }
    }

    /// Calls that have been in flight for at least `age`, those that were forgiven left out.
    pub(crate) fn older_than(&self, age: Duration, now: Timestamp) -> u64 {
        let (Epochs { current, past }, in_flight) = (*self.epochs.lock(), self.in_flight_by_epoch());
        let old = |epoch: usize| {
            let (Past { closed_at, forgiven, carried }, n) = (past[epoch], in_flight[epoch]);
            let old = if epoch != current && now.since(closed_at) >= age {
                n
            } else if now.since(carried.1) >= age {
                carried.0.min(n)
            } else {
                0
            };
            old.saturating_sub(forgiven)
        };
        (0..EPOCHS).map(old).sum()
    }
}
