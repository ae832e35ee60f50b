//! A guard's limiter, and what tells it how hard to shed.

use super::permit::{Place, slot};
use super::{GuardCore, Meter};
use crate::breaker::Hold;
use crate::events::EventKind;
use crate::outcome::{Accounting, Row, Verdict};
#[cfg(feature = "metrics")]
use crate::record::SUM_UNIT;
use crate::record::{Mapping, Recorder, slots};
use crate::shed::{Ended, Limiter, LimiterShown, Pressure, Priority, Shed};
use crate::time::Timestamp;
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::time::Duration;

/// The share of shed calls is of those of about so long.
const LATELY: Duration = Duration::from_secs(10);

/// The limiter, and its outer loop.
#[derive(Debug)]
pub(crate) struct Shedding {
    pub(crate) limiter: Limiter,
    outer: Mutex<Outer>,
    /// When what is shed by hand ends by itself, if it does.
    by_hand: Mutex<Option<Hold>>,
}

#[derive(Debug)]
struct Outer {
    /// What the objectives make of calls, the guard's own refusals left out.
    mappings: Vec<Mapping>,
    pressure: Pressure,
    cells: Vec<u64>,
    at: Timestamp,
    /// Calls and, of these, shed ones: all when last looked at, and of late.
    last: (u64, u64),
    lately: (f64, f64),
    /// When there was last something to count.
    called: Timestamp,
    /// The sum of latencies when last looked at; and how many calls were under way or waited, on average of late: by
    /// Little's law so many as the latencies of those that ended add up to in a second.
    #[cfg(feature = "metrics")]
    load: (u64, f64),
    /// The last limit that there was.
    known: Option<u32>,
}

/// What a limiter stands at, for those who look.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SheddingShown {
    pub(crate) limiter: LimiterShown,
    /// The share of the limit that was in use of late, 0..=1. 0 as long as no limit is known.
    pub(crate) utilisation: f64,
    /// How much is wanted of what there is room for: over 1, too much. 0 as long as no limit is known.
    pub(crate) saturation: f64,
    /// The share of the calls of late that were shed.
    pub(crate) shed_ratio: f64,
}

impl Shedding {
    pub(super) fn new(shed: &Shed, meter: &Meter, recorder: &Recorder, now: Timestamp) -> Self {
        let watched = meter.watched(Accounting::breaker());
        let mut cells = Vec::new();
        _ = recorder.cells_into(&mut cells); // so that it has its size
        let outer = Outer {
            mappings: watched.iter().map(|watched| recorder.mapping(&watched.lane)).collect(),
            pressure: Pressure::new(watched.iter().map(|watched| watched.target.clone()), now),
            cells,
            at: now,
            last: (0, 0),
            lately: (0.0, 0.0),
            called: now,
            #[cfg(feature = "metrics")]
            load: (0, 0.0),
            known: None,
        };
        let limiter = Limiter::new(shed, meter.patience(), slots::owned() + 1, now);
        Self { limiter, outer: Mutex::new(outer), by_hand: Mutex::default() }
    }

    /// What time alone does. If another thread is about it, it is done.
    pub(super) fn tick(&self, meter: &Meter, recorder: &Recorder, now: Timestamp) {
        let Some(mut outer) = self.outer.try_lock() else { return };
        let pressure = outer.look(&self.limiter.shown(), meter, recorder, now);
        let idle = now.since(outer.called);
        drop(outer);
        self.limiter.idle(idle, now);
        self.limiter.tick(slot(), pressure, now);
    }

    /// Sheds what is below this by hand, until `hold` is over if there is one.
    pub(super) fn shed_below(&self, priority: Option<Priority>, hold: Option<Hold>) {
        let mut by_hand = self.by_hand.lock();
        self.limiter.shed_below(priority);
        *by_hand = hold.filter(|_| priority.is_some());
    }

    /// In words.
    pub(super) fn explain(&self, now: Timestamp) -> String {
        let mut words = self.limiter.explain();
        if let Some(hold) = &*self.by_hand.lock() {
            words.push_str(&format!("; {}", hold.left(now)));
        }
        words
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn shown(&self) -> SheddingShown {
        let (outer, limiter) = (self.outer.lock(), self.limiter.shown());
        let (calls, sheds) = outer.lately;
        let shed_ratio = if calls > 0.0 { (sheds / calls).min(1.0) } else { 0.0 };
        let used = outer.load.1 / limiter.base.or(outer.known).map_or(f64::INFINITY, f64::from);
        // What was shed was wanted too.
        let saturation = used / (1.0 - shed_ratio).max(0.01);
        SheddingShown { limiter, utilisation: used.min(1.0), saturation, shed_ratio }
    }

    /// Bytes it may take.
    pub(super) fn memory_footprint(&self) -> usize {
        let Outer { mappings, cells, .. } = &*self.outer.lock();
        let lists = cells.capacity() * size_of::<u64>() + mappings.iter().map(Mapping::memory_footprint).sum::<usize>();
        // The limiter's own size is in both.
        size_of::<Self>() - size_of::<Limiter>() + self.limiter.memory_footprint() + lists
    }
}

impl Outer {
    fn look(&mut self, limiter: &LimiterShown, meter: &Meter, recorder: &Recorder, now: Timestamp) -> f64 {
        self.known = limiter.base.or(self.known);
        #[cfg_attr(not(feature = "metrics"), allow(unused_variables))]
        let sum = recorder.cells_into(&mut self.cells).sum;
        let calls = self.cells.iter().fold(0_u64, |sum, n| sum.wrapping_add(*n));
        let sheds = limiter.sheds.iter().sum();
        if recorder.in_flight() > 0 {
            self.called = now;
        } else if calls != self.last.0 {
            // Calls look at the time before they are counted: those that came since did so soon after the last look.
            self.called = self.called.max(self.at);
        }
        #[cfg(feature = "metrics")]
        self.average(sum, now);
        let kept = (-now.since(self.at).as_secs_f64() / LATELY.as_secs_f64()).exp();
        self.lately.0 = self.lately.0 * kept + calls.saturating_sub(self.last.0) as f64;
        self.lately.1 = self.lately.1 * kept + f64::from(u32::try_from(sheds - self.last.1).unwrap_or(u32::MAX));
        (self.at, self.last) = (now, (calls, sheds));
        let tallies = self.mappings.iter().map(|mapping| mapping.tally(&self.cells));
        self.pressure.update(tallies, meter.budget_left(), now)
    }

    #[cfg(feature = "metrics")]
    fn average(&mut self, sum: u64, now: Timestamp) {
        let elapsed = now.since(self.at).as_secs_f64();
        if elapsed > 0.0 {
            let mean = (sum.wrapping_sub(self.load.0) * SUM_UNIT) as f64 * 1e-9 / elapsed;
            let kept = (-elapsed / LATELY.as_secs_f64()).exp();
            self.load = (sum, self.load.1 * kept + mean * (1.0 - kept));
        }
    }
}

impl GuardCore {
    /// The same with a limiter.
    pub(super) fn with_shedding(mut self, shedding: Option<&'static Shedding>) -> Self {
        self.quick = shedding.map_or(self.quick, |shedding| self.quick.min(shedding.limiter.slow()));
        self.shedding = shedding.map_or_else(OnceLock::new, OnceLock::from);
        self
    }

    /// One that sheds nothing but by hand, if there was none.
    pub(super) fn shedding_by_hand(&self) -> &'static Shedding {
        self.shedding
            .get_or_init(|| Box::leak(Box::new(Shedding::new(&Shed::by_hand(), self.meter, self.recorder, self.now()))))
    }

    /// Sheds nothing by hand any more if that was for a while that is over. If another thread is about it, it is done.
    pub(super) fn end_by_hand(&self, shedding: &Shedding, now: Timestamp) {
        let Some(mut by_hand) = shedding.by_hand.try_lock() else { return };
        if by_hand.take_if(|hold| hold.is_over(now)).is_some() {
            shedding.limiter.shed_below(None);
            drop(by_hand);
            let what = format!("guard {} sheds no priority by hand any more", self.name);
            self.meter.hub.events.emit(now, EventKind::OperatorOver { what });
        }
    }

    /// Gives back a call's place, and lets the limiter learn from it.
    pub(super) fn leave(&self, shedding: &Shedding, place: Place, row: Row, latency: u64, now: Timestamp) {
        let good = self.meter.accounting.verdict_of(row, false) == Verdict::Good;
        let ended = Ended { latency: latency.saturating_sub(place.waited()), good };
        shedding.limiter.leave(slot(), place.level(), ended, || self.recorder.in_flight(), now);
    }
}
