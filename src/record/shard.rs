//! What is counted in one place: a thread slot's own, or the one that all other threads share.

mod look;

use super::epochs::EPOCHS;
use super::{NOTES, SUM_UNIT, histogram};
use crate::outcome::{Outcome, Row};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

/// Room for the histogram.
pub(super) const ROOM: usize = if cfg!(plimsoll_loom) { 64 } else { 484 };
/// The histogram's counters to a cache line.
pub(super) const LINE: usize = 16;
/// Cells to a cache line.
const CELLS: usize = 8;
/// A call is brief that takes less than so many times [`SUM_UNIT`], 384 ns: with those begun, and what else its thread must know,
/// their counters fill a line.
pub(crate) const BRIEF: usize = 6;
const BEGUN: usize = BRIEF;
/// Of which [`Outcome::COUNT`] are rows, and the next is [`ASIDE`].
const ROWS: usize = 2 * CELLS;
const ASIDE: usize = Outcome::COUNT;

/// Who reads a line takes it away from the thread that counts there, and hardware that fetches a line may fetch the other one of
/// its pair too. So of a pair one line at most is written by every call.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Shard {
    pub(super) hot: Hot,
    rare: Rare,
    within: Within,
    /// The lower halves of its counters: see [`Recorder::keep_up`](super::Recorder::keep_up).
    pub(super) histogram: [AtomicU32; ROOM],
    /// Of latencies, in [`SUM_UNIT`]s; without those of brief calls.
    sum: AtomicU64,
    notes: [AtomicU64; NOTES],
}

// Whoever reads so many counters takes one line.
#[cfg(not(plimsoll_loom))]
const _: () = assert!(std::mem::offset_of!(Shard, histogram) % 64 == 0 && LINE * size_of::<AtomicU32>() == 64);

/// The one line that a call writes to which succeeds at once: so short a call would notice if it had to wait for more.
///
/// First brief calls that succeeded and exceeded no threshold, by bucket of the histogram. A bucket is [`SUM_UNIT`] wide: this
/// is their cell, their part of the histogram, and of the sum of latencies.
///
/// Then ([`BEGUN`]) calls begun. Less all that is in cells, but for events that never were in flight ([`ASIDE`]), these are the
/// calls in flight. Started on one thread and finished on another: each shard alone may show less than none, the sum does not.
#[derive(Debug)]
pub(super) struct Hot(pub(super) [AtomicU64; BRIEF + 1]);

/// What is seldom written to.
#[derive(Debug)]
#[repr(align(64))]
struct Rare {
    /// The other cells, on lines of their own: those that the breaker sees, and those that it does not.
    others: Box<[Cells]>,
    /// Calls in flight by epoch, once somebody wants to know how old they are.
    ages: OnceLock<Box<[AtomicU32; EPOCHS]>>,
    /// That new calls are counted in, if threads share the shard.
    epoch: AtomicU32,
    /// Whether anything was counted in `others`, where whoever reads would wait for memory.
    uses_others: AtomicU32,
    /// Whether somebody who [looked](Shard::look) saw that anything was counted elsewhere than in [`Hot`].
    is_used: AtomicBool,
    /// Events without a latency.
    untimed: AtomicU64,
}

/// The cells of calls that exceeded no threshold, as the breaker sees them. Then how many events there were, in whatever cell,
/// that never were in flight. As many as fill the lines: so no row has to be checked.
#[derive(Debug)]
#[repr(C, align(128))]
struct Within([AtomicU64; ROWS]);

#[derive(Debug)]
#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

/// A shard that threads share.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Shard);

/// Which cell a call is counted in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Within(Row),
    Other(usize),
}

impl Cell {
    const ASIDE: Self = Self::Within(Row(ASIDE as u8));

    /// That of a latency class, of so many.
    #[inline]
    pub(super) fn seen(row: Row, class: usize, classes: usize) -> Self {
        match class.checked_sub(1) {
            None => Self::Within(row),
            Some(class) => Self::Other(row.0 as usize * (classes - 1) + class),
        }
    }

    /// The same for a call that the breaker does not see.
    pub(super) fn unseen(row: Row, class: usize, classes: usize) -> Self {
        Self::Other(Outcome::COUNT * (classes - 1) + row.0 as usize * classes + class)
    }
}

/// How a shard is written to.
pub(super) trait Write {
    fn shard(&self) -> &Shard;

    /// That new calls are counted in; 0 if nobody wants to know how old they are.
    fn epoch(&self) -> &AtomicU32;

    /// Adds to the hot line.
    fn add_hot(&self, index: usize, n: u64);

    fn add(word: &AtomicU64, n: u64, order: Ordering);

    fn add_half(word: &AtomicU32, n: u32);

    /// Lets new calls be counted in this epoch, for which every shard has [made room](Shard::make_ages): calls end elsewhere.
    fn turn_epoch(&self, epoch: u32) {
        // A call that is counted in the epoch that just closed is as old as that epoch says, to a hair.
        self.epoch().store(epoch, Ordering::Release);
    }

    /// Counts a call in; gives the epoch.
    #[inline]
    fn start(&self) -> u8 {
        self.add_hot(BEGUN, 1);
        // Acquire: whoever sees an epoch sees that there is room for it.
        let epoch = self.epoch().load(Ordering::Acquire) as u8;
        if epoch != 0 {
            self.age(epoch, 1);
        }
        epoch
    }

    /// Takes that back: there is no call after all.
    fn stop(&self, epoch: u8) {
        self.age(epoch, u32::MAX);
        self.add_hot(BEGUN, u64::MAX);
    }

    /// Counts a call out.
    #[inline]
    fn finish(&self, epoch: u8, cell: Cell, class: usize, latency: u64) {
        self.age(epoch, u32::MAX);
        self.put(cell, class, latency);
    }

    /// Counts a call that was never in flight.
    #[inline]
    fn record(&self, cell: Cell, class: usize, latency: u64) {
        self.put(cell, class, latency);
        self.count(Cell::ASIDE, 1);
    }

    #[cold]
    fn age(&self, epoch: u8, n: u32) {
        if epoch != 0
            && let Some(word) = self.shard().rare.ages.get().and_then(|ages| ages.get(usize::from(epoch)))
        {
            Self::add_half(word, n);
        }
    }

    #[inline]
    fn put(&self, cell: Cell, class: usize, latency: u64) {
        let units = latency / SUM_UNIT;
        if units < BRIEF as u64 && matches!(cell, Cell::Within(Row::SUCCESS)) {
            return self.add_hot(units as usize, 1);
        }
        let shard = self.shard();
        Self::add(&shard.sum, units, Ordering::Relaxed);
        if let Some(counter) = shard.histogram.get(histogram::bucket(latency) + class) {
            Self::add_half(counter, 1);
        }
        self.count(cell, 1);
    }

    #[inline]
    fn count(&self, cell: Cell, n: u64) {
        let shard = self.shard();
        // Last, and released: whoever sees the call in its cell also sees it in the histogram.
        match cell {
            Cell::Within(row) => {
                Self::add(&shard.within.0[usize::from(row.0) % ROWS], n, Ordering::Release);
            }
            Cell::Other(index) => {
                let uses_others = &shard.rare.uses_others;
                // Relaxed: whoever is bound to see the call in its cell is bound to see this, for it comes before.
                if uses_others.load(Ordering::Relaxed) == 0 {
                    uses_others.store(1, Ordering::Relaxed);
                }
                if let Some(line) = shard.rare.others.get(index / CELLS) {
                    Self::add(&line.0[index % CELLS], n, Ordering::Release);
                }
            }
        }
    }

    /// Counts events that took no time.
    #[inline]
    fn count_untimed(&self, row: Row, n: u64) {
        Self::add(&self.shard().rare.untimed, n, Ordering::Relaxed);
        self.count(Cell::Within(row), n);
        self.count(Cell::ASIDE, n);
    }

    /// Counts a thing that is told apart by number only.
    #[inline]
    fn note(&self, note: usize) {
        Self::add(&self.shard().notes[note.min(NOTES - 1)], 1, Ordering::Release);
    }
}

impl Write for Shared {
    #[inline]
    fn shard(&self) -> &Shard {
        &self.0
    }

    #[inline]
    fn epoch(&self) -> &AtomicU32 {
        &self.0.rare.epoch
    }

    #[inline]
    fn add_hot(&self, index: usize, n: u64) {
        if let Some(word) = self.0.hot.0.get(index) {
            word.fetch_add(n, Ordering::Release);
        }
    }

    #[inline]
    fn add(word: &AtomicU64, n: u64, order: Ordering) {
        word.fetch_add(n, order);
    }

    #[inline]
    fn add_half(word: &AtomicU32, n: u32) {
        word.fetch_add(n, Ordering::Relaxed);
    }
}

impl Hot {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Shard {
    pub(super) fn new(classes: usize) -> Self {
        let others = Outcome::COUNT * (2 * classes - 1);
        let lines = (0..others.div_ceil(CELLS)).map(|_| Cells(std::array::from_fn(|_| AtomicU64::new(0))));
        Self {
            hot: Hot::new(),
            rare: Rare {
                others: lines.collect(),
                ages: OnceLock::new(),
                epoch: AtomicU32::new(0),
                uses_others: AtomicU32::new(0),
                is_used: AtomicBool::new(false),
                untimed: AtomicU64::new(0),
            },
            within: Within(std::array::from_fn(|_| AtomicU64::new(0))),
            sum: AtomicU64::new(0),
            notes: std::array::from_fn(|_| AtomicU64::new(0)),
            histogram: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    pub(super) fn notes(&self) -> [u64; NOTES] {
        self.notes.each_ref().map(|n| n.load(Ordering::Relaxed))
    }

    /// Makes room for calls by epoch.
    pub(super) fn make_ages(&self) {
        self.rare.ages.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU32::new(0))));
    }

    /// Whether anything was counted here but brief calls as of when somebody last [looked](Self::look). Most threads never call
    /// most guards, and a histogram is long.
    pub(super) fn is_used(&self) -> bool {
        self.rare.is_used.load(Ordering::Relaxed)
    }

    /// Calls in flight by epoch, modulo 2^32; none if nobody wanted to know.
    pub(super) fn ages(&self) -> Option<[u32; EPOCHS]> {
        self.rare.ages.get().map(|ages| ages.each_ref().map(|n| n.load(Ordering::Relaxed)))
    }

    /// Events without a latency.
    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(super) fn untimed(&self) -> u64 {
        self.rare.untimed.load(Ordering::Relaxed)
    }

    /// [`LINE`] counters of the histogram from the one at `begin` on.
    pub(super) fn line(&self, begin: usize) -> [u32; LINE] {
        let counters = self.histogram.get(begin..).unwrap_or_default();
        std::array::from_fn(|i| counters.get(i).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }

    /// Bytes that it takes beside its own size.
    pub(super) fn memory_footprint_beside(&self) -> usize {
        size_of_val(&*self.rare.others) + self.rare.ages.get().map_or(0, |ages| size_of_val(&**ages))
    }
}
