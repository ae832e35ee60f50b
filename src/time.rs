//! The only place that reads a clock.
//!
//! Everything else is handed `now`, a [`Timestamp`]. One [`Clock`] is injected per registry, so that windows,
//! probes, leases and back-off all live on the same time line, and a [`ManualClock`] can move all of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A point on a [`Clock`]'s time line: nanoseconds since an origin that only that clock knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The nanoseconds from `earlier` to `self`; zero if `earlier` is later. A [`Duration`] would cost a division.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `by` later, or the last one there is.
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }
}

/// A duration in whole nanoseconds, saturating after 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// Where time lines start: late enough that there is a past to look back on.
const START: u64 = 3_600_000_000_000;

/// What a [`Clock`] counts in, before it is made nanoseconds of: for the hot path, which compares and subtracts more often
/// than it asks what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(u64);

impl Ticks {
    pub(crate) const fn raw(self) -> u64 {
        self.0
    }
}

/// The injected clock: monotonic time for every decision, wall time for labels and calendar months only.
///
/// The default reads the time-stamp counter where it is invariant and the operating system's monotonic clock
/// where it is not.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    /// Nanoseconds that 2³² ticks take: off by 10⁻⁹ of an interval at the most, and no branch asks which clock it is.
    scale: u64,
}

#[derive(Clone)]
enum Source {
    Counter { clock: quanta::Clock, origin: u64 },
    Manual(ManualClock),
}

/// Ticks of a [`Clock`]'s scale.
const SCALED: u64 = 1 << 32;

impl Clock {
    /// The machine's clock.
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let (origin, scale) = (clock.raw(), clock.delta_as_nanos(0, SCALED).max(1));
        Self { source: Source::Counter { clock, origin }, scale }
    }

    /// Now, on the monotonic time line. On one thread it never goes back; a time that another thread has just read may be
    /// some tens of nanoseconds ahead, for processors read their counter out of order. [`Timestamp::since`] is then zero.
    pub fn now(&self) -> Timestamp {
        self.at(self.ticks())
    }

    /// Now, in the clock's own unit.
    #[inline]
    pub(crate) fn ticks(&self) -> Ticks {
        match &self.source {
            Source::Counter { clock, .. } => Ticks(clock.raw()),
            Source::Manual(manual) => Ticks(manual.inner.now.load(Ordering::Acquire)),
        }
    }

    /// What time that was.
    #[inline]
    pub(crate) fn at(&self, ticks: Ticks) -> Timestamp {
        match &self.source {
            Source::Counter { origin, .. } => Timestamp(START + self.nanos_between(Ticks(*origin), ticks)),
            Source::Manual(_) => Timestamp(ticks.0),
        }
    }

    /// The nanoseconds from `start` to `end`; zero if `end` is earlier, for readings of a counter on two cores may differ
    /// by a few ticks.
    #[inline]
    pub(crate) fn nanos_between(&self, start: Ticks, end: Ticks) -> u64 {
        ((u128::from(end.0.saturating_sub(start.0)) * u128::from(self.scale)) >> 32) as u64
    }

    /// When it will be `time`, never late but up to a thousandth of the way there early: for who then looks again.
    pub(crate) fn shortly_before(&self, time: Timestamp, now: Ticks) -> Ticks {
        match &self.source {
            Source::Counter { .. } => {
                let ticks = (time.since(self.at(now)).as_nanos() << 32) / u128::from(self.scale);
                Ticks(now.0.saturating_add(u64::try_from(ticks - ticks / 1_000).unwrap_or(u64::MAX)))
            }
            Source::Manual(_) => Ticks(time.0),
        }
    }

    /// The wall clock. It may step; nothing but labels and calendar months depends on it.
    #[allow(clippy::disallowed_methods)] // the one room that may
    pub fn wall(&self) -> SystemTime {
        match &self.source {
            Source::Counter { .. } => SystemTime::now(),
            Source::Manual(manual) => {
                SystemTime::UNIX_EPOCH + Duration::from_nanos(manual.inner.wall.load(Ordering::Acquire))
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Self { source: Source::Manual(manual), scale: SCALED }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            Source::Counter { .. } => "Clock::Machine",
            Source::Manual(_) => "Clock::Manual",
        })
    }
}

/// A clock that moves only when told to, for tests of one's own policies.
///
/// Clones share the same time.
///
/// ```
/// use plimsoll::{ManualClock, Plimsoll, Slo, Window};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let plimsoll = Plimsoll::with_clock(clock.clone());
/// let slo = plimsoll.declare(Slo::new("checkout").success(99.0).over_days(30))?;
/// for i in 0..1_000 {
///     slo.count(if i < 900 { 1 } else { 0 }, if i < 900 { 0 } else { 1 });
///     clock.advance(Duration::from_millis(10));
/// }
/// assert_eq!(slo.burn_rate(Window::minutes(1))?.value, 10.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    inner: Arc<Manual>,
}

#[derive(Debug)]
struct Manual {
    now: AtomicU64,
    wall: AtomicU64,
}

impl ManualClock {
    /// A clock that shows 2026-01-01 00:00:00 UTC on the wall.
    pub fn new() -> Self {
        let wall = Duration::from_secs(1_767_225_600);
        Self { inner: Arc::new(Manual { now: AtomicU64::new(START), wall: AtomicU64::new(nanos(wall)) }) }
    }

    /// Moves both time lines on.
    pub fn advance(&self, by: Duration) {
        self.inner.now.fetch_add(nanos(by), Ordering::AcqRel);
        self.inner.wall.fetch_add(nanos(by), Ordering::AcqRel);
    }

    /// Sets the wall clock alone, as an operator or NTP may: monotonic time does not notice.
    ///
    /// A time before 1970 is taken as 1970.
    pub fn set_wall(&self, wall: SystemTime) {
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.inner.wall.store(nanos(since), Ordering::Release);
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.inner.now.load(Ordering::Acquire))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}
