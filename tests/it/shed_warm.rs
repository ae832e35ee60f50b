//! Warm-up, and what an autoscaler is told.

use crate::rig::{ms, secs, steady};
use crate::shed::shop;
use plimsoll::{Guard, Permit, Shed, State};

fn room(guard: Guard) -> usize {
    std::iter::from_fn(|| guard.admit().ok()).take(5_000).collect::<Vec<Permit>>().len()
}

#[test]
fn after_the_start_admission_ramps_to_a_limit_that_is_known() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(128).warm_up(secs(10)));
    let mut rooms = Vec::new();
    for second in 0..=10 {
        shop.plimsoll.tick();
        let warmth = guard.warmth().unwrap_or(1.0);
        assert!((warmth - f64::from(second) / 10.0).abs() < 1e-9, "{warmth} after {second} s");
        rooms.push(room(guard));
        shop.clock.advance(secs(1));
    }
    assert_eq!((rooms[0], rooms[5], rooms[10]), (16, 45, 128), "{rooms:?}: an eighth, doubled three times");
    assert!(rooms.is_sorted());
}

#[test]
fn after_the_start_admission_ramps_to_no_limit() {
    let shop = shop();
    let guard = shop.guard(Shed::adaptive().queue(0).warm_up(secs(80)));
    for (times, second) in [1, 2, 4, 8].into_iter().zip((0..).step_by(10)) {
        assert_eq!(room(guard), 8 * times, "at {second} s");
        shop.clock.advance(secs(10));
        shop.plimsoll.tick();
    }
    shop.clock.advance(secs(60));
    shop.plimsoll.tick();
    assert_eq!((guard.warmth(), guard.limit(), room(guard)), (None, None, 5_000));
    let other = shop.slo.guard().named("not asked for").shed(Shed::adaptive()).build().unwrap();
    assert_eq!((other.warmth(), room(other)), (None, 5_000));
}

#[test]
fn after_an_outage_admission_ramps_again() {
    let shop = shop();
    let builder = shop.slo.guard().shed(Shed::fixed(64).warm_up(secs(30))).breaker(steady());
    let guard = builder.build().unwrap();
    shop.clock.advance(secs(30));
    shop.plimsoll.tick();
    assert_eq!((guard.warmth(), room(guard)), (None, 64));
    while let Ok(permit) = guard.admit() {
        permit.failure();
    }
    assert_eq!((guard.state(), guard.warmth()), (State::Open, None));
    let open_for = guard.admit().unwrap_err().retry_after().unwrap();
    shop.clock.advance(open_for);
    (0..3).for_each(|_| guard.admit().unwrap().success());
    assert_eq!(guard.state(), State::Ramping);
    assert_eq!((guard.warmth(), guard.limit()), (Some(0.0), Some(8)));
    shop.clock.advance(secs(10));
    shop.plimsoll.tick();
    assert_eq!((guard.state(), guard.limit(), room(guard)), (State::Closed, Some(16), 16));
    shop.clock.advance(secs(20));
    shop.plimsoll.tick();
    assert_eq!((guard.warmth(), room(guard)), (None, 64));
}

#[test]
fn after_a_long_time_without_calls_admission_ramps_again() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(64).warm_up(secs(10)));
    let call = || {
        shop.clock.advance(ms(1_000));
        guard.admit().unwrap().success();
    };
    (0..20).for_each(|_| call());
    assert_eq!(guard.limit(), Some(64));
    shop.clock.advance(secs(97));
    call();
    assert_eq!(guard.limit(), Some(64), "not for ten times as long as it takes to warm up");
    call();
    // Somebody looks meanwhile, as Prometheus does.
    for _ in 0..101 {
        shop.clock.advance(secs(1));
        shop.plimsoll.tick();
    }
    call();
    assert_eq!(guard.limit(), Some(8));
    (0..10).for_each(|_| call());
    assert_eq!((guard.limit(), guard.warmth()), (Some(64), None));
}

#[test]
fn a_long_time_without_calls_is_noticed_also_if_nobody_looked_meanwhile() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(64).warm_up(secs(10)));
    for _ in 0..40 {
        shop.clock.advance(ms(300));
        guard.admit().unwrap().success();
    }
    assert_eq!((guard.limit(), guard.warmth()), (Some(64), None));
    shop.clock.advance(secs(102));
    guard.admit().unwrap().success();
    assert_eq!(guard.limit(), Some(8));
}

#[test]
fn a_warm_up_after_a_long_time_without_calls_does_not_wait_for_the_first_to_end() {
    let shop = shop();
    let guard = shop.guard(Shed::fixed(64).warm_up(secs(10)));
    shop.clock.advance(secs(200));
    let long = guard.admit().unwrap();
    assert_eq!((guard.limit(), guard.warmth()), (Some(8), Some(0.0)));
    for _ in 0..10 {
        shop.clock.advance(secs(1));
        shop.plimsoll.tick();
    }
    assert_eq!((guard.limit(), guard.warmth()), (Some(64), None));
    // Nor is it idle, however long it goes on.
    shop.clock.advance(secs(200));
    shop.plimsoll.tick();
    assert_eq!((guard.limit(), guard.warmth()), (Some(64), None));
    long.success();
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_service_that_warms_up_is_ready_and_says_how_far_it_is() {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let shop = shop();
    let _guard = shop.guard(Shed::adaptive().warm_up(secs(10)));
    let app: axum::Router = plimsoll::ops::router(&shop.plimsoll);
    for (words, wait) in [("limiter shop: warming up, 0 %", 5), ("limiter shop: warming up, 50 %", 6), ("ready\n", 0)] {
        let answer = app.clone().oneshot(Request::get("/readyz").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "a load balancer that took it away would keep it cold");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body);
        assert!(body.starts_with("ready\n") && body.contains(words), "{body}");
        assert_eq!(body.contains("warming"), words.contains("warming"));
        shop.clock.advance(secs(wait));
    }
}

#[cfg(all(feature = "prometheus", feature = "sim"))]
mod signals {
    use super::*;
    use crate::shed::refused;
    use crate::support::exposition::Exposition;
    use plimsoll::sim::{Answer, Call, Ended, Phase, Policy, Service, Sim};
    use plimsoll::{ManualClock, Plimsoll, Reason, Slo, Timestamp};
    use std::collections::HashMap;

    fn read(plimsoll: &Plimsoll, name: &str) -> f64 {
        Exposition::read(&plimsoll.render_own()).value(name, &[("guard", "shop")])
    }

    #[test]
    fn they_say_how_much_of_the_limit_is_used_and_how_much_more_is_wanted() {
        let shop = shop();
        let guard = shop.guard(Shed::fixed(10));
        assert_eq!(read(&shop.plimsoll, "plimsoll_saturation_ratio"), 0.0);
        // Five at once, for a minute.
        let rounds = |calls: usize| {
            for _ in 0..600 {
                let inside: Vec<Permit> = (0..calls).filter_map(|_| guard.admit().ok()).collect();
                shop.clock.advance(ms(100));
                inside.into_iter().for_each(Permit::success);
            }
            shop.plimsoll.tick();
        };
        let near = |name, expected: f64| {
            let found = read(&shop.plimsoll, name);
            assert!((found - expected).abs() < 0.03, "{name} is {found}, not {expected}");
        };
        rounds(5);
        near("plimsoll_limit_utilisation_ratio", 0.5);
        near("plimsoll_saturation_ratio", 0.5);
        near("plimsoll_shed_ratio", 0.0);
        // Twenty come where ten fit.
        rounds(20);
        near("plimsoll_limit_utilisation_ratio", 1.0);
        near("plimsoll_shed_ratio", 0.5);
        near("plimsoll_saturation_ratio", 2.0);
        assert_eq!(read(&shop.plimsoll, "plimsoll_concurrency_limit"), 10.0);
        let objective = [("slo", "shop"), ("objective", "success")];
        let exposition = Exposition::read(&shop.plimsoll.render_own());
        let left = exposition.value("plimsoll_budget_exhaustion_seconds", &objective);
        assert!(left < 86_400.0, "half of all calls are bad: {left} s");
        rounds(1);
        near("plimsoll_saturation_ratio", 0.1);
        near("plimsoll_shed_ratio", 0.0);
    }

    /// A guard in a simulation, looked at once a second.
    struct Watched {
        plimsoll: Plimsoll,
        clock: ManualClock,
        guard: Guard,
        inside: HashMap<u32, Permit>,
        /// Second by second: saturation, and how many were shed so far.
        seen: Vec<(f64, u64)>,
    }

    impl Policy for Watched {
        fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer {
            self.clock.advance(now.since(self.clock.now()));
            let second = now.since(Timestamp::from_nanos(0)).as_secs() - 3_600;
            while self.seen.len() <= second as usize {
                self.plimsoll.tick();
                let shed = refused(self.guard, Reason::Limit);
                self.seen.push((read(&self.plimsoll, "plimsoll_saturation_ratio"), shed));
            }
            match self.guard.admit() {
                Ok(permit) => {
                    self.inside.insert(call.place, permit);
                    Answer::Admit
                }
                Err(_) => Answer::Refuse("shed"),
            }
        }

        fn end(&mut self, call: &Call, _: Ended, now: Timestamp) {
            self.clock.advance(now.since(self.clock.now()));
            self.inside.remove(&call.place).unwrap().success();
        }
    }

    #[test]
    fn they_tell_of_saturation_long_before_anything_is_shed() {
        let clock = ManualClock::new();
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let slo = plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, ms(100))).unwrap();
        let guard = slo.guard().shed(Shed::adaptive().queue(0)).build().unwrap();
        let mut watched = Watched { plimsoll, clock, guard, inside: HashMap::new(), seen: Vec::new() };
        let ramp = Phase::new(secs(400), 0.1).to(1.5);
        let sim = Sim::new(8, Service::exponential(ms(10))).deadline(ms(100)).phase(ramp);
        sim.run_policy(&mut watched).unwrap();
        let first = |is: &dyn Fn(&(f64, u64)) -> bool| watched.seen.iter().position(is).map(|n| n as u64);
        let told = first(&|(saturation, _)| *saturation > 0.7).expect("it is told");
        // A few are refused by chance before; one in a hundred of what comes is shedding.
        let per_second = |second: usize| watched.seen[second].1 - watched.seen[second.saturating_sub(1)].1;
        let sheds = (1..watched.seen.len()).find(|second| per_second(*second) > 8).expect("it sheds") as u64;
        assert!(told + 20 <= sheds, "told after {told} s, shed after {sheds} s");
        let calm = watched.seen[20..60].iter().all(|(saturation, _)| *saturation < 0.7);
        assert!(calm, "no alarm at a quarter of the load: {:?}", &watched.seen[20..60]);
    }
}
