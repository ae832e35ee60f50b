//! The breaker against a second, naive one: long random histories, with everything that callers may do.

use crate::naive_breaker::{End, Naive, Phase, Rules};
use crate::property_windows::{config, idle};
use crate::rig::{Rig, ms, rig_for, secs};
use plimsoll::{Breaker, Outcome, Permit, Reason, Rejection, Slo, State, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

fn rules() -> impl Strategy<Value = Rules> {
    let trips = (1_u32..=20, 1_u64..40, prop_oneof![Just(secs(1)), Just(secs(10)), Just(secs(60))], 1_u32..60);
    let heals = (1_u32..6, 1_u64..40, 1_u64..10, 1_u64..8);
    let ramp = prop_oneof![1 => Just((0.1, Duration::ZERO)), 4 => (0.0..=1.0_f64, (1_u64..20).prop_map(secs))];
    (trips, heals, ramp).prop_map(|((twentieths, min_calls, window, consecutive), heals, ramp)| {
        let (probes, lease, open, most) = heals;
        let ratio = f64::from(twentieths) / 20.0;
        let (lease, open) = (secs(lease), secs(open));
        let open_max = open * u32::try_from(most).unwrap();
        Rules { ratio, min_calls, window, consecutive, probes, lease, open, open_max, ramp }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    /// To the nanosecond at which the breaker says it may be worth it.
    WaitAsTold,
    Admit,
    /// The end of a call that was let in before: one of those held, by a number to be taken modulo theirs.
    End(usize, End),
    Calls(usize, Duration, End),
    Tick,
    ForceOpen,
    ForceClosed,
    Auto,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![4 => Just(End::Good), 4 => Just(End::Bad), 1 => Just(End::Dropped)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => idle().prop_map(Step::Wait),
        6 => Just(Step::WaitAsTold),
        24 => Just(Step::Admit),
        24 => (any::<usize>(), end()).prop_map(|(which, end)| Step::End(which, end)),
        8 => (1_usize..40, 0_u64..100, end()).prop_map(|(n, every, end)| Step::Calls(n, ms(every), end)),
        2 => Just(Step::Tick),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::ForceClosed),
        4 => Just(Step::Auto),
    ]
}

/// A call that was let in: in which life, and as the how-manieth probe if it is one.
struct Held {
    permit: Permit,
    life: u64,
    probe: u64,
}

/// The two side by side.
struct Pair {
    rig: Rig,
    naive: Naive,
    held: Vec<Held>,
    /// Good, bad, dropped, refused.
    counts: [u64; 4],
}

impl Pair {
    fn new(rules: Rules) -> Self {
        let breaker = Breaker::never()
            .jitter(0.0)
            .failure_ratio(rules.ratio, rules.min_calls, rules.window)
            .consecutive(rules.consecutive)
            .probes(rules.probes, rules.lease)
            .open_for(rules.open, rules.open_max)
            .ramp(rules.ramp.0, rules.ramp.1);
        let rig = rig_for(Slo::new("pair").success(99.0), breaker);
        Self { rig, naive: Naive::new(rules), held: Vec::new(), counts: [0; 4] }
    }

    fn now(&self) -> Timestamp {
        self.rig.clock.now()
    }

    /// What is seen of the real one is what the naive one says, which a trip that may be is taken into.
    fn agree(&mut self, may: bool, must: bool) -> Result<(), TestCaseError> {
        let (now, seen) = (self.now(), self.rig.guard.state());
        self.naive.tick(now);
        let why = || self.rig.guard.explain();
        let judged = matches!(self.naive.phase, Phase::Closed | Phase::Ramping { .. });
        if judged && seen == State::Open {
            prop_assert!(may || self.naive.judge(now).0, "it tripped for nothing: {}", why());
            self.naive.open(now);
        }
        prop_assert!(!(must && judged) || seen == State::Open, "it did not trip: {}", why());
        prop_assert_eq!(seen, self.naive.state(), "{}", why());
        prop_assert_eq!(self.rig.guard.in_flight(), self.held.len() as u64);
        Ok(())
    }

    fn admit(&mut self) -> Result<Option<Held>, TestCaseError> {
        let now = self.now();
        self.naive.tick(now);
        let may = self.naive.judge(now).0;
        let answer = self.rig.guard.admit();
        if may && matches!(&answer, Err(refused) if refused.reason() == Reason::Open) {
            // Time alone has made the ratio what trips, by forgetting good ones; the tick that let this call ask saw it.
            self.naive.open(now);
        }
        let told = |refused: &Rejection| (refused.reason(), refused.retry_after());
        match (self.naive.ask(now), &answer) {
            (Some(expected), _) => prop_assert_eq!(answer.as_ref().map(|_| ()).map_err(told), expected),
            (None, _) => self.ramp(&answer, now)?,
        }
        match answer {
            Ok(permit) => {
                let (life, probe) = self.naive.admitted(now);
                Ok(Some(Held { permit, life, probe }))
            }
            Err(_) => {
                self.counts[3] += 1;
                Ok(None)
            }
        }
    }

    fn ramp(&mut self, answer: &Result<Permit, Rejection>, now: Timestamp) -> Result<(), TestCaseError> {
        let Phase::Ramping { since } = self.naive.phase else { panic!("not ramping") };
        let ((from, over), gone) = (self.naive.rules.ramp, now.since(since));
        let (share, passed) = &mut self.naive.ramped;
        *share += from + (1.0 - from) * gone.as_secs_f64() / over.as_secs_f64();
        match answer {
            Ok(_) => *passed += 1.0,
            Err(refused) => {
                prop_assert_eq!((refused.reason(), refused.retry_after()), (Reason::Ramping, Some(over - gone)));
            }
        }
        prop_assert!((*share - *passed).abs() < 1.001, "{} of {} let through", passed, share);
        Ok(())
    }

    fn end(&mut self, held: Held, end: End) -> Result<(), TestCaseError> {
        let Held { permit, life, probe } = held;
        let now = self.now();
        self.naive.tick(now);
        let may = self.naive.judge(now).0;
        match end {
            End::Good => permit.success(),
            End::Bad => permit.failure(),
            End::Dropped => drop(permit),
        }
        self.counts[end as usize] += 1;
        let must = self.naive.ended(life, probe, end, now);
        self.agree(may, must)
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(time) => self.rig.wait(time),
            Step::WaitAsTold => {
                let refusal = self.naive.ask(self.now()).and_then(Result::err);
                self.rig.wait(refusal.and_then(|(_, wait)| wait).unwrap_or_default());
            }
            Step::Admit => {
                let held = self.admit()?;
                self.held.extend(held);
                self.agree(false, false)?;
            }
            Step::End(which, end) if !self.held.is_empty() => {
                let held = self.held.swap_remove(which % self.held.len());
                self.end(held, end)?;
            }
            Step::End(..) => {}
            Step::Calls(n, every, end) => {
                for _ in 0..n {
                    if let Some(held) = self.admit()? {
                        self.end(held, end)?;
                    }
                    self.rig.wait(every);
                }
            }
            Step::Tick => {
                self.rig.plimsoll.tick();
                self.agree(false, false)?;
            }
            Step::ForceOpen => {
                self.rig.guard.force_open();
                self.operate(Phase::ForcedOpen);
            }
            Step::ForceClosed => {
                self.rig.guard.force_closed();
                self.operate(Phase::ForcedClosed);
            }
            Step::Auto => {
                self.rig.guard.auto();
                match self.naive.phase {
                    Phase::ForcedOpen => {
                        self.naive.opened = 0;
                        let now = self.now();
                        self.naive.close(now);
                    }
                    Phase::ForcedClosed => self.operate(Phase::Closed),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn operate(&mut self, phase: Phase) {
        if self.naive.phase != phase {
            self.naive.opened = 0;
            self.naive.begin(phase);
        }
    }

    /// The service is well from now on: soon all calls pass, whatever happened before and whatever still hangs.
    fn heals(&mut self) -> Result<(), TestCaseError> {
        self.step(Step::Auto)?;
        let Rules { window, lease, open_max, ramp, .. } = self.naive.rules;
        // It may open once more, for what it has seen lately.
        let bound = window + open_max + lease + ramp.1 + secs(2);
        let began = self.now();
        while self.now().since(began) < bound {
            self.step(Step::Calls(5, ms(300), End::Good))?;
        }
        prop_assert_eq!(self.rig.guard.state(), State::Closed, "wedged: {}", self.rig.guard.explain());
        let [good, bad, dropped, refused] = self.counts;
        let counted = [Outcome::Success, Outcome::FAILURE, Outcome::Abandoned, Outcome::Rejected];
        prop_assert_eq!(counted.map(|outcome| self.rig.outcome(outcome)), [good, bad, dropped, refused]);
        Ok(())
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_breaker_does_what_was_specified_and_nothing_else(
        rules in rules(),
        steps in prop::collection::vec(step(), 900..1_100),
    ) {
        let mut pair = Pair::new(rules);
        for step in steps {
            pair.step(step)?;
        }
        pair.heals()?;
    }
}
