//! The story of an incident, as it is pasted into a post-mortem.

use plimsoll::{Breaker, BudgetPolicy, Guard, ManualClock, Plimsoll, Slo, ops};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn shop(clock: &ManualClock) -> (Plimsoll, Guard) {
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let policy = BudgetPolicy::default().under(50.0, "freeze *feature* releases");
    let slo = Slo::new("payments").success(99.9).over_days(30).budget_policy(policy);
    let slo = plimsoll.declare(slo).unwrap();
    let guard = slo.guard().breaker(Breaker::default().jitter(0.0)).build().unwrap();
    (plimsoll, guard)
}

/// So many seconds of ten calls each, good or bad.
fn calls(clock: &ManualClock, plimsoll: &Plimsoll, guard: &Guard, seconds: u64, good: bool) {
    for _ in 0..seconds {
        for _ in 0..10 {
            if let Ok(permit) = guard.admit() {
                if good { permit.success() } else { permit.failure() }
            }
            clock.advance(Duration::from_millis(100));
        }
        plimsoll.tick();
    }
}

#[track_caller]
fn says(page: &str, words: &str) {
    assert!(page.contains(words), "no {words:?} in\n{page}");
}

/// The outage of an hour, from the first failure to the last alert that pages, with an operator who helps.
#[test]
fn an_incident_is_told_from_its_first_sign_to_its_end() {
    let clock = ManualClock::new();
    let (plimsoll, guard) = shop(&clock);
    calls(&clock, &plimsoll, &guard, 2 * 3_600, true);
    calls(&clock, &plimsoll, &guard, 120, false);
    guard.force_open();
    calls(&clock, &plimsoll, &guard, 180, true);
    guard.auto();
    calls(&clock, &plimsoll, &guard, 3_600, true);
    plimsoll.reload([Slo::new("payments").success(99.5).over_days(30)]).unwrap();
    let page = ops::timeline(&plimsoll, 2 * HOUR);
    println!("{page}");
    assert_eq!(page, "GOLDEN");
}
