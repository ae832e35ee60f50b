//! Tower's contract, kept by a guard.

use crate::harness::{Rig, Task, breaker, ended, now, trip};
use plimsoll::{GuardError, Outcome, Reason, Rejection, State};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

type Mock = mock::Mock<&'static str, &'static str>;

fn mocked() -> (Mock, mock::Handle<&'static str, &'static str>) {
    mock::pair()
}

fn is_ready<S: Service<R>, R>(task: &Task, service: &mut S) -> bool {
    match task.with(|cx| service.poll_ready(cx)) {
        Poll::Ready(Ok(())) => true,
        Poll::Ready(Err(_)) => panic!("not to fail"),
        Poll::Pending => false,
    }
}

fn reason<T, E: std::fmt::Debug>(result: Result<T, GuardError<E>>) -> Reason {
    match result {
        Err(GuardError::Rejected(rejection)) => rejection.reason(),
        Err(GuardError::Inner(error)) => panic!("{error:?}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn an_answer_passes_and_counts_as_success() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    let layer = rig.guard().layer().unwrap();
    let mut service = layer.layer(mock);
    let answer = service.ready().await.unwrap().call("pay");
    assert_eq!(layer.guard().in_flight(), 1);
    let (request, send) = handle.next_request().await.unwrap();
    assert_eq!(request, "pay");
    send.send_response("paid");
    assert_eq!(answer.await.unwrap(), "paid");
    assert_eq!(ended(layer.guard()), [("success", 1)]);
    assert_eq!(layer.guard().in_flight(), 0);
}

#[tokio::test]
async fn an_error_passes_as_inner_and_counts_as_failure() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    let layer = rig.guard().layer().unwrap();
    let mut service = layer.layer(mock);
    let answer = service.ready().await.unwrap().call("pay");
    handle.next_request().await.unwrap().1.send_error("no");
    let error = answer.await.unwrap_err();
    assert!(matches!(&error, GuardError::Inner(error) if error.to_string() == "no"));
    assert_eq!(ended(layer.guard()), [("failure", 1)]);
}

#[test]
fn the_readied_instance_is_the_one_called() {
    struct Instance {
        id: u32,
        ready: bool,
        clones: Rc<Cell<u32>>,
    }

    impl Clone for Instance {
        fn clone(&self) -> Self {
            self.clones.set(self.clones.get() + 1);
            Self { id: self.id + self.clones.get(), ready: false, clones: self.clones.clone() }
        }
    }

    impl Service<()> for Instance {
        type Response = u32;
        type Error = Infallible;
        type Future = Ready<Result<u32, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            assert!(std::mem::take(&mut self.ready), "called without having been readied");
            ready(Ok(self.id))
        }
    }

    let clones = Rc::new(Cell::new(0));
    let mut service = Rig::new().guard().layer().unwrap().layer(Instance { id: 7, ready: false, clones });
    for _ in 0..3 {
        assert!(is_ready(&Task::default(), &mut service));
        assert_eq!(now(service.call(())).unwrap(), 7);
    }
    assert_eq!(service.get_ref().clones.get(), 0);
}

#[test]
fn an_open_breaker_does_not_wait_for_a_pending_inner_service() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = rig.guard().layer().unwrap().layer(mock);
    let task = Task::default();
    assert!(!is_ready(&task, &mut service));
    trip(service.guard());
    assert_eq!(task.woken(), 1, "whoever waited is told");
    assert!(is_ready(&task, &mut service));
    assert_eq!(reason(now(service.call("pay"))), Reason::Open);
    assert_eq!(ended(service.guard()), [("failure", 2), ("rejected", 1)]);
    rig.advance(10.0);
    assert!(!is_ready(&task, &mut service), "half-open, it may let a call through: only to a service that is ready");
    handle.allow(1);
    assert!(is_ready(&task, &mut service));
}

#[test]
fn a_half_open_breaker_that_gave_its_last_probe_away_does_not_wait_either() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = rig.guard().layer().unwrap().layer(mock);
    let guard = service.guard();
    trip(guard);
    rig.advance(10.0);
    let task = Task::default();
    assert!(!is_ready(&task, &mut service), "it may let a call through");
    let probe = guard.admit().unwrap();
    assert!(task.woken() > 0, "now it refuses, and whoever waited is told");
    assert!(is_ready(&task, &mut service));
    assert_eq!(reason(now(service.call("pay"))), Reason::Probing);
    probe.success();
}

#[test]
fn a_forced_open_breaker_does_not_wait_either() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = rig.slo.guard().breaker(breaker()).layer().unwrap().layer(mock);
    let task = Task::default();
    assert!(!is_ready(&task, &mut service));
    service.guard().force_open();
    assert!(task.woken() > 0);
    assert!(is_ready(&task, &mut service));
    assert_eq!(reason(now(service.call("pay"))), Reason::ForcedOpen);
}

#[test]
fn an_inner_service_that_was_not_readied_is_never_called() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = rig.guard().layer().unwrap().layer(mock);
    trip(service.guard());
    assert!(is_ready(&Task::default(), &mut service));
    rig.advance(10.0);
    // The mock panics if it is called without having been readied.
    assert_eq!(reason(now(service.call("pay"))), Reason::NotReady);
    let probe = service.guard().admit().expect("no probe was spent on it");
    drop(probe);
    let mut unready = service.clone();
    rig.advance(40.0);
    assert_eq!(reason(now(unready.call("pay"))), Reason::NotReady);
}

#[test]
fn one_readiness_is_good_for_one_call() {
    let rig = Rig::new();
    let (mock, _handle) = mocked();
    let mut service = rig.guard().layer().unwrap().layer(mock);
    assert!(is_ready(&Task::default(), &mut service));
    let first = service.call("pay");
    assert_eq!(reason(now(service.call("pay"))), Reason::NotReady);
    drop(first);
    assert_eq!(ended(service.guard()), [("abandoned", 1), ("rejected", 1)]);
}

#[test]
fn while_the_breaker_refuses_the_inner_service_is_not_asked() {
    let rig = Rig::new();
    let (mock, _handle) = mocked();
    let one_at_a_time = tower::limit::ConcurrencyLimit::new(mock, 1);
    let mut other = one_at_a_time.clone();
    let mut service = rig.guard().layer().unwrap().layer(one_at_a_time);
    trip(service.guard());
    assert!(is_ready(&Task::default(), &mut service));
    assert!(is_ready(&Task::default(), &mut other), "it took no place that it would not use");
}

#[test]
fn clones_are_independent() {
    let rig = Rig::new();
    let (mock, _handle) = mocked();
    let one_at_a_time = tower::limit::ConcurrencyLimit::new(mock, 1);
    let mut first = rig.guard().layer().unwrap().layer(one_at_a_time);
    let task = Task::default();
    assert!(is_ready(&task, &mut first));
    let mut second = first.clone();
    assert!(!is_ready(&task, &mut second), "the one place is the first's");
    assert_eq!(reason(now(second.call("pay"))), Reason::NotReady);
    let mut answer = pin!(first.call("pay"));
    assert!(task.poll(answer.as_mut()).is_pending());
    assert_eq!(first.guard().in_flight(), 1);
}

#[test]
fn readiness_outlives_a_refusal() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(1);
    let mut service = rig.guard().layer().unwrap().layer(mock);
    let task = Task::default();
    assert!(is_ready(&task, &mut service));
    service.guard().force_open();
    assert_eq!(reason(now(service.call("pay"))), Reason::ForcedOpen);
    assert!(is_ready(&task, &mut service));
    service.guard().auto();
    // Readied before the breaker opened, and still owed its call.
    let mut answer = pin!(service.call("pay"));
    assert!(task.poll(answer.as_mut()).is_pending());
    assert_eq!(service.guard().in_flight(), 1);
}

#[test]
fn a_failing_readiness_passes_and_is_no_call() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    let mut service = rig.guard().layer().unwrap().layer(mock);
    handle.send_error("gone");
    let Poll::Ready(Err(GuardError::Inner(error))) = Task::default().with(|cx| service.poll_ready(cx)) else {
        panic!("not passed on")
    };
    assert_eq!(error.to_string(), "gone");
    assert_eq!(ended(service.guard()), []);
}

#[test]
fn nobody_is_woken_without_a_cause() {
    let rig = Rig::new();
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = rig.guard().layer().unwrap().layer(mock);
    let task = Task::default();
    for _ in 0..3 {
        assert!(!is_ready(&task, &mut service));
    }
    rig.plimsoll.tick();
    service.guard().admit().unwrap().success();
    assert_eq!(task.woken(), 0);
    handle.allow(1);
    assert_eq!(task.woken(), 1);
    assert!(is_ready(&task, &mut service));
    let mut answer = pin!(service.call("pay"));
    for _ in 0..3 {
        assert!(task.poll(answer.as_mut()).is_pending());
    }
    assert_eq!(task.woken(), 1);
}

#[test]
fn a_wait_leaves_no_waker_behind() {
    #[derive(Clone)]
    struct Busy;

    impl Service<()> for Busy {
        type Response = ();
        type Error = Infallible;
        type Future = Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            unreachable!("never ready")
        }
    }

    let layer = Rig::new().guard().layer().unwrap();
    let task = Task::default();
    let mut service = layer.layer(Busy);
    for _ in 0..10 {
        assert!(!is_ready(&task, &mut service));
        assert_eq!(task.wakers(), 1);
    }
    assert!(!is_ready(&task, &mut service.clone()));
    assert_eq!(task.wakers(), 1, "the clone's is gone with it");
    drop(service);
    assert_eq!(task.wakers(), 0);
    // Who becomes ready waits no longer.
    let (mock, mut handle) = mocked();
    handle.allow(0);
    let mut service = layer.layer(mock);
    assert!(!is_ready(&task, &mut service));
    handle.allow(1);
    assert!(is_ready(&task, &mut service));
    assert_eq!(task.wakers(), 0);
}

#[test]
fn a_dropped_call_is_abandoned_and_gives_everything_back() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let mut service = layer.layer(service_fn(|(): ()| pending::<Result<(), Infallible>>()));
    let task = Task::default();
    assert!(is_ready(&task, &mut service));
    drop(service.call(()));
    assert_eq!(ended(layer.guard()), [("abandoned", 1)], "even if it was never polled");
    assert!(is_ready(&task, &mut service));
    {
        let mut answer = pin!(service.call(()));
        assert!(task.poll(answer.as_mut()).is_pending());
        drop(service);
        assert_eq!(layer.guard().in_flight(), 1, "the call survives the service");
    }
    assert_eq!(ended(layer.guard()), [("abandoned", 2)]);
    assert_eq!(layer.guard().in_flight(), 0);
}

#[test]
fn a_dropped_probe_is_offered_again() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let mut service =
        layer.layer(service_fn(|ok: bool| async move { if ok { Ok::<_, Infallible>(()) } else { pending().await } }));
    trip(layer.guard());
    rig.advance(10.0);
    let task = Task::default();
    for _ in 0..5 {
        assert!(is_ready(&task, &mut service));
        drop(service.call(false));
    }
    assert_eq!(layer.guard().state(), State::HalfOpen);
    assert!(is_ready(&task, &mut service));
    now(service.call(true)).unwrap();
    assert_eq!(layer.guard().state(), State::Closed);
}

#[test]
fn a_panic_in_the_inner_call_counts_as_panicked() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let mut service = layer.layer(service_fn(|(): ()| -> Ready<Result<(), Infallible>> { panic!("as planned") }));
    assert!(is_ready(&Task::default(), &mut service));
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(service.call(()))));
    assert!(panicked.is_err());
    assert_eq!(ended(layer.guard()), [("panicked", 1)]);
    assert_eq!(layer.guard().in_flight(), 0);
}

#[test]
fn a_panic_in_the_future_counts_as_panicked_even_if_it_is_dropped_later() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let mut service = layer.layer(service_fn(|(): ()| async { panic!("as planned") as Result<(), Infallible> }));
    let task = Task::default();
    assert!(is_ready(&task, &mut service));
    let mut answer = Box::pin(service.call(()));
    let panicked = catch_unwind(AssertUnwindSafe(|| task.poll(answer.as_mut()).is_ready()));
    assert!(panicked.is_err());
    assert_eq!(ended(layer.guard()), [("panicked", 1)]);
    drop(answer);
    assert_eq!(ended(layer.guard()), [("panicked", 1)], "once");
}

#[test]
fn a_classifier_says_what_an_answer_means() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap().classify(|result: Result<&u32, &Infallible>| match result {
        Ok(504) => Outcome::TimedOut,
        Ok(500..) => Outcome::FAILURE,
        _ => Outcome::Success,
    });
    let mut service = layer.layer(service_fn(|status: u32| ready(Ok(status))));
    for status in [200, 504, 404, 500] {
        assert!(is_ready(&Task::default(), &mut service));
        assert_eq!(now(service.call(status)).unwrap(), status);
    }
    assert_eq!(ended(layer.guard()), [("success", 2), ("failure", 1), ("timed_out", 1)]);
}

#[test]
fn a_call_that_succeeds_after_the_breaker_opened_is_counted_and_does_not_close_it() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let (mock, mut handle) = mocked();
    let mut service = layer.layer(mock);
    let task = Task::default();
    assert!(is_ready(&task, &mut service));
    let mut answer = pin!(service.call("pay"));
    trip(layer.guard());
    rig.advance(10.0);
    let probe = layer.guard().admit().unwrap();
    let (_, send) = now(handle.next_request()).unwrap();
    send.send_response("late");
    assert!(task.poll(answer.as_mut()).is_ready());
    assert_eq!(layer.guard().state(), State::HalfOpen);
    probe.success();
    assert_eq!(layer.guard().state(), State::Closed);
    assert_eq!(ended(layer.guard()), [("success", 2), ("failure", 2)]);
}

#[test]
fn a_guard_has_as_many_layers_as_are_wanted() {
    let rig = Rig::new();
    let guard = rig.guard().build().unwrap();
    let mut first = guard.layer().layer(service_fn(|n: u32| ready(Ok::<_, Infallible>(n))));
    let mut second = guard.layer().layer(service_fn(|s: &'static str| ready(Ok::<_, Infallible>(s.len()))));
    let task = Task::default();
    assert!(is_ready(&task, &mut first) && is_ready(&task, &mut second));
    assert_eq!((now(first.call(1)).unwrap(), now(second.call("two")).unwrap()), (1, 3));
    assert_eq!(ended(guard), [("success", 2)]);
    let taken = rig.guard().layer().unwrap_err();
    assert!(taken.is_duplicate(), "{taken}");
    let never = rig.slo.guard().named("other").breaker(breaker().consecutive(0)).layer().unwrap_err();
    assert!(never.is_invalid(), "{never}");
}

#[test]
fn a_buffer_in_front_keeps_working_while_the_breaker_is_open() {
    let rig = Rig::new();
    let layer = rig.guard().layer().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let service = layer.layer(service_fn(|n: u32| ready(if n == 0 { Err("zero") } else { Ok(n) })));
        let service = tower::buffer::Buffer::new(service.map_err(GuardError::into_boxed), 4);
        for n in [0, 0] {
            assert_eq!(service.clone().oneshot(n).await.unwrap_err().to_string(), "zero");
        }
        let refused = service.clone().oneshot(1).await.unwrap_err();
        assert_eq!(refused.downcast::<Rejection>().unwrap().reason(), Reason::Open);
        rig.advance(10.0);
        assert_eq!(service.oneshot(1).await.unwrap(), 1);
    });
    assert_eq!(ended(layer.guard()), [("success", 1), ("failure", 2), ("rejected", 1)]);
}

#[test]
fn a_future_adds_little_to_the_inner_one() {
    fn sizes<S: Service<R>, R>(inner: &mut S, outer: usize) -> (usize, usize) {
        assert!(is_ready(&Task::default(), inner));
        (size_of::<S::Future>(), outer)
    }
    let layer = Rig::new().guard().layer().unwrap();
    let mut small = service_fn(|n: u64| ready(Ok::<u64, Infallible>(n)));
    let outer = size_of_val(&layer.layer(small).call(1));
    println!("ready: {:?}", sizes(&mut small, outer));
    let mut large = service_fn(|n: u64| ready(Ok::<[u64; 64], Infallible>([n; 64])));
    let outer = size_of_val(&layer.layer(large).call(1));
    let (inner, outer) = sizes(&mut large, outer);
    println!("large: {inner} {outer}");
    assert!(outer <= inner + 64, "{inner} became {outer}");
}
