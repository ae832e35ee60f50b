//! Counting: exact on any number of threads, at any moment, whoever reads.

use crate::rig::{ms, rig, rig_for, secs, steady};
use plimsoll::{Breaker, FailureClass, Objective, Outcome, Permit, Slo, Tally, Window};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// An outcome for the n-th call: all that a caller may tell, unevenly mixed.
fn outcome(n: u64) -> Outcome {
    match n % 16 {
        0 => Outcome::FAILURE,
        1 => Outcome::Failure(FailureClass::Transport),
        2 => Outcome::TimedOut,
        3 | 4 => Outcome::Abandoned,
        5 => Outcome::Degraded,
        6 => Outcome::BodyError,
        7 => Outcome::Panicked,
        _ => Outcome::Success,
    }
}

/// What the SLI makes of it.
fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> Tally {
    let mut tally = Tally::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Success | Outcome::Degraded => tally.good += 1,
            Outcome::Abandoned => tally.excluded += 1,
            _ => tally.bad += 1,
        }
    }
    tally
}

const EVER: Window = Window::days(30);

#[test]
fn good_bad_and_excluded_are_all_calls_in_every_reading() {
    const CALLS: u64 = 20_000;
    const WRITERS: u64 = 8;
    let rig = rig(Breaker::never());
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut readings) = (0, 0_u64);
                    while !stop.load(Ordering::Acquire) {
                        for objective in rig.slo.objectives() {
                            let before = done.load(Ordering::Acquire);
                            let total = objective.total();
                            let windowed = objective.reading(EVER).tally;
                            let after = begun.load(Ordering::Acquire);
                            let all = total.good + total.bad + total.excluded;
                            assert!(before <= all && all <= after, "{all} of {before} … {after}");
                            assert!(all >= last, "{all} after {last}");
                            assert!(windowed.good >= total.good && windowed.bad >= total.bad);
                            assert!(windowed.valid() <= after);
                            (last, readings) = (all, readings + 1);
                        }
                    }
                    readings
                })
            })
            .collect();
        // Time goes on meanwhile, so that windows roll under the writers' hands.
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                rig.wait(ms(37));
                thread::yield_now();
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    for n in 0..CALLS {
                        begun.fetch_add(1, Ordering::AcqRel);
                        rig.admit().finish(outcome(n));
                        done.fetch_add(1, Ordering::AcqRel);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stop.store(true, Ordering::Release);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    let all: u64 = rig.guard.outcomes().map(|(_, n)| n).sum();
    assert_eq!(all, WRITERS * CALLS);
    for kind in Outcome::ALL {
        let expected = (0..CALLS).filter(|n| outcome(*n) == kind).count() as u64 * WRITERS;
        // Time flew: some took longer than the threshold, but none is counted as another outcome for it.
        assert_eq!(rig.outcome(kind), expected, "{kind:?}");
    }
    for objective in rig.slo.objectives() {
        assert_eq!(objective.total().total(), WRITERS * CALLS);
        assert_eq!(objective.reading(EVER).tally.valid(), objective.total().valid());
    }
    assert_eq!(rig.slo.latency(EVER).count(), WRITERS * CALLS);
    assert_eq!(rig.guard.in_flight(), 0);
}

#[test]
fn threads_beyond_the_owned_slots_lose_nothing() {
    const THREADS: u64 = 64;
    let rig = rig(Breaker::never());
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let first = rig.admit();
                barrier.wait();
                first.success();
                for n in 0..1_000 {
                    rig.admit().finish(outcome(n));
                }
                // No thread ends, and gives its slot away, before all have counted.
                barrier.wait();
            });
        }
    });
    let mut expected = tally((0..1_000).map(outcome));
    expected.good += 1;
    let times = |n: u64| n * THREADS;
    let total = rig.slo.objective("success").unwrap().total();
    assert_eq!((total.good, total.bad), (times(expected.good), times(expected.bad)));
    assert_eq!(total.excluded, times(expected.excluded));
    assert_eq!(rig.slo.latency(EVER).count(), times(1_001));
}

#[test]
fn threads_that_come_and_go_lose_nothing() {
    struct Late(Option<Permit>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(Permit::success);
        }
    }
    thread_local! { static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) } }
    let rig = rig(Breaker::never());
    for _ in 0..100 {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..5 {
                        rig.admit().finish(outcome(n));
                    }
                    // One call ends only with the thread's locals, perhaps after its slot was given back.
                    LATE.with(|late| late.borrow_mut().0 = Some(rig.admit()));
                });
            }
        });
    }
    let all: u64 = rig.guard.outcomes().map(|(_, n)| n).sum();
    // A scope waits for its closures, not for their threads' locals.
    while rig.guard.in_flight() > 0 {
        thread::yield_now();
    }
    assert!(all <= 4_800);
    assert_eq!(rig.guard.outcomes().map(|(_, n)| n).sum::<u64>(), 4_800);
    let expected = tally((0..5).map(outcome));
    let total = rig.slo.objective("success").unwrap().total();
    assert_eq!((total.good, total.bad), ((expected.good + 1) * 800, expected.bad * 800));
}

#[test]
fn started_on_one_thread_and_finished_on_another() {
    let rig = rig(steady());
    let (send, receive) = mpsc::channel::<Permit>();
    let finisher = thread::spawn(move || receive.into_iter().map(Permit::success).count());
    thread::scope(|scope| {
        for _ in 0..6 {
            let (send, guard) = (send.clone(), rig.guard);
            scope.spawn(move || {
                for _ in 0..2_000 {
                    send.send(guard.admit().unwrap()).unwrap();
                    assert!(guard.in_flight() <= 12_000, "it never wraps below zero");
                }
            });
        }
    });
    drop(send);
    assert_eq!(finisher.join().unwrap(), 12_000);
    assert_eq!((rig.guard.in_flight(), rig.outcome(Outcome::Success)), (0, 12_000));
    let held = rig.admit_many(3);
    assert_eq!(rig.guard.in_flight(), 3);
    drop(held);
}

#[test]
fn a_refusal_is_counted_once_and_has_no_latency() {
    let rig = rig(steady());
    let failed = rig.trip() as u64;
    for _ in 0..999 {
        rig.refused();
    }
    assert_eq!(rig.outcome(Outcome::Rejected), 1_000);
    let total = rig.slo.objective("success").unwrap().total();
    assert_eq!((total.good, total.bad, total.excluded), (0, failed + 1_000, 0));
    assert_eq!(rig.slo.latency(EVER).count(), failed);
}

#[test]
fn events_fed_by_hand_count_beside_those_of_guards() {
    let rig = rig(steady());
    rig.slo.record(Outcome::Success, ms(499));
    rig.slo.record(Outcome::Success, ms(501));
    rig.slo.record(Outcome::TimedOut, secs(3));
    rig.slo.count(10_000, 7);
    rig.slo.count(0, 0);
    rig.successes(2, ms(1));
    let read = |name| rig.slo.objective(name).unwrap().reading(Window::hours(1)).tally;
    assert_eq!((read("success").good, read("success").bad), (10_004, 8));
    assert_eq!((read("latency").good, read("latency").bad), (10_003, 9));
    assert_eq!(rig.slo.outcomes().map(|(_, n)| n).sum::<u64>(), 10_012);
    assert_eq!(rig.guard.outcomes().map(|(_, n)| n).sum::<u64>(), 2);
}

#[test]
fn slices_of_time_are_judged_each_by_its_own_events() {
    // The second length is no multiple of the ring's step.
    for slice in [secs(60), ms(7_500)] {
        let presence = Objective::success(99.0).timeslices(slice, 95.0);
        let rig = rig_for(Slo::new("presence").objective(presence), Breaker::never());
        let slices = |bad_of_hundred: &[u64]| {
            for bad in bad_of_hundred {
                for n in 0..100 {
                    rig.slo.count(u64::from(n >= *bad), u64::from(n < *bad));
                    rig.wait(slice / 100);
                }
            }
        };
        slices(&[0, 100, 5, 6, 0]);
        rig.wait(slice * 1_000);
        slices(&[6, 0]);
        let objective = rig.slo.objectives().next().unwrap();
        let read = objective.reading(EVER).tally;
        // Idle slices say nothing; 95 of 100 are 95 %, which is what was asked for.
        assert_eq!((read.good, read.bad), (4, 3), "slices of {slice:?}");
        let recent = objective.reading(Window::of(slice * 500)).tally;
        assert_eq!((recent.good, recent.bad), (1, 1), "slices of {slice:?}");
    }
}

#[test]
fn a_threshold_is_exact_to_the_nanosecond() {
    // Off the histogram's bounds, on one (2^20 ns), and the ends of what may be asked for.
    let nanos = [1_000, 1_048_576, 1_048_575, 123_456_789, 500_000_000, 60_000_000_000];
    for threshold in nanos.map(Duration::from_nanos) {
        let rig = rig_for(Slo::new("payments").latency(99.0, threshold), Breaker::never());
        let nano = Duration::from_nanos(1);
        for (over, calls) in [(threshold - nano, 3), (threshold, 5), (threshold + nano, 7)] {
            rig.successes(calls, over);
        }
        let total = rig.slo.objectives().next().unwrap().total();
        assert_eq!((total.good, total.bad), (8, 7), "{threshold:?}");
    }
}

#[test]
fn as_many_thresholds_as_declared_are_told_apart() {
    let mut slo = Slo::new("payments");
    for n in 1..=50 {
        slo = slo.objective(Objective::latency(99.0, ms(n * 10)).named(format!("under {n}")));
    }
    let rig = rig_for(slo, Breaker::never().slow_ratio(0.5, ms(405)));
    for n in 1..=51 {
        rig.successes(1, ms(n * 10) - ms(5));
    }
    for (n, objective) in (1..=50).zip(rig.slo.objectives()) {
        assert_eq!((objective.total().good, objective.total().bad), (n, 51 - n), "{}", objective.name());
    }
    assert_eq!(rig.outcome(Outcome::Slow), 10);
    let more = rig.slo.declaration().clone().objective(Objective::latency(99.0, ms(7)).named("one more"));
    let refused = more.validate().unwrap_err().to_string();
    assert!(refused.contains("51 latency thresholds") && refused.contains("write at most 50"), "{refused}");
}

#[test]
fn handles_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let rig = rig(steady());
    shared(&rig.guard);
    shared(&rig.slo);
    shared(&Arc::new(rig.plimsoll.clone()));
    shared(&rig.admit());
}
