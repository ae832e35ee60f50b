//! A limit that threads share.
//!
//! While calls are fast nothing is counted here: a call reads one word and passes. Once a call takes a quarter of the
//! target the limiter is *engaged*: calls are then counted in and out on one shared word, and their latencies are learned
//! from ([`Estimator`]), without a lock that a call would wait for. Only those who find no room take one, to wait in line,
//! and those who end while somebody does.

use super::estimate::{Estimator, level_of};
use super::queue::{Queue, SOONEST};
use super::warm_up::WarmUp;
use super::{CallContext, Priority, Shed};
use crate::breaker::Reason;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use crate::time::{Timestamp, nanos};
use crossbeam_utils::CachePadded;
use std::time::Duration;

/// It disengages after so long without a slow call, or anybody who found no room; or a hundred targets, if that is longer.
const CALM: Duration = Duration::from_secs(10);
/// The most that is ever refused by ratio, so that something is still learned from the rest. In 2⁻³².
const MOST: f64 = 0.9;
/// One of so many is let in whose deadline cannot be met as far as is known: else nobody would see that it can again.
const TRIES: u32 = 10;
const WHOLE: u64 = 1 << 32;
/// See [`Hot::asks`].
const LIMITS: u32 = 1;
const FLOOR: u32 = 1 << 8;
/// The level of a call that was not counted in, but is learned from.
const WATCHED: u8 = u8::MAX;

/// Decides who is let in when not all can be.
pub(crate) struct Limiter {
    /// How long a call may take; the longest there is if nobody said.
    target: Duration,
    max_wait: Option<Duration>,
    adaptive: bool,
    has_queue: bool,
    /// Slower calls engage it, in nanoseconds.
    slow: u64,
    warm_up: WarmUp,
    /// Whether calls with a deadline are learned from while it limits nothing.
    watches: bool,
    pub(super) hot: CachePadded<Hot>,
    pub(super) busiest: CachePadded<Busiest>,
    /// Those in line. Written under the queue's lock.
    pub(super) waiting: AtomicU32,
    pub(super) queue: Mutex<Queue>,
    learned: CachePadded<Mutex<Estimator>>,
    /// How long a call takes once it is let in, in nanoseconds.
    expected: CachePadded<AtomicU64>,
    /// One call in ten takes less.
    pub(super) quick: AtomicU64,
    /// Whose deadline could not be met.
    unmet: AtomicU32,
    /// What was learned: as many calls as are worked on at once.
    pub(super) base: AtomicU32,
    /// Whether somebody found no room since the last call ended.
    wanted: AtomicU32,
    /// When a call was last slow, or found no room (nanoseconds).
    busy: AtomicU64,
    /// The share refused of what is sheddable, and of what is default (of [`WHOLE`]), and the sums of these shares.
    shares: [AtomicU64; 2],
    thinned: [AtomicU64; 2],
    /// Refused, by [`Priority::band`].
    pub(super) sheds: [AtomicU64; 3],
}

/// Read by every call.
#[derive(Debug)]
pub(super) struct Hot {
    /// [`LIMITS`] while it limits; and, times [`FLOOR`], the level below which everything is refused by hand. 0: nobody need ask.
    asks: AtomicU32,
    /// By [`Priority::band`]: all the same, unless nobody can wait.
    pub(super) limits: [AtomicU32; 3],
}

/// Written by every call while the limiter is engaged: on one line, which two cores then hand over once for both.
#[derive(Debug)]
pub(super) struct Busiest {
    pub(super) in_flight: AtomicU32,
    /// Let in without waiting, since the queue was last told.
    pub(super) passed: AtomicU32,
}

impl Limiter {
    pub(crate) fn new(shed: &Shed, threshold: Option<Duration>, now: Timestamp) -> Self {
        let target = shed.target.or(threshold).unwrap_or(Duration::MAX);
        let learned = Estimator::new(nanos(target), shed.fixed);
        let limiter = Self {
            target,
            max_wait: shed.max_wait,
            adaptive: shed.fixed.is_none(),
            has_queue: shed.queue > 0,
            slow: nanos(target / 4),
            warm_up: WarmUp::new(shed.warm_up),
            watches: shed.fixed.is_some() || target < Duration::MAX,
            hot: CachePadded::new(Hot { asks: AtomicU32::new(0), limits: [u32::MAX; 3].map(AtomicU32::new) }),
            busiest: CachePadded::new(Busiest { in_flight: AtomicU32::new(0), passed: AtomicU32::new(0) }),
            waiting: AtomicU32::new(0),
            // What is patient in a queue is measured by what was said of waiting, before what the SLO says of calls.
            queue: Mutex::new(Queue::new(shed.queue, nanos(shed.target.or(shed.max_wait).unwrap_or(target)))),
            learned: CachePadded::new(Mutex::new(learned)),
            expected: CachePadded::new(AtomicU64::new(0)),
            quick: AtomicU64::new(0),
            unmet: AtomicU32::new(0),
            base: AtomicU32::new(u32::MAX),
            wanted: AtomicU32::new(0),
            busy: AtomicU64::new(now.as_nanos()),
            shares: Default::default(),
            thinned: Default::default(),
            sheds: Default::default(),
        };
        limiter.warm_up(now);
        if shed.fixed.is_some() {
            limiter.publish(&limiter.learned.lock(), now);
            limiter.hot.asks.store(LIMITS, Ordering::Release);
        }
        limiter
    }

    pub(super) fn is_engaged(&self) -> bool {
        // Acquire: with it the limit is seen that was learned, or begun with.
        self.hot.asks.load(Ordering::Acquire) & LIMITS != 0
    }

    /// Refuses whatever matters less than this; nothing, if there is no such priority.
    pub(crate) fn shed_below(&self, priority: Option<Priority>) {
        let floor = u32::from(priority.map_or(0, Priority::level)) * FLOOR;
        // The closure always has an answer. Relaxed: the level is all there is to see.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        _ = self.hot.asks.fetch_update(set, fetch, |asks| Some(asks & LIMITS | floor));
    }

    /// The priority below which everything is refused by hand.
    pub(crate) fn sheds_below(&self) -> Option<Priority> {
        let level = (self.hot.asks.load(Ordering::Relaxed) / FLOOR) as u8;
        (level > 0).then(|| Priority::custom(level))
    }

    /// Calls that took longer engage it, in nanoseconds.
    pub(crate) fn slow(&self) -> u64 {
        self.slow
    }

    /// Whether a call that took so long engages it.
    #[inline]
    pub(crate) fn is_slow(&self, latency: u64) -> bool {
        latency > self.slow
    }

    /// Lets a call in, and says at which level, for [`leave`](Self::leave): 0 if it is not counted.
    pub(crate) fn enter(&self, context: &CallContext, now: Timestamp) -> Result<u8, Reason> {
        if self.sheds_below().is_some_and(|least| context.importance() < least) {
            return Err(Reason::ShedByHand);
        }
        if context.due().is_some_and(|due| self.is_in_vain(due, now)) {
            return Err(Reason::Deadline);
        }
        if !self.is_engaged() {
            return Ok(if context.due().is_some() && self.watches { WATCHED } else { 0 });
        }
        if let Some(level) = self.enter_if_room(context.importance()) {
            return Ok(level);
        }
        self.busy.store(now.as_nanos(), Ordering::Relaxed);
        self.wanted.store(1, Ordering::Relaxed);
        let thins = self.line_is_long() && self.thins(context.importance());
        Err(if thins { Reason::Pressure } else { Reason::Limit })
    }

    /// The same for a call that brings nothing along and finds room at once; of others nothing is counted.
    #[inline]
    pub(crate) fn enter_at_once(&self) -> Option<u8> {
        // Acquire: with it the limit is seen that was learned, or begun with.
        match self.hot.asks.load(Ordering::Acquire) {
            0 => Some(0),
            LIMITS => self.enter_if_room(Priority::DEFAULT),
            _ => None, // something is shed by hand
        }
    }

    #[inline]
    fn enter_if_room(&self, priority: Priority) -> Option<u8> {
        let level = (self.waiting.load(Ordering::Relaxed) == 0).then(|| self.take_place(priority))??;
        // Relaxed: it only counts.
        self.busiest.passed.fetch_add(1, Ordering::Relaxed);
        Some(level)
    }

    /// Whether whoever finds no room may wait.
    pub(crate) fn has_queue(&self) -> bool {
        self.has_queue
    }

    /// Whether a call that is due then is too late: for certain, or as far as is known.
    fn is_in_vain(&self, due: Timestamp, now: Timestamp) -> bool {
        let left = due.nanos_since(now);
        left == 0
            || left <= self.quick.load(Ordering::Relaxed)
                && !(self.unmet.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(TRIES)
    }

    /// Takes a place, if one is free.
    pub(super) fn take_place(&self, priority: Priority) -> Option<u8> {
        let limit = self.hot.limits[priority.band()].load(Ordering::Relaxed);
        // SeqCst, with `leave` and `wait`: who comes sees the place that was given back, or who gives it back sees who came.
        let taken =
            self.busiest.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < limit).then(|| n + 1));
        taken.ok().map(|before| level_of(before.saturating_add(1)) as u8 + 1)
    }

    /// Whether as many wait as are let in: then nobody is idle if one more is refused.
    fn line_is_long(&self) -> bool {
        let limit = self.hot.limits[Priority::DEFAULT.band()].load(Ordering::Relaxed);
        !self.has_queue || self.waiting.load(Ordering::Relaxed) >= limit
    }

    /// Whether a call of this priority is among those refused by ratio.
    fn thins(&self, priority: Priority) -> bool {
        let place = match priority.band() {
            0 => return false,
            1 => 1,
            _ => 0,
        };
        let share = self.shares[place].load(Ordering::Relaxed);
        // Evenly spread: a call is refused if with it the sum of shares passes a whole number.
        let sum = self.thinned[place].fetch_add(share, Ordering::Relaxed);
        sum % WHOLE + share >= WHOLE
    }

    /// When somebody in line is refused at the latest.
    pub(crate) fn patience(&self) -> Duration {
        let left = self.target.saturating_sub(self.expected() * 3 / 2).max(self.target / 10);
        self.max_wait.unwrap_or(left)
    }

    /// How long a call takes once it is let in.
    pub(super) fn expected(&self) -> Duration {
        Duration::from_nanos(self.expected.load(Ordering::Relaxed))
    }

    /// A call that was let in at `level` ended.
    pub(crate) fn leave(&self, level: u8, latency: u64, good: bool, in_flight: impl FnOnce() -> u64, now: Timestamp) {
        if self.is_slow(latency) {
            self.busy.store(now.as_nanos(), Ordering::Relaxed);
        }
        if level == 0 || level == WATCHED {
            if level == WATCHED
                && let Some(mut learned) = self.learned.try_lock()
            {
                learned.watch(latency, good);
                self.quick.store(learned.quick(), Ordering::Relaxed);
            }
            // It was not counted in. If it was slow, those that come now are.
            if self.adaptive && self.is_slow(latency) && !self.is_engaged() {
                self.engage(u32::try_from(in_flight()).unwrap_or(u32::MAX), now);
            }
            return;
        }
        let wanted = self.wanted.load(Ordering::Relaxed) != 0 || self.waiting.load(Ordering::Relaxed) != 0;
        // Whoever comes while another learns is not learned from: a sample less, and nobody waits.
        if let Some(mut learned) = self.learned.try_lock() {
            if wanted {
                self.wanted.store(0, Ordering::Relaxed);
            }
            let chosen = learned.observe(usize::from(level) - 1, latency, good, wanted);
            self.expected.store(learned.expected(), Ordering::Relaxed);
            self.quick.store(learned.quick(), Ordering::Relaxed);
            if chosen {
                self.publish(&learned, now);
            }
        }
        self.give_back(level, now);
    }

    /// A call that was let in is not made after all, or is over.
    pub(crate) fn give_back(&self, level: u8, now: Timestamp) {
        if level != 0 && level != WATCHED {
            self.busiest.in_flight.fetch_sub(1, Ordering::SeqCst);
            self.hand_over(now);
        }
    }

    #[cold]
    fn engage(&self, in_flight: u32, now: Timestamp) {
        let Some(mut learned) = self.learned.try_lock() else { return };
        if self.is_engaged() {
            return; // another did it meanwhile
        }
        learned.begin(in_flight);
        self.publish(&learned, now);
        self.hot.asks.fetch_or(LIMITS, Ordering::Release);
    }

    fn publish(&self, learned: &Estimator, now: Timestamp) {
        let limit = learned.limit();
        self.base.store(limit, Ordering::Relaxed);
        let room = self.room_inside(learned, limit);
        for (published, times) in self.hot.limits.iter().zip([1.5, 1.0, 0.5]) {
            let more = (room * times).min(f64::from(u32::MAX)) as u32;
            published.store(self.warm_up.of(limit.saturating_add(more), now), Ordering::Relaxed);
        }
    }

    /// How many more than the limit are let in if nobody can wait outside: as many as are answered in the time that one may
    /// wait in a queue under overload. Of these places the more important have more.
    fn room_inside(&self, learned: &Estimator, limit: u32) -> f64 {
        if !self.adaptive || self.has_queue || learned.at_limit() == 0 {
            return 0.0;
        }
        f64::from(limit) * SOONEST * self.target.as_nanos() as f64 / learned.at_limit() as f64
    }

    /// Begins to warm up, if it was asked for.
    pub(crate) fn warm_up(&self, now: Timestamp) {
        let mut learned = self.learned.lock();
        if self.adaptive && !self.is_engaged() {
            learned.forget(); // it was learned long ago
        }
        if self.warm_up.begin(learned.limit(), now) {
            self.publish(&learned, now);
            self.hot.asks.fetch_or(LIMITS, Ordering::Release);
        }
    }

    /// What it does about having been idle for so long.
    pub(crate) fn idle(&self, idle: Duration, now: Timestamp) {
        if self.warm_up.is_cold_after(idle) {
            self.warm_up(now);
        }
    }

    /// How far the warm-up is, 0..1; none if there is none, any more.
    pub(crate) fn warmth(&self, now: Timestamp) -> Option<f64> {
        self.warm_up.warmth(now)
    }

    /// Bytes it may take.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + self.queue.lock().memory_footprint()
    }

    /// What time alone does; `pressure` is how hard to shed, 0..=1 ([`pressure`](super::pressure)).
    pub(crate) fn tick(&self, pressure: f64, now: Timestamp) {
        for (share, beyond) in self.shares.iter().zip([0.0, 0.5]) {
            // All of it at 0.5 for what is sheddable, at 1 for what is default.
            let refused = (2.0 * MOST * (pressure - beyond)).clamp(0.0, MOST);
            share.store((refused * WHOLE as f64) as u64, Ordering::Relaxed);
        }
        if !self.is_engaged() {
            return;
        }
        if let Some(learned) = self.learned.try_lock() {
            self.publish(&learned, now);
        }
        let busy = Timestamp::from_nanos(self.busy.load(Ordering::Relaxed));
        let calm = now.since(busy) > CALM.max(self.target.saturating_mul(100));
        let nobody_waits = self.waiting.load(Ordering::Relaxed) == 0;
        if self.adaptive && calm && nobody_waits && self.warmth(now).is_none() {
            self.hot.asks.fetch_and(!LIMITS, Ordering::Release);
        }
        self.hand_over(now);
    }

    /// Counts a refusal.
    pub(crate) fn count(&self, priority: Priority) {
        self.sheds[priority.band()].fetch_add(1, Ordering::Relaxed);
    }
}
