//! Letting in more and more, after a start or an outage: caches are cold, connections are not open yet.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::Timestamp;
use std::time::Duration;

/// A warm-up begins with so many calls at once, and doubles that eight times, if no limit is known.
const COLD: u32 = 8;
const WARM: u32 = COLD << 8;
/// If one is known, it begins with this part of it.
const PART: u32 = 8;
/// Whoever was not called for so many times as long as a warm-up takes is cold again.
const IDLE: u32 = 10;

/// How far a warm-up is.
#[derive(Debug)]
pub(super) struct WarmUp {
    over: Duration,
    /// When it ends (nanoseconds).
    until: AtomicU64,
    first: AtomicU32,
    last: AtomicU32,
}

impl WarmUp {
    /// One that takes so long; none, if that is zero.
    pub(super) fn new(over: Duration) -> Self {
        Self { over, until: AtomicU64::new(0), first: AtomicU32::new(COLD), last: AtomicU32::new(WARM) }
    }

    /// Begins it. Returns whether there is any; `limit` is the limit that it leads to, or the greatest number there is.
    pub(super) fn begin(&self, limit: u32, now: Timestamp) -> bool {
        let (first, last) = if limit == u32::MAX { (COLD, WARM) } else { ((limit / PART).max(1), limit) };
        // Relaxed: whoever mixes two warm-ups lets in a little more or less for a moment.
        self.first.store(first, Ordering::Relaxed);
        self.last.store(last, Ordering::Relaxed);
        self.until.store(now.after(self.over).as_nanos(), Ordering::Relaxed);
        !self.over.is_zero()
    }

    /// How far it is, 0..1; none if there is none, any more.
    pub(super) fn warmth(&self, now: Timestamp) -> Option<f64> {
        let left = Timestamp::from_nanos(self.until.load(Ordering::Relaxed)).since(now);
        (!left.is_zero() && !self.over.is_zero()).then(|| 1.0 - left.as_secs_f64() / self.over.as_secs_f64())
    }

    /// What it lets in of a limit.
    pub(super) fn of(&self, limit: u32, now: Timestamp) -> u32 {
        let Some(warmth) = self.warmth(now) else { return limit };
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        limit.min((f64::from(first) * (f64::from(last) / f64::from(first)).powf(warmth)) as u32)
    }

    /// Whether who was not called for so long is cold.
    pub(super) fn is_cold_after(&self, idle: Duration) -> bool {
        !self.over.is_zero() && idle >= self.over.saturating_mul(IDLE)
    }
}
