//! A call through a warm guard allocates nothing, whatever becomes of it and whatever rolls meanwhile.
//!
//! In a binary of its own, for the allocator that counts is the whole program's.
#![allow(clippy::unwrap_used, clippy::panic)]

use plimsoll::{Breaker, GuardError, ManualClock, Objective, Outcome, Plimsoll, Shed, Slo, State};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // The thread's own, so that the test harness's threads do not disturb; gone while the thread ends.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

#[test]
fn a_call_through_a_warm_guard_allocates_nothing() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new(1)))) > 0, "they are counted at all");

    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = Slo::new("payments")
        .success(99.9)
        .latency(99.0, Duration::from_millis(500))
        .objective(Objective::success(99.0).named("slices").timeslices(Duration::from_secs(60), 95.0));
    let slo = plimsoll.declare(slo).unwrap();
    // Everything on, and nothing tripping: half of the calls fail below.
    let breaker = Breaker::default()
        .failure_ratio(0.9, 20, Duration::from_secs(10))
        .slow_ratio(0.9, Duration::from_secs(2))
        .age_in_flight(Duration::from_secs(5), 50)
        .open_for(Duration::from_secs(86_400), Duration::from_secs(86_400))
        .slo_burn(999.0);
    let guard = slo.guard().breaker(breaker).shed(Shed::adaptive()).build().unwrap();
    let fixed = slo.guard().named("fixed").shed(Shed::fixed(2)).build().unwrap();
    let step = Duration::from_millis(7);
    let call = |outcome: Outcome| {
        let permit = guard.admit().unwrap();
        clock.advance(step);
        permit.finish(outcome);
    };
    let polled = |result: Result<(), ()>| {
        let mut run = pin!(guard.run(async move { result }));
        match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(()) | Err(GuardError::Inner(()))) => clock.advance(step),
            other => panic!("{other:?}"),
        }
    };
    let pending = || {
        let mut run = pin!(guard.run(std::future::pending::<Result<(), ()>>()));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    };

    let half = |n: u32| if n.is_multiple_of(2) { Outcome::Success } else { Outcome::FAILURE };
    let last_event = || plimsoll.events().last().map(|event| event.number);
    // What an alert tells when it fires or is resolved is text, and costs: that is waited for.
    let free = |what: &str, call: &dyn Fn(u32)| {
        for _ in 0..50 {
            let told = last_event();
            let n = allocations(|| (0..10_000).for_each(call));
            if told == last_event() {
                assert_eq!(n, 0, "{what} allocated");
                return;
            }
        }
        panic!("no quiet time: {:?}", plimsoll.events());
    };

    // Warm: half an hour, idle weeks, and half an hour again.
    slo.count(1, 0);
    (0..130_000).for_each(|n| call(half(n)));
    clock.advance(Duration::from_secs(14 * 86_400));
    (0..130_000).for_each(|n| call(half(n)));
    // Each of these goes over 70 s or more: seventy ticks of the SLO, some hundred of the breaker.
    free("success", &|_| call(Outcome::Success));
    free("failure", &|n| call(half(n)));
    assert_eq!(guard.limit(), None, "its limiter is calm so far");
    free("a slow call", &|n| {
        let permit = guard.admit().unwrap();
        clock.advance(if n % 100 == 0 { Duration::from_millis(2_001) } else { step });
        permit.success();
        assert!(guard.limit().is_some() || n == 0, "a slow call engages its limiter");
    });
    free("a call under a fixed limit", &|n| {
        let permit = fixed.admit().unwrap();
        clock.advance(step);
        permit.finish(half(n));
    });
    let held = [fixed.admit().unwrap(), fixed.admit().unwrap()];
    free("a call that finds no room", &|_| assert!(fixed.admit().unwrap_err().reason().is_shed()));
    held.into_iter().for_each(plimsoll::Permit::success);
    free("a dropped permit", &|_| {
        let permit = guard.admit().unwrap();
        clock.advance(step);
        drop(permit);
    });
    free("run", &|n| polled(if n % 2 == 0 { Ok(()) } else { Err(()) }));
    free("run, cancelled", &|_| pending());
    free("call", &|_| guard.call(|| Ok::<(), ()>(())).unwrap());
    free("an event by hand", &|n| {
        clock.advance(step);
        slo.record(half(n), step);
    });
    assert_eq!(guard.state(), State::Closed);

    (0..20).for_each(|_| call(Outcome::FAILURE));
    assert_eq!(guard.state(), State::Open);
    free("a refusal", &|_| {
        clock.advance(step);
        assert!(guard.admit().is_err());
    });
}

/// The output of a future that has nothing to wait for.
#[cfg(feature = "http")]
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[cfg(feature = "http")]
#[test]
fn a_call_through_a_layer_allocates_nothing() {
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use plimsoll::Rejection;
    use std::convert::Infallible;
    use std::future::ready;
    use tower::{Layer, ServiceExt, service_fn};

    let plimsoll = Plimsoll::with_clock(ManualClock::new());
    let slo = plimsoll.declare(Slo::new("shop").success(99.9)).unwrap();
    // One in eight fails below: no trip but that of the burn would mind.
    let guard = |name: &str| {
        let shed = Shed::adaptive().target(Duration::from_millis(500));
        // One of them with a limit in force.
        let shed = if name == "server" { shed.warm_up(DAY) } else { shed };
        slo.guard().named(name).breaker(Breaker::default().slo_burn(999.0)).shed(shed)
    };
    let answer = |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"paid")))));
    let same = |n: u32| ready(if n % 8 < 7 { Ok(n) } else { Err(n) });

    let handler = |n: u32, _: Rejection| ready(Ok::<u32, ()>(n));
    let plain = guard("plain").layer().unwrap().layer(service_fn(same));
    let handled = guard("handled").fallback(handler).also_on_failure().layer().unwrap().layer(service_fn(same));
    let server = guard("server").http().unwrap().layer(service_fn(answer));
    let client = guard("client").http_client().unwrap().layer(service_fn(answer));
    let through_all = |n: u32| {
        // A clone for each call, as axum makes them.
        assert_eq!(now(plain.clone().oneshot(n)).is_ok(), n % 8 < 7);
        assert_eq!(now(handled.clone().oneshot(n)).unwrap(), n);
        for response in [
            now(server.clone().oneshot(Request::new(()))).unwrap(),
            now(client.clone().oneshot(Request::new(()))).unwrap(),
        ] {
            let mut body = response.into_body();
            while let Some(frame) = now(body.frame()) {
                assert!(frame.unwrap().is_data());
            }
        }
    };
    (0..100).for_each(through_all);
    assert_eq!(allocations(|| (0..1_000).for_each(through_all)), 0);
    assert!(plimsoll.guards().iter().all(|guard| guard.state() == State::Closed));
}

#[test]
fn a_call_with_a_key_that_is_held_allocates_nothing() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("payments").success(99.9)).unwrap();
    let guard = slo.guard().breaker(Breaker::default().open_for(DAY, DAY)).keyed::<String>(4).unwrap();
    for _ in 0..20 {
        guard.admit("down").unwrap().failure();
    }
    let calls = || {
        for n in 0..10_000 {
            let permit = guard.admit("up").unwrap();
            clock.advance(Duration::from_millis(7));
            permit.finish(if n % 4 == 0 { Outcome::FAILURE } else { Outcome::Success });
            assert!(guard.admit("down").is_err());
        }
    };
    // What an alert tells is text, and costs: that is waited for.
    let told = || plimsoll.events().len();
    let quiet = (0..50).find_map(|_| {
        let before = told();
        let n = allocations(calls);
        (told() == before).then_some(n)
    });
    assert_eq!(quiet, Some(0));
    assert_eq!((guard.state("down"), guard.len()), (Some(State::Open), 2));
}

const DAY: Duration = Duration::from_secs(86_400);
