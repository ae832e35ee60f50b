//! Faults that were found in other circuit breakers, each with a test that is named after it.

use crate::rig::{Rig, ms, rig, secs, steady};
use plimsoll::{Breaker, EventKind, FailureClass, Outcome, Permit, Reason, Shed, State, Window};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

#[test]
fn stale_success_closes_the_circuit_with_no_probe() {
    let rig = rig(steady());
    let mut old = rig.admit_many(60);
    rig.trip();
    old.drain(..20).for_each(Permit::success);
    rig.expect(State::Open);
    rig.half_open();
    old.drain(..20).for_each(Permit::success);
    rig.expect(State::HalfOpen);
    rig.successes(2, ms(1));
    old.drain(..20).for_each(Permit::success);
    rig.expect(State::HalfOpen);
    rig.successes(1, ms(1));
    rig.expect(State::Ramping);
    assert_eq!(rig.outcome(Outcome::Success), 63, "to the SLI they count");
}

#[test]
fn stale_successes_outvote_an_outage() {
    let rig = rig(Breaker::never().jitter(0.0).failure_ratio(0.5, 20, secs(10)));
    let old = rig.admit_many(1_000);
    rig.trip();
    rig.heal();
    old.into_iter().for_each(Permit::success);
    assert_eq!(rig.trip(), 20, "calls of an earlier life say nothing of this one");
}

#[test]
fn stale_or_ignored_results_inflate_the_probe_count() {
    let rig = rig(steady());
    let old = rig.admit_many(30);
    rig.trip();
    rig.half_open();
    let late = rig.admit();
    rig.successes(2, ms(1));
    old.into_iter().for_each(Permit::success);
    rig.expect(State::HalfOpen);
    // Its lease runs out, its place is offered again, and then it succeeds.
    rig.wait(secs(30));
    let again = rig.admit();
    assert_eq!(rig.refused().reason(), Reason::Probing);
    late.success();
    rig.expect(State::HalfOpen);
    // A result that says nothing of the callee is no successful probe either.
    again.finish(Outcome::Failure(FailureClass::Client));
    rig.expect(State::HalfOpen);
    rig.admit().finish(Outcome::Degraded);
    rig.expect(State::HalfOpen);
    assert_eq!(rig.storm(100), 1, "one place is left, whatever was ignored");
    rig.expect(State::Ramping);
}

/// Three probes are lost; the circuit offers three others and closes by them.
fn lose_three_probes(lose: impl Fn(&Rig)) -> Rig {
    let rig = rig(steady());
    rig.trip();
    rig.half_open();
    (0..3).for_each(|_| lose(&rig));
    rig
}

#[test]
fn a_dropped_probe_wedges_half_open() {
    let rig = lose_three_probes(|rig| drop(rig.admit()));
    rig.expect(State::HalfOpen);
    assert_eq!(rig.outcome(Outcome::Abandoned), 3);
    assert_eq!(rig.storm(10), 3);
    rig.expect(State::Ramping);
}

#[test]
fn a_hung_probe_wedges_half_open() {
    let rig = lose_three_probes(|rig| std::mem::forget(rig.admit()));
    let refused = rig.refused();
    assert_eq!((refused.reason(), refused.retry_after()), (Reason::Probing, Some(secs(30))));
    rig.wait(secs(30) - Duration::from_nanos(1));
    assert_eq!(rig.storm(10), 0);
    rig.wait(Duration::from_nanos(1));
    assert_eq!(rig.storm(10), 3);
    rig.expect(State::Ramping);
}

#[test]
fn a_cancelled_probe_wedges_half_open() {
    let rig = lose_three_probes(|rig| {
        let guard = rig.guard;
        let mut call = Box::pin(guard.run(std::future::pending::<Result<(), ()>>()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(guard.in_flight(), 1);
    });
    assert_eq!(rig.guard.in_flight(), 0);
    assert_eq!(rig.outcome(Outcome::Abandoned), 3);
    rig.expect(State::HalfOpen);
    assert_eq!(rig.storm(10), 3);
    rig.expect(State::Ramping);
}

#[test]
fn a_panicked_probe_wedges_half_open() {
    let rig = lose_three_probes(|rig| {
        if rig.guard.state() == State::Open {
            rig.half_open();
        }
        let call = || rig.guard.call(|| -> Result<(), ()> { std::panic::resume_unwind(Box::new(())) });
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        rig.expect(State::Open);
    });
    assert_eq!(rig.outcome(Outcome::Panicked), 3);
    assert_eq!(rig.guard.in_flight(), 0);
    rig.heal();
}

#[test]
fn a_probe_of_one_half_open_cycle_decides_the_next() {
    let rig = rig(steady());
    rig.trip();
    rig.half_open();
    let (good, bad) = (rig.admit(), rig.admit());
    rig.admit().failure();
    rig.expect(State::Open);
    rig.half_open();
    let trips = rig.trips();
    bad.failure();
    rig.expect(State::HalfOpen);
    good.success();
    rig.expect(State::HalfOpen);
    assert_eq!(rig.trips(), trips);
    let probes = rig.admit_many(3);
    assert_eq!(rig.refused().reason(), Reason::Probing);
    probes.into_iter().for_each(Permit::success);
    rig.expect(State::Ramping);
}

#[test]
fn calls_admitted_before_an_outage_and_failing_late_reopen_a_recovered_circuit() {
    let rig = rig(steady());
    let mut old = rig.admit_many(100);
    let failed = rig.trip() as u64;
    rig.half_open();
    rig.successes(3, ms(1));
    rig.expect(State::Ramping);
    old.drain(..50).for_each(Permit::failure);
    rig.expect(State::Ramping);
    rig.wait(secs(10));
    rig.expect(State::Closed);
    old.drain(..).for_each(Permit::failure);
    rig.expect(State::Closed);
    // Nor do they wait to be added to a few of today's.
    for _ in 0..10 {
        rig.successes(1, ms(1));
        rig.calls(9, ms(1), Outcome::Success);
        rig.calls(8, ms(1), Outcome::FAILURE);
    }
    rig.expect(State::Closed);
    assert_eq!(rig.trips(), 1);
    assert_eq!(rig.outcome(Outcome::FAILURE), failed + 100 + 80, "to the SLI they count");
}

#[test]
fn calls_of_an_outage_that_still_hang_reopen_a_recovered_circuit() {
    let rig = rig(Breaker::never().jitter(0.0).age_in_flight(secs(5), 10));
    let hung = rig.admit_many(10);
    for _ in 0..60 {
        rig.wait(ms(100));
        rig.plimsoll.tick();
    }
    rig.expect(State::Open);
    rig.half_open();
    rig.successes(3, ms(1));
    rig.expect(State::Ramping);
    for _ in 0..600 {
        rig.wait(ms(100));
        rig.storm(1);
    }
    rig.expect(State::Closed);
    assert_eq!((rig.trips(), rig.guard.in_flight()), (1, 10));
    // Others that hang now are seen as ever.
    let mut more = rig.admit_many(9);
    for _ in 0..60 {
        rig.wait(ms(100));
        rig.plimsoll.tick();
    }
    rig.expect(State::Closed);
    more.push(rig.admit());
    for _ in 0..60 {
        rig.wait(ms(100));
        rig.plimsoll.tick();
    }
    rig.expect(State::Open);
    drop((hung, more));
}

#[test]
fn a_count_window_that_never_slides() {
    let rig = rig(Breaker::never().failure_ratio(0.5, 20, secs(10)));
    rig.successes(1_000_000, Duration::from_micros(500));
    let outage = rig.clock.now();
    while rig.guard.state() == State::Closed {
        rig.calls(1, ms(5), Outcome::FAILURE);
        let gone = rig.clock.now().since(outage);
        assert!(gone <= secs(10), "a million successes outvote an outage of {gone:?}");
    }
    rig.expect(State::Open);
}

#[test]
fn sparse_probes_wider_apart_than_the_window() {
    let rig = rig(steady());
    rig.trip();
    rig.half_open();
    for _ in 0..3 {
        rig.expect(State::HalfOpen);
        rig.successes(1, ms(1));
        rig.wait(secs(3_600));
    }
    rig.expect(State::Closed);
    // And each but the last slow as the lease allows, with days between them.
    rig.trip();
    rig.half_open();
    for _ in 0..3 {
        rig.wait(secs(3 * 86_400));
        rig.expect(State::HalfOpen);
        rig.successes(1, secs(29));
    }
    rig.expect(State::Ramping);
}

#[test]
fn a_thousand_callers_at_once_in_half_open() {
    for probes in [1, 3, 50] {
        let rig = rig(steady().probes(probes, secs(30)));
        rig.trip();
        rig.wait(rig.refused().retry_after().unwrap());
        // The first of them is also the one that finds it half-open.
        let (guard, barrier) = (rig.guard, Arc::new(Barrier::new(1_000)));
        let callers: Vec<_> = (0..1_000)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                let call = move || {
                    barrier.wait();
                    guard.admit()
                };
                std::thread::Builder::new().stack_size(256 << 10).spawn(call).unwrap()
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), probes as usize);
        assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|no| no.reason() == Reason::Probing));
        answers.into_iter().flatten().for_each(Permit::success);
        rig.expect(State::Ramping);
    }
}

#[tokio::test]
async fn an_outer_timeout_that_drops_the_future_records_nothing() {
    let rig = rig(steady());
    let (guard, clock) = (rig.guard, rig.clock.clone());
    for waited in [0, 600] {
        let call = guard.run(async {
            clock.advance(ms(waited));
            std::future::pending::<Result<(), ()>>().await
        });
        // A real timer, for it is tokio's that drops the future.
        assert!(tokio::time::timeout(ms(5), call).await.is_err());
    }
    assert_eq!(guard.in_flight(), 0);
    assert_eq!(rig.outcome(Outcome::Abandoned), 2);
    for objective in rig.slo.objectives() {
        let total = objective.total();
        // Bad once it had outlived the threshold of 500 ms.
        assert_eq!((total.good, total.bad, total.excluded), (0, 1, 1), "{}", objective.name());
    }
}

#[test]
fn two_states_at_1_in_the_gauge() {
    let rig = rig(steady());
    let told = |rig: &Rig| {
        let now = rig.guard.state();
        #[cfg(feature = "prometheus")]
        {
            let text = rig.plimsoll.render_own();
            let gauge: Vec<&str> = text.lines().filter(|line| line.starts_with("plimsoll_breaker_state{")).collect();
            let at_1: Vec<&&str> = gauge.iter().filter(|line| line.ends_with(" 1")).collect();
            assert_eq!((gauge.len(), at_1.len()), (State::ALL.len(), 1), "{gauge:#?}");
            assert!(at_1[0].contains(&format!("state=\"{}\"", now.as_str())), "{at_1:?}");
        }
        let last = rig.changes().last().map_or("closed", |(_, to, _)| to);
        assert_eq!(now.as_str(), last, "what is read and what was told are the same");
    };
    let steps: [&dyn Fn(&Rig); 10] = [
        &|rig| _ = rig.trip(),
        &|rig| rig.half_open(),
        &|rig| rig.admit().failure(),
        &|rig| rig.heal(),
        &|rig| rig.guard.force_open(),
        &|rig| rig.guard.auto(),
        &|rig| rig.guard.observe_only(),
        &|rig| rig.calls(20, ms(1), Outcome::FAILURE),
        &|rig| rig.guard.force_closed(),
        &|rig| rig.guard.auto(),
    ];
    for step in steps {
        step(&rig);
        told(&rig);
    }
    let changes = rig.changes();
    for pair in changes.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "each begins where the one before ended: {changes:?}");
    }
}

#[test]
fn a_wall_clock_that_steps_back_an_hour() {
    let rig = rig(steady());
    let step_back = || {
        let wall = rig.plimsoll.clock().wall();
        rig.clock.set_wall(wall - secs(3_600));
    };
    rig.successes(1_000, ms(5));
    step_back();
    assert_eq!(rig.slo.objective("success").unwrap().reading(Window::minutes(1)).tally.good, 1_000);
    assert_eq!(rig.trip(), 20);
    step_back();
    rig.wait(secs(5) - ms(1));
    rig.expect(State::Open);
    rig.wait(ms(1));
    rig.expect(State::HalfOpen);
    let hung = rig.admit_many(3);
    rig.clock.set_wall(SystemTime::UNIX_EPOCH);
    rig.wait(secs(30));
    assert_eq!(rig.storm(10), 3, "leases run out by the monotonic clock");
    step_back();
    rig.wait(secs(10));
    rig.expect(State::Closed);
    drop(hung);
}

#[test]
fn a_result_arriving_in_the_very_tick_of_the_roll() {
    let nano = Duration::from_nanos(1);
    // The control windows' step is 500 ms, the SLO's 1 s; time begins on a whole hour.
    for before in [Duration::ZERO, nano, ms(250)] {
        for between in [Duration::ZERO, nano, ms(500), ms(500) + nano] {
            let rig = rig(Breaker::never().failure_ratio(0.5, 20, secs(10)));
            rig.wait(secs(1) - before);
            for failed in 1..=20 {
                let permit = rig.admit();
                rig.wait(between);
                permit.failure();
                let last = failed == 20;
                rig.expect(if last { State::Open } else { State::Closed });
            }
            assert!(rig.guard.explain().contains("20 of 20 calls failed"), "{}", rig.guard.explain());
            let total = rig.slo.objective("success").unwrap().reading(Window::minutes(1)).tally;
            assert_eq!((total.good, total.bad), (0, 20));
        }
    }
}

#[test]
fn everybody_returning_at_once_when_it_closes() {
    let rig = rig(steady());
    rig.trip();
    // All were told the same second to come back, and all come.
    rig.half_open();
    assert_eq!(rig.storm(1_000), 3);
    rig.expect(State::Ramping);
    for second in 0..10 {
        let share = 10 + 9 * second;
        let passed = rig.storm(1_000);
        assert!(passed.abs_diff(10 * share) <= 1, "{passed} of 1,000 after {second} s of the ramp");
        rig.wait(secs(1));
    }
    assert_eq!(rig.storm(1_000), 1_000);
    rig.expect(State::Closed);
}

#[test]
fn a_listener_that_calls_back_into_the_breaker() {
    let (done, finished) = mpsc::channel();
    // On a thread of its own: a deadlock would otherwise hang the whole run.
    std::thread::spawn(move || {
        let rig = rig(steady());
        let (guard, plimsoll) = (rig.guard, rig.plimsoll.clone());
        rig.plimsoll.subscribe(move |event| {
            assert!(!guard.explain().is_empty());
            assert!(plimsoll.events().iter().any(|known| known.number == event.number));
            let _ = (guard.state(), guard.memory_footprint(), guard.outcomes().count());
            drop(guard.admit());
            plimsoll.tick();
            if matches!(event.kind, EventKind::Breaker { to: "half_open", .. }) {
                guard.force_closed();
                guard.auto();
            }
        });
        rig.trip();
        rig.wait(secs(5));
        let state = rig.guard.state();
        done.send((state, rig.trips())).unwrap();
    });
    assert_eq!(finished.recv_timeout(secs(60)), Ok((State::Closed, 1)));
}

#[test]
fn a_subscriber_that_panics_takes_calls_and_places_with_it() {
    let rig = rig(steady());
    let guard = rig.slo.guard().named("limited").breaker(steady()).shed(Shed::fixed(3)).build().unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let tells = Arc::clone(&told);
    rig.plimsoll.subscribe(|_| panic!("not my day"));
    rig.plimsoll.subscribe(move |event| {
        if let EventKind::Breaker { .. } = event.kind {
            tells.fetch_add(1, Ordering::SeqCst);
        }
    });
    // By a result, and by a call that finds that it has been open for long enough.
    while let Ok(permit) = guard.admit() {
        permit.failure();
    }
    rig.wait(secs(60));
    let probes = [0; 3].map(|_| guard.admit().unwrap());
    assert_eq!((guard.state(), guard.in_flight()), (State::HalfOpen, 3));
    probes.into_iter().for_each(Permit::success);
    assert_eq!((guard.state(), guard.in_flight(), told.load(Ordering::SeqCst)), (State::Ramping, 0, 3));
    rig.wait(secs(60));
    let inside: Vec<Permit> = std::iter::from_fn(|| guard.admit().ok()).collect();
    assert_eq!(inside.len(), 3, "no place was lost");
}
