use plimsoll::{Breaker, Guard, ManualClock, Plimsoll, Slo, ops};
use std::time::Duration;

fn shop(clock: &ManualClock) -> (Plimsoll, Guard) {
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = Slo::new("payments").service("shop").owner("team-pay").runbook("https://wiki/payments");
    let slo = plimsoll.declare(slo.success(99.9).latency(99.0, Duration::from_millis(500)).over_days(30)).unwrap();
    let guard = slo.guard().breaker(Breaker::default().jitter(0.0)).build().unwrap();
    (plimsoll, guard)
}

fn outage(clock: &ManualClock, guard: &Guard) {
    for _ in 0..1_000 {
        let permit = guard.admit().unwrap();
        clock.advance(Duration::from_millis(20));
        permit.success();
    }
    while let Ok(permit) = guard.admit() {
        clock.advance(Duration::from_millis(20));
        permit.failure();
    }
    clock.advance(Duration::from_millis(1_500));
}

/// As a timer would, once a second.
fn a_second_passes(clock: &ManualClock, plimsoll: &Plimsoll) {
    plimsoll.tick();
    clock.advance(Duration::from_secs(1));
}

#[track_caller]
fn says(page: &str, words: &str) {
    assert!(page.contains(words), "no {words:?} in\n{page}");
}

#[test]
fn the_page_says_what_is_declared_before_anything_happened() {
    let clock = ManualClock::new();
    says(&ops::status(&Plimsoll::with_clock(clock.clone())), "nothing is declared yet");
    let (plimsoll, _) = shop(&clock);
    let page = ops::status(&plimsoll);
    says(&page, "2026-01-01 00:00:00 UTC\nall is well");
    says(&page, "SLO payments, service shop, owner team-pay\n  what to do: https://wiki/payments");
    says(&page, "success: 99.9 % of all events good, over 30 d");
    says(&page, "latency: 99 % of all events good within 500 ms, over 30 d");
    says(&page, "budget left [####################] 100.0 %");
    says(&page, "nothing happened");
    says(&page, "alert P0: quiet (fires over 14.4 x in the last 1 h and the last 5 min)");
    says(&page, "Guard payments (counts towards SLO payments): closed (calls pass)");
    says(&page, "nothing yet");
}

#[test]
fn the_page_says_first_what_is_wrong() {
    let clock = ManualClock::new();
    let (plimsoll, guard) = shop(&clock);
    outage(&clock, &guard);
    a_second_passes(&clock, &plimsoll);
    let page = ops::status(&plimsoll);
    let first: Vec<&str> = page.lines().skip(1).take_while(|line| line.starts_with("!! ")).collect();
    let wrong = |words: &str| assert!(first.iter().any(|line| line.contains(words)), "no {words:?} in\n{page}");
    wrong("alert P0 fires: payments, objective success");
    wrong("error budget spent: payments, objective success");
    wrong("breaker payments is OPEN (calls are refused)");
    says(&page, "alert P0: FIRING for 1 s");
    says(&page, "SPENT");
    ["succeeded 1 000", "failed 20", "refused 1"].iter().for_each(|words| says(&page, words));
    says(&page, "refused since the start: 1 while open");
    says(&page, "latency over the last 5 min: half within 20 ms");
    says(&page, "breaker payments: closed → open");
    says(&page, "2 s ago  breaker");
    // The columns stand under each other.
    let rows: Vec<&str> = page.lines().filter(|line| line.contains("as fast as allowed")).collect();
    let ends = |line: &str| line.find(" %").unwrap();
    assert!(rows.len() >= 6 && rows.iter().all(|row| ends(row) == ends(rows[0])), "{page}");
}

#[test]
fn of_many_those_that_are_well_have_a_line_each() {
    let clock = ManualClock::new();
    let (plimsoll, guard) = shop(&clock);
    let well: Vec<Guard> = (0..21)
        .map(|n| {
            let slo = plimsoll.declare(Slo::new(format!("well {n}")).success(99.0)).unwrap();
            slo.guard().breaker(Breaker::default()).build().unwrap()
        })
        .collect();
    (0..1_000).for_each(|n| {
        well[0].admit().unwrap().finish(if n < 2 { plimsoll::Outcome::FAILURE } else { plimsoll::Outcome::Success })
    });
    outage(&clock, &guard);
    a_second_passes(&clock, &plimsoll);
    let page = ops::status(&plimsoll);
    says(&page, "!! breaker payments is OPEN");
    says(&page, "SLO payments, service shop, owner team-pay");
    says(&page, "budget left [--------------------]");
    says(&page, "Guard payments (counts towards SLO payments): OPEN");
    says(&page, "SLO well 0: well, 80.0 % of the budget left, spent 0.20 x as fast as allowed\n");
    says(&page, "SLO well 20: well, 100.0 % of the budget left\n");
    says(&page, "Guard well 20: closed, 0 calls under way\n");
    assert_eq!(page.matches("\nSLO ").count(), 22, "{page}");
    assert_eq!(page.matches("  latency: ").count() + page.matches("success: ").count(), 2, "{page}");
}

#[cfg(feature = "axum")]
mod routes {
    use super::*;
    use crate::support::exposition::{Exposition, promtool};
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn get(app: &axum::Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_routes_answer_while_a_breaker_is_open() {
        let clock = ManualClock::new();
        let (plimsoll, guard) = shop(&clock);
        // Merged into a service that has a state of its own.
        let app = axum::Router::new().merge(ops::router(&plimsoll)).with_state(7_u8);
        assert_eq!(get(&app, "/readyz").await.2, "ready\n");
        outage(&clock, &guard);
        let (status, _, body) = get(&app, "/livez").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "alive\n"));
        let (status, _, body) = get(&app, "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ready\nbreaker payments: OPEN (calls are refused)\n"));
        let (status, kind, body) = get(&app, "/slo").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; charset=utf-8"));
        says(&body, "!! breaker payments is OPEN");
        let (status, kind, body) = get(&app, "/metrics").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
        promtool(&body);
        let state = [("guard", "payments"), ("state", "open")];
        assert_eq!(Exposition::read(&body).value("plimsoll_breaker_state", &state), 1.0);
    }

    #[tokio::test]
    async fn the_users_metrics_are_on_the_same_page() {
        let (plimsoll, _) = shop(&ManualClock::new());
        let exporter = plimsoll.prometheus_builder().build_recorder();
        metrics::with_local_recorder(&exporter, || metrics::gauge!("shop_carts").set(3.0));
        let app: axum::Router = ops::router_with(&plimsoll, exporter.handle());
        let read = Exposition::read(&get(&app, "/metrics").await.2);
        assert_eq!(read.value("shop_carts", &[]), 3.0);
        assert_eq!(read.value("plimsoll_in_flight", &[("guard", "payments")]), 0.0);
    }
}
