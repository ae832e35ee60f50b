//! Shedding a class of calls by hand.

use crate::rig::{ms, secs};
use plimsoll::{
    Breaker, CallContext, EventKind, Guard, ManualClock, Outcome, Plimsoll, Priority, Reason, Shed, Slo, State,
};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn plimsoll() -> (Plimsoll, ManualClock) {
    let clock = ManualClock::new();
    (Plimsoll::with_clock(clock.clone()), clock)
}

/// Without a limiter and a breaker, with each, and with both.
fn guards(plimsoll: &Plimsoll) -> Vec<Guard> {
    let slo = plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, ms(100))).unwrap();
    let builders = [
        slo.guard(),
        slo.guard().breaker(Breaker::default()),
        slo.guard().shed(Shed::adaptive()),
        slo.guard().shed(Shed::fixed(5).queue(5)).breaker(Breaker::default()),
    ];
    let named = builders.into_iter().enumerate().map(|(n, builder)| builder.named(format!("guard {n}")));
    named.map(|builder| builder.build().unwrap()).collect()
}

fn of(priority: Priority) -> CallContext {
    CallContext::new().priority(priority)
}

#[test]
fn a_class_is_shed_by_hand_and_let_in_again() {
    let (plimsoll, clock) = plimsoll();
    for guard in guards(&plimsoll) {
        let let_in = |priority| guard.admit_in(of(priority)).map(plimsoll::Permit::success).map_err(|no| no.reason());
        assert_eq!((guard.sheds_below(), let_in(Priority::SHEDDABLE)), (None, Ok(())));
        guard.shed_below(Some(Priority::DEFAULT));
        assert_eq!(guard.sheds_below(), Some(Priority::DEFAULT));
        for (priority, expected) in [
            (Priority::SHEDDABLE, Err(Reason::ShedByHand)),
            (Priority::custom(99), Err(Reason::ShedByHand)),
            (Priority::DEFAULT, Ok(())),
            (Priority::CRITICAL, Ok(())),
        ] {
            assert_eq!(let_in(priority), expected, "{priority}");
        }
        assert!(guard.admit().is_ok(), "of which nothing is said: it is default");
        clock.advance(secs(3_600));
        assert_eq!(let_in(Priority::SHEDDABLE), Err(Reason::ShedByHand), "until it is taken back");
        guard.shed_below(Some(Priority::custom(255)));
        assert_eq!(let_in(Priority::CRITICAL), Err(Reason::ShedByHand));
        assert!(guard.admit().is_err());
        guard.shed_below(None);
        assert_eq!((guard.sheds_below(), let_in(Priority::SHEDDABLE)), (None, Ok(())));
        guard.shed_below(Some(Priority::SHEDDABLE));
        assert_eq!(let_in(Priority::SHEDDABLE), Ok(()), "nothing is below it");
        assert_eq!(guard.in_flight(), 0);
    }
}

#[test]
fn what_is_shed_by_hand_is_told_everywhere_and_is_no_evidence_for_the_breaker() {
    let (plimsoll, _) = plimsoll();
    for guard in guards(&plimsoll) {
        guard.shed_below(Some(Priority::DEFAULT));
        let refusal = guard.admit_in(of(Priority::SHEDDABLE)).unwrap_err();
        assert_eq!(refusal.retry_after(), None, "only an operator can tell");
        assert!(refusal.to_string().contains("shed by hand"), "{refusal}");
        for _ in 0..100 {
            guard.admit_in(of(Priority::SHEDDABLE)).unwrap_err();
        }
        let counted = |wanted| guard.outcomes().find(|(known, _)| *known == wanted).unwrap().1;
        assert_eq!((counted(Outcome::Shed), counted(Outcome::Rejected)), (101, 0));
        assert_eq!(guard.refusals().find(|(reason, _)| *reason == Reason::ShedByHand).unwrap().1, 101);
        assert_eq!(guard.state(), State::Closed);
        assert!(guard.explain().contains("sheds by hand what is below default"), "{}", guard.explain());
        #[cfg(feature = "prometheus")]
        {
            use crate::support::exposition::Exposition;
            let read = Exposition::read(&plimsoll.render_own());
            let own = ("guard", guard.name());
            assert_eq!(read.value("plimsoll_shed_below", &[own]), 100.0);
            assert_eq!(read.value("plimsoll_sheds_total", &[own, ("priority", "sheddable")]), 101.0);
            assert_eq!(read.value("plimsoll_rejections_total", &[own, ("reason", "shed_by_hand")]), 101.0);
        }
        guard.shed_below(None);
        assert!(!guard.explain().contains("by hand"));
        let told: Vec<String> = plimsoll
            .events()
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::Operator { what, .. } if what.contains(guard.name()) => Some(what),
                _ => None,
            })
            .collect();
        let name = guard.name();
        assert_eq!(
            told,
            [
                format!("guard {name} sheds every call below default priority"),
                format!("guard {name} sheds no priority by hand any more"),
            ]
        );
    }
}

#[test]
fn who_waits_in_line_already_is_let_in_all_the_same() {
    // It was told to wait before the class was shed; what comes now is refused.
    let (plimsoll, _) = plimsoll();
    let slo = plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, ms(100))).unwrap();
    let guard = slo.guard().shed(Shed::fixed(1).queue(5)).build().unwrap();
    let first = guard.admit().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut waits = pin!(guard.acquire_in(of(Priority::SHEDDABLE)));
    assert!(waits.as_mut().poll(&mut cx).is_pending());
    guard.shed_below(Some(Priority::CRITICAL));
    let mut comes = pin!(guard.acquire_in(of(Priority::SHEDDABLE)));
    assert!(matches!(comes.as_mut().poll(&mut cx), Poll::Ready(Err(_))));
    first.success();
    assert!(matches!(waits.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
}
