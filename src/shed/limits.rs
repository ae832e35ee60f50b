//! What a limiter's limit is: learned, published, warmed up, and given up when nothing is slow any more.

use super::Limiter;
use super::estimate::Estimator;
use super::limiter::{LIMITS, WHOLE};
use super::queue::SOONEST;
use crate::sync::Ordering;
use crate::time::Timestamp;
use std::time::Duration;

/// It disengages after so long without a slow call, or anybody who found no room; or a hundred targets, if that is longer.
const CALM: Duration = Duration::from_secs(10);
/// The most that is ever refused by ratio, so that something is still learned from the rest. In 2⁻³².
const MOST: f64 = 0.9;

impl Limiter {
    #[cold]
    pub(super) fn engage(&self, in_flight: u32, now: Timestamp) {
        let Some(mut learned) = self.learned.try_lock() else { return };
        if self.is_engaged() {
            return; // another did it meanwhile
        }
        learned.begin(in_flight);
        self.publish(&learned, now);
        self.hot.asks.fetch_or(LIMITS, Ordering::Release);
    }

    pub(super) fn publish(&self, learned: &Estimator, now: Timestamp) {
        let limit = learned.limit();
        self.base.store(limit, Ordering::Relaxed);
        let room = self.room_inside(learned, limit);
        for (published, times) in self.hot.limits.iter().zip([1.5, 1.0, 0.5]) {
            let more = (room * times).min(f64::from(u32::MAX)) as u32;
            published.store(self.warm_up.of(limit.saturating_add(more), now), Ordering::Relaxed);
        }
        // See `take_place`. Whoever publishes holds the lock on what was learned.
        self.places.resize(self.hot.limits[2].load(Ordering::Relaxed));
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

    /// What time alone does; `pressure` is how hard to shed, 0..=1 ([`pressure`](super::pressure)).
    pub(crate) fn tick(&self, slot: usize, pressure: f64, now: Timestamp) {
        for (share, beyond) in self.shares.iter().zip([0.0, 0.5]) {
            // All of it at 0.5 for what is sheddable, at 1 for what is default.
            let refused = (2.0 * MOST * (pressure - beyond)).clamp(0.0, MOST);
            share.store((refused * WHOLE as f64) as u64, Ordering::Relaxed);
        }
        if !self.is_engaged() {
            return;
        }
        self.places.mark();
        if let Some(learned) = self.learned.try_lock() {
            self.publish(&learned, now);
        }
        let busy = Timestamp::from_nanos(self.busy.load(Ordering::Relaxed));
        let calm = now.since(busy) > CALM.max(self.target.saturating_mul(100));
        let nobody_waits = self.waiting.load(Ordering::Relaxed) == 0;
        if self.adaptive && calm && nobody_waits && self.warmth(now).is_none() {
            self.hot.asks.fetch_and(!LIMITS, Ordering::Release);
        }
        self.hand_over(slot, now);
    }
}
