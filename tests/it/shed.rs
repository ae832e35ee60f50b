//! The limiter's promises: when it limits, how much, whom, and what it gives back.

use crate::rig::{ms, secs};
use plimsoll::{
    Breaker, CallContext, Guard, GuardBuilder, ManualClock, Outcome, Permit, Plimsoll, Priority, Reason, Rejection,
    Shed, Slo, SloHandle, State,
};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// An SLO of which calls shall take 100 ms, on a manual clock.
pub(crate) struct Shop {
    pub(crate) clock: ManualClock,
    pub(crate) plimsoll: Plimsoll,
    pub(crate) slo: SloHandle,
}

pub(crate) fn shop() -> Shop {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, ms(100))).unwrap();
    Shop { clock, plimsoll, slo }
}

impl Shop {
    pub(crate) fn guard(&self, shed: Shed) -> Guard {
        self.slo.guard().shed(shed).build().unwrap()
    }

    /// So many calls at once that all take so long. How many of them were let in.
    fn round(&self, guard: Guard, calls: usize, latency: Duration) -> usize {
        let permits: Vec<Permit> = (0..calls).filter_map(|_| guard.admit().ok()).collect();
        self.clock.advance(latency);
        let n = permits.len();
        permits.into_iter().for_each(Permit::success);
        n
    }

    /// Engages the limiter: a call takes over a quarter of the target.
    fn engage(&self, guard: Guard) {
        self.round(guard, 1, ms(26));
        assert!(guard.limit().is_some());
    }
}

pub(crate) fn of(priority: Priority) -> CallContext {
    CallContext::new().priority(priority)
}

pub(crate) fn refused(guard: Guard, reason: Reason) -> u64 {
    guard.refusals().find(|(known, _)| *known == reason).map_or(0, |(_, n)| n)
}

pub(crate) fn counted(guard: Guard, outcome: Outcome) -> u64 {
    guard.outcomes().find(|(known, _)| *known == outcome).map_or(0, |(_, n)| n)
}

fn why(refusal: Result<Permit, Rejection>) -> Reason {
    refusal.unwrap_err().reason()
}

#[test]
fn a_cold_start_sheds_nothing_and_neither_do_fast_calls() {
    let shop = shop();
    let guard = shop.guard(Shed::adaptive());
    for _ in 0..50 {
        assert_eq!((shop.round(guard, 5_000, ms(20)), guard.limit()), (5_000, None));
    }
    assert_eq!(counted(guard, Outcome::Shed), 0);
}

#[test]
fn a_slow_call_engages_it_with_twice_the_calls_under_way_and_idleness_lets_go() {
    let shop = shop();
    let guard = shop.guard(Shed::adaptive());
    shop.round(guard, 1, ms(25));
    assert_eq!(guard.limit(), None, "not over a quarter of the target");
    let others: Vec<Permit> = (0..20).map(|_| guard.admit().unwrap()).collect();
    shop.engage(guard);
    assert!(guard.limit().unwrap() >= 40, "what is under way is not shed: {:?}", guard.limit());
    others.into_iter().for_each(Permit::success);
    shop.clock.advance(secs(11));
    shop.round(guard, 1, ms(1));
    assert_eq!(guard.limit(), None);
    // It begins anew, whatever it had learned.
    assert_eq!(shop.round(guard, 500, ms(1)), 500);
    shop.engage(guard);
    assert_eq!(guard.limit(), Some(8), "the least that it begins with");
}

#[test]
fn it_does_not_let_go_of_those_who_wait() {
    // They wait for longer than it takes to become calm.
    let shop = shop();
    let guard = shop.guard(Shed::adaptive().max_wait(secs(60)));
    shop.engage(guard);
    let mut inside: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut waits = Box::pin(guard.acquire());
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    for _ in 0..4 {
        shop.clock.advance(secs(11));
        shop.plimsoll.tick();
        assert!(guard.admit().is_err(), "nobody passes those in line");
    }
    inside.pop().unwrap().success();
    assert!(waits.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_fixed_limit_is_that_limit() {
    let shop = shop();
    for limit in [1, 2, 100] {
        let guard = shop.slo.guard().named(format!("at most {limit}")).shed(Shed::fixed(limit)).build().unwrap();
        for latency in [ms(1), ms(500)] {
            assert_eq!(shop.round(guard, 1_000, latency), limit as usize);
        }
        assert_eq!((guard.limit(), refused(guard, Reason::Limit)), (Some(limit), 2 * (1_000 - u64::from(limit))));
        shop.clock.advance(secs(3_600));
        assert_eq!(shop.round(guard, 1_000, ms(1)), limit as usize, "idle or not");
        assert_eq!(counted(guard, Outcome::Shed), 3 * (1_000 - u64::from(limit)));
    }
}

/// More threads than have counters of their own take places that others gave back, and give them back elsewhere.
#[test]
fn threads_at_once_never_have_more_places_than_there_are_and_lose_none() {
    const PLACES: u32 = 3;
    let guard = shop().guard(Shed::fixed(PLACES));
    let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
    let handed_on = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..24 {
            let (inside, most, handed_on) = (&inside, &most, &handed_on);
            let leaves = move |permit: Permit| {
                inside.fetch_sub(1, Ordering::SeqCst);
                permit.success();
            };
            scope.spawn(move || {
                for n in 0..2_000 {
                    if let Ok(permit) = guard.admit() {
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // Some end on another thread.
                        if (n + thread) % 3 == 0 { handed_on.lock().unwrap().push(permit) } else { leaves(permit) }
                    }
                    // Fewer are taken up than are handed on: all places are taken again and again.
                    let other = if n % 7 == 0 { handed_on.lock().unwrap().pop() } else { None };
                    other.into_iter().for_each(leaves);
                }
            });
        }
    });
    handed_on.into_inner().unwrap().into_iter().for_each(Permit::success);
    assert!((1..=PLACES).contains(&most.into_inner()));
    assert!(counted(guard, Outcome::Shed) > 0, "it was never full");
    let all: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
    assert_eq!(all.len(), PLACES as usize);
}

#[test]
fn of_very_many_calls_at_once_some_are_enough_to_learn_from() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(100_000));
    let calls = |n: usize| (0..n).map(|_| guard.admit().unwrap()).collect::<Vec<Permit>>();
    let (first, passed_over, rest) = (calls(4_096), calls(255), calls(90_000));
    let each_takes = |takes: &str| {
        let words = guard.explain();
        assert!(words.contains(&format!("of which each takes {takes}")), "{words}");
    };
    shop.clock.advance(ms(10));
    first.into_iter().for_each(Permit::success);
    each_takes("10.0ms");
    shop.clock.advance(ms(40));
    passed_over.into_iter().for_each(Permit::success);
    each_takes("10.0ms");
    rest.into_iter().for_each(Permit::success);
    each_takes("50.0ms");
}

#[test]
fn a_call_whose_deadline_has_passed_is_refused_at_once_by_every_guard() {
    let shop = shop();
    let guards = [
        shop.slo.guard().named("plain"),
        shop.slo.guard().named("breaks").breaker(Breaker::default()),
        shop.slo.guard().named("adapts").shed(Shed::adaptive()),
        shop.slo.guard().named("fixed").shed(Shed::fixed(3).queue(3)),
    ];
    for guard in guards.map(|builder: GuardBuilder| builder.build().unwrap()) {
        let context = CallContext::new().deadline(shop.clock.now().after(ms(50)));
        let asked = [|guard: &Guard| guard.admit(), |guard: &Guard| guard.admit_in(CallContext::current())];
        for ask in asked {
            context.sync_scope(|| ask(&guard)).unwrap().success();
        }
        shop.clock.advance(ms(50));
        for ask in asked {
            assert_eq!(why(context.sync_scope(|| ask(&guard))), Reason::Deadline, "{guard:?}");
        }
        assert_eq!((counted(guard, Outcome::Shed), refused(guard, Reason::Deadline)), (2, 2));
        assert_eq!((guard.in_flight(), guard.state()), (0, State::Closed));
    }
}

#[test]
fn a_deadline_that_cannot_be_met_is_refused_but_for_one_in_ten_by_which_it_learns() {
    let shop = shop();
    let guard = shop.guard(Shed::adaptive());
    let in_time = |deadline: Duration, takes: Duration| {
        (0..100)
            .filter(|_| {
                let Ok(permit) = guard.admit_in(CallContext::new().within(deadline)) else { return false };
                shop.clock.advance(takes.min(deadline));
                if takes <= deadline {
                    permit.success()
                } else {
                    drop(permit)
                }
                true
            })
            .count()
    };
    // Far below a quarter of the target: nothing is limited, but it is known how long calls take.
    assert_eq!(in_time(ms(50), ms(20)), 100);
    assert_eq!(in_time(ms(10), ms(20)), 10);
    assert_eq!(in_time(ms(50), ms(20)), 100);
    // It becomes slower for good, and none of its callers waits so long.
    assert!(in_time(ms(50), ms(80)) < 100);
    assert_eq!(in_time(ms(50), ms(80)), 10);
    // It becomes quick again: nobody would see that if all were refused.
    assert!(in_time(ms(50), ms(5)) > 10);
    assert_eq!(in_time(ms(50), ms(5)), 100);
    assert_eq!(guard.in_flight(), 0);
}

#[test]
fn refusals_feed_nothing_that_refuses() {
    // The SLI is burning a hundred times too fast, by nothing but refusals.
    let shop = shop();
    let guard = shop.guard(Shed::fixed(1));
    for _ in 0..100 {
        assert_eq!(shop.round(guard, 100, ms(10)), 1);
        shop.clock.advance(secs(1));
    }
    assert!(shop.slo.burn_rate(plimsoll::Window::minutes(1)).unwrap().value > 90.0);
    assert_eq!((refused(guard, Reason::Limit), refused(guard, Reason::Pressure)), (9_900, 0));
    // Neither do they teach it a limit: with and without ten refused for each that is let in, it learns the same.
    let learned = [0, 400].map(|times| {
        let guard = shop.slo.guard().named(format!("{times} times")).shed(Shed::adaptive().queue(0)).build().unwrap();
        for _ in 0..500 {
            // Two workers, and as many calls as there is room for, and more.
            let inside: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).take(64).collect();
            (0..times).for_each(|_| _ = guard.admit());
            shop.clock.advance(ms(15 * inside.len().max(2) as u64));
            inside.into_iter().for_each(Permit::success);
        }
        guard.limit().unwrap()
    });
    assert_eq!(learned[0], learned[1]);
}

/// With its budget gone, and its one place taken.
fn under_pressure(shop: &Shop) -> (Guard, Permit) {
    let guard = shop.guard(Shed::fixed(1));
    for _ in 0..120 {
        guard.admit().unwrap().failure();
        shop.clock.advance(ms(500));
    }
    let inside = guard.admit().unwrap();
    (guard, inside)
}

#[test]
fn under_pressure_the_least_important_go_first_and_at_most_nine_in_ten_by_ratio() {
    let shop = shop();
    let (guard, inside) = under_pressure(&shop);
    let by_ratio = |priority| {
        let before = refused(guard, Reason::Pressure);
        (0..1_000).for_each(|_| _ = guard.admit_in(of(priority)).unwrap_err());
        refused(guard, Reason::Pressure) - before
    };
    assert!((898..=900).contains(&by_ratio(Priority::SHEDDABLE)));
    assert!((898..=900).contains(&by_ratio(Priority::custom(50))), "counted towards the next below");
    let default = by_ratio(Priority::DEFAULT);
    assert!((1..=900).contains(&default), "{default}");
    assert_eq!(by_ratio(Priority::CRITICAL), 0);
    // Who finds room is let in, whoever it is.
    inside.success();
    guard.admit_in(of(Priority::SHEDDABLE)).unwrap().success();
}

#[test]
fn the_pressure_ends_with_what_caused_it() {
    let shop = shop();
    let (guard, inside) = under_pressure(&shop);
    inside.success();
    for _ in 0..600 {
        guard.admit().unwrap().success();
        shop.clock.advance(ms(500));
    }
    let inside = guard.admit().unwrap();
    let before = refused(guard, Reason::Pressure);
    (0..100).for_each(|_| _ = guard.admit_in(of(Priority::SHEDDABLE)).unwrap_err());
    assert_eq!(refused(guard, Reason::Pressure), before);
    drop(inside);
}

#[test]
fn without_a_queue_the_less_important_leave_room_for_the_more_important() {
    let shop = shop();
    let guard = shop.guard(Shed::adaptive().queue(0));
    // Two workers that take 10 ms each, and always more calls than they can do.
    let mut inside = VecDeque::new();
    for _ in 0..20_000 {
        inside.extend(std::iter::from_fn(|| guard.admit().ok()).take(30));
        shop.clock.advance(ms(10));
        inside.drain(..2).for_each(Permit::success);
    }
    drop(inside);
    let room = |priority| std::iter::from_fn(|| guard.admit_in(of(priority)).ok()).collect::<Vec<_>>();
    let sheddable = room(Priority::SHEDDABLE);
    let default = room(Priority::DEFAULT);
    let critical = room(Priority::CRITICAL);
    let [first, second, third] = [sheddable, default, critical].map(|inside| inside.len());
    assert!(first > 0 && second > 0 && third > 0, "{}", guard.explain());
    // Twenty are answered within the target, one after the other.
    assert!(first + second + third <= 30, "{}", guard.explain());
}

#[test]
fn what_cannot_work_is_refused_with_what_to_write() {
    let shop = shop();
    let other = shop.plimsoll.declare(Slo::new("no latency").success(99.0)).unwrap();
    for (slo, shed, words) in [
        (&shop.slo, Shed::fixed(0), "write at least 1"),
        (&other, Shed::adaptive(), "`Shed::adaptive().target(…)`"),
        (&other, Shed::fixed(1).queue(1), "write `.max_wait(…)`"),
        (&shop.slo, Shed::adaptive().target(Duration::ZERO), "write how long a call may take"),
        (&shop.slo, Shed::adaptive().queue(usize::MAX), "write at most 1000000"),
        (&other, Shed::fixed(1).max_wait(ms(10)).queue(1_000_001), "write at most 1000000"),
    ] {
        let error = slo.guard().shed(shed).build().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    other.guard().shed(Shed::adaptive().target(ms(10))).build().unwrap();
    let longest = shop.guard(Shed::adaptive().queue(1_000_000));
    assert!(longest.memory_footprint() > 40_000_000);
}

#[test]
fn its_memory_is_part_of_the_guards() {
    let shop = shop();
    let size = |queue| {
        let builder = shop.slo.guard().named(format!("a line of {queue}")).shed(Shed::adaptive().queue(queue));
        builder.build().unwrap().memory_footprint()
    };
    let plain = shop.slo.guard().named("plain").build().unwrap().memory_footprint();
    let none = size(0);
    assert!(none > plain);
    let each = (size(10_000) - none) / 10_000;
    // A waker, a number with a tenant, and two times.
    assert_eq!(each, 40, "bytes a place in line");
}
