//! What the tests of layers share: an SLO on a manual clock, and polling by hand.

use plimsoll::{Breaker, Guard, GuardBuilder, ManualClock, Plimsoll, Slo, SloHandle};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) plimsoll: Plimsoll,
    pub(crate) slo: SloHandle,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let slo = Slo::new("payments").success(99.9).latency(99.0, Duration::from_millis(500));
        let slo = plimsoll.declare(slo).unwrap();
        Self { clock, plimsoll, slo }
    }

    /// A guard that trips on the second bad call in a row, opens for 10 s, closes with one probe and no ramp.
    pub(crate) fn guard(&self) -> GuardBuilder {
        self.slo.guard().breaker(breaker())
    }

    pub(crate) fn advance(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
    }
}

pub(crate) fn breaker() -> Breaker {
    let second = Duration::from_secs(1);
    Breaker::never()
        .consecutive(2)
        .open_for(10 * second, 10 * second)
        .jitter(0.0)
        .probes(1, 30 * second)
        .ramp(1.0, Duration::ZERO)
}

/// How calls ended: what there was none of is left out.
pub(crate) fn ended(guard: Guard) -> Vec<(&'static str, u64)> {
    guard.outcomes().filter(|(_, n)| *n > 0).map(|(outcome, n)| (outcome.as_str(), n)).collect()
}

pub(crate) fn trip(guard: Guard) {
    guard.admit().unwrap().failure();
    guard.admit().unwrap().failure();
    assert_eq!(guard.state(), plimsoll::State::Open);
}

/// Polls by hand, and counts how often it is woken.
#[derive(Default)]
pub(crate) struct Task(Arc<Woken>);

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    pub(crate) fn woken(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// How many wakers of this task somebody keeps.
    pub(crate) fn wakers(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        f(&mut Context::from_waker(&Waker::from(Arc::clone(&self.0))))
    }

    pub(crate) fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.with(|cx| future.poll(cx))
    }
}

/// The output of a future that has nothing to wait for.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match Task::default().poll(std::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
