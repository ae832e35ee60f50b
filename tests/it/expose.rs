use crate::support::exposition::{Exposition, promtool};
use plimsoll::{Breaker, ManualClock, Objective, Outcome, Plimsoll, Slo, SloHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) const COUNT: &str = "plimsoll_request_duration_seconds_count";
pub(crate) const BUCKET: &str = "plimsoll_request_duration_seconds_bucket";

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn declared(clock: &ManualClock) -> (Plimsoll, SloHandle) {
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("checkout").success(99.9).latency(99.0, ms(30)).over_days(30)).unwrap();
    (plimsoll, slo)
}

#[test]
fn every_series_is_there_at_zero_before_the_first_call() {
    let (plimsoll, slo) = declared(&ManualClock::new());
    slo.guard().breaker(Breaker::default()).build().unwrap();
    slo.guard().named("plain").build().unwrap();
    let text = plimsoll.render_own();
    promtool(&text);
    let read = Exposition::read(&text);
    let has = |name, n| assert_eq!(read.all(name, &[]).count(), n, "{name}\n{text}");
    has("plimsoll_events_total", 2 * 3);
    has("plimsoll_outcomes_total", 12);
    has(BUCKET, 11 + 1 + 1);
    has(COUNT, 1);
    has("plimsoll_request_duration_seconds_sum", 1);
    // 5m 30m 1h 2h 6h 1d 3d
    has("plimsoll_burn_rate", 2 * 7);
    has("plimsoll_window_coverage_ratio", 2 * 7);
    has("plimsoll_error_budget_remaining_ratio", 2);
    has("plimsoll_slo_info", 2);
    has("plimsoll_breaker_state", 2 * 7);
    has("plimsoll_breaker_transitions_total", 25);
    has("plimsoll_rejections_total", 2 * 12);
    has("plimsoll_sheds_total", 2 * 3);
    for gauge in [
        "plimsoll_saturation_ratio",
        "plimsoll_shed_ratio",
        "plimsoll_queued",
        "plimsoll_shed_below",
        "plimsoll_guard_info",
    ] {
        has(gauge, 2);
    }
    has("plimsoll_budget_exhaustion_seconds", 2);
    has("plimsoll_in_flight", 2);
    has("plimsoll_concurrency_limit", 2);
    assert!(text.contains("plimsoll_concurrency_limit{guard=\"plain\"} +Inf\n"), "{text}");
    let infinite = ["plimsoll_concurrency_limit", "plimsoll_budget_exhaustion_seconds"];
    for ((name, labels), value) in read.samples.iter().filter(|((name, _), _)| !infinite.contains(&name.as_str())) {
        let one = name == "plimsoll_slo_info"
            || name == "plimsoll_guard_info"
            || name == "plimsoll_error_budget_remaining_ratio"
            || labels.get("state").is_some_and(|state| state == "closed");
        assert_eq!(*value, f64::from(u8::from(one)), "{name} {labels:?}");
    }
    let info = [
        ("slo", "checkout"),
        ("objective", "success"),
        ("target", "99.9"),
        ("period", "30d"),
        ("declaration", &slo.declaration().declaration()),
    ];
    assert_eq!(read.value("plimsoll_slo_info", &info), 1.0);

    // What is declared after a scrape is there in the next, among what was there before.
    let late = plimsoll.declare(Slo::new("late").success(99.0)).unwrap();
    late.guard().build().unwrap();
    late.count(2, 1);
    let read = Exposition::read(&plimsoll.render_own());
    assert_eq!(read.value("plimsoll_slo_info", &info), 1.0);
    assert_eq!(read.value(COUNT, &[("slo", "late")]), 3.0);
    assert_eq!(read.value(COUNT, &[("slo", "checkout")]), 0.0);
    assert_eq!(read.all("plimsoll_in_flight", &[]).count(), 3);
}

#[test]
fn the_changes_a_breaker_can_make_are_all_exported() {
    let (plimsoll, slo) = declared(&ManualClock::new());
    let guard = slo.guard().breaker(Breaker::default()).build().unwrap();
    let operate: [fn(&plimsoll::Guard); 4] = [
        plimsoll::Guard::force_open,
        plimsoll::Guard::force_closed,
        plimsoll::Guard::observe_only,
        plimsoll::Guard::auto,
    ];
    let exported = |kind: &plimsoll::EventKind| {
        if let plimsoll::EventKind::Breaker { from, to, .. } = kind
            && from != to
        {
            let read = Exposition::read(&plimsoll.render_own());
            let labels = [("guard", "checkout"), ("from", *from), ("to", *to)];
            assert!(read.value("plimsoll_breaker_transitions_total", &labels) > 0.0);
        }
    };
    // Every hand on every state: from closed, and from open.
    for first in operate {
        for second in operate {
            first(&guard);
            second(&guard);
            while let Ok(permit) = guard.admit() {
                permit.failure();
                if guard.state() != plimsoll::State::Closed && guard.state() != plimsoll::State::Ramping {
                    break;
                }
            }
            first(&guard);
        }
    }
    let events = plimsoll.events();
    assert!(events.len() > 20);
    events.iter().for_each(|event| exported(&event.kind));
}

#[test]
fn buckets_are_exact_at_the_thresholds() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock);
    // One between two edges of the histogram, one that is an edge, one under any edge that is exported by default.
    let thresholds = [("odd", 123_456_789), ("edge", 1 << 20), ("tiny", 20_000), ("quick", 100_000_000)];
    let slo = thresholds.into_iter().fold(Slo::new("exact").reachable_alerts(), |slo, (name, nanos)| {
        slo.objective(Objective::latency(90.0, Duration::from_nanos(nanos)).named(name))
    });
    let slo = plimsoll.declare(slo).unwrap();
    for latency in thresholds.into_iter().flat_map(|(_, t)| [t, t + 1]).chain([70_000_000_000]) {
        slo.record(Outcome::Success, Duration::from_nanos(latency));
        slo.record(Outcome::FAILURE, Duration::from_nanos(latency));
    }
    let text = plimsoll.render_own();
    promtool(&text);
    let read = Exposition::read(&text);
    let at = |le| read.value(BUCKET, &[("slo", "exact"), ("le", le)]);
    assert_eq!([at("2e-05"), at("0.001048576"), at("0.1"), at("0.123456789")], [2.0, 6.0, 10.0, 14.0]);
    assert_eq!([at("1.0"), at("10.0"), at("+Inf")], [16.0, 16.0, 18.0]);
    let sum = read.value("plimsoll_request_duration_seconds_sum", &[("slo", "exact")]);
    assert!((sum - 2.0 * 70.449_050_734).abs() < 1e-6, "{sum}");
}

/// Only where answers are streamed is there a first byte to speak of.
#[cfg(feature = "http")]
#[tokio::test]
async fn first_bytes_are_shown_where_they_are_expected() {
    use axum::{Router, body::Body, http::Request, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    const FIRST: &str = "plimsoll_first_byte_seconds_count";
    let (plimsoll, slo) = declared(&ManualClock::new());
    plimsoll.declare(Slo::new("job").success(99.0)).unwrap().guard().build().unwrap();
    assert_eq!(Exposition::read(&plimsoll.render_own()).all(FIRST, &[]).count(), 0);
    let app = Router::new().route("/", get(|| async { "paid" })).layer(slo.guard().http().unwrap());
    let read = || Exposition::read(&plimsoll.render_own());
    assert_eq!(read().value(FIRST, &[("slo", "checkout")]), 0.0);
    let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "paid");
    let text = plimsoll.render_own();
    promtool(&text);
    let read = Exposition::read(&text);
    assert_eq!((read.value(FIRST, &[("slo", "checkout")]), agrees(&read)), (1.0, 1));
    assert_eq!(read.all(FIRST, &[]).count(), 1);
}

#[test]
fn the_burn_is_what_the_process_says_and_zero_without_evidence() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    slo.count(0, 1);
    let burn = |window| {
        let read = Exposition::read(&plimsoll.render_own());
        assert!(read.samples.values().all(|value| value.is_finite()));
        read.value("plimsoll_burn_rate", &[("slo", "checkout"), ("objective", "success"), ("window", window)])
    };
    assert_eq!(burn("5m"), 0.0, "one event is no evidence");
    slo.count(98, 1);
    assert_eq!(burn("5m"), 20.0);
    clock.advance(Duration::from_secs(600));
    assert_eq!([burn("5m"), burn("1h")], [0.0, 20.0], "no data is not NaN");
    let read = Exposition::read(&plimsoll.render_own());
    let labels = [("slo", "checkout"), ("objective", "success")];
    assert_eq!(read.value("plimsoll_error_budget_remaining_ratio", &labels), slo.budget().remaining);
    let coverage = [("slo", "checkout"), ("objective", "success"), ("window", "1h")];
    let coverage = read.value("plimsoll_window_coverage_ratio", &coverage);
    assert!((coverage - 1.0 / 6.0).abs() < 1e-9, "{coverage}");
}

/// What holds in every exposition, at any time: panics if it does not. Gives the number of calls.
pub(crate) fn agrees(read: &Exposition) -> u64 {
    let calls = read.sum("plimsoll_outcomes_total", &[("slo", "checkout")]);
    assert_eq!(read.value(COUNT, &[("slo", "checkout")]), calls);
    for objective in ["success", "latency"] {
        let of = [("slo", "checkout"), ("objective", objective)];
        assert_eq!(read.sum("plimsoll_events_total", &of), calls, "{objective}");
    }
    let mut buckets: Vec<(f64, f64)> = read
        .all(BUCKET, &[("slo", "checkout")])
        .map(|((_, labels), n)| (labels["le"].parse().unwrap_or(f64::INFINITY), n))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
    assert_eq!(buckets.last().unwrap().1, calls);
    calls as u64
}

/// How many calls each caller makes at most.
pub(crate) const CALLS: usize = 200_000;

/// Calls of all lengths and ends through a guard, on two threads, while `look` looks; it is told how many ended.
pub(crate) fn while_calls_go_on(clock: &ManualClock, slo: SloHandle, look: impl FnOnce(&dyn Fn() -> u64)) {
    let guard = slo.guard().build().unwrap();
    let (done, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers = [0_u64, 1].map(|seed| {
        let (clock, done, ended) = (clock.clone(), done.clone(), ended.clone());
        std::thread::spawn(move || {
            let mut n = seed;
            for _ in 0..CALLS {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let permit = guard.admit().unwrap();
                clock.advance(Duration::from_nanos((n >> 33) % 50_000_000));
                match n >> 60 {
                    0..=9 => permit.success(),
                    10..=12 => permit.failure(),
                    13 => permit.finish(Outcome::TimedOut),
                    14 => permit.finish(Outcome::Degraded),
                    _ => drop(permit),
                };
                ended.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    look(&|| ended.load(Ordering::Relaxed) as u64);
    done.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn every_scrape_adds_up_while_calls_go_on() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    while_calls_go_on(&clock, slo, |ended| {
        let mut before = Exposition::default();
        let mut scrapes = 0;
        // At least so many scrapes, and enough calls under them.
        while scrapes < 200 || ended() < 20_000 {
            let least = ended();
            let read = Exposition::read(&plimsoll.render_own());
            assert!(agrees(&read) >= least);
            for ((name, labels), value) in &read.samples {
                let grows = name.ends_with("_total")
                    || (name.contains("_seconds") && name != "plimsoll_budget_exhaustion_seconds");
                let known = before.samples.get(&(name.clone(), labels.clone()));
                assert!(!grows || known.is_none_or(|known| known <= value), "{name} {labels:?} went down");
            }
            before = read;
            scrapes += 1;
        }
    });
    let read = Exposition::read(&plimsoll.render_own());
    let calls = agrees(&read);
    assert_eq!(calls, slo.outcomes().map(|(_, n)| n).sum::<u64>());
    // At rest the bound that is a threshold counts exactly the calls that the cells have within it, too.
    let within = read.value(BUCKET, &[("slo", "checkout"), ("le", "0.03")]);
    assert!(within > 0.0 && within < calls as f64);
}

#[test]
fn hostile_names_are_escaped_or_refused() {
    let plimsoll = Plimsoll::with_clock(ManualClock::new());
    let name = "a\"b\\c\\ {le=\"1\"} ünïcode 名 \\n";
    let slo = plimsoll.declare(Slo::new(name).objective(Objective::success(99.0).named("o\\\"\\"))).unwrap();
    slo.guard().named("g\"}\\").breaker(Breaker::default()).build().unwrap();
    slo.count(3, 1);
    let text = plimsoll.render_own();
    promtool(&text);
    let read = Exposition::read(&text);
    let labels = [("slo", name), ("objective", "o\\\"\\"), ("verdict", "bad")];
    assert_eq!(read.value("plimsoll_events_total", &labels), 1.0);
    assert_eq!(read.value("plimsoll_breaker_state", &[("guard", "g\"}\\"), ("state", "closed")]), 1.0);
    assert!(plimsoll.declare(Slo::new("two\nlines").success(99.0)).unwrap_err().is_invalid());
    assert!(slo.guard().named("two\nlines").build().unwrap_err().is_invalid());
}

/// A scrape lets time do its work, which is told to subscribers; one of them may ask for an exposition itself.
#[test]
fn a_subscriber_may_render_while_a_scrape_tells_it_something() {
    let clock = ManualClock::new();
    let (plimsoll, slo) = declared(&clock);
    let guard = slo.guard().named("payments").breaker(Breaker::default().jitter(0.0)).build().unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let (again, count) = (plimsoll.clone(), Arc::clone(&told));
    plimsoll.subscribe(move |_| {
        assert!(again.render_own().contains("plimsoll_breaker_state"));
        again.publish();
        count.fetch_add(1, Ordering::Relaxed);
    });
    while let Ok(permit) = guard.admit() {
        permit.failure();
    }
    let before = told.load(Ordering::Relaxed);
    clock.advance(Duration::from_secs(5));
    assert!(plimsoll.render_own().contains("state=\"half_open\"} 1"));
    assert!(told.load(Ordering::Relaxed) > before, "the scrape itself half-opened the breaker, and said so");
}
