//! What one SLO remembers: its objectives' counts and its latency, over its whole period.

use super::latency::{Latency, LatencyRing};
use super::ring::Ring;
use super::{Reading, Window};
use crate::outcome::Tally;
use crate::record::{Lane, Latencies, Mapping, Recorder, histogram};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::time::{Timestamp, nanos};
use std::time::Duration;

/// One objective's way to be remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Which events are good and which are bad.
    pub(crate) lane: Lane,
    /// If slices of time are judged rather than events: their length, and the share of good events (0..=1) that makes a
    /// slice good.
    pub(crate) slices: Option<(Duration, f64)>,
}

/// Cumulative snapshots of all recorders of an SLO.
#[derive(Debug)]
pub(crate) struct History {
    /// When somebody should roll, in nanoseconds.
    next: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    columns: Vec<Column>,
    /// Of the few columns that are judged by them.
    slices: Vec<Slices>,
    sources: Vec<Source>,
    /// Recorders that count towards nothing.
    aside: Vec<&'static Recorder>,
    ring: Ring,
    latency: LatencyRing,
    scratch: Scratch,
}

/// A recorder, and what it held when it was last looked at.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) recorder: &'static Recorder,
    /// The columns, resolved against its cells.
    mappings: Vec<Mapping>,
    pub(crate) cells: Vec<u64>,
    pub(crate) latencies: Latencies,
}

/// Kept between calls, so that rolling does not allocate.
#[derive(Debug, Default)]
struct Scratch {
    tallies: Vec<Tally>,
    counters: Vec<u64>,
    base: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slices {
    column: usize,
    /// Nanoseconds.
    length: u64,
    target: f64,
    tick: u64,
    base: Tally,
    judged: Tally,
}

impl History {
    /// Remembers `columns` from `now` on, over `horizon`, in steps of at least `step`.
    pub(crate) fn new(columns: Vec<Column>, step: Duration, horizon: Duration, now: Timestamp) -> Self {
        let ring = Ring::new(2 * columns.len(), step, horizon, now);
        let slices = columns.iter().enumerate().filter_map(|(index, column)| {
            let (length, target) = column.slices?;
            let length = nanos(length).max(1);
            Some(Slices { column: index, length, target, tick: now.as_nanos() / length, ..Slices::default() })
        });
        let inner = Inner {
            slices: slices.collect(),
            scratch: Scratch { counters: Vec::with_capacity(2 * columns.len()), ..Scratch::default() },
            columns,
            sources: Vec::new(),
            aside: Vec::new(),
            latency: LatencyRing::new(step, now),
            ring,
        };
        Self { next: AtomicU64::new(inner.next_tick().as_nanos()), inner: Mutex::new(inner) }
    }

    /// Adds a recorder, which must not have counted anything yet.
    pub(crate) fn attach(&self, recorder: &'static Recorder) {
        let mut inner = self.inner.lock();
        let mappings = inner.columns.iter().map(|column| recorder.mapping(&column.lane)).collect();
        inner.sources.push(Source { recorder, mappings, cells: Vec::new(), latencies: Latencies::default() });
        inner.count(); // so that what it holds has its size
    }

    /// Looks at a recorder now and then that counts towards nothing.
    #[cfg(feature = "http")]
    pub(crate) fn look_at(&self, recorder: &'static Recorder) {
        self.inner.lock().aside.push(recorder);
    }

    /// When the next tick begins.
    #[inline]
    pub(crate) fn next_tick(&self) -> Timestamp {
        // Relaxed: a stale answer costs a vain `try_roll` or delays one to the next call.
        Timestamp::from_nanos(self.next.load(Ordering::Relaxed))
    }

    /// Takes the snapshots that are due and looks back from them, unless nothing is due or another thread is about it.
    pub(crate) fn try_roll<T>(&self, now: Timestamp, look: impl FnOnce(&mut View<'_>) -> T) -> Option<T> {
        // The lock is the one compare-and-swap of a roll: a request never waits for it.
        let mut inner = self.inner.try_lock()?;
        if now < inner.next_tick() {
            return None;
        }
        Some(self.look_into(&mut inner, now, look))
    }

    /// Looks back from `now`: everything that is read in one look is of one moment.
    pub(crate) fn look<T>(&self, now: Timestamp, look: impl FnOnce(&mut View<'_>) -> T) -> T {
        self.look_into(&mut self.inner.lock(), now, look)
    }

    fn look_into<T>(&self, inner: &mut Inner, now: Timestamp, look: impl FnOnce(&mut View<'_>) -> T) -> T {
        inner.roll(now);
        self.next.store(inner.next_tick().as_nanos(), Ordering::Relaxed);
        look(&mut View { inner, now })
    }

    /// The recorders, for whoever shows everything there is.
    pub(crate) fn sources(&self) -> Vec<&'static Recorder> {
        self.inner.lock().sources.iter().map(|source| source.recorder).collect()
    }

    /// Bytes it takes, its recorders' not counted.
    pub(crate) fn memory_footprint(&self) -> usize {
        let inner = self.inner.lock();
        let Inner { columns, sources, .. } = &*inner;
        let each = size_of::<Column>() + size_of::<Slices>() + size_of::<Tally>() + 4 * size_of::<u64>();
        let sources = sources.iter().map(|Source { mappings, cells, .. }| {
            let mappings = mappings.iter().map(Mapping::memory_footprint).sum::<usize>();
            size_of::<Source>() + mappings + cells.capacity() * size_of::<u64>()
        });
        let lists = columns.len() * each + sources.sum::<usize>();
        size_of::<Self>() + inner.ring.memory_footprint() + inner.latency.memory_footprint() + lists
    }
}

/// What is remembered, as of one moment.
#[derive(Debug)]
pub(crate) struct View<'a> {
    inner: &'a mut Inner,
    now: Timestamp,
}

impl View<'_> {
    /// The events (or slices) of a column over a window. Excluded events are not remembered by window.
    pub(crate) fn read(&mut self, column: usize, window: Window) -> Reading {
        let Inner { ring, scratch, .. } = &mut *self.inner;
        let columns = 2 * column..2 * column + 2;
        let coverage = ring.at(columns.clone(), window.length(), self.now, &scratch.counters, &mut scratch.base);
        let mut since =
            scratch.counters[columns].iter().zip(&scratch.base).map(|(now, then)| now.saturating_sub(*then));
        let tally = Tally { good: since.next().unwrap_or(0), bad: since.next().unwrap_or(0), excluded: 0 };
        Reading { window, tally, coverage }
    }

    /// The same of every column, one after the other: the place in memory that a window begins at is looked for once.
    pub(crate) fn read_all(&mut self, window: Window, mut each: impl FnMut(Reading)) {
        let Inner { ring, scratch, .. } = &mut *self.inner;
        let all = 0..scratch.counters.len();
        let coverage = ring.at(all, window.length(), self.now, &scratch.counters, &mut scratch.base);
        for (now, then) in scratch.counters.chunks_exact(2).zip(scratch.base.chunks_exact(2)) {
            let [good, bad] = [0, 1].map(|index| now[index].saturating_sub(then[index]));
            each(Reading { window, tally: Tally { good, bad, excluded: 0 }, coverage });
        }
    }

    /// All events of a column so far, excluded ones too.
    pub(crate) fn total(&self, column: usize) -> Tally {
        self.inner.scratch.tallies.get(column).copied().unwrap_or_default()
    }

    /// The recorders, of which [`Recorder::spread`] has not been asked yet.
    #[cfg(feature = "metrics")]
    pub(crate) fn sources(&self) -> &[Source] {
        &self.inner.sources
    }

    /// The latencies over a window, of everything that was not refused.
    pub(crate) fn latency(&self, window: Window) -> Latency {
        self.inner.latency.read(window, self.now, &self.inner.latencies())
    }
}

impl Inner {
    /// When the ring wants to be rolled, or a slice ends: its length need not be a multiple of the ring's step.
    fn next_tick(&self) -> Timestamp {
        let ends = self.slices.iter().map(|slices| (slices.tick + 1).saturating_mul(slices.length));
        ends.map(Timestamp::from_nanos).fold(self.ring.next_tick(), Timestamp::min)
    }

    /// Brings everything up to `now`; `scratch` then holds the counters as they stand.
    fn roll(&mut self, now: Timestamp) {
        self.count();
        let Scratch { counters, tallies, .. } = &mut self.scratch;
        counters.clear();
        counters.extend(tallies.iter().flat_map(|tally| [tally.good, tally.bad]));
        for slices in &mut self.slices {
            slices.judge(now, tallies[slices.column]);
            let Tally { good, bad, .. } = slices.judged;
            counters[2 * slices.column..][..2].copy_from_slice(&[good, bad]);
        }
        self.ring.roll(now, counters);
        if self.latency.is_due(now) {
            let current = self.latencies();
            self.latency.roll(now, &current);
            self.aside.iter().for_each(|recorder| recorder.look());
        }
    }

    fn count(&mut self) {
        let tallies = &mut self.scratch.tallies;
        tallies.clear();
        tallies.resize(self.columns.len(), Tally::default());
        for Source { recorder, mappings, cells, latencies } in &mut self.sources {
            *latencies = recorder.cells_into(cells);
            for (tally, mapping) in tallies.iter_mut().zip(mappings) {
                *tally += mapping.tally(cells);
            }
        }
    }

    fn latencies(&self) -> [u64; histogram::BUCKETS] {
        let mut buckets = [0; histogram::BUCKETS];
        for source in &self.sources {
            source.recorder.add_latency_to(&mut buckets);
        }
        buckets
    }
}

impl Slices {
    fn judge(&mut self, now: Timestamp, tally: Tally) {
        let tick = now.as_nanos() / self.length;
        if tick <= self.tick {
            return;
        }
        let good = tally.good.saturating_sub(self.base.good);
        let valid = tally.valid().saturating_sub(self.base.valid());
        // A slice in which nothing counted says nothing.
        if valid > 0 {
            let met = good as f64 >= self.target * valid as f64;
            *(if met { &mut self.judged.good } else { &mut self.judged.bad }) += 1;
        }
        (self.tick, self.base) = (tick, tally);
    }
}
