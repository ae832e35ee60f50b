//! Fallbacks: what answers in place of a call that was refused, or that failed.

use crate::harness::{Rig, Task, ended, now, trip};
use plimsoll::{Breaker, Fallback, GuardError, GuardLayer, OnFailure, Reason, Rejection, Stale, StaleAnswers, State};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<String, &'static str>;

/// Calls a service that gives the answer it is asked for.
fn ask<F>(layer: &GuardLayer<F>, answer: Answer) -> Result<String, GuardError<&'static str>>
where
    F: Fallback<Answer, String> + Clone,
{
    now(layer.layer(service_fn(ready::<Answer>)).oneshot(answer))
}

fn ok(text: &str) -> Answer {
    Ok(text.to_owned())
}

#[test]
fn a_handler_is_given_the_request_and_the_rejection() {
    let rig = Rig::new();
    let layer = rig
        .guard()
        .fallback(|request: Answer, rejection: Rejection| async move {
            Ok::<_, Infallible>(format!("{request:?} {} {:?}", rejection.guard(), rejection.reason()))
        })
        .layer()
        .unwrap();
    assert_eq!(ask(&layer, ok("paid")).unwrap(), "paid");
    trip(layer.guard());
    assert_eq!(ask(&layer, ok("paid")).unwrap(), r#"Ok("paid") payments Open"#);
    assert_eq!(ended(layer.guard()), [("success", 1), ("failure", 2), ("degraded", 1)]);
    assert_eq!(layer.guard().state(), State::Open, "an answer of a fallback closes nothing");
    let objective = rig.slo.objective("success").unwrap();
    assert_eq!((objective.total().good, objective.total().bad), (2, 2), "degraded is good to the SLI");
}

#[test]
fn a_handler_that_fails_lets_the_rejection_stand() {
    let rig = Rig::new();
    let layer = rig.guard().fallback(|_: Answer, _| ready(Err::<String, _>("neither"))).layer().unwrap();
    trip(layer.guard());
    let rejection = ask(&layer, ok("paid")).unwrap_err();
    assert_eq!(rejection.rejection().unwrap().reason(), Reason::Open);
    assert_eq!(ended(layer.guard()), [("failure", 2), ("rejected", 1)]);
}

#[test]
fn a_handler_that_waits_is_waited_for_and_abandoned_when_dropped() {
    let rig = Rig::new();
    let layer = rig.guard().fallback(|_: (), _| pending::<Result<(), ()>>()).layer().unwrap();
    let mut service = layer.layer(service_fn(|(): ()| ready(Ok::<_, Infallible>(()))));
    trip(layer.guard());
    let task = Task::default();
    assert!(task.with(|cx| service.poll_ready(cx)).is_ready());
    {
        let mut answer = pin!(service.call(()));
        assert!(task.poll(answer.as_mut()).is_pending());
        assert_eq!(ended(layer.guard()), [("failure", 2)]);
    }
    assert_eq!(ended(layer.guard()), [("failure", 2), ("abandoned", 1)]);
}

#[test]
fn a_handler_that_panics_is_counted_once_and_gives_its_place_back() {
    let rig = Rig::new();
    let at_once = Rc::new(Cell::new(true));
    let handler = {
        let at_once = Rc::clone(&at_once);
        move |(): (), _: Rejection| {
            assert!(!at_once.get(), "as planned");
            async { panic!("as planned") as Result<(), ()> }
        }
    };
    let layer = rig.guard().max_concurrent_fallbacks(1).fallback(handler).layer().unwrap();
    let mut service = layer.layer(service_fn(|(): ()| ready(Ok::<_, Infallible>(()))));
    trip(layer.guard());
    let task = Task::default();
    for (panics_at_once, panicked) in [(true, 1), (false, 2), (true, 3)] {
        at_once.set(panics_at_once);
        assert!(task.with(|cx| service.poll_ready(cx)).is_ready());
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let mut answer = Box::pin(service.call(()));
            let polled = catch_unwind(AssertUnwindSafe(|| task.poll(answer.as_mut()).is_ready()));
            assert!(polled.is_err());
            answer
        }));
        assert_eq!(answer.is_err(), panics_at_once);
        assert_eq!(ended(layer.guard()), [("failure", 2), ("panicked", panicked)]);
    }
}

#[test]
fn a_value_answers_refusals() {
    let rig = Rig::new();
    let layer = rig.guard().fallback_value("unknown".to_owned()).layer().unwrap();
    assert_eq!(ask(&layer, Err("no")).unwrap_err(), GuardError::Inner("no"), "failures only if it was asked for");
    layer.guard().force_open();
    assert_eq!(ask(&layer, ok("paid")).unwrap(), "unknown");
    assert_eq!(ended(layer.guard()), [("failure", 1), ("degraded", 1)]);
}

#[test]
fn on_failure_too_the_answer_is_the_fallbacks_and_the_breaker_sees_the_failure() {
    let rig = Rig::new();
    let layer = rig.guard().fallback_value("unknown".to_owned()).also_on_failure().layer().unwrap();
    assert_eq!(ask(&layer, ok("paid")).unwrap(), "paid");
    for _ in 0..2 {
        assert_eq!(ask(&layer, Err("no")).unwrap(), "unknown");
    }
    assert_eq!(layer.guard().state(), State::Open);
    assert_eq!(ask(&layer, ok("paid")).unwrap(), "unknown");
    assert_eq!(ended(layer.guard()), [("success", 1), ("degraded", 3)]);
    let objective = rig.slo.objective("success").unwrap();
    assert_eq!((objective.total().good, objective.total().bad), (4, 0));
}

#[test]
fn a_handler_is_told_that_the_call_failed() {
    let rig = Rig::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let handler = {
        let seen = Rc::clone(&seen);
        move |request: Answer, rejection: Rejection| {
            seen.borrow_mut().push((request, rejection.reason(), rejection.to_string()));
            ready(Err::<String, _>("neither"))
        }
    };
    let layer = rig.guard().fallback(handler).also_on_failure().layer().unwrap();
    assert_eq!(ask(&layer, Err("no")), Err(GuardError::Inner("no")), "its own failure leaves the call's");
    let words = "payments let the call through, and it failed".to_owned();
    assert_eq!(*seen.borrow(), [(Err("no"), Reason::Failed, words)]);
    assert_eq!(ended(layer.guard()), [("failure", 1)]);
    ask(&layer, Err("no")).unwrap_err();
    assert_eq!(layer.guard().state(), State::Open, "the breaker saw both");
}

#[test]
fn a_failed_call_whose_fallback_is_dropped_is_abandoned_and_the_breaker_saw_it() {
    let rig = Rig::new();
    let handler = |_: u32, _: Rejection| pending::<Result<u32, ()>>();
    let layer = rig.guard().fallback(handler).also_on_failure().layer().unwrap();
    let mut service = layer.layer(service_fn(|_| ready(Err::<u32, _>("no"))));
    let task = Task::default();
    for _ in 0..2 {
        assert!(task.with(|cx| service.poll_ready(cx)).is_ready());
        let mut answer = pin!(service.call(1));
        assert!(task.poll(answer.as_mut()).is_pending());
        assert_eq!(layer.guard().in_flight(), 1);
    }
    assert_eq!(ended(layer.guard()), [("abandoned", 2)]);
    assert_eq!((layer.guard().state(), layer.guard().in_flight()), (State::Open, 0));
}

#[test]
fn requests_are_cloned_only_for_a_handler_that_is_asked_on_failure() {
    struct Counted(Rc<Cell<u32>>);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.set(self.0.get() + 1);
            Self(Rc::clone(&self.0))
        }
    }

    fn succeed<F: Fallback<Counted, u32> + Clone>(layer: &GuardLayer<F>) -> u32 {
        let clones = Rc::new(Cell::new(0));
        let service = layer.layer(service_fn(|_: Counted| ready(Ok::<u32, Infallible>(1))));
        now(service.oneshot(Counted(Rc::clone(&clones)))).unwrap();
        clones.get()
    }

    let rig = Rig::new();
    let handler = |_: Counted, _: Rejection| ready(Ok::<u32, ()>(2));
    let guard = |name: &str| rig.slo.guard().named(name);
    assert_eq!(succeed(&guard("none").layer().unwrap()), 0);
    assert_eq!(succeed(&guard("handler").fallback(handler).layer().unwrap()), 0);
    assert_eq!(succeed(&guard("value").fallback_value(2).also_on_failure().layer().unwrap()), 0);
    let stale = guard("stale").stale(Stale::new(|_: &Counted| ())).also_on_failure();
    assert_eq!(succeed(&stale.layer().unwrap()), 0);
    assert_eq!(succeed(&guard("handler too").fallback(handler).also_on_failure().layer().unwrap()), 1);
}

type Stales<K> = StaleAnswers<fn(&Answer) -> K, K, String>;

/// Keys by the first letter of the answer that is asked for; those that shall fail say what they are about.
fn letter(request: &Answer) -> char {
    let (Ok(text) | Err(text)) = request.as_ref().map(String::as_str).map_err(|text| &**text);
    text.chars().next().unwrap()
}

fn stale(rig: &Rig, max_age: u64, capacity: usize) -> GuardLayer<Stales<char>> {
    let key: fn(&Answer) -> char = letter;
    let stale = Stale::new(key).max_age(Duration::from_secs(max_age)).capacity(capacity);
    rig.guard().stale(stale).layer().unwrap()
}

#[test]
fn a_stale_answer_is_the_last_good_one_by_its_key() {
    let rig = Rig::new();
    let layer = stale(&rig, 60, 10);
    for text in ["a1", "b1", "a2"] {
        ask(&layer, ok(text)).unwrap();
    }
    assert_eq!(ask(&layer, Err("a3")), Err(GuardError::Inner("a3")), "a failure is not kept");
    layer.guard().force_open();
    assert_eq!(ask(&layer, ok("a4")).unwrap(), "a2");
    assert_eq!(ask(&layer, ok("b4")).unwrap(), "b1");
    let never_asked = ask(&layer, ok("c4")).unwrap_err();
    assert_eq!(never_asked.rejection().unwrap().reason(), Reason::ForcedOpen);
    assert_eq!(ended(layer.guard()), [("success", 3), ("failure", 1), ("rejected", 1), ("degraded", 2)]);
}

#[test]
fn a_stale_answer_has_an_age_limit() {
    let rig = Rig::new();
    let layer = stale(&rig, 60, 10);
    ask(&layer, ok("a1")).unwrap();
    layer.guard().force_open();
    rig.advance(60.0);
    assert_eq!(ask(&layer, ok("a2")).unwrap(), "a1", "up to and including");
    rig.advance(0.001);
    assert!(ask(&layer, ok("a2")).is_err(), "being used does not make it younger");
    layer.guard().auto();
    ask(&layer, ok("a3")).unwrap();
    layer.guard().force_open();
    assert_eq!(ask(&layer, ok("a4")).unwrap(), "a3");
}

#[test]
fn stale_answers_are_bounded_and_the_least_used_goes_first() {
    let rig = Rig::new();
    let layer = stale(&rig, 60, 2);
    ask(&layer, ok("a1")).unwrap();
    ask(&layer, ok("b1")).unwrap();
    ask(&layer, ok("a2")).unwrap();
    ask(&layer, ok("c1")).unwrap();
    layer.guard().force_open();
    assert_eq!(ask(&layer, ok("a9")).unwrap(), "a2");
    assert_eq!(ask(&layer, ok("c9")).unwrap(), "c1");
    assert!(ask(&layer, ok("b9")).is_err());
}

#[test]
fn stale_answers_on_failure_too() {
    let rig = Rig::new();
    let key: fn(&Answer) -> char = letter;
    let layer: GuardLayer<OnFailure<Stales<char>>> =
        rig.guard().stale(Stale::new(key)).also_on_failure().layer().unwrap();
    assert_eq!(ask(&layer, Err("a0")), Err(GuardError::Inner("a0")), "there is none yet: the failure stands");
    ask(&layer, ok("a1")).unwrap();
    assert_eq!(ask(&layer, Err("a2")).unwrap(), "a1");
    assert_eq!(ask(&layer, Err("a3")).unwrap(), "a1", "a stale answer is not a good one: it is not kept anew");
    assert_eq!(layer.guard().state(), State::Open);
    assert_eq!(ended(layer.guard()), [("success", 1), ("failure", 1), ("degraded", 2)]);
    rig.advance(300.001);
    assert_eq!(ask(&layer, Err("a4")), Err(GuardError::Inner("a4")), "a probe that failed, and nothing fresh");
}

#[test]
fn stale_answers_that_cannot_work_are_refused() {
    let rig = Rig::new();
    let stale = || Stale::new(|n: &u32| *n);
    let none = rig.guard().stale::<_, _, u32, _>(stale().capacity(0)).layer().unwrap_err();
    assert!(none.is_invalid() && none.to_string().contains("write at least 1"), "{none}");
    let no_time = rig.guard().stale::<_, _, u32, _>(stale().max_age(Duration::ZERO)).also_on_failure().layer();
    assert!(no_time.unwrap_err().to_string().contains("max_age of 0"));
    assert!(rig.plimsoll.guards().is_empty(), "and no guard is left behind");
}

#[test]
fn fallbacks_under_way_are_capped() {
    let rig = Rig::new();
    let handler = |_: u32, _: Rejection| pending::<Result<u32, ()>>();
    let layer = rig.guard().max_concurrent_fallbacks(2).fallback(handler).also_on_failure().layer().unwrap();
    let service = layer.layer(service_fn(|_| ready(Err::<u32, _>("no"))));
    let task = Task::default();
    let call = || {
        let mut answer = Box::pin(service.clone().oneshot(1));
        let polled = task.poll(answer.as_mut());
        (answer, polled)
    };
    // The one stands in for a failure, the other for a refusal.
    let (failed, polled) = call();
    assert!(polled.is_pending());
    layer.guard().force_open();
    let (refused, polled) = call();
    assert!(polled.is_pending());
    let (_, polled) = call();
    assert!(matches!(polled, std::task::Poll::Ready(Err(GuardError::Rejected(_)))), "the third is refused");
    drop(refused);
    let (refused, polled) = call();
    assert!(polled.is_pending(), "a place that was given back is free");
    layer.guard().auto();
    let (_, polled) = call();
    assert!(matches!(polled, std::task::Poll::Ready(Err(GuardError::Inner("no")))));
    drop((failed, refused));
    assert_eq!(ended(layer.guard()), [("failure", 1), ("abandoned", 3), ("rejected", 1)]);
}

#[test]
fn a_place_is_free_wherever_it_was_given_back_and_none_is_there_twice() {
    const PLACES: u32 = 3;
    let rig = Rig::new();
    let handler = |(): (), _: Rejection| pending::<Result<(), ()>>();
    let layer = rig.guard().max_concurrent_fallbacks(PLACES).fallback(handler).layer().unwrap();
    layer.guard().force_open();
    let service = layer.layer(service_fn(|(): ()| ready(Ok::<_, Infallible>(()))));
    let call = || {
        let mut answer = Box::pin(service.clone().oneshot(()));
        let waits = Task::default().poll(answer.as_mut()).is_pending();
        waits.then_some(answer)
    };
    let waiting = Mutex::new(Vec::new());
    // Threads that only take and threads that only give back, each with counters of its own.
    for round in 0..50 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| waiting.lock().unwrap().extend(call()));
            }
        });
        assert_eq!(waiting.lock().unwrap().len(), PLACES as usize, "round {round}");
        std::thread::scope(|scope| {
            for _ in 0..PLACES {
                scope.spawn(|| drop(waiting.lock().unwrap().pop()));
            }
        });
    }
}

#[test]
fn an_answer_that_is_there_at_once_needs_no_place() {
    let rig = Rig::new();
    let layer =
        rig.guard().max_concurrent_fallbacks(0).fallback_value("unknown".to_owned()).also_on_failure().layer().unwrap();
    assert_eq!(ask(&layer, Err("no")).unwrap(), "unknown");
    layer.guard().force_open();
    assert_eq!(ask(&layer, ok("paid")).unwrap(), "unknown");
    assert_eq!(ended(layer.guard()), [("degraded", 2)]);
}

#[test]
fn only_with_a_fallback_does_burn_alone_trip_the_breaker() {
    let state = |fallback: bool| {
        let rig = Rig::new();
        let guard = rig.slo.guard().breaker(Breaker::default());
        let value = || String::from("unknown");
        let guard =
            if fallback { guard.fallback_value(value()).layer().unwrap().guard() } else { guard.build().unwrap() };
        for call in 0..1_200 {
            rig.advance(0.1);
            // One in twenty: far from every other trip, and 50 times what the budget allows.
            let Ok(permit) = guard.admit() else { break };
            if call % 20 == 0 { permit.failure() } else { permit.success() }
        }
        guard.state()
    };
    assert_eq!((state(false), state(true)), (State::Closed, State::Open));
}
