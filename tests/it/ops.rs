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
pub(crate) mod routes {
    use super::*;
    use crate::support::exposition::{Exposition, promtool};
    use axum::body::Body;
    use axum::http::{Method, Request, Response, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    /// What a router answers, its body read.
    pub(crate) async fn ask(
        app: &axum::Router,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response<String> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(app: &axum::Router, path: &str) -> (StatusCode, String, String) {
        let answer = ask(app, Method::GET, path, &[]).await;
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status(), kind, answer.into_body())
    }

    #[tokio::test]
    async fn every_page_can_be_asked_for_by_head_and_is_never_cached() {
        let (plimsoll, _) = shop(&ManualClock::new());
        let app = ops::router(&plimsoll);
        let pages = ["/metrics", "/slo", "/slo?format=json", "/slo/payments", "/slo/payments?format=json"];
        for path in pages.into_iter().chain(["/slo/timeline", "/livez", "/readyz", "/slo/none", "/slo?format=xml"]) {
            let [got, head] = [Method::GET, Method::HEAD].map(|method| ask(&app, method, path, &[]));
            let (got, head) = (got.await, head.await);
            assert_eq!((got.status(), got.headers()), (head.status(), head.headers()), "{path}");
            assert_eq!(got.headers()["cache-control"], "no-store", "{path}");
            assert!(!got.body().is_empty() && head.body().is_empty(), "{path}");
            assert_eq!(ask(&app, Method::POST, path, &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_not_known_is_refused_with_what_is() {
        let (plimsoll, _) = shop(&ManualClock::new());
        let app = ops::router(&plimsoll);
        for (path, words) in [
            ("/slo?format=xml", "write text or json"),
            ("/slo?fromat=json", "\"fromat\" is not known here: write format"),
            ("/slo/payments?format=json&format=text", "`format` is given twice"),
            ("/slo/timeline?since=yesterday", "write 1 s to 30 d, such as 90s, 15m, 2h or 1d"),
            ("/slo/timeline?since=0s", "write 1 s to 30 d"),
            ("/slo/timeline?since=-2h", "write 1 s to 30 d"),
            ("/slo/timeline?since=31d", "write 1 s to 30 d"),
            ("/slo/timeline?since=99999999999999999999h", "write 1 s to 30 d"),
            ("/slo/timeline?until=2h", "write since"),
        ] {
            let (status, _, body) = get(&app, path).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
            says(&body, words);
        }
        let (status, _, body) = get(&app, "/slo/paymnets").await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::NOT_FOUND, "there is no SLO \"paymnets\"; there are \"payments\"\n")
        );
    }

    #[tokio::test]
    async fn one_slo_is_told_in_full() {
        let clock = ManualClock::new();
        let (plimsoll, guard) = shop(&clock);
        plimsoll.declare(Slo::new("search").success(99.0)).unwrap().guard().build().unwrap();
        let keyed = plimsoll
            .slo("payments")
            .unwrap()
            .guard()
            .named("by tenant")
            .breaker(Breaker::default())
            .keyed::<String>(8)
            .unwrap();
        outage(&clock, &guard);
        a_second_passes(&clock, &plimsoll);
        keyed.admit("acme").unwrap().success();
        let (status, _, page) = get(&ops::router(&plimsoll), "/slo/payments").await;
        assert_eq!(status, StatusCode::OK);
        says(&page, "SLO payments, service shop, owner team-pay");
        says(&page, "success: 21 of 1 022 were bad, 1.0 may be");
        says(&page, "agreed for what is left now: freeze everything but P0 fixes and security fixes");
        says(&page, "an incident that spends more than 20 % of the budget gets a post-mortem");
        let alert = page.lines().find(|line| line.contains("P0 firing") && line.ends_with("success")).unwrap();
        let words: Vec<&str> = alert.split_whitespace().collect();
        assert_eq!(words[2..], ["14.4", "x", "1", "h", "20.55", "x", "5", "min", "20.55", "x", "success"], "{page}");
        says(&page, "5 min        1 021      20 ms      20 ms      20 ms      20 ms");
        says(&page, "rejected                      1  bad");
        says(&page, "Guard payments (counts towards SLO payments): OPEN");
        says(&page, "20 calls in a row failed");
        says(&page, "Guard by tenant (counts towards SLO payments): a breaker for each of 1 keys");
        says(&page, "breaker payments: closed → open");
        assert!(!page.contains("search"), "{page}");
        while let Ok(permit) = keyed.admit("acme") {
            permit.failure();
        }
        let (_, _, page) = get(&ops::router(&plimsoll), "/slo/payments").await;
        says(&page, "breaker by tenant/acme: closed → open");
        let (_, _, other) = get(&ops::router(&plimsoll), "/slo/search").await;
        assert!(!other.contains("acme"), "{other}");
    }

    #[tokio::test]
    async fn scripts_read_all_of_it_as_json() {
        let clock = ManualClock::new();
        let (plimsoll, guard) = shop(&clock);
        let keyed = plimsoll
            .slo("payments")
            .unwrap()
            .guard()
            .named("by tenant")
            .breaker(Breaker::default())
            .keyed::<String>(8)
            .unwrap();
        keyed.admit("acme").unwrap().success();
        guard.shed_below(Some(plimsoll::Priority::DEFAULT));
        outage(&clock, &guard);
        a_second_passes(&clock, &plimsoll);
        let app = ops::router(&plimsoll);
        let (_, kind, text) = get(&app, "/slo?format=json").await;
        assert_eq!(kind, "application/json");
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(all["time"], "2026-01-01T00:00:22Z");
        let success = &all["slos"][0]["objectives"][0];
        assert_eq!((&success["name"], &success["target"]), (&"success".into(), &0.999.into()));
        assert_eq!((&success["budget"]["bad"], &success["budget"]["exhausted"]), (&21.into(), &true.into()));
        assert_eq!((&success["windows"][0]["window"], &success["windows"][0]["bad"]), (&"5m".into(), &21.into()));
        let alert = &success["alerts"][0];
        assert_eq!([&alert["severity"], &alert["state"], &alert["long"]], ["P0", "firing", "1h"]);
        assert_eq!(all["slos"][0]["objectives"][1]["threshold"], 0.5);
        assert_eq!(all["slos"][0]["outcomes"]["failure"], 20);
        assert_eq!([&all["guards"][0]["name"], &all["guards"][0]["state"]], ["payments", "open"]);
        assert_eq!(all["guards"][0]["refusals"]["open"], 1);
        assert_eq!(all["guards"][0]["sheds_below"], "default");
        assert_eq!(
            (&all["keyed_guards"][0]["keys"], &all["keyed_guards"][0]["states"]["closed"]),
            (&1.into(), &1.into())
        );
        assert!(all["events"][1]["what"].as_str().unwrap().contains("closed → open"));
        // One alone is the same, and nothing is said of what nothing is known of.
        let one: serde_json::Value = serde_json::from_str(&get(&app, "/slo/payments?format=json").await.2).unwrap();
        assert_eq!((&one["slo"], &one["guards"]), (&all["slos"][0], &all["guards"]));
        plimsoll.declare(Slo::new("quiet").success(99.0)).unwrap();
        let quiet: serde_json::Value = serde_json::from_str(&get(&app, "/slo/quiet?format=json").await.2).unwrap();
        assert!(quiet["slo"]["objectives"][0]["windows"][0]["burn_rate"].is_null());
        assert!(quiet["slo"]["latency_5m"]["p99"].is_null());
        assert_eq!(quiet["guards"], serde_json::json!([]));
    }

    #[tokio::test]
    async fn any_name_is_found_under_its_encoded_path() {
        let plimsoll = Plimsoll::with_clock(ManualClock::new());
        for (name, path) in [
            ("a/b?c#d", "/slo/a%2Fb%3Fc%23d"),
            ("\"><script>alert(1)</script>{{x}}", "/slo/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%7B%7Bx%7D%7D"),
            ("Größe | 100 %", "/slo/Gr%C3%B6%C3%9Fe%20%7C%20100%20%25"),
            ("timeline", "/slo/%74imeline"),
        ] {
            plimsoll.declare(Slo::new(name).success(99.0)).unwrap();
            let app = ops::router(&plimsoll);
            let (status, kind, page) = get(&app, path).await;
            assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; charset=utf-8"), "{name}");
            says(&page, &format!("SLO {name}\n"));
            let json = get(&app, &format!("{path}?format=json")).await.2;
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["slo"]["name"], name);
        }
        let (status, _, _) = get(&ops::router(&plimsoll), "/slo/%FF%00").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn ready_says_how_warm_a_limiter_is() {
        let clock = ManualClock::new();
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let slo = plimsoll.declare(Slo::new("shop").latency(99.0, Duration::from_millis(500))).unwrap();
        let shed = plimsoll::Shed::adaptive().warm_up(Duration::from_secs(60));
        let guard = slo.guard().shed(shed).build().unwrap();
        let app = ops::router(&plimsoll);
        guard.admit().unwrap().success();
        clock.advance(Duration::from_secs(15));
        let (status, _, body) = get(&app, "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ready\nlimiter shop: warming up, 25 % of the way\n"));
        clock.advance(Duration::from_secs(46));
        guard.admit().unwrap().success();
        assert_eq!(get(&app, "/readyz").await.2, "ready\n");
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
