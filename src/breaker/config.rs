//! What a user says about a breaker.

use super::core::Mode;
use crate::error::Error;
use crate::outcome::Accounting;
use crate::slo::Target;
use std::time::Duration;

/// How a guard breaks the circuit, and how it closes it again.
///
/// The default trips on at least 50 % bad of at least 20 calls in 10 s, on 20 consecutive bad calls, or, in a guard with
/// a fallback, when the SLO's budget burns over 14.4 × over 60 s and over 5 s. It opens for 5 s, doubling up to
/// a minute, probes with 3 calls, and lets 10 % … 100 % through over the 10 s after that.
///
/// ```
/// use plimsoll::Breaker;
/// use std::time::Duration;
///
/// let breaker = Breaker::default()
///     .failure_ratio(0.3, 50, Duration::from_secs(20))
///     .slow_ratio(0.8, Duration::from_millis(300))
///     .age_in_flight(Duration::from_secs(5), 10)
///     .open_for(Duration::from_secs(2), Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    pub(super) failure_ratio: Option<f64>,
    pub(super) slow: Option<(f64, Duration)>,
    pub(super) min_calls: u64,
    pub(super) window: Duration,
    pub(super) consecutive: Option<u32>,
    pub(super) burn: Burn,
    pub(super) burn_windows: (Duration, Duration),
    pub(super) age: Option<(Duration, u64)>,
    pub(super) open: Duration,
    pub(super) open_max: Duration,
    pub(super) jitter: f64,
    pub(super) probes: u32,
    pub(super) lease: Duration,
    pub(super) ramp: (f64, Duration),
    pub(super) mode: Mode,
    pub(super) accounting: Accounting,
    pub(super) seed: Option<u64>,
}

/// Whether the SLO's burn trips the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Burn {
    Never,
    /// To refuse a call that had a chance is worth it only where something else can answer.
    WithFallback(f64),
    Always(f64),
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failure_ratio: Some(0.5),
            min_calls: 20,
            window: Duration::from_secs(10),
            consecutive: Some(20),
            burn: Burn::WithFallback(14.4),
            ..Self::never()
        }
    }
}

impl Breaker {
    /// A breaker that nothing trips: the ground to build one with chosen trips on, or one that only operators use.
    pub fn never() -> Self {
        Self {
            failure_ratio: None,
            slow: None,
            min_calls: 20,
            window: Duration::from_secs(10),
            consecutive: None,
            burn: Burn::Never,
            burn_windows: (Duration::from_secs(60), Duration::from_secs(5)),
            age: None,
            open: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            jitter: 0.2,
            probes: 3,
            lease: Duration::from_secs(30),
            ramp: (0.1, Duration::from_secs(10)),
            mode: Mode::Auto,
            accounting: Accounting::breaker(),
            seed: None,
        }
    }

    /// Trips when at least `ratio` (0 < ratio ≤ 1) of at least `min_calls` in the last `window` were bad.
    ///
    /// `min_calls` and `window` hold for [`slow_ratio`](Self::slow_ratio) too.
    #[must_use]
    pub fn failure_ratio(mut self, ratio: f64, min_calls: u64, window: Duration) -> Self {
        (self.failure_ratio, self.min_calls, self.window) = (Some(ratio), min_calls, window);
        self
    }

    /// Trips when at least `ratio` (0 < ratio ≤ 1) of the calls succeeded but took longer than `threshold`.
    #[must_use]
    pub fn slow_ratio(mut self, ratio: f64, threshold: Duration) -> Self {
        self.slow = Some((ratio, threshold));
        self
    }

    /// Trips on `n` bad calls with no good one between them.
    #[must_use]
    pub fn consecutive(mut self, n: u32) -> Self {
        self.consecutive = Some(n);
        self
    }

    /// Trips when an objective of the SLO burns over `factor` times as fast as its budget allows, over the last minute
    /// and over the last five seconds, with at least ten bad calls: with or without a fallback.
    #[must_use]
    pub fn slo_burn(mut self, factor: f64) -> Self {
        self.burn = Burn::Always(factor);
        self
    }

    /// The windows of [`slo_burn`](Self::slo_burn), long and short: 60 s and 5 s by default.
    #[must_use]
    pub fn burn_windows(mut self, long: Duration, short: Duration) -> Self {
        self.burn_windows = (long, short);
        self
    }

    /// Trips when at least `calls` have been in flight for `age`: calls that hang never fail.
    #[must_use]
    pub fn age_in_flight(mut self, age: Duration, calls: u64) -> Self {
        self.age = Some((age, calls));
        self
    }

    /// How long it stays open: `first`, then twice as long each time the probes fail, up to `max`.
    #[must_use]
    pub fn open_for(mut self, first: Duration, max: Duration) -> Self {
        (self.open, self.open_max) = (first, max);
        self
    }

    /// How much earlier than that it may end, at random, as a ratio (0 … 1): 0.2 by default, so that a fleet does not
    /// come back all at once.
    #[must_use]
    pub fn jitter(mut self, ratio: f64) -> Self {
        self.jitter = ratio;
        self
    }

    /// How many calls must succeed in half-open, and how many may be tried at once; a probe that has not ended after
    /// `lease` is given up on and offered again.
    #[must_use]
    pub fn probes(mut self, n: u32, lease: Duration) -> Self {
        (self.probes, self.lease) = (n, lease);
        self
    }

    /// After the probes succeeded, lets the share `from` (0 … 1) of calls through at first and all of them after `over`.
    #[must_use]
    pub fn ramp(mut self, from: f64, over: Duration) -> Self {
        self.ramp = (from, over);
        self
    }

    /// Decides as ever but refuses nothing: what would have happened is in the events and in `explain()`.
    #[must_use]
    pub fn observe_only(mut self) -> Self {
        self.mode = Mode::Observe;
        self
    }

    /// What is good, bad and not counted; [`Accounting::breaker`] by default.
    #[must_use]
    pub fn accounting(mut self, accounting: Accounting) -> Self {
        self.accounting = accounting;
        self
    }

    /// Makes the jitter repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    pub(crate) fn slow_threshold(&self) -> Option<Duration> {
        self.slow.map(|(_, threshold)| threshold)
    }

    pub(crate) fn trips_by(&self) -> Accounting {
        self.accounting
    }

    /// The burn factor that trips, given whether there is a fallback.
    pub(crate) fn burn_factor(&self, fallback: bool) -> Option<f64> {
        match self.burn {
            Burn::Always(factor) => Some(factor),
            Burn::WithFallback(factor) if fallback => Some(factor),
            _ => None,
        }
    }

    /// Refuses a burn trip that was asked for and that no outage could reach.
    pub(crate) fn validate_burn(&self, guard: &str, targets: impl Iterator<Item = Target>) -> Result<(), Error> {
        let Burn::Always(factor) = self.burn else { return Ok(()) };
        match targets.map(Target::largest_burn).reduce(f64::max) {
            Some(largest) if factor < largest => Ok(()),
            Some(largest) => Err(Error::unreachable(format!(
                "breaker of guard {guard:?}: a total outage burns {largest:.4} times too fast at the most, so \
                 `.slo_burn({factor})` never trips: write a factor under {largest:.4}, or leave it out"
            ))),
            None => Err(Error::unreachable(format!(
                "breaker of guard {guard:?}: the SLO's objectives are all judged by slices of time, which \
                 `.slo_burn({factor})` does not see: leave it out, or add an objective that counts events"
            ))),
        }
    }

    pub(crate) fn validate(&self, guard: &str) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::invalid(format!("breaker of guard {guard:?}: {what}")));
        for (name, ratio) in [("failure_ratio", self.failure_ratio), ("slow_ratio", self.slow.map(|(ratio, _)| ratio))]
        {
            if let Some(ratio) = ratio
                && !(ratio > 0.0 && ratio <= 1.0)
            {
                return refuse(format!("{name} is {ratio}; write a ratio over 0 and up to 1, such as 0.5 for 50 %"));
            }
        }
        if let Some((_, slow)) = self.slow
            && !(Duration::from_micros(1)..=Duration::from_secs(60)).contains(&slow)
        {
            return refuse(format!("a call is slow after {slow:?}; write 1 us to 60 s, which is what is measured"));
        }
        if self.ramp.1 > Duration::from_secs(86_400) {
            return refuse(format!("it ramps for {:?}; write up to 24 h", self.ramp.1));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return refuse(format!("jitter is {}; write a ratio from 0 to 1, such as 0.2", self.jitter));
        }
        if !(0.0..=1.0).contains(&self.ramp.0) {
            return refuse(format!("the ramp starts at {}; write a share from 0 to 1, such as 0.1", self.ramp.0));
        }
        if self.probes == 0 || self.probes > 1_000 {
            return refuse(format!("{} probes; write 1 to 1000: with none it could never close", self.probes));
        }
        if self.consecutive == Some(0) {
            return refuse("0 consecutive failures; write at least 1, or leave it out".into());
        }
        if self.min_calls == 0 {
            return refuse("min_calls is 0; write at least 1: one call must have been seen".into());
        }
        if self.age.is_some_and(|(_, calls)| calls == 0) {
            return refuse("age_in_flight of 0 calls would trip at once; write at least 1".into());
        }
        let (long, short) = self.burn_windows;
        if let Burn::WithFallback(factor) | Burn::Always(factor) = self.burn
            && !(factor > 0.0 && factor <= 1e6)
        {
            return refuse(format!("slo_burn is {factor}; write a factor over 0, such as 14.4"));
        }
        let spans = [
            ("window", self.window),
            ("long burn window", long),
            ("short burn window", short),
            ("open_for", self.open),
            ("maximum of open_for", self.open_max),
            ("lease of a probe", self.lease),
        ];
        let (least, most) = (Duration::from_millis(50), Duration::from_secs(86_400));
        for (name, span) in spans.into_iter().chain(self.age.map(|(age, _)| ("age_in_flight", age))) {
            if span < least || span > most {
                return refuse(format!("the {name} is {span:?}; write 50 ms to 24 h"));
            }
        }
        if short > long {
            return refuse(format!("its short burn window, {short:?}, is longer than its long one, {long:?}"));
        }
        if self.open > self.open_max {
            return refuse(format!("it opens for {:?} at first but {:?} at most", self.open, self.open_max));
        }
        Ok(())
    }
}
