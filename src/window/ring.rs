//! A multi-resolution ring of cumulative snapshots.
//!
//! Levels of growing step, 128 snapshots each, every level six times as coarse as the one before. A snapshot is taken
//! by whoever first notices a new tick, and says what was counted *before* that tick: so events between two
//! neighbouring snapshots all happened in the tick just before the later one, however long nobody came by. Idle time
//! costs nothing: no snapshot is taken of it.

use crate::time::{Timestamp, nanos};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// Snapshots in a level. A window is at least 1/6 of its level, so it spans at least 21 steps, and is interpolated
/// within the step in which it begins.
const SLOTS: usize = 128;
/// How much coarser each level is than the one before.
const FACTOR: u64 = 6;

/// Cumulative counters of a fixed number of columns, remembered over time.
#[derive(Debug)]
pub(crate) struct Ring {
    created: Timestamp,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    /// Nanoseconds.
    step: u64,
    /// The tick that events are counted in now.
    tick: u64,
    /// Ascending: the tick at whose start the snapshot holds.
    stamps: VecDeque<u64>,
    /// `width` counters a snapshot.
    counters: VecDeque<u64>,
    evicted: bool,
}

impl Ring {
    /// A ring of `width` counters, all zero at `created`, that remembers at least `horizon` in steps of at least `step`.
    pub(crate) fn new(width: usize, step: Duration, horizon: Duration, created: Timestamp) -> Self {
        let mut step = nanos(step).max(1);
        let mut levels = Vec::new();
        loop {
            let tick = created.as_nanos() / step;
            let mut level = Level {
                step,
                tick,
                stamps: VecDeque::with_capacity(SLOTS),
                counters: VecDeque::with_capacity(SLOTS * width),
                evicted: false,
            };
            level.push(tick, &vec![0; width]);
            levels.push(level);
            if step.saturating_mul(SLOTS as u64 - 2) >= nanos(horizon) {
                return Self { created, levels };
            }
            step = step.saturating_mul(FACTOR);
        }
    }

    /// When the next tick begins.
    pub(crate) fn next_tick(&self) -> Timestamp {
        let first = &self.levels[0];
        Timestamp::from_nanos((first.tick + 1).saturating_mul(first.step))
    }

    /// Takes the snapshots that are due at `now`, when the counters stand at `current`.
    pub(crate) fn roll(&mut self, now: Timestamp, current: &[u64]) {
        for level in &mut self.levels {
            let tick = now.as_nanos() / level.step;
            if tick > level.tick {
                // Nothing happened after the tick that was current, or somebody would have rolled then.
                level.push(level.tick + 1, current);
                level.tick = tick;
            }
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
        let wanted = now.as_nanos().saturating_sub(nanos(ago));
        let finest = self.levels.iter().find(|level| level.reaches(wanted));
        let level = finest.unwrap_or(&self.levels[self.levels.len() - 1]);
        let from = wanted.max(self.created.as_nanos()).max(level.earliest());
        level.at(columns, [from, now.as_nanos(), self.created.as_nanos()], current, out);
        if ago.is_zero() {
            return 1.0;
        }
        (now.as_nanos().saturating_sub(from) as f64 / nanos(ago) as f64).min(1.0)
    }

    /// Bytes it takes at most, whatever the traffic.
    pub(crate) fn memory_footprint(&self) -> usize {
        let slots = |level: &Level| (level.stamps.capacity() + level.counters.capacity()) * 8;
        self.levels.iter().map(|level| size_of::<Level>() + slots(level)).sum()
    }
}

impl Level {
    fn push(&mut self, stamp: u64, counters: &[u64]) {
        if self.stamps.len() == SLOTS {
            self.stamps.pop_front();
            self.counters.drain(..counters.len());
            self.evicted = true;
        }
        self.stamps.push_back(stamp);
        self.counters.extend(counters);
    }

    fn reaches(&self, time: u64) -> bool {
        !self.evicted || self.earliest() <= time
    }

    fn earliest(&self) -> u64 {
        if self.evicted { self.stamps.front().map_or(0, |stamp| stamp.saturating_mul(self.step)) } else { 0 }
    }

    fn at(&self, columns: Range<usize>, [time, now, created]: [u64; 3], current: &[u64], out: &mut Vec<u64>) {
        let width = current.len();
        out.clear();
        let tick = time / self.step;
        let after = self.stamps.partition_point(|stamp| *stamp <= tick);
        let row = |index: usize| self.counters.range(index * width + columns.start..index * width + columns.end);
        let Some(index) = after.checked_sub(1) else {
            // Before the first snapshot: nothing had been counted, or it is forgotten.
            out.extend(row(0));
            return;
        };
        // The one tick between this snapshot and the next in which anything was counted.
        let (busy, end) = match self.stamps.get(after) {
            Some(next) => (next - 1, (next).saturating_mul(self.step)),
            None => (self.tick, now.max(self.tick.saturating_mul(self.step))),
        };
        // Nothing happened before the ring was created, which may have been in the middle of a coarse step.
        let begin = busy.saturating_mul(self.step).max(created);
        let (part, whole) = (time.saturating_sub(begin), end.saturating_sub(begin).max(1));
        if part == 0 {
            return out.extend(row(index));
        }
        let share = |from: u64, to: u64| {
            // As if the tick's events had come evenly.
            let (events, part) = (to.saturating_sub(from), part.min(whole));
            from + match events.checked_mul(part) {
                Some(product) => product / whole,
                None => (u128::from(events) * u128::from(part) / u128::from(whole)) as u64,
            }
        };
        match self.stamps.get(after) {
            Some(_) => out.extend(row(index).zip(row(after)).map(|(from, to)| share(*from, *to))),
            None => out.extend(row(index).zip(&current[columns.clone()]).map(|(from, to)| share(*from, *to))),
        }
    }
}
