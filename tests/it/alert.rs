//! The alerts in process: pending, firing, resolved, and what silence does to them.

use crate::traffic::{Traffic, first, state};
use plimsoll::{
    AlertState, AlertWindow, Alerts, EventKind, ManualClock, Objective, Plimsoll, Severity, Slo, Tally, Timestamp,
    Transition, Window,
};
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const LONG: Window = Window::minutes(1);
const SHORT: Window = Window::seconds(5);

/// 99 %, one pair of 1 m and 5 s at 10: over 10 % bad.
fn slo(pending: Duration) -> Slo {
    let pair = AlertWindow::new(Severity::P0, LONG.length(), SHORT.length(), 10.0);
    Slo::new("checkout").success(99.0).alerts(vec![pair.held_for(pending)]).scrape_interval(SECOND)
}

fn alerts(pending: Duration) -> Alerts {
    let slo = slo(pending);
    slo.validate().unwrap();
    Alerts::new(&slo)
}

fn seconds(traffic: &mut Traffic, n: usize, good: u64, bad: u64) {
    (0..n).for_each(|_| traffic.push(good, bad));
}

fn transitions(traffic: &Traffic, alerts: &mut Alerts) -> Vec<(u64, Transition)> {
    let edges = traffic.play(alerts);
    edges.iter().map(|(at, edge)| (at.as_secs(), edge.transition)).collect()
}

#[test]
fn fires_and_resolves_with_the_numbers_it_saw() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 20, 0, 10);
    seconds(&mut traffic, 20, 10, 0);
    let mut alerts = alerts(Duration::ZERO);
    let edges = traffic.play(&mut alerts);
    // 10 % of 600 are 60, and 60 are not over it: the seventh second is. 10 % of 50 are 5: the fifth clears.
    let [(fired, firing), (ended, resolved)] = edges.as_slice() else { panic!("{edges:?}") };
    assert_eq!((fired.as_secs(), ended.as_secs()), (7, 25));
    assert_eq!((firing.transition, resolved.transition), (Transition::Firing, Transition::Resolved));

    let alert = &firing.alert;
    assert_eq!((alert.objective, &*alert.name), (0, "success"));
    assert_eq!((alert.severity, alert.long, alert.short), (Severity::P0, LONG, SHORT));
    assert_eq!(alert.factor, 10.0);
    assert_eq!(alert.state, AlertState::Firing { since: firing.at });
    let (long, short) = (alert.long_burn.unwrap(), alert.short_burn.unwrap());
    assert!((long.value - 70.0 / 6.0).abs() < 1e-12, "{long:?}");
    assert_eq!((long.events, long.coverage), (600, 1.0));
    assert_eq!((short.value, short.events), (100.0, 50));
    let spent = long.value / (30.0 * 24.0 * 60.0);
    assert!((alert.spent - spent).abs() < 1e-15);
    assert_eq!((firing.after, resolved.after), (Duration::ZERO, 18 * SECOND));
    assert_eq!(resolved.alert.state, AlertState::Inactive);
}

#[test]
fn pending_must_hold() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 30, 0, 10);
    seconds(&mut traffic, 10, 10, 0);
    let (held, short) = (15 * SECOND, 40 * SECOND);
    assert_eq!(
        transitions(&traffic, &mut alerts(held)),
        [(7, Transition::Pending), (22, Transition::Firing), (35, Transition::Resolved)]
    );
    assert_eq!(transitions(&traffic, &mut alerts(short)), [(7, Transition::Pending), (35, Transition::Withdrawn)]);
}

#[test]
fn a_second_spell_begins_anew() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    for _ in 0..2 {
        seconds(&mut traffic, 12, 0, 10);
        seconds(&mut traffic, 120, 10, 0);
    }
    use Transition::{Firing, Pending, Resolved};
    let seen = transitions(&traffic, &mut alerts(3 * SECOND));
    let spell = [(7, Pending), (10, Firing), (17, Resolved)];
    let again = spell.map(|(at, transition)| (at + 132, transition));
    assert_eq!(seen, [spell, again].concat());
}

#[test]
fn no_data_never_resolves_while_the_long_window_burns() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 10, 0, 10);
    seconds(&mut traffic, 59, 0, 0);
    let mut firing = alerts(Duration::ZERO);
    assert_eq!(transitions(&traffic, &mut firing), [(7, Transition::Firing)]);
    let status = firing.status().next().unwrap();
    assert!(status.state.is_firing());
    assert_eq!((status.short_burn, status.long_burn.unwrap().events), (None, 10));

    // The long window has emptied: there is nothing left that would burn.
    seconds(&mut traffic, 5, 0, 0);
    let seen = transitions(&traffic, &mut alerts(Duration::ZERO));
    assert_eq!(seen, [(7, Transition::Firing), (70, Transition::Resolved)]);
}

#[test]
fn one_good_event_after_the_silence_is_evidence() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 10, 0, 10);
    seconds(&mut traffic, 20, 0, 0);
    traffic.push(1, 0);
    let seen = transitions(&traffic, &mut alerts(Duration::ZERO));
    assert_eq!(seen, [(7, Transition::Firing), (31, Transition::Resolved)]);
}

#[test]
fn one_bad_event_after_the_silence_is_evidence_too() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 10, 0, 10);
    seconds(&mut traffic, 20, 0, 0);
    traffic.push(0, 1);
    let mut alerts = alerts(Duration::ZERO);
    assert_eq!(transitions(&traffic, &mut alerts), [(7, Transition::Firing)]);
    assert!(state(&alerts, Severity::P0).is_firing());
}

#[test]
fn nothing_fires_on_no_data_in_the_short_window() {
    let mut traffic = Traffic::from_the_start(SECOND);
    seconds(&mut traffic, 4, 0, 2);
    seconds(&mut traffic, 10, 0, 0);
    // Pending from its first ten events on (never reached): eight events are too few.
    assert_eq!(transitions(&traffic, &mut alerts(Duration::ZERO)), []);
    // Looked at only after the silence began.
    let mut traffic = Traffic::from_the_start(SECOND);
    seconds(&mut traffic, 4, 0, 10);
    seconds(&mut traffic, 10, 0, 0);
    assert_eq!(traffic.play_from(&mut alerts(Duration::ZERO), 10), []);
}

#[test]
fn few_events_are_no_evidence() {
    let play = |slo: Slo, good, bad| {
        let mut traffic = Traffic::from_the_start(SECOND);
        seconds(&mut traffic, 1, good, bad);
        traffic.play(&mut Alerts::new(&slo)).len()
    };
    let now = Duration::ZERO;
    assert_eq!(play(slo(now), 0, 9), 0);
    assert_eq!(play(slo(now), 0, 10), 1);
    assert_eq!(play(slo(now), 8, 2), 0);
    assert_eq!(play(slo(now), 7, 3), 1);
    assert_eq!(play(slo(now).min_events(11), 7, 3), 0);
    assert_eq!(play(slo(now).min_events(1), 0, 2), 0);
    assert_eq!(play(slo(now).min_events(1), 0, 3), 1);
}

#[test]
fn objectives_are_judged_apart() {
    let slo = slo(Duration::ZERO).objective(Objective::success(90.0).named("lax"));
    assert!(slo.validate().unwrap_err().is_unreachable());
    let slo = slo.reachable_alerts();
    slo.validate().unwrap();
    let mut alerts = Alerts::new(&slo);
    let factors: Vec<_> = alerts.status().map(|alert| (alert.objective, alert.factor)).collect();
    assert_eq!(factors, [(0, 10.0), (1, 8.0)]);

    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 40, 0, 10);
    let now = Timestamp::from_nanos(0);
    let bad = traffic.read(40, LONG);
    let calm = traffic.read(0, LONG);
    let edges = alerts.evaluate(now, |objective, _| if objective == 0 { calm } else { bad });
    // 40 of 60 s: two thirds, and 80 % are asked for.
    assert_eq!(edges, []);
    let edges = alerts.evaluate(now, |objective, _| if objective == 1 { calm } else { bad });
    assert_eq!(edges.len(), 1);
    assert_eq!(&*edges[0].alert.name, "success");
}

#[test]
fn the_worst_that_fires() {
    let slo = Slo::new("checkout").success(99.9);
    let mut alerts = Alerts::new(&slo);
    assert_eq!(alerts.status().len(), 4);
    assert_eq!(alerts.worst_firing(), None);
    let mut traffic = Traffic::after_healthy(Duration::from_secs(60), 1_000);
    // At a burn of 5, then 10, then 1000.
    for (expected, bad) in [(Severity::P2, 5), (Severity::P1, 10), (Severity::P0, 1_000)] {
        for _ in 0..1_000 {
            traffic.push(1_000 - bad, bad);
            let steps = traffic.steps();
            let now = Timestamp::from_nanos(0).after(traffic.time(steps));
            alerts.evaluate(now, |_, window| traffic.read(steps, window));
            if alerts.worst_firing() == Some(expected) {
                break;
            }
        }
        assert_eq!(alerts.worst_firing(), Some(expected));
        assert!(state(&alerts, expected).is_firing());
    }
}

#[test]
fn an_evaluation_earlier_than_the_last_is_harmless() {
    let mut traffic = Traffic::after_healthy(SECOND, 10);
    seconds(&mut traffic, 20, 0, 10);
    let mut alerts = alerts(5 * SECOND);
    let mut at = |nanos| {
        let edges = alerts.evaluate(Timestamp::from_nanos(nanos), |_, w| traffic.read(20, w));
        edges.iter().map(|edge| edge.transition).collect::<Vec<_>>()
    };
    assert_eq!(at(10_000_000_000), [Transition::Pending]);
    assert_eq!(at(1), []);
    assert_eq!(at(15_000_000_000), [Transition::Firing]);
    assert_eq!(at(2), []);
}

#[test]
fn a_process_that_has_just_begun_is_judged_by_what_it_saw() {
    let mut traffic = Traffic::from_the_start(SECOND);
    seconds(&mut traffic, 3, 5, 5);
    let edges = traffic.play(&mut alerts(Duration::ZERO));
    assert_eq!(first(&edges, LONG, Transition::Firing), Some(SECOND));
    let burn = edges[0].1.alert.long_burn.unwrap();
    assert_eq!((burn.events, burn.coverage), (10, 1.0 / 60.0));
    // Ten events, half of them bad, spend what one second at a burn of 50 spends.
    let spent = 50.0 / (30.0 * 86_400.0);
    assert!((edges[0].1.alert.spent - spent).abs() < 1e-15);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A long random history: edges alternate, firing needs both windows to burn, and ending needs evidence.
    #[test]
    fn edges_follow_from_the_windows(
        spells in prop::collection::vec((1_usize..90, 0_u64..12, 0_u64..12), 1..40),
        held in 0_u64..8,
    ) {
        let mut traffic = Traffic::from_the_start(SECOND);
        for (n, good, bad) in spells {
            seconds(&mut traffic, n, good, bad);
        }
        let burns = |tally: Tally| tally.bad * 10 > tally.valid();
        let (mut held_since, mut firing) = (None, false);
        let mut alerts = alerts(Duration::from_secs(held));
        for steps in 1..=traffic.steps() {
            let now = Timestamp::from_nanos(0).after(traffic.time(steps));
            let edges = alerts.evaluate(now, |_, window| traffic.read(steps, window));
            let (long, short) = (traffic.read(steps, LONG).tally, traffic.read(steps, SHORT).tally);
            let over = long.valid() == 0
                || !burns(long)
                || (short.valid() > 0 && !burns(short));
            let due = burns(long) && burns(short) && long.valid() >= 10 && long.bad >= 3;

            let mut expected = None;
            if firing {
                if over {
                    (firing, expected) = (false, Some(Transition::Resolved));
                }
            } else if due {
                let fresh = held_since.is_none();
                let since = *held_since.get_or_insert(steps);
                if (steps - since) as u64 >= held {
                    (firing, held_since, expected) = (true, None, Some(Transition::Firing));
                } else if fresh {
                    expected = Some(Transition::Pending);
                }
            } else if over && held_since.take().is_some() {
                expected = Some(Transition::Withdrawn);
            }
            let seen: Vec<_> = edges.iter().map(|edge| edge.transition).collect();
            prop_assert_eq!(seen, Vec::from_iter(expected), "after {} s", steps);
        }
    }
}

/// Whoever rolls the windows judges: a reader that always comes first must not keep the requests from it, nor the other
/// way round.
#[test]
fn alerts_are_told_whoever_comes_first() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(slo(Duration::ZERO)).unwrap();
    let guard = slo.guard().build().unwrap();
    let states = || -> Vec<&str> {
        let told = plimsoll.events().into_iter();
        told.filter_map(|event| if let EventKind::Alert { state, .. } = event.kind { Some(state) } else { None })
            .collect()
    };
    let objective = slo.objectives().next().unwrap();
    for (bad, told) in [(true, &["firing"][..]), (false, &["firing", "resolved"])] {
        for _ in 0..300 {
            clock.advance(Duration::from_millis(250));
            _ = (objective.total(), objective.reading(SHORT), slo.latency(SHORT), slo.outcomes());
            let permit = guard.admit().unwrap();
            if bad { permit.failure() } else { permit.success() }
        }
        assert_eq!(states(), told);
    }
}
