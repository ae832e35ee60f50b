//! Burn rates and budgets: never NaN, never wrong by a rounding, and as the plain fractions say.

use plimsoll::{
    Budget, BurnRate, ManualClock, Period, Plimsoll, Reading, Slo, Tally, Target, Window, burn_rate, exceeds, formulas,
};
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

fn target(percent: f64) -> Target {
    Target::percent(percent).unwrap()
}

fn reading(good: u64, bad: u64, coverage: f64) -> Reading {
    Reading { window: Window::hours(1), tally: Tally { good, bad, excluded: 7 }, coverage }
}

fn burning(value: f64) -> Option<BurnRate> {
    Some(BurnRate { value, coverage: 1.0, events: 100 })
}

#[test]
fn too_few_events_are_no_burn_rate() {
    let missing = burn_rate(target(99.9), &reading(2, 1, 0.25), 10).unwrap_err();
    assert_eq!((missing.events, missing.needed, missing.coverage), (3, 10, 0.25));
    let said = "insufficient data: 3 events in 1h, at least 10 are needed";
    assert_eq!(missing.to_string(), said);
    // Excluded events are none.
    assert!(burn_rate(target(99.9), &reading(0, 0, 1.0), 0).is_err());
    let enough = burn_rate(target(99.9), &reading(9, 1, 0.25), 10).unwrap();
    assert_eq!(enough, BurnRate { value: 100.0, coverage: 0.25, events: 10 });
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let huge = reading(u64::MAX, u64::MAX, 1.0);
    let strict = target(99.9999999);
    assert_eq!(burn_rate(strict, &huge, 1).unwrap().value, 1e9);
    assert!(exceeds(strict, huge.tally, 14.4));
    assert!(!exceeds(strict, huge.tally, f64::INFINITY));
    assert!(!exceeds(target(0.0000001), huge.tally, f64::MAX));
    assert!(!exceeds(strict, huge.tally, f64::NAN));
    let budget = Budget::new(strict, Period::default(), &huge, burning(1e300));
    assert_eq!(budget.bad_events_left, i64::MIN);
    assert!(budget.remaining.is_finite() && budget.is_exhausted());
    let lucky = reading(u64::MAX, 0, 1.0);
    let budget = Budget::new(target(0.0000001), Period::default(), &lucky, burning(1e-300));
    assert_eq!((budget.bad_events_left, budget.remaining), (i64::MAX, 1.0));
    assert_eq!(budget.time_to_exhaustion, None);
}

#[test]
fn when_a_budget_is_spent() {
    let period = Period::Rolling(Duration::from_secs(1_000));
    let lasts = |good, bad, coverage, recent| {
        let budget = Budget::new(target(99.0), period, &reading(good, bad, coverage), recent);
        budget.time_to_exhaustion
    };
    let seconds = |s| Some(Duration::from_secs(s));
    // Half of it is left, and burns at 1, 2 and not at all.
    assert_eq!(lasts(9_950, 50, 1.0, burning(1.0)), seconds(500));
    assert_eq!(lasts(9_950, 50, 1.0, burning(2.0)), seconds(250));
    assert_eq!(lasts(9_950, 50, 1.0, burning(0.0)), None);
    assert_eq!(lasts(9_950, 50, 1.0, None), None);
    // Slower than it comes back.
    assert_eq!(lasts(9_950, 50, 1.0, burning(0.25)), None);
    // A tenth of the period has been seen, and half of that tenth spent.
    assert_eq!(lasts(9_950, 50, 0.1, burning(1.0)), seconds(950));
    // Spent is spent.
    assert_eq!(lasts(9_900, 100, 1.0, burning(1.0)), seconds(0));
    assert_eq!(lasts(9_900, 100, 1.0, None), seconds(0));
    assert_eq!(lasts(0, 100, 0.1, burning(0.0)), seconds(0));
}

#[test]
fn a_budget_counts_events_not_minutes() {
    // A quiet hour of nothing but errors among busy ones: averaging the hours' ratios would say that all is lost.
    let hours = [(10_000, 0), (10_000, 0), (0, 10), (10_000, 0)];
    let sum = hours.iter().fold(Tally::default(), |sum, &(good, bad)| sum + Tally { good, bad, excluded: 0 });
    let reading = Reading { window: Window::hours(4), tally: sum, coverage: 1.0 };
    let budget = Budget::new(target(99.9), Period::default(), &reading, None);
    assert!((budget.remaining - (1.0 - 10.0 / 30.01)).abs() < 1e-12);
    assert_eq!((budget.spent, budget.bad_events_left), (10, 20));
    assert_eq!((budget.allowed, budget.events), (30.01, 30_010));
}

#[test]
fn formulas_answer_whatever_is_asked() {
    let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
    assert_eq!(formulas::detection_time(target(99.9), 0.0144, hour, 14.4), None);
    assert!(formulas::detection_time(target(99.9), 0.0145, hour, 14.4).is_some());
    assert_eq!(formulas::detection_time(target(99.9), f64::NAN, hour, 14.4), None);
    assert_eq!(formulas::reset_time(target(99.9), 0.01, hour, 14.4), Duration::ZERO);
    assert_eq!(formulas::reset_time(target(99.9), 0.0, hour, 14.4), Duration::ZERO);
    assert_eq!(formulas::budget_lasts(f64::NAN, day), None);
    assert_eq!(formulas::budget_lasts(-1.0, day), None);
    let forever = formulas::downtime_allowed(target(50.0), Duration::MAX);
    assert!(forever <= Duration::MAX / 2 + day);
}

proptest! {
    /// Against the fraction bad · 10⁷ · 10² > factor · parts · valid, in numbers that cannot overflow or round.
    #[test]
    fn exceeds_is_the_plain_fraction(
        parts in 1_u32..10_000_000,
        good in 0_u64..1_000_000,
        bad in 0_u64..1_000_000,
        cents in 1_u32..100_000,
    ) {
        let percent: f64 = {
            let good = 10_000_000 - parts;
            format!("{}.{:05}", good / 100_000, good % 100_000).parse().unwrap()
        };
        prop_assume!(percent > 0.0);
        let target = target(percent);
        prop_assert_eq!(target.budget_parts(), u64::from(parts) * 100);
        let tally = Tally { good, bad, excluded: 3 };
        let factor = f64::from(cents) / 100.0;
        let naive = u128::from(bad) * 1_000_000_000
            > u128::from(cents) * u128::from(parts) * u128::from(good + bad);
        prop_assert_eq!(exceeds(target, tally, factor), naive);

        let read = Reading { window: Window::hours(1), tally, coverage: 1.0 };
        if let Ok(burn) = burn_rate(target, &read, 1) {
            let plain = bad as f64 / (good + bad) as f64 / (f64::from(parts) / 1e7);
            prop_assert!((burn.value - plain).abs() <= 1e-12 * plain);
            let budget = Budget::new(target, Period::default(), &read, Some(burn));
            prop_assert!((budget.remaining - (1.0 - burn.value)).abs() <= 1e-9 * (1.0 + burn.value));
            prop_assert_eq!(budget.is_exhausted(), budget.bad_events_left < 0
                || budget.allowed == budget.spent as f64);
        }
    }

    /// Every target of up to seven decimals reads back as it was typed.
    #[test]
    fn targets_read_back(tenmillionths in 1_u64..1_000_000_000) {
        let text = format!("{}.{:07}", tenmillionths / 10_000_000, tenmillionths % 10_000_000);
        let target = target(text.parse().unwrap());
        prop_assert_eq!(target.budget_parts(), 1_000_000_000 - tenmillionths);
        prop_assert_eq!(target.as_percent(), text.parse::<f64>().unwrap());
    }
}

#[test]
fn a_young_month_has_most_of_its_budget_before_it() {
    let clock = ManualClock::new();
    clock.set_wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)); // 2026-01-01 00:00:00 UTC
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("month").success(99.0).over_calendar_month()).unwrap();
    for _ in 0..3_600 {
        slo.count(99, 1); // exactly as fast as allowed
        clock.advance(Duration::from_secs(1));
    }
    let budget = slo.budget();
    assert!(budget.remaining.abs() < 1e-9 && budget.events == 360_000, "{budget:?}");
    // At nine tenths of that it lasts beyond the month.
    for _ in 0..36_000 {
        slo.count(991, 9);
        clock.advance(Duration::from_secs(1));
    }
    let budget = slo.budget();
    assert!(budget.remaining > 0.0 && budget.time_to_exhaustion.is_none(), "{budget:?}");
    // The next month begins with nothing spent.
    clock.set_wall(SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_904_000)); // 2026-02-01 00:00:00 UTC
    let budget = slo.budget();
    assert_eq!((budget.remaining, budget.spent), (1.0, 0), "{budget:?}");
}
