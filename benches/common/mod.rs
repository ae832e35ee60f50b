//! What the benches share: the guards that are measured, one thread to a core, and polling without a runtime.
#![allow(dead_code, unreachable_pub)] // no bench needs all of it

pub mod measure;

use plimsoll::{
    Breaker, FallbackValue, Guard, GuardLayer, GuardService, KeyedGuard, ManualClock, Outcome, Permit, Plimsoll,
    ResultClassifier, Shed, Slo, SloHandle,
};
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::{Layer, Service};

/// An SLO with both objectives, as most services have it.
pub fn slo(plimsoll: &Plimsoll, name: &str) -> SloHandle {
    plimsoll
        .declare(Slo::new(name).success(99.9).latency(99.0, Duration::from_millis(500)).over_days(30))
        .expect("a declaration that works")
}

/// The SLI alone: both objectives, no breaker.
pub fn sli() -> Guard {
    slo(&Plimsoll::new(), "sli").guard().build().expect("a guard that works")
}

/// A breaker behind one objective of the plainest kind.
pub fn breaker_only(breaker: Breaker) -> Guard {
    let slo = Plimsoll::new().declare(Slo::new("breaker").success(99.9)).expect("a declaration that works");
    slo.guard().breaker(breaker).build().expect("a guard that works")
}

/// A breaker for each of up to 1,000 keys.
pub fn keyed() -> KeyedGuard<String> {
    let slo = slo(&Plimsoll::new(), "keyed");
    slo.guard().breaker(Breaker::default()).keyed(1_000).expect("a guard that works")
}

/// Everything there is: two objectives, histogram, windows, breaker, burn trip, an adaptive limiter with its priorities, a
/// fallback, around a ready service. The limiter is calm, as it is while no call takes a quarter of the threshold.
pub fn full(breaker: Breaker) -> Layered {
    full_with(breaker, Shed::adaptive())
}

/// The same with its limiter engaged, a limit in force, and calls under it: it warms up, for a day.
pub fn full_engaged() -> Layered {
    let service = full_with(Breaker::default(), Shed::adaptive().warm_up(Duration::from_secs(86_400)));
    assert!(service.guard().limit().is_some_and(|limit| limit >= 8), "nothing is limited");
    service
}

/// The same on a clock that stands still: a call takes no time, however slowly it is run.
pub fn full_in_no_time() -> Layered {
    full_on(&Plimsoll::with_clock(ManualClock::new()), Breaker::default(), Shed::adaptive())
}

fn full_with(breaker: Breaker, shed: Shed) -> Layered {
    full_on(&Plimsoll::new(), breaker, shed)
}

fn full_on(plimsoll: &Plimsoll, breaker: Breaker, shed: Shed) -> Layered {
    let guard = slo(plimsoll, "full").guard().breaker(breaker).shed(shed);
    let layer: GuardLayer<FallbackValue<u64>> = guard.fallback_value(FALLEN_BACK).layer().expect("a guard that works");
    layer.layer(Echo)
}

/// The same without a fallback.
pub fn full_without_fallback(breaker: Breaker) -> GuardService<Echo, (), ResultClassifier> {
    let guard = slo(&Plimsoll::new(), "full").guard().breaker(breaker).shed(Shed::adaptive());
    guard.layer().expect("a guard that works").layer(Echo)
}

pub type Layered = GuardService<Echo, FallbackValue<u64>, ResultClassifier>;

/// The answer of the fallback.
pub const FALLEN_BACK: u64 = u64::MAX;

/// A breaker that all failures pass through and none of them trips, at a ratio that needs more calls than will come.
pub fn untripped(window: Duration) -> Breaker {
    Breaker::never().failure_ratio(1.0, 1 << 60, window).consecutive(u32::MAX)
}

/// A breaker that trips at 90 % bad: for calls of which [`NEXT_TO_IT`] are bad, so that it must be judged again and
/// again and never trips.
pub fn next_to_the_limit(window: Duration) -> Breaker {
    Breaker::never().failure_ratio(0.9, 20, window)
}

/// So many bad calls, then a good one.
pub const NEXT_TO_IT: u64 = 8;

/// Answers at once: an even number with itself, an odd one with an error.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Service<u64> for Echo {
    type Response = u64;
    type Error = u64;
    type Future = Ready<Result<u64, u64>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), u64>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        ready(if request & 1 == 0 { Ok(request) } else { Err(request) })
    }
}

/// One call, asked again until it is answered: without a runtime, which would cost more than most of what is measured.
/// Ours never waits; what waits for a lock is thus spared being put to sleep.
#[inline(always)]
pub fn call<S: Service<Req>, Req>(service: &mut S, request: Req) -> Result<S::Response, S::Error> {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match service.poll_ready(&mut cx) {
            Poll::Ready(Ok(())) => break,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => std::hint::spin_loop(),
        }
    }
    let mut future = pin!(service.call(request));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::hint::spin_loop(),
        }
    }
}

/// Lets a call in that must not be refused.
#[inline(always)]
pub fn admit(guard: &Guard) -> Permit {
    guard.admit().expect("nothing trips it")
}

/// Calls that ended so, over all threads.
pub fn counted(guard: &Guard, outcome: Outcome) -> u64 {
    guard.outcomes().filter(|(o, _)| *o == outcome).map(|(_, n)| n).sum()
}

/// Runs `work(thread, iterations)` on `threads` threads at once, each on a core of its own as long as there are any, and
/// says how long one of them took on average.
///
/// They are new threads each time, so that they own their counters, as the threads of a service do.
pub fn on_cores(threads: usize, iterations: u64, work: impl Fn(usize, u64) + Sync) -> Duration {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let (start, work) = (&Barrier::new(threads), &work);
    let total: Duration = std::thread::scope(|scope| {
        let threads = (0..threads).map(|thread| {
            let core = cores.get(thread % cores.len().max(1)).copied();
            scope.spawn(move || {
                core.map(core_affinity::set_for_current);
                work(thread, 1); // the first call of a thread finds its counters
                start.wait();
                let begun = Instant::now();
                work(thread, iterations);
                begun.elapsed()
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).sum()
    });
    total / threads as u32
}

/// Whether the bench shall measure (`cargo bench`) or only be tried (`cargo test`, or `-- --test`).
pub fn measuring() -> bool {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    has("--bench") && !has("--test")
}

/// What stands over a table.
pub fn caption(rounds: usize) -> String {
    let only_tried = if measuring() { "" } else { " (only tried: the figures mean nothing)" };
    format!("{}; median of {rounds} interleaved rounds{only_tried}", measure::machine())
}
