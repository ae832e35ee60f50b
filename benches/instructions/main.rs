//! How many instructions a call takes: what the machine's mood does not change, and what CI therefore holds us to.
//!
//! gungraun runs each row by itself under valgrind's callgrind. What [`calls`] does is counted: neither how a row is made
//! (the calibration of the clock takes as long as it takes) nor whether its calls were made. `tests/instructions.sh` holds
//! the counts against `counts.txt`. Under valgrind no call is brief, but on a clock that stands still.
#![allow(clippy::disallowed_methods)] // it counts clocks
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

#[path = "../common/mod.rs"]
mod common;

use common::{admit, call, counted, untripped};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use plimsoll::{Breaker, Guard, GuardError, Outcome, Plimsoll, Shed};
use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::Layer;

/// So many that a window which happens to roll does not show, and so few that an engaged limiter learns from each of them.
/// `tests/instructions.sh` divides by it.
const CALLS: u64 = 4_000;

/// What is done so often, and what must be true afterwards.
struct Row {
    work: Box<dyn FnMut()>,
    check: Box<dyn FnOnce()>,
}

fn row(mut work: impl FnMut() + 'static, check: impl FnOnce() + 'static) -> Row {
    // The first call of a thread finds its counters.
    work();
    work();
    Row { work: Box::new(work), check: Box::new(check) }
}

/// Calls of which each must have been counted as `outcome`.
fn guarded(guard: Guard, outcome: Outcome, work: impl FnMut() + 'static) -> Row {
    row(work, move || assert_eq!(counted(&guard, outcome), CALLS + 2, "calls of which not all were counted"))
}

#[library_benchmark(teardown = check)]
#[bench::nothing(row(|| _ = black_box(0), || ()))]
#[bench::floor_empty_tower_call(floor_tower())]
#[bench::floor_two_quanta_readings_and_difference(floor_quanta())]
#[bench::floor_two_instant_now(floor_instant())]
#[bench::sli_success(success(common::sli()))]
#[bench::full_success(args = (success(common::full(Breaker::default()).guard())), config = at_most(160))]
#[bench::full_success_in_no_time(success(common::full_in_no_time().guard()))]
#[bench::full_success_of_an_age(success(common::full(Breaker::default().age_in_flight(Duration::from_secs(60), 10)).guard()))]
#[bench::full_success_learned_from(success(common::full_engaged().guard()))]
#[bench::full_failure(failure())]
#[bench::full_layered_success(layered_success())]
#[bench::full_refused(refused())]
#[bench::full_refused_fallback_value(refused_fallback_value())]
#[bench::full_layered_refused(layered_refused())]
#[bench::full_http_success_with_request_and_response(http_success())]
fn calls(mut row: Row) -> Row {
    for _ in 0..CALLS {
        (row.work)();
    }
    row
}

fn check(row: Row) {
    (row.check)();
}

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let limits = [(EventKind::Ir, instructions * CALLS)];
    LibraryBenchmarkConfig::default().tool(Callgrind::default().hard_limits(limits)).clone()
}

fn floor_tower() -> Row {
    let mut echo = common::Echo;
    row(move || _ = black_box(call(&mut echo, black_box(0))), || ())
}

fn floor_quanta() -> Row {
    let clock = quanta::Clock::new();
    let work = move || {
        let begun = black_box(&clock).raw();
        black_box(clock.delta_as_nanos(begun, clock.raw()));
    };
    row(work, || ())
}

fn floor_instant() -> Row {
    let work = || {
        black_box(Instant::now());
        black_box(Instant::now());
    };
    row(work, || ())
}

fn success(guard: Guard) -> Row {
    guarded(guard, Outcome::Success, move || admit(black_box(&guard)).success())
}

fn failure() -> Row {
    let guard = common::full(untripped(Duration::from_secs(10))).guard();
    guarded(guard, Outcome::FAILURE, move || admit(black_box(&guard)).failure())
}

fn layered_success() -> Row {
    let mut service = common::full(Breaker::default());
    guarded(service.guard(), Outcome::Success, move || _ = black_box(call(&mut service, black_box(0))))
}

fn refused() -> Row {
    let service = common::full(Breaker::default());
    service.guard().force_open();
    guarded(service.guard(), Outcome::Rejected, move || assert!(black_box(service.guard()).admit().is_err()))
}

fn refused_fallback_value() -> Row {
    let mut service = common::full(Breaker::default());
    service.guard().force_open();
    guarded(service.guard(), Outcome::Degraded, move || {
        assert!(call(&mut service, black_box(0)) == Ok(common::FALLEN_BACK));
    })
}

fn layered_refused() -> Row {
    let mut service = common::full_without_fallback(Breaker::default());
    service.guard().force_open();
    guarded(service.guard(), Outcome::Rejected, move || {
        assert!(matches!(call(&mut service, black_box(0)), Err(GuardError::Rejected(_))));
    })
}

/// A request through `.http()` to the end of its response's body; both are made and dropped in it.
fn http_success() -> Row {
    let answer = |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new())));
    let guard = common::slo(&Plimsoll::new(), "http").guard().breaker(Breaker::default());
    let layer = guard.shed(Shed::adaptive()).http().expect("a guard that works");
    let mut service = layer.layer(tower::service_fn(answer));
    guarded(layer.guard(), Outcome::Success, move || {
        let Ok(response) = call(&mut service, black_box(Request::new(())));
        let mut body = pin!(response.into_body());
        let frame = pin!(body.frame()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(frame, Poll::Ready(None)));
    })
}

library_benchmark_group!(name = instructions, benchmarks = calls);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = instructions
);
