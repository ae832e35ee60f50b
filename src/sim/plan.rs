//! What is simulated.

use super::engine::Engine;
use super::guarded::Guarded;
use super::load::{Arrivals, Phase};
use super::policy::Policy;
use super::report::Report;
use super::service::Service;
use crate::error::Error;
use crate::guard::Guard;
use crate::registry::Plimsoll;
use crate::shed::Priority;
use crate::time::ManualClock;
use std::time::Duration;

/// More requests than this are refused: they would take minutes.
const MOST: f64 = 1e8;

/// A service under load: so many workers behind one queue, first come first served, and an admission policy before it.
///
/// The same seed gives the same requests with the same service times, whatever the policy.
#[must_use = "a simulation does nothing until `.run(…)`"]
#[derive(Clone, Debug)]
pub struct Sim {
    pub(super) service: Service,
    pub(super) workers: usize,
    pub(super) deadline: Duration,
    pub(super) phases: Vec<Phase>,
    pub(super) settle: Duration,
    pub(super) arrivals: Arrivals,
    pub(super) mix: Vec<(Priority, f64)>,
    pub(super) retries: u32,
    pub(super) refusal_cost: f64,
    pub(super) tells_deadline: bool,
    pub(super) seed: u64,
}

impl Sim {
    /// So many workers, each of whom works on one request at a time.
    pub fn new(workers: usize, service: Service) -> Self {
        Self {
            service,
            workers,
            deadline: Duration::from_secs(1),
            phases: Vec::new(),
            settle: Duration::ZERO,
            arrivals: Arrivals::Poisson,
            mix: vec![(Priority::DEFAULT, 1.0)],
            retries: 0,
            refusal_cost: 0.0,
            tells_deadline: false,
            seed: 0,
        }
    }

    /// How long clients wait for an answer before they leave: 1 s unless said otherwise. What is answered by then is
    /// answered in time.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Adds a phase.
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phases.push(phase);
        self
    }

    /// How much of the beginning of each phase is left out of what is counted: nothing unless said otherwise.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// How requests follow one another: by chance unless said otherwise.
    pub fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// How much the requests matter: each priority with its share. Shares need not add up to anything.
    pub fn mix(mut self, mix: impl IntoIterator<Item = (Priority, f64)>) -> Self {
        self.mix = mix.into_iter().collect();
        self
    }

    /// A client that is refused, or whose request fails, asks again at once, up to so many times, as long as it has not left.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// What it costs to refuse one request: a worker is kept busy for so many times the mean service time before the answer
    /// goes out. Nothing unless said otherwise.
    pub fn refusal_cost(mut self, times: f64) -> Self {
        self.refusal_cost = times;
        self
    }

    /// Clients say until when they wait, as with a deadline in a header, and the guard is told.
    pub fn tell_deadline(mut self) -> Self {
        self.tells_deadline = true;
        self
    }

    /// Another course of chance. One seed says little about a policy: try a few.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many requests a second it can answer, to begin with.
    pub fn capacity(&self) -> f64 {
        self.workers as f64 * 1e9 / self.service.mean_nanos()
    }

    /// Tries the guard that `make` makes of a registry on virtual time.
    ///
    /// # Errors
    ///
    /// What `make` is refused with, or what is wrong with the simulation.
    pub fn run(&self, make: impl FnOnce(&Plimsoll) -> Result<Guard, Error>) -> Result<Report, Error> {
        self.validate()?;
        let clock = ManualClock::new();
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let guard = make(&plimsoll)?;
        if !plimsoll.guards().iter().any(|known| std::ptr::eq(known.core, guard.core)) {
            let name = guard.name();
            return Err(Error::invalid(format!(
                "the guard {name:?} belongs to another registry, and so to another clock: make it of the registry that is \
                 handed in"
            )));
        }
        Ok(Engine::new(self, &mut Guarded::new(guard, self.tells_deadline), clock).run())
    }

    /// Tries any other policy.
    ///
    /// # Errors
    ///
    /// What is wrong with the simulation.
    pub fn run_policy(&self, policy: &mut impl Policy) -> Result<Report, Error> {
        self.validate()?;
        Ok(Engine::new(self, policy, ManualClock::new()).run())
    }

    fn validate(&self) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::invalid(what));
        self.service.validate()?;
        let workers = self.phases.iter().filter_map(|phase| phase.workers).chain([self.workers]);
        if let Some(workers) = workers.into_iter().find(|workers| !(1..=65_536).contains(workers)) {
            return wrong(format!("a simulation with {workers} workers: write 1 to 65,536"));
        }
        if self.deadline.is_zero() {
            return wrong("clients that do not wait at all: write a deadline over zero".to_owned());
        }
        if self.phases.is_empty() {
            return wrong("a simulation without a phase: add one with `.phase(Phase::new(length, load))`".to_owned());
        }
        for (number, phase) in self.phases.iter().enumerate() {
            phase.validate(number)?;
            if phase.length <= self.settle {
                return wrong(format!(
                    "phase {number} of a simulation takes {:?}, of which {:?} are left out: write a longer phase, or a \
                     shorter time to settle",
                    phase.length, self.settle
                ));
            }
        }
        let shares = self.mix.iter().map(|(_, share)| *share);
        if !shares.clone().all(|share| share.is_finite() && share >= 0.0) || shares.sum::<f64>() <= 0.0 {
            return wrong(format!(
                "requests of which {:?} have which priority: write shares from 0 up, at least one of them over 0",
                self.mix
            ));
        }
        if !(self.refusal_cost.is_finite() && self.refusal_cost >= 0.0) {
            return wrong(format!("refusals that cost {} service times: write a number from 0 up", self.refusal_cost));
        }
        let requests: f64 = self.phases.iter().map(|phase| phase.requests(self.capacity())).sum();
        if requests > MOST {
            return wrong(format!(
                "a simulation of {requests:.0} requests: at most {MOST:.0} are simulated; write shorter phases or a lower load"
            ));
        }
        Ok(())
    }
}
