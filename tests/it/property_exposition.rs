//! What is kept from one exposition to the next never shows: a text that follows others is the text of a registry that all
//! the same happened to and that was never asked before.

use crate::property_windows::{config, idle};
use crate::rig::{ms, secs};
use plimsoll::{
    Breaker, Guard, KeyedGuard, ManualClock, Objective, Outcome, Permit, Plimsoll, Priority, Shed, Slo, SloHandle,
};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    /// Through which guard, with what outcome, after how long.
    Call(usize, Outcome, Duration),
    Begin(usize),
    End,
    Keyed(u8, bool),
    Count(u64, u64),
    Record(Outcome, Duration),
    Hand(usize, u8),
    ShedBelow(usize, Option<Priority>),
    Declare,
    Build,
    Reload(f64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(Outcome::ALL.to_vec())
}

/// On both sides of every bound and threshold.
fn latency() -> impl Strategy<Value = Duration> {
    (0.0..11.0_f64).prop_map(|digits| Duration::from_nanos(10_f64.powf(digits) as u64))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => idle().prop_map(Step::Wait),
        10 => (0..4_usize, outcome(), latency()).prop_map(|(guard, outcome, latency)| Step::Call(guard, outcome, latency)),
        3 => (0..4_usize).prop_map(Step::Begin),
        2 => Just(Step::End),
        3 => (0..4_u8, any::<bool>()).prop_map(|(key, good)| Step::Keyed(key, good)),
        3 => (0..2_000_u64, 0..20_u64).prop_map(|(good, bad)| Step::Count(good, bad)),
        3 => (outcome(), latency()).prop_map(|(outcome, latency)| Step::Record(outcome, latency)),
        3 => (0..4_usize, 0..3_u8).prop_map(|(guard, hand)| Step::Hand(guard, hand)),
        2 => (0..4_usize, prop::sample::select(vec![None, Some(Priority::DEFAULT), Some(Priority::CRITICAL)]))
            .prop_map(|(guard, below)| Step::ShedBelow(guard, below)),
        1 => Just(Step::Declare),
        1 => Just(Step::Build),
        1 => (9_850..9_990_u32).prop_map(|percent| Step::Reload(f64::from(percent) / 100.0)),
    ]
}

struct World {
    clock: ManualClock,
    plimsoll: Plimsoll,
    slos: Vec<SloHandle>,
    guards: Vec<Guard>,
    keyed: KeyedGuard<u8>,
    under_way: Vec<Permit>,
}

/// The shop, promised to `percent`.
fn shop(percent: f64) -> Slo {
    let slices = Objective::success(percent).named("minutes").timeslices(secs(60), 90.0);
    Slo::new("shop").success(99.9).latency(99.0, ms(30)).objective(slices).over_days(30)
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let slos = vec![
            plimsoll.declare(shop(98.5)).unwrap(),
            plimsoll.declare(Slo::new("jobs").success(99.0).over_calendar_month()).unwrap(),
        ];
        let breaker = || Breaker::default().consecutive(5).jitter(0.0);
        let guards = vec![
            slos[0].guard().build().unwrap(),
            slos[0].guard().named("limited").breaker(breaker()).shed(Shed::adaptive()).build().unwrap(),
            slos[1].guard().named("by hand").breaker(breaker()).build().unwrap(),
        ];
        let keyed = slos[1].guard().named("keyed").breaker(breaker()).keyed(8).unwrap();
        Self { clock, plimsoll, slos, guards, keyed, under_way: Vec::new() }
    }

    fn guard(&self, index: usize) -> Guard {
        self.guards[index % self.guards.len()]
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Wait(time) => self.clock.advance(time),
            Step::Call(guard, outcome, latency) => {
                if let Ok(permit) = self.guard(guard).admit() {
                    self.clock.advance(latency);
                    permit.finish(outcome);
                }
            }
            Step::Begin(guard) => self.under_way.extend(self.guard(guard).admit().ok()),
            Step::End => drop(self.under_way.pop()),
            Step::Keyed(key, good) => {
                if let Ok(permit) = self.keyed.admit(&key) {
                    permit.finish(if good { Outcome::Success } else { Outcome::FAILURE });
                }
            }
            Step::Count(good, bad) => self.slos[0].count(good, bad),
            Step::Record(outcome, latency) => self.slos[1].record(outcome, latency),
            Step::Hand(guard, 0) => self.guard(guard).force_open(),
            Step::Hand(guard, 1) => self.guard(guard).force_closed(),
            Step::Hand(guard, _) => self.guard(guard).auto(),
            Step::ShedBelow(guard, below) => self.guard(guard).shed_below(below),
            Step::Declare => {
                let name = format!("late {}", self.slos.len());
                self.slos.push(self.plimsoll.declare(Slo::new(name).success(99.0)).unwrap());
            }
            Step::Build => {
                let name = format!("late {}", self.guards.len());
                self.guards.push(self.slos[self.slos.len() - 1].guard().named(name).build().unwrap());
            }
            Step::Reload(percent) => assert!(self.plimsoll.reload([shop(percent)]).is_ok()),
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_text_that_follows_others_is_as_the_first_of_its_kind(steps in prop::collection::vec(step(), 1..24)) {
        let (mut asked, mut fresh) = (World::new(), World::new());
        for step in &steps {
            asked.take(step);
            fresh.take(step);
            let text = asked.plimsoll.render_own();
            // Whoever is asked lets time do what it does.
            fresh.plimsoll.tick();
            prop_assert_eq!(asked.plimsoll.render_own(), text, "the same moment, asked twice, after {:?}", step);
        }
        let (text, anew) = (asked.plimsoll.render_own(), fresh.plimsoll.render_own());
        let differs = text.lines().zip(anew.lines()).find(|(text, anew)| text != anew);
        prop_assert!(text == anew, "{:?}", differs);
    }
}
