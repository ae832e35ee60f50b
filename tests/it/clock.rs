//! The machine's clock, on which everything is decided.

use plimsoll::{Clock, ManualClock};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// A processor may read its counter some instructions before it has the lock under which the time is handed over: tens of
/// nanoseconds, which no decision here rests on. More than a microsecond would be a counter that is not one for all cores.
const AHEAD: Duration = Duration::from_micros(1);

#[test]
fn it_never_runs_backwards_across_threads() {
    let clock = Clock::new();
    let last = Mutex::new(clock.now());
    let run = || {
        let mut own = clock.now();
        for _ in 0..100_000 {
            let mut last = last.lock().unwrap();
            let now = clock.now();
            assert!(now.after(AHEAD) >= *last, "{now:?} after {last:?}");
            assert!(now >= own, "{now:?} after {own:?}, on one thread");
            // What was read too early has taken no time, rather than ages.
            assert!(now.since(*last) < Duration::from_secs(3_600));
            (*last, own) = (now, now);
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| _ = scope.spawn(run));
    });
}

#[test]
fn it_keeps_the_time_that_the_operating_system_keeps() {
    let clock = Clock::new();
    let (begun, wall) = (clock.now(), clock.wall());
    thread::sleep(Duration::from_millis(200)); // the machine's own time is what this is about
    let (gone, by_wall) = (clock.now().since(begun), clock.wall().duration_since(wall).unwrap());
    let off = gone.as_secs_f64() / by_wall.as_secs_f64();
    assert!((0.9..1.1).contains(&off), "{gone:?} by the clock, {by_wall:?} by the wall");
}

#[test]
fn a_manual_clock_moves_only_when_told() {
    let manual = ManualClock::new();
    let clock = Clock::from(manual.clone());
    let begun = clock.now();
    assert_eq!(clock.now(), begun);
    manual.advance(Duration::from_millis(1_500));
    assert_eq!(clock.now().since(begun), Duration::from_millis(1_500));
    assert_eq!(begun.since(clock.now()), Duration::ZERO);
}
