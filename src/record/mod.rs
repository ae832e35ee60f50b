//! RECORD: the hot path. One call is a handful of plain loads and stores on cache lines that its thread owns.
//!
//! A [`shard`] has, per thread slot ([`slots`]): calls begun, *cells* (one per outcome and latency class), the latency
//! histogram and the sum of latencies. A latency class is how many of the declared thresholds a call exceeded; so one
//! increment of one cell serves any number of objectives, each of which is read from the cells later ([`Lane`]), and good +
//! bad + excluded is the number of calls by construction. The thresholds also split the histogram's buckets, so that its
//! counts are exact at each of them. Calls in flight are those begun less those in cells.
//!
//! Who reads takes cache lines away from those who write. A call that succeeds within [`BRIEF`](shard::BRIEF) buckets would
//! notice: it is counted in one word, that says all of this at once, on the line on which it began, and
//! what its thread must know to count there lies elsewhere ([`known`]).

mod epochs;
pub(crate) mod histogram;
mod known;
mod lane;
mod reading;
mod shard;
pub(crate) mod slots;

pub(crate) use known::Owned;
pub(crate) use lane::{Lane, Mapping};
pub(crate) use reading::Latencies;

use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::time::nanos;
use epochs::Epochs;
use known::Knowledge;
use shard::{Cell, ROOM, Shard, Shared, Write};
use std::time::Duration;

/// Things that can be told apart by [`Recorder::note`].
pub(crate) const NOTES: usize = 12;
/// The sum of latencies is in steps of so many nanoseconds: with ten thousand calls always under way it grows for four
/// years before it wraps, where single nanoseconds would last three weeks.
pub(crate) const SUM_UNIT: u64 = 64;
/// How many thresholds there is room for. No declaration has as many, for they are refused.
pub(crate) const MAX_THRESHOLDS: usize = ROOM - histogram::BUCKETS;

/// Counts what happens, on many threads at once. Made for the process's whole life: see [`Knowledge`]. In whole cache lines: nothing that others write lies on its own.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Recorder {
    /// One a thread slot: only the thread that holds the slot writes there.
    own: Box<[Shard]>,
    knowledge: Knowledge,
    /// For threads without a slot.
    shared: Box<Shared>,
    epochs: Mutex<Epochs>,
    /// A success over this is slow.
    slow_over: u64,
    /// The first threshold, or the last number there is: a call within it exceeds none, and is not slow.
    within: u64,
    /// Ascending, in nanoseconds; exceeding is `>`.
    thresholds: Box<[u64]>,
    /// Calls in the cells that are not the breaker's concern, cell by cell.
    disowned: Box<[AtomicU64]>,
    /// The histogram in full, brief calls left out, as of when somebody last [looked](Self::keep_up).
    histogram: Mutex<Box<[u64]>>,
}

/// A recorder's shards at hand: a guard that is rarely called is in no cache, and its calls wait for one thing less.
#[derive(Debug)]
pub(crate) struct Writer(&'static [Shard], Knowledge);

impl Recorder {
    /// A recorder that is exact at `thresholds` (and at `slow`, over which a success is slow).
    pub(crate) fn new(thresholds: &[Duration], slow: Option<Duration>) -> Self {
        Self::with_slots(thresholds, slow, slots::owned())
    }

    /// A small one, for a breaker: no thread owns a part of it, and nobody reads its histogram.
    pub(crate) fn of_key(thresholds: &[Duration], slow: Option<Duration>) -> Self {
        Self { histogram: Mutex::new(Box::default()), ..Self::with_slots(thresholds, slow, 0) }
    }

    /// One with `owned` thread slots, beside the shared one.
    pub(crate) fn with_slots(thresholds: &[Duration], slow: Option<Duration>, owned: usize) -> Self {
        let mut sorted: Vec<u64> = thresholds.iter().chain(&slow).map(|d| nanos(*d)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.truncate(MAX_THRESHOLDS);
        let classes = sorted.len() + 1;
        Self {
            own: (0..owned).map(|_| Shard::new(classes)).collect(),
            knowledge: Knowledge::new(owned),
            shared: Box::new(Shared(Shard::new(classes))),
            epochs: Mutex::new(Epochs::default()),
            slow_over: slow.map_or(u64::MAX, nanos),
            within: sorted.first().copied().unwrap_or(u64::MAX),
            disowned: (0..Outcome::COUNT * classes).map(|_| AtomicU64::new(0)).collect(),
            histogram: Mutex::new(vec![0; histogram::BUCKETS + sorted.len()].into()),
            thresholds: sorted.into(),
        }
    }

    /// As calls see it.
    pub(crate) fn writer(&'static self) -> Writer {
        Writer(&self.own, self.knowledge)
    }

    #[inline]
    fn own(&self, slot: usize) -> Option<Owned<'_>> {
        Owned::of(&self.own, self.knowledge, slot)
    }

    /// Counts a call in; the epoch must be handed to [`finish`](Self::finish).
    #[inline]
    pub(crate) fn start(&self, slot: usize) -> u8 {
        match self.own(slot) {
            Some(shard) => shard.start(),
            None => self.shared.start(),
        }
    }

    /// Takes back a [`start`](Self::start): there is no call after all.
    pub(crate) fn stop(&self, slot: usize, epoch: u8) {
        match self.own(slot) {
            Some(shard) => shard.stop(epoch),
            None => self.shared.stop(epoch),
        }
    }

    /// Counts a call out.
    #[inline]
    pub(crate) fn finish(&self, slot: usize, epoch: u8, row: Row, latency: u64) -> Row {
        let (row, class) = self.sort(row, latency);
        self.finish_at(slot, epoch, Cell::seen(row, class, self.classes()), class, latency);
        row
    }

    /// Calls that take no longer may be counted out by [`finish_within`](Owned::finish_within).
    pub(crate) fn within(&self) -> u64 {
        self.within
    }

    /// Counts a call out that is not the breaker's concern: it was admitted in an earlier life of it, or it has seen it.
    #[cold]
    pub(crate) fn finish_unseen(&self, slot: usize, epoch: u8, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        // In cells of its own, so that there is no moment at which the breaker sees it.
        self.finish_at(slot, epoch, Cell::unseen(row, class, self.classes()), class, latency);
    }

    fn finish_at(&self, slot: usize, epoch: u8, cell: Cell, class: usize, latency: u64) {
        match self.own(slot) {
            Some(shard) => shard.finish(epoch, cell, class, latency),
            None => self.shared.finish(epoch, cell, class, latency),
        }
    }

    /// Counts a call that was never in flight.
    #[inline]
    pub(crate) fn record(&self, slot: usize, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        let cell = Cell::seen(row, class, self.classes());
        match self.own(slot) {
            Some(shard) => shard.record(cell, class, latency),
            None => self.shared.record(cell, class, latency),
        }
    }

    /// Counts events that took no time.
    #[inline]
    pub(crate) fn count(&self, slot: usize, outcome: Outcome, n: u64) {
        match self.own(slot) {
            Some(shard) => shard.count_untimed(outcome.row(), n),
            None => self.shared.count_untimed(outcome.row(), n),
        }
    }

    /// Counts a thing that is told apart by number only, up to [`NOTES`].
    #[inline]
    pub(crate) fn note(&self, slot: usize, note: usize) {
        match self.own(slot) {
            Some(shard) => shard.note(note),
            None => self.shared.note(note),
        }
    }

    /// Takes a call that was counted out of what the breaker sees: its life ended meanwhile. For its SLI it counts.
    #[cold]
    pub(crate) fn disown(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        self.disowned[row.0 as usize * self.classes() + class].fetch_add(1, Ordering::Release);
    }

    /// Shows the breaker a call that is not counted yet, or that will be counted as something else.
    #[cfg(feature = "tower")]
    pub(crate) fn adopt(&self, row: Row, latency: u64) {
        let (row, class) = self.sort(row, latency);
        self.disowned[row.0 as usize * self.classes() + class].fetch_sub(1, Ordering::Release);
    }

    /// The latency class, and whether a success was slow.
    #[inline]
    fn sort(&self, row: Row, latency: u64) -> (Row, usize) {
        let mut class = 0;
        for threshold in &self.thresholds {
            if latency <= *threshold {
                break;
            }
            class += 1;
        }
        let slow = row == Row::SUCCESS && latency > self.slow_over;
        (if slow { Row::SLOW } else { row }, class)
    }

    #[inline]
    fn classes(&self) -> usize {
        self.thresholds.len() + 1
    }
}

impl Writer {
    /// The shard of a slot that has an owner, which is the calling thread.
    #[inline]
    pub(crate) fn own(&self, slot: usize) -> Option<Owned<'_>> {
        Owned::of(self.0, self.1, slot)
    }
}
