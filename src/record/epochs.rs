//! How old the calls in flight are, without touching them: each is counted in the epoch in which it started. Unless somebody
//! wants to know, there is only epoch 0, in which nothing is counted.

use super::Recorder;
use super::shard::{Shard, Write};
use crate::time::Timestamp;
use std::time::Duration;

/// How many epochs there are, with the one in which nothing is counted.
pub(crate) const EPOCHS: usize = if cfg!(plimsoll_loom) { 3 } else { 16 };

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
    /// Closes the current epoch and opens one in which nothing is in flight that counts; if there is none, the oldest, of
    /// which it is remembered how many old calls are in it.
    pub(crate) fn turn_epoch(&self, now: Timestamp) {
        let mut epochs = self.epochs.lock();
        let Epochs { current, past } = &mut *epochs;
        let in_flight = self.ages();
        for (past, n) in past.iter_mut().zip(in_flight) {
            // Of what was forgiven some has ended: it shall not cover for calls that came later.
            past.forgiven = past.forgiven.min(n);
            past.carried.0 = past.carried.0.min(n);
        }
        let free = |epoch: &usize| *epoch != *current && in_flight[*epoch] == past[*epoch].forgiven;
        let others = || (1..EPOCHS).filter(|epoch| *epoch != *current);
        let next = others().filter(free).min_by_key(|epoch| in_flight[*epoch]);
        let Some(next) = next.or_else(|| others().min_by_key(|epoch| past[*epoch].closed_at)) else { return };
        past[*current].closed_at = now;
        past[next].carried = (in_flight[next], past[next].closed_at);
        *current = next;
        self.own.iter().chain([&self.shared.0]).for_each(Shard::make_ages);
        (0..self.own.len()).filter_map(|slot| self.own(slot)).for_each(|own| own.turn_epoch(next as u32));
        self.shared.turn_epoch(next as u32);
    }

    /// Holds the age of what is in flight now against nobody any more: it was admitted in an earlier life.
    pub(crate) fn forgive(&self) {
        for (past, n) in self.epochs.lock().past.iter_mut().zip(self.ages()) {
            past.forgiven = n;
        }
    }

    /// Calls that have been in flight for at least `age`, those that were forgiven left out.
    pub(crate) fn older_than(&self, age: Duration, now: Timestamp) -> u64 {
        let (Epochs { current, past }, in_flight) = (*self.epochs.lock(), self.ages());
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
        (1..EPOCHS).map(old).sum()
    }
}
