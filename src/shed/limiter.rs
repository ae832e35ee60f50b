//! A limit that threads share.
//!
//! While calls are fast nothing is counted here: a call reads one word and passes. Once a call takes a quarter of the
//! target the limiter is *engaged*: calls then take a place and give it back, on lines of their thread's own as long as
//! there is room ([`Places`]), and are learned from ([`Estimator`]), without a lock that a call would wait for. Only those
//! who find no room take one, to wait in line, and those who end while somebody does.

use super::estimate::{Estimator, level_of};
use super::places::Places;
use super::queue::Queue;
use super::warm_up::WarmUp;
use super::{CallContext, Priority, Shed};
use crate::breaker::Reason;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use crate::time::{Timestamp, nanos};
use crossbeam_utils::CachePadded;
use std::time::Duration;

/// One of so many is let in whose deadline cannot be met as far as is known: else nobody would see that it can again.
const TRIES: u32 = 10;
pub(super) const WHOLE: u64 = 1 << 32;
/// See [`Hot::asks`].
pub(super) const LIMITS: u32 = 1;
const FLOOR: u32 = 1 << 8;
/// The level of a call that has no place, but is learned from.
const WATCHED: u8 = u8::MAX;
/// The level of a call that has a place, but is not learned from.
const UNLEARNED: u8 = u8::MAX - 1;
/// Of each thread's calls the first so many between two ticks are learned from, and one of so many of those after them:
/// of that many calls each tells little that is new, and what is learned lies where threads would fight over it.
const LEARNED: u32 = 4_096;
const ONE_OF: u32 = 256;

/// Decides who is let in when not all can be.
pub(crate) struct Limiter {
    /// How long a call may take; the longest there is if nobody said.
    pub(super) target: Duration,
    max_wait: Option<Duration>,
    pub(super) adaptive: bool,
    pub(super) has_queue: bool,
    /// Slower calls engage it, in nanoseconds.
    slow: u64,
    pub(super) warm_up: WarmUp,
    /// Whether calls with a deadline are learned from while it limits nothing.
    watches: bool,
    pub(super) hot: CachePadded<Hot>,
    pub(super) places: Places,
    /// Of those let in without waiting, so many are known to the queue. Written under its lock.
    passed: AtomicU32,
    /// Those in line. Written under the queue's lock.
    pub(super) waiting: AtomicU32,
    pub(super) queue: Mutex<Queue>,
    pub(super) learned: CachePadded<Mutex<Estimator>>,
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
    pub(super) busy: AtomicU64,
    /// The share refused of what is sheddable, and of what is default (of [`WHOLE`]), and the sums of these shares.
    pub(super) shares: [AtomicU64; 2],
    thinned: [AtomicU64; 2],
    /// Refused, by [`Priority::band`].
    pub(super) sheds: [AtomicU64; 3],
}

/// How a call ended: after so many nanoseconds, waiting left out, and whether it ended well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) latency: u64,
    pub(crate) good: bool,
}

/// Read by every call.
#[derive(Debug)]
pub(super) struct Hot {
    /// [`LIMITS`] while it limits; and, times [`FLOOR`], the level below which everything is refused by hand. 0: nobody need ask.
    pub(super) asks: AtomicU32,
    /// By [`Priority::band`]: all the same, unless nobody can wait.
    pub(super) limits: [AtomicU32; 3],
}

impl Limiter {
    /// For so many thread slots, the shared one included.
    pub(crate) fn new(shed: &Shed, threshold: Option<Duration>, slots: usize, now: Timestamp) -> Self {
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
            places: Places::new(u32::MAX, slots),
            passed: AtomicU32::new(0),
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
    pub(crate) fn enter(&self, slot: usize, context: &CallContext, now: Timestamp) -> Result<u8, Reason> {
        if self.sheds_below().is_some_and(|least| context.importance() < least) {
            return Err(Reason::ShedByHand);
        }
        if context.due().is_some_and(|due| self.is_in_vain(due, now)) {
            return Err(Reason::Deadline);
        }
        if !self.is_engaged() {
            return Ok(if context.due().is_some() && self.watches { WATCHED } else { 0 });
        }
        if let Some(level) = self.enter_if_room(slot, context.importance()) {
            return Ok(level);
        }
        self.busy.store(now.as_nanos(), Ordering::Relaxed);
        self.wanted.store(1, Ordering::Relaxed);
        let thins = self.line_is_long() && self.thins(context.importance());
        Err(if thins { Reason::Pressure } else { Reason::Limit })
    }

    /// The same for a call that brings nothing along and finds room at once; of others nothing is counted.
    #[inline]
    pub(crate) fn enter_at_once(&self, slot: impl FnOnce() -> usize) -> Option<u8> {
        // Acquire: with it the limit is seen that was learned, or begun with.
        match self.hot.asks.load(Ordering::Acquire) {
            0 => Some(0),
            LIMITS => self.enter_if_room(slot(), Priority::DEFAULT),
            _ => None, // something is shed by hand
        }
    }

    #[inline(never)] // a calm limiter's callers have no registers to save for it
    fn enter_if_room(&self, slot: usize, priority: Priority) -> Option<u8> {
        // Relaxed: who comes just then goes before somebody in line, as if he had come just before.
        if self.waiting.load(Ordering::Relaxed) != 0 || !self.take_place(slot, priority) {
            return None;
        }
        let n = self.places.count(slot);
        Some(if n <= LEARNED || n.is_multiple_of(ONE_OF) { self.level() } else { UNLEARNED })
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

    /// Takes a place, if one is free for this priority: there are as many as for the least, and some beyond for others.
    #[inline]
    pub(super) fn take_place(&self, slot: usize, priority: Priority) -> bool {
        // Relaxed: the places themselves are never too many.
        let [of_this, of_least] = [priority.band(), 2].map(|band| self.hot.limits[band].load(Ordering::Relaxed));
        self.places.take(slot, of_this.saturating_sub(of_least))
    }

    /// The level of a call that has just taken its place.
    #[cold]
    pub(super) fn level(&self) -> u8 {
        level_of(self.places.taken()) as u8 + 1
    }

    /// How many were let in without waiting since this was last asked.
    pub(super) fn newly_passed(&self) -> u32 {
        let passed = self.places.counted();
        // Under the queue's lock.
        passed.wrapping_sub(self.passed.swap(passed, Ordering::Relaxed))
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
    pub(crate) fn leave(&self, slot: usize, level: u8, ended: Ended, in_flight: impl FnOnce() -> u64, now: Timestamp) {
        let Ended { latency, good } = ended;
        if self.is_slow(latency) {
            self.busy.store(now.as_nanos(), Ordering::Relaxed);
        }
        match level {
            0 | WATCHED => {
                if level == WATCHED
                    && let Some(mut learned) = self.learned.try_lock()
                {
                    learned.watch(latency, good);
                    self.quick.store(learned.quick(), Ordering::Relaxed);
                }
                // It has no place. If it was slow, those that come now need one.
                if self.adaptive && self.is_slow(latency) && !self.is_engaged() {
                    self.engage(u32::try_from(in_flight()).unwrap_or(u32::MAX), now);
                }
            }
            UNLEARNED => self.give_back(slot, level, now),
            _ => {
                self.learn(usize::from(level) - 1, ended, now);
                self.give_back(slot, level, now);
            }
        }
    }

    fn learn(&self, level: usize, Ended { latency, good }: Ended, now: Timestamp) {
        let wanted = self.wanted.load(Ordering::Relaxed) != 0 || self.waiting.load(Ordering::Relaxed) != 0;
        // Whoever comes while another learns is not learned from: a sample less, and nobody waits.
        let Some(mut learned) = self.learned.try_lock() else { return };
        if wanted {
            self.wanted.store(0, Ordering::Relaxed);
        }
        let chosen = learned.observe(level, latency, good, wanted);
        self.expected.store(learned.expected(), Ordering::Relaxed);
        self.quick.store(learned.quick(), Ordering::Relaxed);
        if chosen {
            self.publish(&learned, now);
        }
    }

    /// A call that was let in is not made after all, or is over.
    #[inline]
    pub(crate) fn give_back(&self, slot: usize, level: u8, now: Timestamp) {
        if level != 0 && level != WATCHED {
            self.places.give_back(slot);
            self.hand_over(slot, now);
        }
    }

    /// Bytes it may take.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + self.places.memory_footprint() + self.queue.lock().memory_footprint()
    }

    /// Counts a refusal.
    pub(crate) fn count(&self, priority: Priority) {
        self.sheds[priority.band()].fetch_add(1, Ordering::Relaxed);
    }
}
