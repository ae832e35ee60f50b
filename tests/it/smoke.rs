use plimsoll::{Breaker, ManualClock, Plimsoll, Slo, State, Window};
use std::time::Duration;

#[test]
fn a_guard_measures_trips_and_heals() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("payments").success(99.9).latency(99.0, Duration::from_millis(500))).unwrap();
    let guard = slo.guard().breaker(Breaker::default().jitter(0.0)).build().unwrap();
    for _ in 0..10_000 {
        let permit = guard.admit().unwrap();
        clock.advance(Duration::from_millis(5));
        permit.success();
    }
    assert_eq!(slo.burn_rate(Window::minutes(1)).unwrap().value, 0.0);
    let mut failed = 0;
    while let Ok(permit) = guard.admit() {
        clock.advance(Duration::from_millis(5));
        permit.failure();
        failed += 1;
        assert!(failed <= 30, "{}", guard.explain());
    }
    println!("{failed} {}", guard.explain());
    assert_eq!(guard.state(), State::Open);
    clock.advance(Duration::from_secs(5));
    for _ in 0..3 {
        guard.admit().unwrap().success();
    }
    assert_eq!(guard.state(), State::Ramping, "{}", guard.explain());
    clock.advance(Duration::from_secs(10));
    guard.admit().unwrap().success();
    assert_eq!(guard.state(), State::Closed, "{}", guard.explain());
    for event in plimsoll.events() {
        println!("{} {}", event.at.as_nanos() / 1_000_000, event.kind);
    }
    println!("{:?} {:?}", slo.budget(), slo.latency(Window::minutes(1)).quantile(0.5));
    println!("{} {}", slo.memory_footprint(), guard.memory_footprint());
}
