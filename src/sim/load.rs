//! How much is asked of the service, phase by phase.

use super::service::exponential;
use crate::error::Error;
use crate::time::nanos;
use rand::rngs::StdRng;
use std::time::Duration;

/// How requests follow one another. The load is open either way: they come whether or not others were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrivals {
    /// By chance and independently, as those of many users do.
    #[default]
    Poisson,
    /// At even intervals.
    Even,
}

impl Arrivals {
    /// How much load passes before the next request comes, in requests.
    pub(super) fn gap(self, rng: &mut StdRng) -> f64 {
        match self {
            Self::Poisson => exponential(rng),
            Self::Even => 1.0,
        }
    }
}

/// A time over which load and service do not change, or change steadily.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub(super) length: Duration,
    from: Load,
    to: Load,
    pub(super) failing: f64,
    pub(super) slower: f64,
    pub(super) workers: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    /// Of the capacity that the service was built with.
    Times(f64),
    PerSecond(f64),
}

impl Load {
    fn per_second(self, capacity: f64) -> f64 {
        match self {
            Self::Times(times) => times * capacity,
            Self::PerSecond(rate) => rate,
        }
    }
}

impl Phase {
    /// `length` at so many times the capacity that the service has from the start: 1.0 is all that it can do.
    pub fn new(length: Duration, load: f64) -> Self {
        Self::at(length, Load::Times(load))
    }

    /// `length` at so many requests a second.
    pub fn per_second(length: Duration, rate: f64) -> Self {
        Self::at(length, Load::PerSecond(rate))
    }

    fn at(length: Duration, load: Load) -> Self {
        Self { length, from: load, to: load, failing: 0.0, slower: 1.0, workers: None }
    }

    /// The load rises, or falls, in a straight line: to so many times the capacity if the phase began with a multiple of it,
    /// to so many requests a second if it began with those.
    pub fn to(mut self, load: f64) -> Self {
        self.to = match self.from {
            Load::Times(_) => Load::Times(load),
            Load::PerSecond(_) => Load::PerSecond(load),
        };
        self
    }

    /// A share of the requests, 0..=1, fails: after the time that they would have taken.
    pub fn failing(mut self, ratio: f64) -> Self {
        self.failing = ratio;
        self
    }

    /// The work for each request takes so many times as long: 2.0 halves the capacity.
    pub fn slower(mut self, times: f64) -> Self {
        self.slower = times;
        self
    }

    /// There are so many workers. Those too many finish what they have begun.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    pub(super) fn validate(&self, number: usize) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::invalid(format!("phase {number} of a simulation {what}")));
        if self.length.is_zero() {
            return wrong("takes no time: write a length over zero".to_owned());
        }
        for load in [self.from, self.to] {
            let (Load::Times(load) | Load::PerSecond(load)) = load;
            if !(load.is_finite() && load >= 0.0) {
                return wrong(format!("has a load of {load}: write a number from 0 up"));
            }
        }
        if !(0.0..=1.0).contains(&self.failing) {
            return wrong(format!("fails a share of {}: write a share of 0 to 1", self.failing));
        }
        if !(self.slower.is_finite() && self.slower > 0.0) {
            return wrong(format!("is {} times slower: write a number over 0", self.slower));
        }
        Ok(())
    }

    /// How many requests come, on average.
    pub(super) fn requests(&self, capacity: f64) -> f64 {
        let (from, to) = (self.from.per_second(capacity), self.to.per_second(capacity));
        (from + to) / 2.0 * self.length.as_secs_f64()
    }

    /// After how many nanoseconds, counted from `since` nanoseconds into the phase, `load` further requests will have come;
    /// or how many of them are still to come when it ends.
    pub(super) fn pass(&self, since: u64, load: f64, capacity: f64) -> Result<u64, f64> {
        let length = nanos(self.length) as f64;
        let (first, last) = (self.from.per_second(capacity) / 1e9, self.to.per_second(capacity) / 1e9);
        let slope = (last - first) / length;
        let (rate, left) = (first + slope * since as f64, length - since as f64);
        let coming = left * (rate + last) / 2.0;
        if load > coming {
            return Err(load - coming);
        }
        // rate·t + slope·t²/2 = load, solved so that a slope of zero is no special case.
        let root = (rate * rate + 2.0 * slope * load).max(0.0).sqrt();
        let time = if rate + root > 0.0 { 2.0 * load / (rate + root) } else { left };
        Ok(time.min(left) as u64)
    }
}
