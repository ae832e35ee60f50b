//! What trips a breaker, how long it stays open, and what operators may do with it.

use crate::rig::{Rig, ms, rig, rig_for, secs, steady};
use plimsoll::{Breaker, Outcome, Permit, Reason, Slo, State, Target};
use std::time::Duration;

fn opened_for(rig: &Rig) -> Duration {
    rig.refused().retry_after().unwrap()
}

/// `bad` failures spread evenly over `n` calls, the first of all calls good.
fn mixed(rig: &Rig, n: usize, bad: usize, every: Duration) -> usize {
    for call in 0..n {
        let Ok(permit) = rig.guard.admit() else { return call };
        rig.wait(every);
        if (call + 1) * bad / n > call * bad / n { permit.failure() } else { permit.success() }
    }
    n
}

#[test]
fn forced_open_refuses_until_an_operator_lets_go() {
    let rig = rig(steady());
    rig.guard.force_open();
    rig.expect(State::ForcedOpen);
    let refused = rig.refused();
    assert_eq!((refused.reason(), refused.retry_after()), (Reason::ForcedOpen, None));
    rig.wait(secs(30 * 86_400));
    rig.expect(State::ForcedOpen);
    assert!(rig.guard.explain().contains("forced open"), "{}", rig.guard.explain());
    rig.guard.auto();
    rig.expect(State::Ramping);
    rig.wait(secs(10));
    rig.expect(State::Closed);
}

#[test]
fn forced_closed_passes_an_outage_and_starts_afresh() {
    let rig = rig(steady());
    rig.trip();
    rig.guard.force_closed();
    rig.calls(500, ms(5), Outcome::FAILURE);
    rig.expect(State::ForcedClosed);
    assert!(rig.guard.explain().contains("forced closed"), "{}", rig.guard.explain());
    rig.guard.auto();
    rig.expect(State::Closed);
    rig.calls(19, ms(5), Outcome::FAILURE);
    rig.expect(State::Closed);
    assert_eq!(rig.trip(), 1, "what was let through by force is not held against it");
}

#[test]
fn what_was_admitted_under_force_has_no_say_afterwards() {
    let rig = rig(steady());
    rig.guard.force_closed();
    let old = rig.admit_many(50);
    rig.guard.auto();
    old.into_iter().for_each(Permit::failure);
    rig.expect(State::Closed);
}

#[test]
fn observe_only_says_what_it_would_have_done() {
    let rig = rig(steady().observe_only());
    rig.expect(State::Closed);
    assert!(rig.guard.explain().contains("only observing"));
    rig.calls(20, ms(5), Outcome::FAILURE);
    rig.expect(State::WouldBeOpen);
    rig.calls(100, ms(5), Outcome::FAILURE);
    let text = rig.guard.explain();
    assert!(text.contains("would be refused now") && text.contains("20 calls in a row failed"), "{text}");
    let changes = rig.changes();
    assert_eq!((changes.len(), changes[0].1), (1, "would_be_open"), "{changes:?}");
    rig.wait(secs(5));
    rig.expect(State::Closed);
    rig.calls(20, ms(5), Outcome::FAILURE);
    rig.expect(State::WouldBeOpen);
    assert_eq!(rig.outcome(Outcome::Rejected), 0);
    // Forced and let go of, it observes again; and when it is given the decision, it begins afresh.
    rig.guard.force_open();
    rig.guard.auto();
    rig.calls(20, ms(5), Outcome::FAILURE);
    rig.expect(State::WouldBeOpen);
    rig.guard.auto();
    rig.expect(State::Closed);
    assert_eq!(rig.trip(), 20);
}

#[test]
fn observe_only_backs_off_as_the_real_one_would() {
    let rig = rig(steady().observe_only());
    let would_be_open = |rig: &Rig| {
        rig.calls(20, ms(1), Outcome::FAILURE);
        rig.expect(State::WouldBeOpen);
        let since = rig.clock.now();
        while rig.guard.state() == State::WouldBeOpen {
            rig.wait(ms(100));
        }
        rig.clock.now().since(since)
    };
    assert_eq!(would_be_open(&rig), secs(5));
    assert_eq!(would_be_open(&rig), secs(10));
    // The real one would have closed for good by now.
    rig.successes(1_000, ms(100));
    assert_eq!(would_be_open(&rig), secs(5));
}

#[test]
fn explain_says_what_was_seen() {
    let ratio = rig(Breaker::never().failure_ratio(0.5, 20, secs(10)));
    assert_eq!(ratio.guard.explain(), "breaker payments is closed: calls pass; it has never changed its state");
    mixed(&ratio, 40, 20, ms(5));
    ratio.wait(ms(1_500));
    let text = ratio.guard.explain();
    let seen = "breaker payments is open: calls are refused; it went from closed to open 1.5 s ago because 10 of 20 \
                calls failed in 10s (50.0 %; it trips at 50.0 %); the next probe may pass in ";
    assert!(text.starts_with(seen), "{text}");
    let rig = rig(steady());
    rig.trip();
    assert!(rig.guard.explain().contains("because 20 calls in a row failed"));
    assert!(rig.guard.explain().ends_with("the next probe may pass in 5.0 s (opened 1 × in a row)"));
    rig.half_open();
    assert!(rig.guard.explain().contains("half-open") && rig.guard.explain().contains("it was open for its time"));
    rig.successes(3, ms(1));
    rig.wait(secs(5));
    let text = rig.guard.explain();
    assert!(text.contains("ramping") && text.contains("55 % pass") && text.contains("3 probes succeeded"), "{text}");
    rig.trip();
    rig.half_open();
    rig.admit().failure();
    assert!(rig.guard.explain().contains("because a probe failed"), "{}", rig.guard.explain());
}

#[test]
fn a_ratio_trips_at_exactly_what_was_written() {
    for percent in 1..=100_usize {
        let limit = percent as f64 / 100.0;
        let breaker = || Breaker::never().failure_ratio(limit, 100, secs(60));
        let at = rig(breaker());
        at.calls(100 - percent, ms(1), Outcome::Success);
        at.calls(percent, ms(1), Outcome::FAILURE);
        at.expect(State::Open);
        let under = rig(breaker());
        under.calls(101 - percent, ms(1), Outcome::Success);
        under.calls(percent - 1, ms(1), Outcome::FAILURE);
        under.expect(State::Closed);
    }
}

#[test]
fn a_ratio_needs_its_least_calls_within_its_window() {
    let rig = rig(Breaker::never().failure_ratio(0.5, 20, secs(10)));
    rig.calls(19, ms(10), Outcome::FAILURE);
    rig.expect(State::Closed);
    rig.wait(secs(11));
    rig.calls(19, ms(10), Outcome::FAILURE);
    rig.expect(State::Closed);
    rig.calls(1, ms(10), Outcome::FAILURE);
    rig.expect(State::Open);
}

#[test]
fn slow_calls_trip_though_they_succeed() {
    let rig = rig(Breaker::never().jitter(0.0).slow_ratio(0.8, ms(300)));
    rig.successes(100, ms(300));
    rig.expect(State::Closed);
    rig.wait(secs(10));
    rig.successes(4, ms(1));
    rig.successes(15, ms(301));
    rig.expect(State::Closed);
    rig.successes(1, ms(301));
    rig.expect(State::Open);
    assert!(rig.guard.explain().contains("16 of 20 calls were slow"), "{}", rig.guard.explain());
    assert_eq!((rig.outcome(Outcome::Slow), rig.outcome(Outcome::Success)), (16, 104));
    rig.half_open();
    rig.successes(1, ms(301));
    rig.expect(State::Open);
    rig.heal();
}

#[test]
fn hung_calls_trip_though_they_never_end() {
    let rig = rig(Breaker::never().age_in_flight(secs(2), 10));
    let hung = rig.admit_many(9);
    let began = rig.clock.now();
    // Others that come and go are not counted with them.
    let busy = |rig: &Rig, seconds: u64| {
        for _ in 0..seconds * 10 {
            let passing = rig.storm(20);
            rig.wait(ms(100));
            if passing == 0 {
                break;
            }
        }
    };
    busy(&rig, 10);
    rig.expect(State::Closed);
    let last = (rig.admit(), rig.clock.now());
    assert!(last.1.since(began) >= secs(10));
    busy(&rig, 10);
    rig.expect(State::Open);
    assert!(rig.guard.explain().contains("10 calls have hung for 2s or longer"), "{}", rig.guard.explain());
    let opened = rig.plimsoll.events().last().unwrap().at.since(last.1);
    assert!(opened >= secs(2) && opened <= secs(2) + ms(600), "{opened:?}: an eighth of the age is what it may take");
    drop((hung, last));
}

#[test]
fn the_slos_burn_trips_where_asked_for_or_where_a_fallback_is() {
    let burnt = |breaker: Breaker| {
        let slo = Slo::new("payments").success(99.9);
        let rig = rig_for(slo, breaker.jitter(0.0));
        mixed(&rig, 12_000, 0, ms(5));
        // 20 %: far over 14.4 × of a budget of 0.1 %, far under half of the calls.
        mixed(&rig, 12_000, 2_400, ms(5));
        rig
    };
    let asked = burnt(Breaker::never().slo_burn(14.4));
    asked.expect(State::Open);
    assert!(asked.guard.explain().contains("error budget burns"), "{}", asked.guard.explain());
    let never = burnt(Breaker::never());
    never.expect(State::Closed);
    let default = burnt(Breaker::default());
    default.expect(State::Closed);
    assert_eq!(default.trips(), 0, "nothing could answer in its place");
}

#[test]
fn one_bad_call_in_a_quiet_minute_is_no_burn() {
    let rig = rig_for(Slo::new("payments").success(99.9), Breaker::never().slo_burn(14.4));
    rig.successes(11, secs(5));
    rig.calls(9, ms(1), Outcome::FAILURE);
    rig.expect(State::Closed);
    assert_eq!(rig.slo.objective("success").unwrap().target(), Target::percent(99.9).unwrap());
}

#[test]
fn back_off_doubles_up_to_its_cap_and_starts_over() {
    let rig = rig(steady().open_for(secs(5), secs(60)));
    for round in 0..2 {
        rig.trip();
        for expected in [5, 10, 20, 40, 60, 60, 60] {
            assert_eq!(opened_for(&rig), secs(expected), "round {round}");
            rig.half_open();
            rig.admit().failure();
        }
        rig.heal();
    }
    // A relapse in the ramp is no new outage.
    rig.trip();
    rig.half_open();
    rig.successes(3, ms(1));
    rig.expect(State::Ramping);
    rig.trip();
    assert_eq!(opened_for(&rig), secs(10));
}

#[test]
fn jitter_only_shortens_and_within_its_bounds() {
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    for seed in 0..200 {
        let rig = rig(Breaker::default().jitter(0.2).seed(seed));
        rig.trip();
        for nominal in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
            let share = opened_for(&rig).as_secs_f64() / nominal;
            (least, most) = (least.min(share), most.max(share));
            rig.half_open();
            rig.admit().failure();
        }
    }
    assert!(least > 0.8 - 1e-9 && most <= 1.0, "{least} … {most}");
    assert!(least < 0.81 && most > 0.99, "it is spread over its range: {least} … {most}");
    let twice = [7, 7].map(|seed| {
        let rig = rig(Breaker::default().seed(seed));
        rig.trip();
        opened_for(&rig)
    });
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn coming_back_when_told_to_is_worth_it() {
    let rig = rig(Breaker::default());
    let nano = Duration::from_nanos(1);
    let come_back = |reason: Reason| {
        let refused = rig.refused();
        assert_eq!(refused.reason(), reason);
        let wait = refused.retry_after().unwrap();
        rig.wait(wait - nano);
        if reason != Reason::Ramping {
            assert_eq!(rig.refused().reason(), reason, "any earlier is not");
        }
        rig.wait(nano);
        rig.admit()
    };
    rig.trip();
    let first = come_back(Reason::Open);
    rig.wait(secs(7));
    let (second, third) = (rig.admit(), rig.admit());
    let again = come_back(Reason::Probing);
    [second, third, again].into_iter().for_each(Permit::success);
    rig.expect(State::Ramping);
    while rig.guard.admit().is_ok() {}
    come_back(Reason::Ramping).success();
    rig.expect(State::Closed);
    drop(first);
    for text in [rig.trip(), 0].map(|_| rig.refused().to_string()) {
        assert!(text.starts_with("payments refused the call: its circuit breaker is open; retry after "), "{text}");
    }
}

#[test]
fn the_ramp_lets_its_share_through_evenly() {
    let rig = rig(steady());
    // Many calls have gone by in earlier ramps.
    for _ in 0..3 {
        rig.trip();
        rig.half_open();
        rig.successes(3, ms(1));
        let (mut expected, mut passed) = (0.0, 0_u32);
        for call in 0..20_000 {
            expected += 0.1 + 0.9 * f64::from(call) / 20_000.0;
            passed += u32::from(rig.guard.admit().map(Permit::success).is_ok());
            rig.wait(Duration::from_micros(500));
            assert!((expected - f64::from(passed)).abs() < 3.0, "{passed} passed of {call} where {expected} should");
        }
        rig.expect(State::Closed);
    }
}

#[test]
fn calls_that_hang_trip_however_many_epochs_they_fill() {
    for (age, calls, gap) in [(secs(1), 500, ms(5)), (secs(10), 100, ms(250)), (secs(4), 50, ms(100))] {
        let rig = rig(Breaker::never().age_in_flight(age, calls));
        let mut hanging = Vec::new();
        for n in 0_u32.. {
            let Ok(permit) = rig.guard.admit() else { break };
            hanging.push(permit);
            rig.wait(gap);
            assert!(gap * n < age * 5 + gap * calls as u32 * 3, "{n} calls hang, and nothing trips");
        }
        assert!(hanging.len() as u64 >= calls, "{} calls tripped", hanging.len());
        rig.expect(State::Open);
    }
}

#[test]
fn a_breaker_that_cannot_work_is_refused() {
    let refused = |breaker: Breaker| {
        let plimsoll = plimsoll::Plimsoll::new();
        let slo = plimsoll.declare(Slo::new("payments").success(99.0)).unwrap();
        slo.guard().breaker(breaker).build().unwrap_err()
    };
    let unreachable = refused(Breaker::never().slo_burn(100.0));
    assert!(unreachable.is_unreachable(), "{unreachable}");
    assert!(unreachable.to_string().contains("write a factor under 100.0000"), "{unreachable}");
    for breaker in [
        Breaker::default().slow_ratio(0.5, Duration::ZERO),
        Breaker::default().slow_ratio(0.5, secs(61)),
        Breaker::default().slow_ratio(1.5, secs(1)),
        Breaker::default().ramp(0.1, secs(90_000)),
        Breaker::default().probes(0, secs(1)),
        Breaker::default().jitter(f64::NAN),
    ] {
        assert!(refused(breaker.clone()).is_invalid(), "{breaker:?}");
    }
}
