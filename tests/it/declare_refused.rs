//! Declaring: what is refused, and with which words.

use crate::declare::refused;
use plimsoll::{AlertWindow, BudgetPolicy, Error, Objective, Severity, Slo};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn slo() -> Slo {
    Slo::new("checkout").success(99.9)
}

fn pair(long: Duration, short: Duration, factor: f64) -> AlertWindow {
    AlertWindow::new(Severity::P0, long, short, factor)
}

#[test]
fn names_are_refused() {
    let long = "x".repeat(129);
    for (name, word) in [("", "empty"), ("  ", "empty"), (long.as_str(), "129"), ("a\nb", "'\\n'")] {
        refused(&Slo::new(name).success(99.9), Error::is_invalid, &["the SLO's name", word]);
        refused(&slo().service(name), Error::is_invalid, &["service", word]);
        refused(&slo().owner(name), Error::is_invalid, &["owner", word]);
        let named = Objective::success(99.0).named(name);
        refused(&slo().objective(named), Error::is_invalid, &["objective's name", word]);
    }
    refused(&slo().runbook(""), Error::is_invalid, &["runbook", "empty"]);
    Slo::new("Kasse („neu“) – 1").success(99.9).validate().unwrap();
    Slo::new("x".repeat(128)).success(99.9).validate().unwrap();
}

#[test]
fn two_objectives_of_one_name_are_refused() {
    let twice = slo().latency(99.0, Duration::from_millis(500)).latency(95.0, Duration::from_micros(1_500));
    refused(
        &twice,
        Error::is_duplicate,
        &[".objective(Objective::latency(95.0, Duration::from_micros(1500)).named(\"…\"))"],
    );
    refused(&slo().success(99.0), Error::is_duplicate, &[".objective(Objective::success(99.0).named(\"…\"))"]);
    let spaced = slo().objective(Objective::success(99.0).named(" success"));
    refused(&spaced, Error::is_duplicate, &["two objectives"]);
}

#[test]
fn no_objective_is_refused() {
    refused(&Slo::new("checkout"), Error::is_invalid, &["promises nothing", ".success(99.9)"]);
}

#[test]
fn thresholds_out_of_range_are_refused() {
    for threshold in [Duration::ZERO, Duration::from_nanos(999), MINUTE + Duration::from_nanos(1)] {
        let slo = Slo::new("checkout").latency(99.0, threshold);
        refused(&slo, Error::is_invalid, &["latency threshold", "1 us to 60 s"]);
    }
    for threshold in [Duration::from_micros(1), MINUTE] {
        Slo::new("checkout").latency(99.0, threshold).validate().unwrap();
    }
    let odd = Objective::success(99.0).named("odd").of_successes();
    refused(&slo().objective(odd), Error::is_invalid, &["of_successes", "Objective::latency"]);
}

#[test]
fn periods_out_of_range_are_refused() {
    let year = 366 * 24 * HOUR;
    for period in [Duration::ZERO, MINUTE - Duration::from_nanos(1), year + MINUTE, Duration::MAX] {
        refused(&slo().over(period), Error::is_invalid, &["period", "1 minute to 366 days"]);
    }
    refused(&slo().over_days(u64::MAX), Error::is_invalid, &["period"]);
    slo().over(year).validate().unwrap();
}

#[test]
fn alerts_that_cannot_work_are_refused() {
    let with = |alert| slo().alerts(vec![alert]);
    with(pair(HOUR, 5 * MINUTE, 14.4)).validate().unwrap();
    slo().alerts(Vec::new()).validate().unwrap();

    for factor in [0.0, -1.0, f64::NAN, 0.000_000_4] {
        refused(&with(pair(HOUR, 5 * MINUTE, factor)), Error::is_invalid, &["over 0", "1h/5m"]);
    }
    for factor in [1_000.0, f64::INFINITY] {
        let slo = with(pair(HOUR, 5 * MINUTE, factor));
        refused(&slo, Error::is_unreachable, &["never fire", "at most 999.999999"]);
    }
    for long in [5 * MINUTE, MINUTE] {
        refused(&with(pair(long, 5 * MINUTE, 2.0)), Error::is_invalid, &["longer than the short"]);
    }
    let days = 24 * HOUR;
    refused(&with(pair(31 * days, HOUR, 2.0)), Error::is_invalid, &["period of 30d"]);
    let patient = pair(HOUR, 5 * MINUTE, 2.0).held_for(31 * days);
    refused(&with(patient), Error::is_invalid, &["held for 31d", "period of 30d"]);
    let twice = slo().alert(pair(HOUR, 5 * MINUTE, 2.0));
    refused(&twice, Error::is_duplicate, &["two P0 alerts", "1h/5m"]);
    slo().alert(pair(2 * HOUR, 10 * MINUTE, 2.0)).validate().unwrap();
}

#[test]
fn windows_too_fine_are_refused() {
    // Under four scrapes.
    let ten_seconds = Duration::from_secs(10);
    let hand_made = slo().alerts(vec![pair(MINUTE, ten_seconds, 2.0)]);
    refused(&hand_made, Error::is_too_fine, &["scrape", "15s", "at least 1m", "from_millis(2500)"]);
    hand_made.scrape_interval(Duration::from_millis(2_500)).validate().unwrap();
    slo().alerts(vec![pair(HOUR, MINUTE, 2.0)]).validate().unwrap();
    let slow = slo().scrape_interval(2 * MINUTE);
    refused(&slow, Error::is_too_fine, &["1h/5m", "2m", "at least 8m"]);
    refused(&slo().over(HOUR).scrape_interval(MINUTE), Error::is_too_fine, &["5s/417ms"]);
    refused(&slo().scrape_interval(Duration::ZERO), Error::is_invalid, &["over zero"]);
    // Under four steps of the ring, which are 10 ms at the least.
    let fine =
        |ms| slo().alerts(vec![pair(MINUTE, Duration::from_millis(ms), 2.0)]).scrape_interval(Duration::from_millis(1));
    refused(&fine(39), Error::is_too_fine, &["remembered", "40ms"]);
    fine(40).validate().unwrap();
}

#[test]
fn timeslices_that_cannot_work_are_refused() {
    let sliced = |slice| slo().objective(Objective::success(99.0).named("up").timeslices(slice, 95.0));
    sliced(MINUTE).validate().unwrap();
    sliced(5 * MINUTE).validate().unwrap();
    refused(&sliced(Duration::ZERO), Error::is_too_fine, &["slices of 0s", "at least 40ms"]);
    refused(&sliced(Duration::from_nanos(1)), Error::is_too_fine, &["slices of 1ns"]);
    refused(&sliced(10 * MINUTE), Error::is_too_fine, &["1h/5m", "at most 5m"]);
    let long = sliced(10 * MINUTE).min_events(6);
    refused(&long, Error::is_too_fine, &["its short window needs one", "at most 5m"]);
    refused(&sliced(31 * 24 * HOUR), Error::is_invalid, &["longer than the period"]);
    let few = sliced(5 * MINUTE).min_events(13);
    refused(&few, Error::is_too_fine, &["its long one 13"]);
    let lax = slo().objective(Objective::success(99.0).named("up").timeslices(MINUTE, 100.0));
    refused(&lax, Error::is_invalid, &["\"up\"", "100 %"]);
}

#[test]
fn policies_and_protection_that_make_no_sense_are_refused() {
    let with = |policy| slo().budget_policy(policy);
    let policy = BudgetPolicy::default;
    for percent in [0.0, -5.0, 101.0, f64::NAN] {
        refused(&with(policy().under(percent, "wait")), Error::is_invalid, &["policy step"]);
        refused(&with(policy().postmortem_over(percent)), Error::is_invalid, &["post-mortem"]);
    }
    refused(&with(policy().under(20.0, "")), Error::is_invalid, &["action under 20 %"]);
    refused(&with(policy().when_exhausted("")), Error::is_invalid, &["spent budget"]);
    refused(&slo().min_events(0), Error::is_invalid, &["min_events(0)", "at least 1"]);
}

#[test]
fn windows_beyond_all_bounds_are_refused_too() {
    let declare = |long, short| {
        Slo::new("odd").success(99.9).alerts(vec![AlertWindow::new(Severity::P0, long, short, 14.4)]).validate()
    };
    assert!(declare(Duration::MAX, Duration::MAX).unwrap_err().is_invalid());
    let odd = declare(Duration::from_micros(3_600_000_500), Duration::from_secs(300)).unwrap_err().to_string();
    assert!(odd.contains("whole number of milliseconds"), "{odd}");
}

#[test]
fn dependencies_that_make_no_sense_are_refused() {
    let error = slo().depends_on(slo().name()).validate().unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("depends on itself"), "{error}");
    let error = slo().depends_on("payments").depends_on("payments").validate().unwrap_err();
    assert!(error.is_duplicate() && error.to_string().contains("write it once"), "{error}");
    assert!(slo().depends_on(" ").validate().unwrap_err().is_invalid());
    assert_eq!(slo().depends_on("a").depends_on("b").dependencies().collect::<Vec<_>>(), ["a", "b"]);
    assert_ne!(slo().depends_on("a").declaration(), slo().declaration());
}
