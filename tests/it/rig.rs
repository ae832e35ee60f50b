//! A guard on a manual clock, and the moves that tests of it have in common.

use plimsoll::{
    Breaker, EventKind, Guard, ManualClock, Outcome, Permit, Plimsoll, Reason, Rejection, Slo, SloHandle, State,
};
use std::time::Duration;

pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) plimsoll: Plimsoll,
    pub(crate) slo: SloHandle,
    pub(crate) guard: Guard,
}

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The default breaker, with no chance in it.
pub(crate) fn steady() -> Breaker {
    Breaker::default().jitter(0.0)
}

pub(crate) fn rig(breaker: Breaker) -> Rig {
    rig_for(Slo::new("payments").success(99.9).latency(99.0, ms(500)), breaker)
}

/// Declared so long after the clock began, with nothing that trips.
pub(crate) fn rig_after(since: Duration) -> Rig {
    let clock = ManualClock::new();
    clock.advance(since);
    rig_on(clock, Slo::new("payments").success(99.9), Breaker::never())
}

pub(crate) fn rig_for(slo: Slo, breaker: Breaker) -> Rig {
    rig_on(ManualClock::new(), slo, breaker)
}

fn rig_on(clock: ManualClock, slo: Slo, breaker: Breaker) -> Rig {
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(slo).unwrap();
    let guard = slo.guard().breaker(breaker).build().unwrap();
    Rig { clock, plimsoll, slo, guard }
}

impl Rig {
    pub(crate) fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn admit(&self) -> Permit {
        self.guard.admit().unwrap_or_else(|refused| panic!("{refused}: {}", self.guard.explain()))
    }

    pub(crate) fn refused(&self) -> Rejection {
        match self.guard.admit() {
            Ok(_) => panic!("let through: {}", self.guard.explain()),
            Err(rejection) => rejection,
        }
    }

    /// So many permits.
    pub(crate) fn admit_many(&self, n: usize) -> Vec<Permit> {
        (0..n).map(|_| self.admit()).collect()
    }

    /// `n` calls of `every` each, one after another.
    pub(crate) fn calls(&self, n: usize, every: Duration, outcome: Outcome) {
        for _ in 0..n {
            let permit = self.admit();
            self.wait(every);
            permit.finish(outcome);
        }
    }

    pub(crate) fn successes(&self, n: usize, every: Duration) {
        self.calls(n, every, Outcome::Success);
    }

    /// Fails until the circuit opens; says after how many calls.
    pub(crate) fn trip(&self) -> usize {
        let mut failed = 0;
        for _ in 0..10_000 {
            match self.guard.admit() {
                Ok(permit) => permit.failure(),
                Err(refused) if refused.reason() == Reason::Open => return failed,
                Err(_) => continue,
            }
            failed += 1;
        }
        panic!("never opened: {}", self.guard.explain());
    }

    /// From open to half-open.
    pub(crate) fn half_open(&self) {
        self.wait(self.refused().retry_after().unwrap());
        self.expect(State::HalfOpen);
    }

    /// Through the default's probes and ramp.
    pub(crate) fn heal(&self) {
        self.half_open();
        self.successes(3, Duration::ZERO);
        self.expect(State::Ramping);
        self.wait(secs(10));
        self.expect(State::Closed);
    }

    #[track_caller]
    pub(crate) fn expect(&self, state: State) {
        assert_eq!(self.guard.state(), state, "{}", self.guard.explain());
    }

    /// Every change of state so far: from, to, why.
    pub(crate) fn changes(&self) -> Vec<(&'static str, &'static str, String)> {
        let breaker = |kind| match kind {
            EventKind::Breaker { from, to, why, .. } => Some((from, to, why)),
            _ => None,
        };
        self.plimsoll.events().into_iter().filter_map(|event| breaker(event.kind)).collect()
    }

    /// How often it opened.
    pub(crate) fn trips(&self) -> usize {
        self.changes().iter().filter(|(_, to, _)| *to == "open").count()
    }

    pub(crate) fn outcome(&self, outcome: Outcome) -> u64 {
        self.guard.outcomes().find(|(known, _)| *known == outcome).map_or(0, |(_, n)| n)
    }

    /// How many of `n` callers who come at this instant are let through; they succeed afterwards.
    pub(crate) fn storm(&self, n: usize) -> usize {
        let passed: Vec<Permit> = (0..n).filter_map(|_| self.guard.admit().ok()).collect();
        let count = passed.len();
        passed.into_iter().for_each(Permit::success);
        count
    }
}
