//! Declaring: what is accepted, and what it means.

use plimsoll::{
    Accounting, AlertWindow, BudgetPolicy, Error, Objective, Outcome, Period, Severity, Slo, Target, Verdict,
};
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn slo() -> Slo {
    Slo::new("checkout").success(99.9)
}

fn pair(long: Duration, short: Duration, factor: f64) -> AlertWindow {
    AlertWindow::new(Severity::P0, long, short, factor)
}

/// Refused, with the kind asked for and every one of the words.
pub(crate) fn refused(slo: &Slo, kind: fn(&Error) -> bool, words: &[&str]) {
    let error = slo.validate().expect_err(&format!("{slo:?}"));
    assert!(kind(&error), "{error:?}");
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
}

#[test]
fn a_target_keeps_its_digits() {
    for (percent, parts) in [
        (99.9, 1_000_000),
        (99.95, 500_000),
        (99.99, 100_000),
        (99.999, 10_000),
        (99.9999999, 1),
        (99.0, 10_000_000),
        (90.0, 100_000_000),
        (0.5, 995_000_000),
        (0.0000001, 999_999_999),
        (33.3333333, 666_666_667),
    ] {
        let target = Target::percent(percent).unwrap();
        assert_eq!(target.budget_parts(), parts, "{percent}");
        assert_eq!(target.as_percent(), percent);
        assert_eq!(target.to_string(), format!("{percent} %"));
    }
    assert_eq!(Target::percent(99.9).unwrap().budget(), 0.001);
    assert_eq!(Target::percent(99.9).unwrap().as_ratio(), 0.999);
    assert_eq!(Target::percent(90.0).unwrap().largest_burn(), 10.0);
}

#[test]
fn targets_out_of_range_are_refused() {
    for percent in [0.0, -0.0, 100.0, -1.0, 100.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Target::percent(percent).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("over 0 and under 100"), "{error}");
    }
    for percent in [99.99999999, f64::MIN_POSITIVE, 1e-8, 99.900_000_000_000_1] {
        let error = Target::percent(percent).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("at most 7 decimals"), "{error}");
    }
    // Nothing fails until it is declared, and until then the objective stands for the strictest target.
    let wrong = Objective::success(100.0);
    assert_eq!(wrong.target().budget_parts(), 1);
    refused(
        &Slo::new("checkout").objective(wrong),
        Error::is_invalid,
        &["SLO \"checkout\"", "objective \"success\"", "100 %", "such as 99.9"],
    );
}

#[test]
fn what_is_written_is_read_back() {
    let slo = Slo::new("checkout")
        .success(99.95)
        .latency(99.0, Duration::from_millis(500))
        .objective(Objective::success(99.9).named("correct").timeslices(MINUTE, 95.0))
        .objective(Objective::latency(99.0, 5 * MINUTE / 10).named("quick").of_successes())
        .service("shop")
        .owner("team-checkout")
        .runbook("https://runbooks.example/checkout")
        .severity(Severity::P1)
        .accounting(Accounting::sli().with(Outcome::Degraded, Verdict::Bad))
        .min_events(20)
        .scrape_interval(Duration::from_secs(30))
        .over_days(28);
    slo.validate().unwrap();
    assert_eq!((slo.name(), slo.service_name()), ("checkout", "shop"));
    assert_eq!(slo.owner_name(), Some("team-checkout"));
    assert_eq!(slo.runbook_url(), Some("https://runbooks.example/checkout"));
    assert_eq!(slo.highest_severity(), Severity::P1);
    assert_eq!(slo.sli_accounting().verdict(Outcome::Degraded, false), Verdict::Bad);
    assert_eq!((slo.least_events(), slo.scraped_every()), (20, Duration::from_secs(30)));
    assert_eq!(slo.period(), Period::Rolling(28 * 24 * HOUR));
    assert_eq!(slo.period().to_string(), "28d");

    let names: Vec<_> = slo.objectives().iter().map(Objective::name).collect();
    assert_eq!(names, ["success", "latency", "correct", "quick"]);
    let [success, latency, correct, quick] = slo.objectives() else { panic!() };
    assert_eq!((success.threshold(), success.counts_failures()), (None, true));
    assert_eq!(latency.threshold(), Some(Duration::from_millis(500)));
    assert!(latency.counts_failures() && !quick.counts_failures());
    assert_eq!(correct.slices(), Some((MINUTE, Target::percent(95.0).unwrap())));
    assert_eq!(success.slices(), None);

    let severities: Vec<_> = slo.alert_windows().iter().map(AlertWindow::severity).collect();
    assert_eq!(severities, [Severity::P1, Severity::P1, Severity::P2, Severity::P2]);
}

#[test]
fn defaults() {
    let slo = slo();
    slo.validate().unwrap();
    assert_eq!(slo.service_name(), "checkout");
    assert_eq!((slo.owner_name(), slo.runbook_url()), (None, None));
    assert_eq!(slo.period(), Period::Rolling(30 * 24 * HOUR));
    assert_eq!((slo.least_events(), slo.scraped_every()), (10, Duration::from_secs(15)));
    assert_eq!(slo.highest_severity(), Severity::P0);
    assert_eq!(slo.policy(), &BudgetPolicy::default());
    assert_eq!(slo.sli_accounting(), Accounting::sli());
}

#[test]
fn p0_is_the_highest_severity() {
    assert!(Severity::P0 > Severity::P1 && Severity::P1 > Severity::P2);
    assert_eq!(Severity::ALL.map(Severity::as_str), ["P0", "P1", "P2"]);
    assert_eq!(Severity::ALL.map(Severity::pages), [true, true, false]);
}

#[test]
fn short_periods_scale_the_windows() {
    let slo = slo().over(HOUR);
    slo.validate().unwrap();
    let windows: Vec<_> = slo.alert_windows().iter().map(|a| (a.long().as_millis(), a.short().as_millis())).collect();
    assert_eq!(windows, [(5_000, 417), (30_000, 2_500), (120_000, 10_000), (360_000, 30_000)]);
    let factors: Vec<_> = slo.alert_windows().iter().map(AlertWindow::factor_micros).collect();
    assert_eq!(factors, [14_400_000, 6_000_000, 3_000_000, 1_000_000]);
    // Nothing needs to be said about scraping for a demonstration to work.
    assert_eq!(slo.scraped_every(), Duration::from_micros(104_250));
}

#[test]
fn every_period_just_works() {
    for minutes in [1, 2, 5, 6, 10, 59, 60, 1_440, 40_319, 40_320, 43_200, 527_040] {
        slo().over_minutes(minutes).validate().unwrap();
    }
    slo().over_calendar_month().validate().unwrap();
    let short = slo().over_minutes(1).alert_windows();
    assert!(short.iter().all(|a| a.short() >= Duration::from_millis(40) && a.long() > a.short()));
    let month = slo().over_calendar_month();
    assert_eq!(month.alert_windows()[0].factor(), 14.6112);
    assert_eq!(month.period().to_string(), "calendar month");
}

#[test]
fn unreachable_alerts_are_refused_or_lowered_when_asked() {
    let slo = Slo::new("search").success(99.9).latency(90.0, Duration::from_millis(300));
    refused(&slo, Error::is_unreachable, &["\"latency\"", "P0", "1h/5m", "14.4", "90 %", "9.999999"]);
    // Who writes a share is told so.
    refused(&Slo::new("share").success(0.999), Error::is_unreachable, &["percentage", "write 99.9 if"]);

    let slo = slo.reachable_alerts();
    slo.validate().unwrap();
    let [success, latency] = slo.objectives() else { panic!() };
    let factors = |objective| slo.alert_windows_of(objective).iter().map(AlertWindow::factor).collect::<Vec<_>>();
    assert_eq!(factors(success), [14.4, 6.0, 3.0, 1.0]);
    assert_eq!(factors(latency), [8.0, 6.0, 3.0, 1.0]);
    // However lax the target, an alert still means that more is spent than was allowed.
    let lax = Slo::new("batch").success(10.0).reachable_alerts();
    lax.validate().unwrap();
    let factors: Vec<_> = lax.alert_windows_of(&lax.objectives()[0]).iter().map(AlertWindow::factor).collect();
    assert_eq!(factors, [1.0; 4]);
}

#[test]
fn a_policy_gets_stricter_as_the_budget_goes() {
    let policy = BudgetPolicy::default().under(20.0, "freeze").under(50.0, "review");
    assert_eq!(policy.steps().collect::<Vec<_>>(), [(50.0, "review"), (20.0, "freeze")]);
    assert_eq!(policy.action(0.5), None);
    assert_eq!(policy.action(0.49), Some("review"));
    assert_eq!(policy.action(0.2), Some("review"));
    assert_eq!(policy.action(0.19), Some("freeze"));
    assert_eq!(policy.action(0.0), Some(policy.exhausted()));
    assert_eq!(policy.action(-3.0), Some(policy.exhausted()));
}

#[test]
fn the_declaration_changes_with_everything_that_matters() {
    let base = || slo().latency(99.0, Duration::from_millis(500));
    let print = base().declaration();
    assert_eq!(print.len(), 16);
    assert!(print.bytes().all(|b| b.is_ascii_hexdigit()));
    // Fixed for good: files written by another build of the same code must still be known.
    assert_eq!(slo().declaration(), "866c602fab8205a9");
    assert_eq!(base().over_days(30).service("checkout").declaration(), print);

    let slices = Objective::success(99.0).named("up").timeslices(MINUTE, 95.0);
    let other = [
        Slo::new("checkout2").success(99.9).latency(99.0, Duration::from_millis(500)),
        slo().latency(99.0, Duration::from_millis(501)),
        slo().latency(99.1, Duration::from_millis(500)),
        slo().objective(Objective::latency(99.0, Duration::from_millis(500)).of_successes()),
        slo().objective(Objective::latency(99.0, Duration::from_millis(500)).named("quick")),
        base().objective(slices),
        base().over_days(28),
        base().over_calendar_month(),
        base().service("shop"),
        base().owner("shop"),
        base().runbook("shop"),
        base().severity(Severity::P1),
        base().min_events(11),
        base().scrape_interval(MINUTE),
        base().accounting(Accounting::breaker()),
        base().accounting(Accounting::sli().with_late_abandoned(Verdict::Excluded)),
        base().budget_policy(BudgetPolicy::default().under(20.0, "freeze")),
        base().budget_policy(BudgetPolicy::default().postmortem_over(30.0)),
        base().budget_policy(BudgetPolicy::default().when_exhausted("pray")),
        base().alerts(Vec::new()),
        base().alert(pair(2 * HOUR, 10 * MINUTE, 2.0)),
        base().alert(pair(2 * HOUR, 10 * MINUTE, 2.0).held_for(MINUTE)),
        base().alert(pair(2 * HOUR, 10 * MINUTE, 2.000001)),
    ];
    let mut prints: Vec<_> = other.iter().map(Slo::declaration).chain([print]).collect();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), other.len() + 1);
}
#[test]
fn a_calendar_month_begins_on_the_first_in_utc() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let start = |seconds| Period::CalendarMonth.start(at(seconds));
    // 2024-02-29 23:59:59, 2024-03-01 00:00:00, and the first moment there is.
    assert_eq!(start(1_709_251_199), at(1_706_745_600));
    assert_eq!(start(1_709_251_200), at(1_709_251_200));
    assert_eq!(start(0), at(0));
    let end_of_time = at(i64::MAX as u64);
    assert_eq!(Period::CalendarMonth.start(end_of_time), end_of_time);
    assert_eq!(Period::Rolling(HOUR).start(at(7_200)), at(3_600));
}
