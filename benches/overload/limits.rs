//! Policies that adapt a limit of how many requests are in flight to how long they take. From Netflix's concurrency-limits
//! (Vegas, Gradient2, AIMD) and Envoy's adaptive concurrency filter, with their defaults.

use plimsoll::Timestamp;
use plimsoll::sim::{Answer, Call, Ended, Policy};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// One request that ended.
pub struct Sample {
    /// From its admission, in seconds.
    pub took: f64,
    /// How many were in flight when it was admitted, itself included.
    pub in_flight: usize,
    /// Nobody worked on it: it was too late.
    pub dropped: bool,
    pub now: u64,
}

pub trait Limit {
    fn limit(&self) -> usize;
    fn sample(&mut self, sample: &Sample);
}

/// Refuses what is over the limit.
pub struct Limited<L> {
    limit: L,
    in_flight: usize,
    admitted: Vec<(u64, usize)>,
}

impl<L: Limit> Limited<L> {
    pub fn by(limit: L) -> Self {
        Self { limit, in_flight: 0, admitted: Vec::new() }
    }
}

impl<L: Limit> Policy for Limited<L> {
    fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer {
        if self.in_flight >= self.limit.limit() {
            return Answer::Refuse("limit");
        }
        self.in_flight += 1;
        let place = call.place as usize;
        if self.admitted.len() <= place {
            self.admitted.resize(place + 1, (0, 0));
        }
        self.admitted[place] = (now.as_nanos(), self.in_flight);
        Answer::Admit
    }

    fn end(&mut self, call: &Call, ended: Ended, now: Timestamp) {
        self.in_flight -= 1;
        let (since, in_flight) = self.admitted[call.place as usize];
        let now = now.as_nanos();
        let took = (now - since) as f64 / 1e9;
        self.limit.sample(&Sample { took, in_flight, dropped: ended == Ended::Left, now });
    }
}

/// Never changes.
pub struct Fixed(pub usize);

impl Limit for Fixed {
    fn limit(&self) -> usize {
        self.0
    }

    fn sample(&mut self, _: &Sample) {}
}

/// Holds the part of the limit that is queue between 3 and 6 times its logarithm, by the shortest time seen since the last
/// probe.
pub struct Vegas {
    limit: f64,
    least: f64,
    probed: u64,
    jitter: f64,
    rng: StdRng,
}

impl Vegas {
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self { limit: 20.0, least: f64::INFINITY, probed: 0, jitter: rng.random_range(0.5..1.0), rng }
    }
}

impl Limit for Vegas {
    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn sample(&mut self, sample: &Sample) {
        self.probed += 1;
        if self.jitter * 30.0 * self.limit <= self.probed as f64 {
            (self.probed, self.least) = (0, sample.took);
            self.jitter = self.rng.random_range(0.5..1.0);
            return;
        }
        if sample.took < self.least {
            self.least = sample.took;
            return;
        }
        let step = self.limit.log10().floor().max(1.0);
        let queue = (self.limit * (1.0 - self.least / sample.took)).ceil();
        let limit = if sample.dropped {
            self.limit - step
        } else if (sample.in_flight * 2) < self.limit as usize {
            return;
        } else if queue <= step {
            self.limit + 6.0 * step
        } else if queue < 3.0 * step {
            self.limit + step
        } else if queue > 6.0 * step {
            self.limit - step
        } else {
            return;
        };
        self.limit = limit.clamp(1.0, 1_000.0);
    }
}

/// Follows the ratio of the long-term time, and a half more, to that of the last second, with room for a queue of 4. Its
/// lowest limit is 20 by default, which is 1 here.
pub struct Gradient2 {
    limit: f64,
    long: f64,
    seconds: u32,
    took: f64,
    samples: u32,
    in_flight: usize,
    ends: u64,
}

impl Gradient2 {
    pub fn new() -> Self {
        Self { limit: 20.0, long: 0.0, seconds: 0, took: 0.0, samples: 0, in_flight: 0, ends: 0 }
    }
}

impl Limit for Gradient2 {
    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn sample(&mut self, sample: &Sample) {
        self.took += sample.took;
        self.samples += 1;
        self.in_flight = self.in_flight.max(sample.in_flight);
        if sample.now < self.ends || self.samples < 10 {
            return;
        }
        let (short, in_flight) = (self.took / f64::from(self.samples), self.in_flight as f64);
        (self.took, self.samples, self.in_flight, self.ends) = (0.0, 0, 0, sample.now + 1_000_000_000);
        let weight = if self.seconds < 10 { 1.0 / f64::from(self.seconds + 1) } else { 2.0 / 601.0 };
        self.seconds += 1;
        self.long += (short - self.long) * weight;
        let long = self.long;
        if long / short > 2.0 {
            self.long *= 0.95;
        }
        if in_flight < self.limit / 2.0 {
            return;
        }
        let limit = self.limit * (1.5 * long / short).clamp(0.5, 1.0) + 4.0;
        self.limit = (self.limit * 0.8 + limit * 0.2).clamp(1.0, 200.0);
    }
}

/// One more for each success at the limit, a tenth less for each that was dropped or late; never under 20.
pub struct Aimd {
    limit: f64,
}

impl Aimd {
    pub fn new() -> Self {
        Self { limit: 20.0 }
    }
}

impl Limit for Aimd {
    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn sample(&mut self, sample: &Sample) {
        if sample.dropped || sample.took > 0.1 {
            self.limit *= 0.9;
        } else if sample.in_flight * 2 >= self.limit as usize {
            self.limit += 1.0;
        }
        self.limit = self.limit.clamp(20.0, 200.0);
    }
}

/// Every 100 ms, the limit times the ratio of the least median time (measured anew every minute, at a limit of 3) to the
/// present one, and room of its square root.
pub struct Envoy {
    limit: f64,
    before: f64,
    least: Option<f64>,
    samples: Vec<f64>,
    update: u64,
    remeasure: u64,
    rng: StdRng,
}

impl Envoy {
    pub fn new(seed: u64) -> Self {
        Self {
            limit: 3.0,
            before: 3.0,
            least: None,
            samples: Vec::new(),
            update: 0,
            remeasure: 0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn median(&mut self) -> f64 {
        let middle = self.samples.len() / 2;
        *self.samples.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

impl Limit for Envoy {
    fn limit(&self) -> usize {
        self.limit as usize
    }

    fn sample(&mut self, sample: &Sample) {
        if sample.dropped {
            return;
        }
        self.samples.push(sample.took);
        match self.least {
            None if self.samples.len() >= 50 => {
                self.least = Some(self.median());
                self.limit = self.before;
                self.remeasure = sample.now + (60e9 * self.rng.random_range(1.0..1.15)) as u64;
            }
            Some(_) if sample.now >= self.remeasure => {
                (self.before, self.limit, self.least) = (self.limit, 3.0, None);
            }
            Some(least) if sample.now >= self.update => {
                let gradient = (least * 1.25 / self.median()).clamp(0.5, 2.0);
                let limit = self.limit * gradient;
                self.limit = (limit + limit.sqrt()).clamp(3.0, 1_000.0);
            }
            _ => return,
        }
        self.samples.clear();
        self.update = sample.now + 100_000_000;
    }
}
