//! A multi-resolution ring of cumulative snapshots.
//!
//! A snapshot is taken by whoever first notices a new tick, and says what was counted *before* that tick: so events
//! between two neighbouring snapshots all happened in the tick just before the later one, however long nobody came by.
//! Idle time costs nothing: no snapshot is taken of it.
//!
//! The finest level keeps the latest snapshots. What falls out of a level goes to the next, whose ticks are six times
//! as long, if it is the last of such a tick; so each snapshot is kept once, the more of them apart the older they are.

use crate::time::{Timestamp, nanos};
use std::collections::VecDeque;
use std::collections::vec_deque::Iter;
use std::ops::Range;
use std::time::Duration;

/// Steps that a level and the finer ones reach back together. A window is at least 1/6 of its level, so it spans at least
/// 21 steps, and is interpolated within the step in which it begins.
const SLOTS: u64 = 128;
/// How much coarser each level is than the one before.
const FACTOR: u64 = 6;

/// Cumulative counters of a fixed number of columns, remembered over time.
#[derive(Debug)]
pub(crate) struct Ring<C = u64> {
    created: Timestamp,
    /// Counters a snapshot.
    width: usize,
    /// Of the finest level, in nanoseconds.
    step: u64,
    /// The tick of the finest level that events are counted in now.
    tick: u64,
    /// The tick that stamps are counted from.
    base: u64,
    /// Never empty; the finest first.
    levels: Box<[Level<C>]>,
    /// Whether a snapshot fell out of the coarsest.
    forgot: bool,
}

#[derive(Debug)]
struct Level<C> {
    /// In steps of the finest level.
    step: u64,
    slots: usize,
    /// Ascending: the tick of the finest level at whose start the snapshot holds, after the ring's base.
    stamps: VecDeque<u32>,
    /// `width` counters a snapshot.
    counters: VecDeque<C>,
}

/// The snapshots on either side of a point in time.
pub(super) struct Around<'a, C> {
    pub(super) before: Iter<'a, C>,
    /// None if that is how the counters stand now.
    pub(super) after: Option<Iter<'a, C>>,
    /// How much of the time in which anything was counted between the two was over at that point, as a fraction.
    pub(super) part: u64,
    pub(super) whole: u64,
}

impl Ring {
    /// A ring of `width` counters, all zero at `created`, that remembers at least `horizon` in steps of at least `step`.
    pub(crate) fn new(width: usize, step: Duration, horizon: Duration, created: Timestamp) -> Self {
        let (finest, mut step, mut levels) = (nanos(step).max(1), 1_u64, Vec::new());
        loop {
            // In as many steps of a finer level there are so many that begin one of this.
            let finer = if levels.is_empty() { 0 } else { SLOTS / FACTOR };
            // One more, for the horizon begins within a step; and one that begins just now.
            let needed = nanos(horizon).div_ceil(finest.saturating_mul(step)) + 2;
            levels.push((step, needed.min(SLOTS) - finer));
            if needed <= SLOTS {
                return Self::with_levels(width, finest, &levels, created);
            }
            step = step.saturating_mul(FACTOR);
        }
    }

    /// What some columns' counters stood at `ago` before `now`, into `out`; all counters stand at `current` now, and `now`
    /// is rolled.
    ///
    /// Gives the share of `ago` that has been observed: less than 1 if that was before the ring was created, or beyond
    /// its horizon.
    pub(crate) fn at(
        &self,
        columns: Range<usize>,
        ago: Duration,
        now: Timestamp,
        current: &[u64],
        out: &mut Vec<u64>,
    ) -> f64 {
        let from = self.reached(ago, now);
        let Around { before, after, part, whole } = self.around(columns.clone(), from, now);
        let share = |(from, to): (&u64, &u64)| {
            // As if the tick's events had come evenly.
            let events = to.saturating_sub(*from);
            from + match events.checked_mul(part) {
                Some(product) => product / whole,
                None => (u128::from(events) * u128::from(part) / u128::from(whole)) as u64,
            }
        };
        out.clear();
        match after {
            _ if part == 0 => out.extend(before),
            Some(after) => out.extend(before.zip(after).map(share)),
            None => out.extend(before.zip(&current[columns]).map(share)),
        }
        if ago.is_zero() {
            return 1.0;
        }
        (now.as_nanos().saturating_sub(from) as f64 / nanos(ago) as f64).min(1.0)
    }
}

impl<C: Copy + Default> Ring<C> {
    /// With a finest step (nanoseconds), and levels of so many of it to a step, and so many snapshots.
    pub(super) fn with_levels(width: usize, step: u64, levels: &[(u64, u64)], created: Timestamp) -> Self {
        let level = |(step, slots): &(u64, u64)| {
            let slots = *slots as usize;
            let (stamps, counters) = (VecDeque::with_capacity(slots), VecDeque::with_capacity(slots * width));
            Level { step: *step, slots, stamps, counters }
        };
        let (levels, tick) = (levels.iter().map(level).collect(), created.as_nanos() / step);
        let mut ring = Self { created, width, step, tick, base: tick, levels, forgot: false };
        ring.push(tick, &vec![C::default(); width]);
        ring
    }

    /// When the next tick begins.
    pub(crate) fn next_tick(&self) -> Timestamp {
        Timestamp::from_nanos((self.tick + 1).saturating_mul(self.step))
    }

    /// Takes the snapshot that is due at `now`, if one is, when the counters stand at `current`.
    pub(crate) fn roll(&mut self, now: Timestamp, current: &[C]) {
        let tick = now.as_nanos() / self.step;
        if tick > self.tick {
            // Nothing happened after the tick that was current, or somebody would have rolled then.
            self.push(self.tick + 1, current);
            self.tick = tick;
        }
    }

    fn push(&mut self, tick: u64, counters: &[C]) {
        let stamp = u32::try_from(tick - self.base).unwrap_or_else(|_| self.rebase(tick));
        self.forgot |= make_room(&mut self.levels, self.width, self.base);
        self.levels[0].stamps.push_back(stamp);
        self.levels[0].counters.extend(counters);
    }

    /// Counts stamps from a later tick on, as long ago as no window reaches back: 434 days, in the finest steps that can be
    /// declared. Gives the stamp of `tick`.
    #[cold]
    fn rebase(&mut self, tick: u64) -> u32 {
        const AGO: u32 = u32::MAX / 8 * 7;
        let base = tick - u64::from(AGO);
        let by = u32::try_from(base - self.base).unwrap_or(u32::MAX);
        self.base = base;
        for stamp in self.levels.iter_mut().flat_map(|level| &mut level.stamps) {
            *stamp = stamp.saturating_sub(by);
        }
        AGO
    }

    /// When a snapshot with this stamp held, in nanoseconds.
    fn held(&self, stamp: u32) -> u64 {
        (self.base + u64::from(stamp)).saturating_mul(self.step)
    }

    /// The point `ago` before `now`, in nanoseconds, or the first that is remembered.
    pub(super) fn reached(&self, ago: Duration, now: Timestamp) -> u64 {
        let oldest = self.levels.last().and_then(|level| level.stamps.front()).filter(|_| self.forgot);
        let since = self.created.as_nanos().max(oldest.map_or(0, |stamp| self.held(*stamp)));
        now.as_nanos().saturating_sub(nanos(ago)).max(since)
    }

    /// What is known of some columns around `time` (nanoseconds), which is [reached](Self::reached); `now` is rolled.
    pub(super) fn around(&self, columns: Range<usize>, time: u64, now: Timestamp) -> Around<'_, C> {
        let row = |level: usize, index: usize| {
            let first = index * self.width;
            self.levels[level].counters.range(first + columns.start..first + columns.end)
        };
        let at = u32::try_from((time / self.step).saturating_sub(self.base)).unwrap_or(u32::MAX);
        // There is one: what was reached is no older than the oldest snapshot.
        let place = self.levels.iter().position(|level| level.stamps.front().is_some_and(|stamp| *stamp <= at));
        let place = place.unwrap_or(0);
        let Level { step, stamps, .. } = &self.levels[place];
        let after = stamps.partition_point(|stamp| *stamp <= at);
        let before = after.saturating_sub(1);
        let next = match place.checked_sub(1) {
            _ if after < stamps.len() => Some((place, after)),
            Some(finer) => Some((finer, 0)),
            None => None,
        };
        // The one tick between the two in which anything was counted.
        let (busy, end) = match next {
            Some((level, index)) => {
                let end = self.levels[level].stamps[index];
                ((self.base + u64::from(end)).saturating_sub(1) / step, self.held(end))
            }
            None => (self.tick / step, now.as_nanos()),
        };
        let begin = (busy * step).saturating_mul(self.step).max(self.held(stamps[before]));
        // Nothing happened before the ring was created, which may have been in the middle of a coarse step.
        let begin = begin.max(self.created.as_nanos());
        let whole = end.saturating_sub(begin).max(1);
        Around {
            before: row(place, before),
            after: next.map(|(level, index)| row(level, index)),
            part: time.saturating_sub(begin).min(whole),
            whole,
        }
    }

    /// Bytes it takes at most, whatever the traffic.
    pub(crate) fn memory_footprint(&self) -> usize {
        let slots =
            |level: &Level<C>| level.stamps.capacity() * size_of::<u32>() + level.counters.capacity() * size_of::<C>();
        self.levels.iter().map(|level| size_of::<Level<C>>() + slots(level)).sum()
    }
}

/// Hands the oldest snapshot of a full level on. Whether that, in the end, is forgotten.
fn make_room<C>(levels: &mut [Level<C>], width: usize, base: u64) -> bool {
    let Some((level, coarser)) = levels.split_first_mut() else { return true };
    if level.stamps.len() < level.slots {
        return false;
    }
    let (stamp, next) = (level.stamps.pop_front(), level.stamps.front().copied());
    let row = level.counters.drain(..width);
    let Some(to) = coarser.first() else { return true };
    // Nothing was counted between a snapshot and the beginning of the tick before the next.
    let tick = |stamp: Option<u32>| stamp.map(|stamp| (base + u64::from(stamp)).saturating_sub(1) / to.step);
    if tick(stamp) == tick(next) && !to.stamps.is_empty() {
        return false;
    }
    let forgot = make_room(coarser, width, base);
    coarser[0].stamps.extend(stamp);
    coarser[0].counters.extend(row);
    forgot
}
