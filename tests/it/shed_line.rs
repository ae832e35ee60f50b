//! The line before a limiter: who waits, how long, who goes first, and that nobody is lost in it.

use crate::rig::{ms, secs};
use crate::shed::{Shop, counted, of, refused, shop};
use plimsoll::{Acquire, CallContext, Guard, Outcome, Permit, Priority, Reason, Rejection, Shed};
use proptest::prelude::*;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Somebody in line.
struct Waits {
    name: usize,
    future: Pin<Box<Acquire>>,
    bell: Arc<Bell>,
}

impl Waits {
    fn new(guard: Guard, context: CallContext, name: usize) -> Self {
        Self { name, future: Box::pin(guard.acquire_in(context)), bell: Arc::default() }
    }

    fn poll(&mut self) -> Poll<Result<Permit, Rejection>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// In line behind others.
    fn behind(guard: Guard, context: CallContext, name: usize) -> Self {
        let mut waits = Self::new(guard, context, name);
        assert!(waits.poll().is_pending(), "{}", guard.explain());
        waits
    }

    fn is_woken(&self) -> bool {
        self.bell.0.load(Ordering::SeqCst) > 0
    }
}

fn refusal(polled: Poll<Result<Permit, Rejection>>) -> Option<Reason> {
    match polled {
        Poll::Ready(Err(refusal)) => Some(refusal.reason()),
        _ => None,
    }
}

/// Ends `inside` and says who is let in next, with his permit.
fn next(inside: Permit, line: &mut Vec<Waits>) -> (usize, Permit) {
    inside.success();
    let woken: Vec<usize> = (0..line.len()).filter(|i| line[*i].is_woken()).collect();
    let [woken] = woken[..] else { panic!("{} were woken for one place", woken.len()) };
    let mut next = line.remove(woken);
    let Poll::Ready(Ok(permit)) = next.poll() else { panic!("woken for nothing") };
    (next.name, permit)
}

/// In which order they are let in, one after the other.
fn order(mut inside: Permit, mut line: Vec<Waits>) -> Vec<usize> {
    let mut order = Vec::new();
    while !line.is_empty() {
        let (name, permit) = next(inside, &mut line);
        order.push(name);
        inside = permit;
    }
    inside.success();
    order
}

fn one(shop: &Shop) -> (Guard, Permit) {
    let guard = shop.guard(Shed::fixed(1).queue(100).max_wait(secs(5)));
    (guard, guard.admit().unwrap())
}

#[test]
fn in_calm_times_who_came_first_goes_first() {
    let shop = shop();
    let (guard, inside) = one(&shop);
    let line = (0..10).map(|name| Waits::behind(guard, CallContext::new(), name)).collect();
    assert_eq!(order(inside, line), (0..10).collect::<Vec<_>>());
    assert_eq!((counted(guard, Outcome::Success), guard.in_flight()), (11, 0));
}

#[test]
fn when_many_are_refused_who_came_last_goes_first() {
    let shop = shop();
    let (guard, inside) = one(&shop);
    // Hundreds wait in vain.
    for name in 0..300 {
        let mut waits = Waits::behind(guard, CallContext::new(), name);
        shop.clock.advance(secs(6));
        assert_eq!(refusal(waits.poll()), Some(Reason::QueueTimeout));
    }
    let line = (0..10).map(|name| {
        shop.clock.advance(Duration::from_micros(10));
        Waits::behind(guard, CallContext::new(), name)
    });
    let line = line.collect();
    assert_eq!(order(inside, line), (0..10).rev().collect::<Vec<_>>());
    // And when hardly anybody is refused any more, first come is first served again.
    (0..1_000).for_each(|_| guard.admit().unwrap().success());
    let inside = guard.admit().unwrap();
    let line = (0..10).map(|name| Waits::behind(guard, CallContext::new(), name)).collect();
    assert_eq!(order(inside, line), (0..10).collect::<Vec<_>>());
}

#[test]
fn the_most_important_go_first_whatever_they_are_called() {
    let shop = shop();
    let (guard, inside) = one(&shop);
    let levels = [100, 0, 200, 150, 255, 1, 100, 200, 99];
    let line = levels.iter().enumerate().map(|(name, level)| Waits::behind(guard, of(Priority::custom(*level)), name));
    let line = line.collect();
    assert_eq!(order(inside, line), [4, 2, 7, 3, 0, 6, 8, 5, 1]);
}

#[test]
fn among_equals_each_tenant_has_its_share_and_nobody_is_promoted_by_being_many() {
    let is_shared = |names: [&str; 3]| {
        let shop = shop();
        let (guard, inside) = one(&shop);
        let of_tenant = |tenant: usize| CallContext::new().tenant(names[tenant]);
        // Thirty of one tenant came before the first of two others.
        let mut line: Vec<Waits> = (0..30).map(|n| Waits::behind(guard, of_tenant(0), n)).collect();
        line.extend((100..110).map(|n| Waits::behind(guard, of_tenant(1), n)));
        line.extend((200..210).map(|n| Waits::behind(guard, of_tenant(2), n)));
        line.push(Waits::behind(guard, of_tenant(0).priority(Priority::CRITICAL), 1_000));
        let order = order(inside, line);
        assert_eq!(order[0], 1_000, "importance comes before shares");
        let share = |from: usize| order[1..31].iter().filter(|name| (from..from + 100).contains(*name)).count();
        (9..=11).contains(&share(0)) && share(100) >= 9 && share(200) >= 9
    };
    // Once in 85 times two of three tenants have the same number; not three times in a row.
    let names = [["greedy", "modest", "third"], ["hungry", "humble", "other"], ["more", "less", "last"]];
    assert!(names.into_iter().any(is_shared));
}

#[test]
fn the_line_is_bounded_and_the_least_important_make_room() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(1).queue(3));
    let inside = guard.admit().unwrap();
    let mut first = Waits::behind(guard, of(Priority::SHEDDABLE), 0);
    let second = Waits::behind(guard, of(Priority::SHEDDABLE), 1);
    let mut third = Waits::behind(guard, of(Priority::DEFAULT), 2);
    let mut late = Waits::new(guard, of(Priority::custom(0)), 3);
    assert!(late.poll().is_pending(), "it puts out the first of its own kind, who waited longest");
    assert!(first.is_woken() && refusal(first.poll()) == Some(Reason::QueueFull));
    let critical: Vec<_> = (4..6).map(|name| Waits::behind(guard, of(Priority::CRITICAL), name)).collect();
    assert!(second.is_woken() && late.is_woken());
    assert_eq!((refusal(late.poll()), third.is_woken()), (Some(Reason::QueueFull), false));
    let mut sheddable = Waits::new(guard, of(Priority::SHEDDABLE), 6);
    assert_eq!(refusal(sheddable.poll()), Some(Reason::QueueFull), "those in line matter more");
    drop((second, critical));
    inside.success();
    assert!(matches!(third.poll(), Poll::Ready(Ok(_))));
    assert_eq!((refused(guard, Reason::QueueFull), guard.in_flight()), (3, 0));
}

#[test]
fn without_places_in_line_nobody_waits() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(1));
    let _inside = guard.admit().unwrap();
    assert_eq!(refusal(Waits::new(guard, of(Priority::CRITICAL), 0).poll()), Some(Reason::Limit));
}

#[test]
fn who_waits_too_long_is_told_by_whoever_passes_next() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(1).queue(10).max_wait(ms(30)));
    let inside = guard.admit().unwrap();
    let mut waits = Waits::behind(guard, CallContext::new(), 0);
    let mut due = Waits::behind(guard, CallContext::new().within(ms(10)), 1);
    shop.clock.advance(ms(10));
    assert_eq!((refusal(due.poll()), waits.poll().is_pending()), (Some(Reason::QueueTimeout), true), "by its deadline");
    shop.clock.advance(ms(20));
    let mut other = Waits::new(guard, CallContext::new(), 2);
    assert!(other.poll().is_pending());
    assert!(waits.is_woken(), "without a timer");
    assert_eq!(refusal(waits.poll()), Some(Reason::QueueTimeout));
    inside.success();
    assert!(matches!(other.poll(), Poll::Ready(Ok(_))));
}

#[test]
fn who_is_polled_by_another_task_is_woken_there() {
    let shop = shop();
    let (guard, inside) = one(&shop);
    let mut waits = Waits::behind(guard, CallContext::new(), 0);
    let stale = std::mem::take(&mut waits.bell);
    assert!(waits.poll().is_pending());
    assert_eq!(Arc::strong_count(&stale), 1, "the waker before it is given back");
    inside.success();
    assert!(waits.is_woken() && stale.0.load(Ordering::SeqCst) == 0);
}

/// Calls that end in every way there is, at once.
#[test]
fn whatever_becomes_of_calls_all_places_are_given_back() {
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }
    let shop = shop();
    for (name, shed) in [
        ("adaptive", Shed::adaptive().queue(8)),
        ("fixed", Shed::fixed(4).queue(8)),
        ("without a line", Shed::fixed(4)),
        ("warming up", Shed::fixed(4).queue(8).warm_up(secs(1))),
    ] {
        let guard = shop.slo.guard().named(name).shed(shed).build().unwrap();
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let (mut line, mut inside): (Vec<Waits>, Vec<Permit>) = (Vec::new(), Vec::new());
        for step in 0..20_000 {
            let pick = |n: usize, state: &mut u64| random(state) as usize % n.max(1);
            match random(&mut state) % 8 {
                0..=2 => {
                    let level = Priority::custom((random(&mut state) % 256) as u8);
                    let context = of(level).tenant(&(random(&mut state) % 3));
                    let context = if step % 5 == 0 { context.within(ms(20)) } else { context };
                    let mut waits = Waits::new(guard, context, step);
                    match waits.poll() {
                        Poll::Pending => line.push(waits),
                        Poll::Ready(permit) => inside.extend(permit),
                    }
                }
                3 if !line.is_empty() => drop(line.swap_remove(pick(line.len(), &mut state))),
                4 if !line.is_empty() => {
                    let at = pick(line.len(), &mut state);
                    if let Poll::Ready(permit) = line[at].poll() {
                        inside.extend(permit);
                        line.swap_remove(at);
                    }
                }
                5 if !inside.is_empty() => inside.swap_remove(pick(inside.len(), &mut state)).success(),
                6 if !inside.is_empty() => {
                    let permit = inside.swap_remove(pick(inside.len(), &mut state));
                    match random(&mut state) % 3 {
                        0 => drop(permit),
                        1 => permit.finish(Outcome::TimedOut),
                        _ => {
                            _ = std::thread::scope(|scope| {
                                // Unwinds through it, without the noise of a panic's message.
                                scope
                                    .spawn(move || {
                                        let _permit = permit;
                                        std::panic::resume_unwind(Box::new(()))
                                    })
                                    .join()
                            })
                        }
                    }
                }
                7 => shop.clock.advance(ms(random(&mut state) % 15)),
                _ => {}
            }
        }
        drop((line, inside));
        assert_eq!(guard.in_flight(), 0, "{name}");
        for outcome in [Outcome::Panicked, Outcome::Abandoned, Outcome::TimedOut, Outcome::Shed] {
            assert!(counted(guard, outcome) > 10, "{name}: it was not tried: {outcome:?}");
        }
        shop.clock.advance(secs(60));
        // It is cold by then: a call warms it up.
        guard.admit().unwrap().success();
        shop.clock.advance(secs(2));
        shop.plimsoll.tick();
        let Some(limit) = guard.limit() else {
            assert_eq!(name, "adaptive");
            // Let go of; engaged anew it counts from nothing.
            let slow = guard.admit().unwrap();
            shop.clock.advance(ms(30));
            slow.success();
            let all: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
            assert_eq!(Some(all.len() as u32), guard.limit());
            continue;
        };
        let all: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
        assert_eq!((limit, all.len()), (4, 4), "{name}: {}", guard.explain());
    }
}

#[test]
fn on_many_threads_nobody_is_lost_and_nobody_is_too_many() {
    // Real time and real threads: what is tried is what happens between them.
    let plimsoll = plimsoll::Plimsoll::new();
    let slo = plimsoll.declare(plimsoll::Slo::new("shop").success(99.0).latency(99.0, secs(60))).unwrap();
    let guard = slo.guard().shed(Shed::fixed(3).queue(100).max_wait(secs(600))).build().unwrap();
    let (inside, most, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (inside, most, done) = (&inside, &most, &done);
            scope.spawn(move || {
                for n in 0..500 {
                    let context = of(Priority::custom((n * 7 % 256) as u8)).tenant(&thread);
                    let permit = block_on(guard.acquire_in(context)).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    permit.success();
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((done.into_inner(), guard.in_flight()), (4_000, 0));
    assert!(most.into_inner() <= 3);
    assert_eq!(counted(guard, Outcome::Success), 4_000);
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// What happens, in [`a_line_does_what_a_list_would`].
#[derive(Clone, Debug)]
enum Step {
    Comes(u8),
    Ends(usize),
    GivesUp(usize),
    Asks(usize),
    Passes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u8).prop_map(|level| Step::Comes(level * 70)),
        3 => any::<usize>().prop_map(Step::Ends),
        1 => any::<usize>().prop_map(Step::GivesUp),
        1 => any::<usize>().prop_map(Step::Asks),
        1 => (1..40_u64).prop_map(Step::Passes),
    ];
    prop::collection::vec(step, 1..200)
}

/// The naive one: a list of who waits, in the order in which they came.
struct Model {
    limit: usize,
    capacity: usize,
    inside: usize,
    /// Level, until when, name.
    line: Vec<(u8, u64, usize)>,
    settled: Vec<(usize, Option<Reason>)>,
}

const WAIT: u64 = 100;

impl Model {
    fn next(&self) -> Option<usize> {
        (0..self.line.len()).min_by_key(|at| (std::cmp::Reverse(self.line[*at].0), *at))
    }

    fn expire(&mut self, now: u64) {
        let settled = &mut self.settled;
        self.line.retain(|(_, until, name)| {
            let stays = *until > now;
            if !stays {
                settled.push((*name, Some(Reason::QueueTimeout)));
            }
            stays
        });
    }

    fn fill(&mut self, now: u64) {
        if self.line.is_empty() {
            return;
        }
        self.expire(now);
        while self.inside < self.limit
            && let Some(at) = self.next()
        {
            let (_, _, name) = self.line.remove(at);
            self.settled.push((name, None));
            self.inside += 1;
        }
    }

    /// None if it waits.
    fn comes(&mut self, level: u8, name: usize, now: u64) -> Option<Option<Reason>> {
        if self.line.is_empty() && self.inside < self.limit {
            self.inside += 1;
            return Some(None);
        }
        self.expire(now);
        if self.line.len() >= self.capacity {
            let least = self.line.iter().map(|(level, ..)| *level).min()?;
            if least > level {
                self.fill(now);
                return Some(Some(Reason::QueueFull));
            }
            let at = self.line.iter().position(|(level, ..)| *level == least)?;
            let (_, _, name) = self.line.remove(at);
            self.settled.push((name, Some(Reason::QueueFull)));
        }
        self.line.push((level, now + WAIT, name));
        self.fill(now);
        self.asks(name, now)
    }

    fn asks(&mut self, name: usize, now: u64) -> Option<Option<Reason>> {
        if let Some(at) = self.settled.iter().position(|(settled, _)| *settled == name) {
            return Some(self.settled.remove(at).1);
        }
        let at = self.line.iter().position(|(.., waits)| *waits == name)?;
        if self.line[at].1 > now {
            return None;
        }
        self.line.remove(at);
        Some(Some(Reason::QueueTimeout))
    }

    fn gives_up(&mut self, name: usize, now: u64) {
        self.line.retain(|(.., waits)| *waits != name);
        if let Some(at) = self.settled.iter().position(|(settled, _)| *settled == name)
            && self.settled.remove(at).1.is_none()
        {
            self.inside -= 1;
            self.fill(now);
        }
    }
}

fn told(polled: Poll<Result<Permit, Rejection>>, inside: &mut Vec<Permit>) -> Option<Option<Reason>> {
    match polled {
        Poll::Pending => None,
        Poll::Ready(Ok(permit)) => {
            inside.push(permit);
            Some(None)
        }
        Poll::Ready(Err(refusal)) => Some(Some(refusal.reason())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// With a target that is never missed nobody jumps the queue of his own kind, and the order is a list's.
    #[test]
    fn a_line_does_what_a_list_would(limit in 1..4_usize, capacity in 1..6_usize, steps in steps()) {
        let clock = plimsoll::ManualClock::new();
        let plimsoll = plimsoll::Plimsoll::with_clock(clock.clone());
        let slo = plimsoll.declare(plimsoll::Slo::new("shop").success(99.0)).unwrap();
        let shed = Shed::fixed(limit as u32).queue(capacity).max_wait(ms(WAIT)).target(Duration::MAX);
        let guard = slo.guard().shed(shed).build().unwrap();
        let mut model = Model { limit, capacity, inside: 0, line: Vec::new(), settled: Vec::new() };
        let (mut line, mut inside): (Vec<Waits>, Vec<Permit>) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (name, step) in steps.into_iter().enumerate() {
            match step {
                Step::Comes(level) => {
                    let mut waits = Waits::new(guard, of(Priority::custom(level)), name);
                    let found = told(waits.poll(), &mut inside);
                    prop_assert_eq!(found, model.comes(level, name, now), "{} comes", name);
                    if found.is_none() {
                        line.push(waits);
                    }
                }
                Step::Ends(at) if !inside.is_empty() => {
                    inside.swap_remove(at % inside.len()).success();
                    model.inside -= 1;
                    model.fill(now);
                }
                Step::GivesUp(at) if !line.is_empty() => {
                    let waits = line.remove(at % line.len());
                    model.gives_up(waits.name, now);
                }
                Step::Asks(at) if !line.is_empty() => {
                    let at = at % line.len();
                    let name = line[at].name;
                    let found = told(line[at].poll(), &mut inside);
                    prop_assert_eq!(found, model.asks(name, now), "{} asks", name);
                    if found.is_some() {
                        line.remove(at);
                    }
                }
                // Under a second: no tick looks after those in line.
                Step::Passes(by) => {
                    clock.advance(ms(by));
                    now += by;
                }
                _ => {}
            }
            // Whoever is told something was woken for it.
            for waits in &line {
                let settled = model.settled.iter().any(|(name, _)| *name == waits.name);
                prop_assert!(!settled || waits.is_woken(), "{} sleeps on", waits.name);
            }
        }
        drop((line, inside));
        prop_assert_eq!(guard.in_flight(), 0);
        let all: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
        prop_assert_eq!(all.len(), limit);
    }
}
