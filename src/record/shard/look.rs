//! What is read of a shard at one time.

use super::{ASIDE, BEGUN, BRIEF, Shard};
use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicU64, Ordering};

/// Tries to read all that ended and all that began at one moment.
const TRIES: usize = 4;

/// The cells of a shard, of which those that every call writes to were read at once: a line is taken from its owner once then,
/// and not again while it is being read.
pub(in crate::record) struct Look<'a> {
    pub(in crate::record) shard: &'a Shard,
    pub(in crate::record) brief: [u64; BRIEF],
    within: [u64; Outcome::COUNT],
    uses_others: bool,
    sum: u64,
}

impl Shard {
    /// Reads what every call writes to.
    pub(in crate::record) fn look(&self) -> Look<'_> {
        // Acquire: see `count`.
        let within = std::array::from_fn(|row| self.within.0[row].load(Ordering::Acquire));
        let brief = self.brief();
        let sum = self.sum.load(Ordering::Relaxed);
        let uses_others = self.rare.uses_others.load(Ordering::Relaxed) != 0;
        if (uses_others || within != [0; Outcome::COUNT]) && !self.is_used() {
            self.rare.is_used.store(true, Ordering::Relaxed);
        }
        Look { shard: self, brief, within, uses_others, sum }
    }

    /// Calls in flight, modulo 2^64: no fewer than have been all the while, but for those that began elsewhere; and no more
    /// than began or ended meanwhile.
    pub(in crate::record) fn in_flight(&self) -> u64 {
        let mut ended = self.ended();
        let mut least = i64::MAX;
        for _ in 0..TRIES {
            let begun_then = self.hot.0[BEGUN].load(Ordering::Acquire);
            let brief = self.brief();
            // After those that ended: whoever sees that a call ended sees that it began.
            let begun = self.hot.0[BEGUN].load(Ordering::Acquire);
            let longer = ended[0].wrapping_sub(ended[1]);
            let in_flight = brief.into_iter().chain([longer]).fold(begun, u64::wrapping_sub);
            least = least.min(in_flight as i64);
            // Whoever reads may be kept from it in between. What is on the hot line was read at once, or nearly: it is taken
            // once.
            let ended_then = std::mem::replace(&mut ended, self.ended());
            if (begun_then, ended_then) == (begun, ended) {
                return in_flight;
            }
        }
        least as u64
    }

    fn brief(&self) -> [u64; BRIEF] {
        std::array::from_fn(|bucket| self.hot.0[bucket].load(Ordering::Acquire))
    }

    /// What is in cells, modulo 2^64, brief calls left out; and how much of it never was in flight.
    fn ended(&self) -> [u64; 2] {
        let uses_others = self.rare.uses_others.load(Ordering::Relaxed) != 0;
        let others = self.rare.others.iter().filter(|_| uses_others).flat_map(|line| &line.0);
        let cells = others.chain(self.within.0.iter().take(ASIDE));
        let cells = cells.fold(0, |sum: u64, cell| sum.wrapping_add(cell.load(Ordering::Acquire)));
        // Last: else an event could be among the cells that is not known to be no call.
        [cells, self.within.0[ASIDE].load(Ordering::Acquire)]
    }
}

impl Look<'_> {
    fn others(&self) -> impl Iterator<Item = &AtomicU64> {
        self.shard.rare.others.iter().filter(|_| self.uses_others).flat_map(|line| line.0.iter())
    }

    /// Of latencies, in [`SUM_UNIT`](crate::record::SUM_UNIT)s.
    pub(in crate::record) fn sum(&self) -> u64 {
        (0..).zip(self.brief).fold(self.sum, |sum, (units, n)| sum.wrapping_add(n.wrapping_mul(units)))
    }

    /// Adds the cells that the breaker sees to `out`, which has as many.
    pub(in crate::record) fn add_seen_to(&self, out: &mut [u64], classes: usize) {
        let brief = (Row::SUCCESS, self.brief.into_iter().fold(0, u64::wrapping_add));
        for (row, n) in (0..).map(Row).zip(self.within).chain([brief]) {
            if let Some(sum) = out.get_mut(usize::from(row.0) * classes) {
                *sum = sum.wrapping_add(n);
            }
        }
        let classes_over = out.chunks_exact_mut(classes).flat_map(|row| row.iter_mut().skip(1));
        for (sum, cell) in classes_over.zip(self.others()) {
            *sum = sum.wrapping_add(cell.load(Ordering::Acquire));
        }
    }

    /// The same of those that it does not see.
    pub(in crate::record) fn add_unseen_to(&self, out: &mut [u64], classes: usize) {
        for (sum, cell) in out.iter_mut().zip(self.others().skip(Outcome::COUNT * (classes - 1))) {
            *sum = sum.wrapping_add(cell.load(Ordering::Acquire));
        }
    }
}
