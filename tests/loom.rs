//! Models: every interleaving, within bounds, of a few threads on the parts of the core that threads share.
//!
//! `RUSTFLAGS="--cfg plimsoll_loom" cargo test --release --no-default-features --test loom`
#![cfg(plimsoll_loom)]
#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::thread;
use plimsoll::__loom::{Counts, Fuse, Line, Memory, Places, Seat, Waits};
use plimsoll::{Breaker, Outcome, State, Timestamp, Window};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

fn model(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // Enough to find what has been found in code like this; without a bound a model takes days.
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 100_000;
    builder.check(check);
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_nanos(3_600_000_000_000).after(Duration::from_millis(ms))
}

/// Trips on the first failure, opens for 100 ms, closes by one probe and without a ramp.
fn touchy() -> Breaker {
    Breaker::never()
        .consecutive(1)
        .jitter(0.0)
        .open_for(Duration::from_millis(100), Duration::from_millis(100))
        .probes(1, Duration::from_secs(1))
        .ramp(1.0, Duration::ZERO)
}

/// Brief calls are counted in one word, others in three.
const BRIEF: u64 = 128;
const LONGER: u64 = 1_024;

#[test]
fn a_snapshot_holds_in_its_histogram_what_it_holds_in_its_cells() {
    for (own, shared) in [(LONGER, LONGER), (LONGER, BRIEF), (BRIEF, LONGER)] {
        model(3, move || {
            let counts = Counts::new(1);
            let writers = [(0, own), (1, shared)].map(|(slot, nanos)| {
                thread::spawn(move || {
                    let epoch = counts.start(slot);
                    counts.finish(slot, epoch, Outcome::Success, nanos);
                })
            });
            let (cells, histogram) = counts.snapshot();
            assert!(cells <= histogram && histogram <= 2, "{cells} in cells, {histogram} in the histogram");
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            assert_eq!((counts.snapshot(), counts.nanos(), counts.in_flight()), ((2, 2), own + shared, 0));
        });
    }
}

#[test]
fn who_looks_after_another_sees_no_less_than_he() {
    model(3, || {
        let counts = Counts::new(1);
        counts.record(1, Outcome::Success, LONGER);
        let other = thread::spawn(move || {
            counts.record(0, Outcome::Success, LONGER);
            assert!(counts.latencies() <= 2);
        });
        let (cells, histogram) = counts.snapshot();
        assert!(cells <= histogram && histogram <= 2, "{cells} in cells, {histogram} in the histogram");
        other.join().unwrap();
        assert_eq!((counts.snapshot(), counts.latencies()), ((2, 2), 2));
    });
}

#[test]
fn a_call_under_way_is_seen_whatever_ends_beside_it() {
    for (outcome, nanos) in [(Outcome::Success, BRIEF), (Outcome::Success, LONGER), (Outcome::FAILURE, BRIEF)] {
        model(3, move || {
            let counts = Counts::new(0);
            let epoch = counts.start(0);
            let other = thread::spawn(move || {
                let epoch = counts.start(0);
                counts.finish(0, epoch, outcome, nanos);
            });
            let seen = counts.in_flight();
            assert!((1..=2).contains(&seen), "{seen}");
            other.join().unwrap();
            assert_eq!(counts.in_flight(), 1);
            counts.finish(0, epoch, outcome, nanos);
            assert_eq!((counts.in_flight(), counts.snapshot()), (0, (2, 2)));
        });
    }
}

#[test]
fn no_more_calls_are_under_way_than_at_any_moment_there_were() {
    for nanos in [BRIEF, LONGER] {
        model(3, move || {
            let counts = Counts::new(1);
            let writer = thread::spawn(move || {
                for _ in 0..2 {
                    let epoch = counts.start(0);
                    counts.finish(0, epoch, Outcome::Success, nanos);
                }
                counts.record(0, Outcome::Rejected, 0);
            });
            let seen = counts.in_flight();
            assert!(seen <= 1, "{seen}");
            writer.join().unwrap();
            assert_eq!(counts.in_flight(), 0);
        });
    }
}

#[test]
fn the_shared_slot_loses_nothing() {
    model(3, || {
        let counts = Counts::new(0);
        let writers = [BRIEF, LONGER].map(|nanos| {
            thread::spawn(move || {
                let epoch = counts.start(0);
                counts.finish(0, epoch, Outcome::Success, nanos);
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!((counts.snapshot(), counts.nanos(), counts.in_flight()), ((2, 2), BRIEF + LONGER, 0));
    });
}

#[test]
fn a_tick_that_two_threads_notice_loses_and_doubles_nothing() {
    model(2, || {
        let counts = Counts::new(1);
        let memory = Arc::new(Memory::new(counts, at(0)));
        counts.record(1, Outcome::Success, 1);
        let threads = [(0, Outcome::Success), (1, Outcome::FAILURE)].map(|(slot, outcome)| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.tick(at(1_000));
                counts.record(slot, outcome, 1);
            })
        });
        let seen = memory.read(Window::minutes(1), at(1_000));
        assert!(seen.good >= 1 && seen.good <= 2 && seen.bad <= 1, "{seen:?}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // Each event is in one step or the other, and in no two.
        let now = at(2_000);
        memory.tick(now);
        let (all, recent) = (memory.read(Window::minutes(1), now), memory.read(Window::seconds(1), now));
        assert_eq!((all.good, all.bad), (2, 1));
        assert_eq!((memory.total(now).good, memory.total(now).bad), (2, 1));
        assert!(recent.good <= 1 && recent.bad <= 1, "{recent:?}: what came before the tick is not in its step");
    });
}

#[test]
fn callers_at_once_in_half_open_share_one_probe() {
    model(3, || {
        let fuse = Arc::new(Fuse::new(&touchy(), Counts::new(0), at(0)));
        let call = fuse.admit(0, at(0)).unwrap();
        fuse.finish(0, call, Outcome::FAILURE, at(0));
        let others = [0, 1].map(|_| {
            let fuse = Arc::clone(&fuse);
            thread::spawn(move || fuse.admit(0, at(100)).is_some())
        });
        let mut passed = u32::from(fuse.admit(0, at(100)).is_some());
        passed += others.map(|other| u32::from(other.join().unwrap())).iter().sum::<u32>();
        assert_eq!(passed, 1);
        assert_eq!(fuse.state(at(100)), State::HalfOpen);
    });
}

#[test]
fn two_failures_at_once_open_it_once_while_a_third_call_comes() {
    model(2, || {
        let fuse = Arc::new(Fuse::new(&touchy(), Counts::new(0), at(0)));
        let calls = [0, 1].map(|_| fuse.admit(0, at(0)).unwrap());
        let failing = calls.map(|call| {
            let fuse = Arc::clone(&fuse);
            thread::spawn(move || fuse.finish(0, call, Outcome::FAILURE, at(1)))
        });
        let third = fuse.admit(0, at(1));
        failing.into_iter().for_each(|thread| thread.join().unwrap());
        // One of the two may have found the lock taken: then the tick judges.
        fuse.tick(at(50));
        assert_eq!((fuse.state(at(50)), fuse.times(State::Open)), (State::Open, 1));
        // Whenever the third was let in: it is no probe, and decides nothing.
        if let Some(third) = third {
            fuse.finish(0, third, Outcome::Success, at(60));
        }
        let until = [100, 101, 150, 151].map(at).into_iter().find(|now| fuse.state(*now) == State::HalfOpen).unwrap();
        let probe = fuse.admit(0, until).unwrap();
        assert!(fuse.admit(0, until).is_none());
        fuse.finish(0, probe, Outcome::Success, until);
        assert_eq!(fuse.state(until), State::Closed);
    });
}

#[test]
fn a_failing_probe_and_those_who_come_then_never_make_two() {
    model(3, || {
        let fuse = Arc::new(Fuse::new(&touchy(), Counts::new(0), at(0)));
        let call = fuse.admit(0, at(0)).unwrap();
        fuse.finish(0, call, Outcome::FAILURE, at(0));
        let probe = fuse.admit(0, at(100)).unwrap();
        // The next cycle begins 100 ms after the probe failed, if it has by then.
        let others = [0, 1].map(|_| {
            let fuse = Arc::clone(&fuse);
            thread::spawn(move || fuse.admit(0, at(200)).is_some())
        });
        fuse.finish(0, probe, Outcome::FAILURE, at(100));
        let passed = others.map(|other| u32::from(other.join().unwrap())).iter().sum::<u32>();
        assert!(passed <= 1);
        assert_eq!((fuse.state(at(200)), fuse.times(State::Open)), (State::HalfOpen, 2));
        assert_eq!(fuse.admit(0, at(200)).is_some(), passed == 0, "exactly one probe in this cycle");
    });
}

#[test]
fn a_stale_failure_never_counts_however_late_it_is_recorded() {
    model(3, || {
        // One bad call of the present life would trip it, at the tick.
        let breaker = touchy().consecutive(100).failure_ratio(0.01, 1, Duration::from_secs(10));
        let fuse = Arc::new(Fuse::new(&breaker, Counts::new(0), at(0)));
        fuse.force_open(at(0));
        fuse.auto(at(0));
        // Something of the same kind has been counted before.
        let before = fuse.admit(0, at(0)).unwrap();
        fuse.finish(0, before, Outcome::FAILURE, at(0));
        fuse.force_open(at(0));
        fuse.auto(at(0));
        let late = fuse.admit(0, at(1)).unwrap();
        let other = Arc::clone(&fuse);
        let operator = thread::spawn(move || {
            other.force_open(at(2));
            other.auto(at(2));
        });
        let trips = fuse.times(State::Open);
        fuse.finish(0, late, Outcome::FAILURE, at(2));
        operator.join().unwrap();
        // It may have come first, and tripped the life that let it in; that life is over.
        assert_eq!(fuse.state(at(2)), State::Closed, "it tripped a later life at once");
        assert!(fuse.times(State::Open) <= trips + 1);
        fuse.tick(at(1_000));
        assert_eq!(fuse.state(at(1_000)), State::Closed, "it was counted in a later life");
    });
}

#[test]
fn a_failure_that_is_counted_while_the_breaker_is_handed_on_is_not_held_against_the_next() {
    model(3, || {
        // One bad call would trip it, at the tick.
        let breaker = touchy().consecutive(100).failure_ratio(0.01, 1, Duration::from_secs(10));
        let fuse = Arc::new(Fuse::new(&breaker, Counts::new(0), at(0)));
        let late = fuse.admit(0, at(0)).unwrap();
        let other = Arc::clone(&fuse);
        let next = thread::spawn(move || other.restart());
        fuse.finish(0, late, Outcome::FAILURE, at(1));
        next.join().unwrap();
        fuse.tick(at(600));
        assert_eq!(fuse.state(at(600)), State::Closed);
    });
}

#[test]
fn a_stale_failure_is_not_the_first_of_a_later_row() {
    model(3, || {
        let fuse = Arc::new(Fuse::new(&touchy(), Counts::new(0), at(0)));
        let late = fuse.admit(0, at(0)).unwrap();
        let other = Arc::clone(&fuse);
        let operator = thread::spawn(move || {
            other.force_open(at(2));
            other.auto(at(2));
        });
        fuse.finish(0, late, Outcome::FAILURE, at(2));
        operator.join().unwrap();
        fuse.tick(at(600));
        // It may have come first, and tripped the life that let it in; that life is over.
        assert_eq!(fuse.state(at(600)), State::Closed);
    });
}

#[test]
fn a_stale_success_does_not_end_a_later_row() {
    model(3, || {
        let fuse = Arc::new(Fuse::new(&touchy().consecutive(2), Counts::new(0), at(0)));
        // It has to be looked at, for there is a row that it ends.
        let [bad, good] = [0, 1].map(|_| fuse.admit(0, at(0)).unwrap());
        fuse.finish(0, bad, Outcome::FAILURE, at(0));
        let other = Arc::clone(&fuse);
        let late = thread::spawn(move || other.finish(0, good, Outcome::Success, at(1)));
        fuse.force_open(at(1));
        fuse.auto(at(1));
        for _ in 0..2 {
            let bad = fuse.admit(0, at(1)).unwrap();
            fuse.finish(0, bad, Outcome::FAILURE, at(1));
        }
        late.join().unwrap();
        fuse.tick(at(60));
        assert_eq!(fuse.state(at(60)), State::Open);
    });
}

#[test]
fn a_stale_success_never_ends_a_row_of_failures() {
    model(3, || {
        let fuse = Arc::new(Fuse::new(&touchy().consecutive(2), Counts::new(0), at(0)));
        let stale = fuse.admit(0, at(0)).unwrap();
        fuse.force_open(at(0));
        fuse.auto(at(0));
        let (first, second) = (fuse.admit(0, at(1)).unwrap(), fuse.admit(0, at(1)).unwrap());
        let other = Arc::clone(&fuse);
        let late = thread::spawn(move || other.finish(0, stale, Outcome::Success, at(2)));
        fuse.finish(0, first, Outcome::FAILURE, at(2));
        fuse.finish(0, second, Outcome::FAILURE, at(2));
        late.join().unwrap();
        fuse.tick(at(60));
        assert_eq!(fuse.state(at(60)), State::Open);
    });
}

#[test]
fn two_failures_at_once_are_both_seen_by_the_ratio() {
    model(2, || {
        let breaker = touchy().consecutive(100).failure_ratio(1.0, 2, Duration::from_secs(10));
        let fuse = Arc::new(Fuse::new(&breaker, Counts::new(1), at(0)));
        let calls = [0, 1].map(|slot| fuse.admit(slot, at(0)).unwrap());
        let other = Arc::clone(&fuse);
        let thread = thread::spawn(move || other.finish(1, calls[1], Outcome::FAILURE, at(1)));
        fuse.finish(0, calls[0], Outcome::FAILURE, at(1));
        thread.join().unwrap();
        fuse.tick(at(600));
        assert_eq!(fuse.times(State::Open), 1);
    });
}

#[test]
fn a_failure_that_comes_while_another_is_judged_is_not_forgotten() {
    model(3, || {
        let breaker = touchy().consecutive(100).failure_ratio(1.0, 3, Duration::from_secs(10));
        let fuse = Arc::new(Fuse::new(&breaker, Counts::new(1), at(0)));
        let [first, second, third] = [0, 1, 0].map(|slot| fuse.admit(slot, at(0)).unwrap());
        let other = Arc::clone(&fuse);
        let thread = thread::spawn(move || other.finish(1, second, Outcome::FAILURE, at(1)));
        fuse.finish(0, first, Outcome::FAILURE, at(1));
        thread.join().unwrap();
        // No tick comes that would look again: what either took off the slack must still be off.
        fuse.finish(0, third, Outcome::FAILURE, at(2));
        assert_eq!(fuse.times(State::Open), 1);
    });
}

#[test]
fn places_are_neither_lost_nor_given_twice() {
    model(3, || {
        let places = Arc::new(Places::new(2, 3));
        assert!(places.take(0));
        // Each looks into the pool, and where the others have their own, too.
        let takers = [0, 1].map(|slot| {
            let places = Arc::clone(&places);
            thread::spawn(move || places.take(slot))
        });
        let taken = takers.map(|taker| taker.join().unwrap());
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
        places.give_back(0);
        places.give_back(1);
        assert_eq!(places.taken(), 0);
        assert_eq!([0, 1, 2].map(|slot| places.take(slot)).iter().filter(|taken| **taken).count(), 2);
    });
}

#[test]
fn places_that_become_fewer_while_some_are_given_back_and_taken_are_as_many_as_was_said() {
    model(3, || {
        let places = Arc::new(Places::new(2, 2));
        assert!(places.take(0) && places.take(1));
        let (leaves, resizes) = (Arc::clone(&places), Arc::clone(&places));
        let threads = [thread::spawn(move || leaves.give_back(0)), thread::spawn(move || resizes.resize(1))];
        let came = places.take(1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // One is in, or two of which one came before there were fewer; as they leave there is one place.
        assert_eq!(places.taken(), 1 + u32::from(came));
        (0..=u32::from(came)).for_each(|_| places.give_back(1));
        assert_eq!(places.taken(), 0);
        assert!(places.take(0));
        assert!(!places.take(1));
        places.resize(2);
        assert!(places.take(1));
        assert!(!places.take(0));
    });
}

#[derive(Debug, Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Comes, and gets in line if there is no room: with a seat, or waiting to be woken.
fn comes(line: &Line, slot: usize, bell: &std::sync::Arc<Bell>) -> Result<Seat, Waits> {
    if let Some(seat) = line.enter(slot) {
        return Ok(seat);
    }
    let waits = line.wait(slot).unwrap();
    line.ask(&waits, &Waker::from(std::sync::Arc::clone(bell))).ok_or(waits)
}

#[test]
fn who_gets_in_line_while_the_last_place_is_given_back_is_let_in() {
    model(3, || {
        let line = Arc::new(Line::new(1, 3, at(0)));
        let seat = line.enter(0).unwrap();
        let leaves = Arc::clone(&line);
        let leaver = thread::spawn(move || leaves.leave(1, seat));
        let bell = std::sync::Arc::<Bell>::default();
        let came = comes(&line, 0, &bell);
        leaver.join().unwrap();
        let seat = came.unwrap_or_else(|waits| {
            assert_eq!(bell.0.load(Ordering::SeqCst), 1, "nobody woke him");
            line.ask(&waits, Waker::noop()).unwrap()
        });
        assert!(line.enter(0).is_none(), "one place was given twice");
        line.leave(0, seat);
        assert!(line.enter(0).is_some());
    });
}

#[test]
fn two_who_come_while_one_leaves_get_the_place_one_after_the_other() {
    model(2, || {
        let line = Arc::new(Line::new(1, 2, at(0)));
        let seat = line.enter(0).unwrap();
        let leaves = Arc::clone(&line);
        let leaver = thread::spawn(move || leaves.leave(1, seat));
        let other = Arc::clone(&line);
        let other = thread::spawn(move || comes(&other, 1, &std::sync::Arc::default()));
        let first = comes(&line, 0, &std::sync::Arc::default());
        leaver.join().unwrap();
        let (mut seats, mut waiting) = (Vec::new(), Vec::new());
        for came in [first, other.join().unwrap()] {
            match came {
                Ok(seat) => seats.push(seat),
                Err(waits) => waiting.push(waits),
            }
        }
        waiting.retain(|waits| line.ask(waits, Waker::noop()).map(|seat| seats.push(seat)).is_none());
        assert_eq!((seats.len(), waiting.len()), (1, 1));
        line.leave(0, seats.remove(0));
        assert!(line.ask(&waiting[0], Waker::noop()).is_some());
    });
}

#[test]
fn a_place_given_to_somebody_who_gives_up_goes_to_the_next() {
    model(3, || {
        let line = Arc::new(Line::new(1, 2, at(0)));
        let seat = line.enter(0).unwrap();
        let (first, second) = (line.wait(0).unwrap(), line.wait(0).unwrap());
        let (leaves, gives_up) = (Arc::clone(&line), Arc::clone(&line));
        let threads = [thread::spawn(move || leaves.leave(1, seat)), thread::spawn(move || gives_up.give_up(1, first))];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let seat = line.ask(&second, Waker::noop()).unwrap();
        line.leave(0, seat);
        assert!(line.enter(0).is_some());
    });
}
