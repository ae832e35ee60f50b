//! The reference vectors of SLO arithmetic, each under its number; exact where they are exact.
//! Source: The Site Reliability Workbook, ch. 5 and appendix B.

use crate::traffic::{Traffic, first};
use plimsoll::formulas::*;
use plimsoll::{
    AlertWindow, Alerts, Budget, BudgetPolicy, BurnRate, Period, Reading, Severity, Slo, Tally, Target, Transition,
    Window, burn_rate, exceeds,
};
use std::time::Duration;

const DAYS_30: Duration = Duration::from_secs(30 * 86_400);
/// 1000 requests a minute: one each step.
const STEP: Duration = Duration::from_millis(60);

fn target(percent: f64) -> Target {
    Target::percent(percent).unwrap()
}

fn reading(window: Window, good: u64, bad: u64) -> Reading {
    Reading { window, tally: Tally { good, bad, excluded: 0 }, coverage: 1.0 }
}

fn minutes(d: Duration) -> f64 {
    d.as_secs_f64() / 60.0
}

fn alerts_of(percent: f64) -> Alerts {
    let slo = Slo::new("logins").success(percent);
    slo.validate().unwrap();
    Alerts::new(&slo)
}

#[test]
fn pairs_of_30_days() {
    let pairs = Slo::new("logins").success(99.9).alert_windows();
    let expected = [
        (Severity::P0, 60, 5, 14_400_000, 0.02),
        (Severity::P1, 360, 30, 6_000_000, 0.05),
        (Severity::P2, 1_440, 120, 3_000_000, 0.1),
        (Severity::P2, 4_320, 360, 1_000_000, 0.1),
    ];
    assert_eq!(pairs.len(), expected.len());
    for (pair, (severity, long, short, micros, spent)) in pairs.iter().zip(expected) {
        assert_eq!(pair.severity(), severity);
        assert_eq!(pair.long(), Duration::from_secs(60 * long));
        assert_eq!(pair.short(), Duration::from_secs(60 * short));
        assert_eq!(pair.factor_micros(), micros);
        assert_eq!(pair.pending(), Duration::ZERO);
        let by_then = budget_spent_at_alert(pair.factor(), pair.long(), DAYS_30);
        assert!((by_then - spent).abs() < 1e-12, "{by_then}");
    }
}

#[test]
fn pairs_of_28_days_spend_the_same() {
    let micros = |days: u64| {
        let pairs = AlertWindow::for_period(Period::Rolling(Duration::from_secs(days * 86_400)));
        pairs.iter().map(AlertWindow::factor_micros).collect::<Vec<_>>()
    };
    assert_eq!(micros(28), [13_440_000, 5_600_000, 2_800_000, 933_333]);
    // To the nearest, both ways.
    assert_eq!((micros(28)[3], micros(29)[3]), (933_333, 966_667));
    assert_eq!(micros(90), [43_200_000, 18_000_000, 9_000_000, 3_000_000]);
}

#[test]
fn vector_1_downtime_allowed() {
    let exact = [(99.0, 432_000_u64), (99.9, 43_200), (99.95, 21_600), (99.99, 4_320), (99.999, 432)];
    for (percent, thousandths) in exact {
        let allowed = downtime_allowed(target(percent), DAYS_30);
        assert_eq!(allowed, Duration::from_millis(60 * thousandths), "{percent}");
    }
    let month = Period::CalendarMonth.nominal();
    assert_eq!(month, Duration::from_secs_f64(30.44 * 86_400.0));
    // 21.9168: a budget is cut off, never rounded up.
    let allowed = minutes(downtime_allowed(target(99.95), month));
    assert_eq!((allowed * 100.0).floor() / 100.0, 21.91);
}

#[test]
fn vector_2_how_long_a_budget_lasts() {
    assert_eq!(budget_lasts(1.0, DAYS_30), Some(DAYS_30));
    assert_eq!(budget_lasts(2.0, DAYS_30), Some(DAYS_30 / 2));
    assert_eq!(budget_lasts(1_000.0, DAYS_30), Some(Duration::from_secs(2_592)));
    assert_eq!(budget_lasts(0.0, DAYS_30), None);

    let fresh = reading(Window::days(30), 1_000_000, 0);
    let lasts = |value| {
        let burn = BurnRate { value, coverage: 1.0, events: 1_000 };
        let period = Period::Rolling(DAYS_30);
        Budget::new(target(99.9), period, &fresh, Some(burn)).time_to_exhaustion
    };
    assert_eq!(lasts(1.0), Some(DAYS_30));
    assert_eq!(lasts(2.0), Some(DAYS_30 / 2));
    assert_eq!(lasts(1_000.0), Some(Duration::from_secs(2_592)));
    assert_eq!(lasts(0.0), None);
}

/// By the formula, and by counting requests one by one: an alert fires with the first bad request over its limit,
/// which at 1 % comes within a hundred steps.
#[test]
fn vector_3_when_the_four_pairs_fire() {
    let windows = [Window::hours(1), Window::hours(6), Window::days(1), Window::days(3)];
    let cases = [
        (100, [Some(0.864), Some(2.16), Some(4.32), Some(4.32)]),
        (10, [Some(8.64), Some(21.6), Some(43.2), Some(43.2)]),
        (1, [None, Some(216.0), Some(432.0), Some(432.0)]),
    ];
    for (percent, expected) in cases {
        let mut traffic = Traffic::after_healthy(STEP, 1);
        traffic.run(433_000, percent);
        let edges = traffic.play(&mut alerts_of(99.9));
        let pairs = Slo::new("logins").success(99.9).alert_windows();
        for ((window, pair), expected) in windows.into_iter().zip(pairs).zip(expected) {
            let ratio = percent as f64 / 100.0;
            let formula = detection_time(target(99.9), ratio, pair.long(), pair.factor());
            let seen = first(&edges, window, Transition::Firing);
            assert_eq!(formula.is_some(), expected.is_some(), "{percent} % over {window}");
            assert_eq!(seen.is_some(), expected.is_some(), "{percent} % over {window}");
            let (Some(expected), Some(formula), Some(seen)) = (expected, formula, seen) else {
                continue;
            };
            assert!((minutes(formula) - expected).abs() < 1e-9, "{percent} % over {window}");
            let late = minutes(seen) - expected;
            let between = minutes(STEP) * (100 / percent) as f64;
            assert!(late > 0.0 && late <= between + 1e-9, "{percent} % over {window}: {late}");
        }
    }
}

#[test]
fn vector_4_ten_minutes_at_15_percent() {
    let mut traffic = Traffic::after_healthy(STEP, 1);
    traffic.run(10_000, 15);
    traffic.run(10_000, 0);
    let edges = traffic.play(&mut alerts_of(99.9));
    let hour = Window::hours(1);

    // One bad request in 6.67: within half a second.
    let fired = first(&edges, hour, Transition::Firing).unwrap();
    assert!(fired.abs_diff(Duration::from_millis(345_600)) < Duration::from_millis(500), "{fired:?}");
    let cleared = first(&edges, hour, Transition::Resolved).unwrap();
    assert!(cleared.abs_diff(Duration::from_millis(871_200)) < Duration::from_millis(500), "{cleared:?}");

    let (minute, short) = (Duration::from_secs(60), Duration::from_secs(300));
    let formula = detection_time(target(99.9), 0.15, minute * 60, 14.4).unwrap();
    assert!(formula.abs_diff(Duration::from_millis(345_600)) < Duration::from_micros(1));
    let formula = minute * 10 + reset_time(target(99.9), 0.15, short, 14.4);
    assert!(formula.abs_diff(Duration::from_millis(871_200)) < Duration::from_micros(1));

    let spent = budget_spent(target(99.9), 0.15, minute * 10, DAYS_30);
    assert_eq!((spent * 1e5).round(), 3_472.0);
    let (_, edge) = edges.iter().find(|(_, e)| e.transition == Transition::Resolved).unwrap();
    assert_eq!((edge.alert.spent * 1e5).round(), 3_472.0);
}

#[test]
fn vector_4_reset_after_a_total_outage() {
    let mut traffic = Traffic::after_healthy(STEP, 1);
    traffic.run(6_000, 100);
    traffic.run(6_000, 0);
    let edges = traffic.play(&mut alerts_of(99.9));
    let cleared = first(&edges, Window::hours(1), Transition::Resolved).unwrap();
    // w · (1 − B(1 − T)) = 300 s · 0.9856
    let reset = reset_time(target(99.9), 1.0, Duration::from_secs(300), 14.4);
    assert_eq!(reset, Duration::from_millis(295_680));
    assert_eq!(cleared, Duration::from_secs(360) + reset);
}

#[test]
fn vector_5_one_event_is_no_evidence() {
    let hour = reading(Window::hours(1), 9, 1);
    let burn = burn_rate(target(99.9), &hour, 10).unwrap();
    assert_eq!(burn.value, 100.0);
    assert_eq!(burn.events, 10);

    // A request every six minutes, one of them bad, after and before days of the same.
    let mut traffic = Traffic::after_healthy(Duration::from_secs(360), 1);
    traffic.run(1_000, 0);
    traffic.push(0, 1);
    traffic.run(1_000, 0);
    assert_eq!(traffic.play(&mut alerts_of(99.9)), []);
}

#[test]
fn vector_6_silence_is_no_data() {
    let mut traffic = Traffic::from_the_start(STEP);
    traffic.run(60_000, 1);
    for _ in 0..60_000 {
        traffic.push(0, 0);
    }
    let now = traffic.steps();

    let short = traffic.read(now, Window::minutes(5));
    let missing = burn_rate(target(99.9), &short, 1).unwrap_err();
    assert_eq!((missing.events, missing.needed), (0, 1));
    assert_eq!(missing.to_string(), "insufficient data: 0 events in 5m, at least 1 is needed");

    let month = traffic.read(now, Window::days(30));
    assert_eq!(month.tally.bad as f64 / month.tally.valid() as f64, 0.01);
    let budget = Budget::new(target(99.9), Period::default(), &month, None);
    assert_eq!(budget.remaining, -9.0);
    assert_eq!(budget.bad_events_left, 60 - 600);
    let nothing = reading(Window::days(30), 0, 0);
    let budget = Budget::new(target(99.9), Period::default(), &nothing, None);
    assert_eq!((budget.remaining, budget.allowed, budget.bad_events_left), (1.0, 0.0, 0));
}

#[test]
fn vector_7_exactly_one_is_not_above_one() {
    for percent in [99.9, 99.99, 99.95, 99.0, 99.3, 97.1, 99.9999999] {
        let target = target(percent);
        // A thousand millions of events, of which just as many are bad as may be.
        let bad = target.budget_parts();
        let tally = Tally { good: Target::WHOLE - bad, bad, excluded: 0 };
        assert!(!exceeds(target, tally, 1.0), "{percent}");
        let more = Tally { good: tally.good - 1, bad: bad + 1, excluded: 0 };
        assert!(exceeds(target, more, 1.0), "{percent}");
        let read = Reading { window: Window::days(30), tally, coverage: 1.0 };
        assert_eq!(burn_rate(target, &read, 1).unwrap().value, 1.0, "{percent}");
    }
    assert_eq!(target(99.9).budget(), 1.0 / 1000.0);
    assert_eq!(target(99.9).budget_parts(), Target::WHOLE / 1000);
    // 14.4 × 0.001 is 0.0144 to the last event.
    let limit = Tally { good: 98_560, bad: 1_440, excluded: 0 };
    assert!(!exceeds(target(99.9), limit, 14.4));
    let over = Tally { good: 98_559, bad: 1_441, excluded: 0 };
    assert!(exceeds(target(99.9), over, 14.4));
}

#[test]
fn vector_8_a_factor_that_can_never_fire() {
    let error = Slo::new("search").success(90.0).validate().unwrap_err();
    assert!(error.is_unreachable());
    let message = error.to_string();
    assert!(message.contains("burns at 10:"), "{message}");
    assert!(message.contains("at most 9.999999"), "{message}");
    assert!(message.contains(".reachable_alerts()"), "{message}");

    let at = |factor| {
        let pair = AlertWindow::new(Severity::P0, Duration::from_secs(3_600), Duration::from_secs(300), factor);
        Slo::new("search").success(90.0).alerts(vec![pair]).validate()
    };
    assert!(at(10.0).unwrap_err().is_unreachable());
    at(9.999999).unwrap();
    let outage = Tally { good: 0, bad: 1_000, excluded: 0 };
    assert!(!exceeds(target(90.0), outage, 10.0));
    assert!(exceeds(target(90.0), outage, 9.999999));
}

#[test]
fn vector_9_a_thousand_errors_in_a_million() {
    let period = Period::Rolling(Duration::from_secs(28 * 86_400));
    let after = |bad| {
        let reading = reading(Window::days(28), 1_000_000 - bad, bad);
        Budget::new(target(99.9), period, &reading, None)
    };
    assert_eq!(after(0).allowed, 1_000.0);
    assert_eq!(after(0).bad_events_left, 1_000);
    assert_eq!((after(400).remaining, after(400).bad_events_left), (0.6, 600));

    let policy = BudgetPolicy::default();
    let incident = |bad: u64| 1.0 - after(bad).remaining;
    assert!(!policy.calls_for_postmortem(200.0 / 1_000.0));
    assert!(!policy.calls_for_postmortem(incident(199)));
    assert!(policy.calls_for_postmortem(incident(201)));
    assert_eq!(policy.action(after(999).remaining), None);
    let frozen = Some("freeze everything but P0 fixes and security fixes");
    assert_eq!(policy.action(after(1_000).remaining), frozen);
    assert_eq!(policy.action(after(1_001).remaining), frozen);
}

/// The half that needs no Prometheus: counters that are seen only every 15 s, between a burst of errors and its end.
#[test]
fn vector_10_counters_seen_only_at_scrapes() {
    let (scrape, interval) = (250, Duration::from_secs(15));
    let mut traffic = Traffic::after_healthy(STEP, 1);
    traffic.run(30_000, 0);
    traffic.run(10_000, 15);
    traffic.run(20_000, 0);
    // As a scraper that comes at 7 s past, and so is always behind.
    let seen = |steps: usize| steps - (steps + scrape - 117) % scrape;

    for window in [Window::minutes(5), Window::minutes(30), Window::hours(1)] {
        let bound = 2.0 * interval.as_secs_f64() / window.length().as_secs_f64();
        for steps in (40_000..50_000).step_by(scrape) {
            let (exact, scraped) = (traffic.read(steps, window), traffic.read(seen(steps), window));
            let (exact, scraped) = (exact.tally.valid() as f64, scraped.tally.valid() as f64);
            assert!((exact - scraped).abs() <= bound * exact, "{window}");
        }
    }

    let edges = traffic.play(&mut alerts_of(99.9));
    let mut alerts = alerts_of(99.9);
    let mut scraped = Vec::new();
    for steps in (scrape..traffic.steps()).step_by(scrape) {
        let now = plimsoll::Timestamp::from_nanos(0).after(traffic.time(steps));
        let changed = alerts.evaluate(now, |_, window| traffic.read(seen(steps), window));
        scraped.extend(changed.into_iter().map(|edge| (traffic.time(steps), edge)));
    }
    for transition in [Transition::Firing, Transition::Resolved] {
        let exact = first(&edges, Window::hours(1), transition).unwrap();
        let late = first(&scraped, Window::hours(1), transition).unwrap();
        assert!(exact <= late && late <= exact + 2 * interval, "{transition:?} {exact:?} {late:?}");
    }
}
