//! The process and a real Prometheus, side by side through an incident.
//!
//! This is the one place where time is real: Prometheus has no other clock, so the incident happens, for a minute, at
//! three hundred calls a second. What is compared is what both say of the same moments: those at which it scraped.

use crate::support::prometheus::Prometheus;
use plimsoll::{AlertWindow, Breaker, EventKind, Guard, Permit, Plimsoll, Severity, Slo, SloHandle, Window, ops};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

const SCRAPE: f64 = 1.0;
const SHORT: u64 = 20;
const LONG: u64 = 60;
const FACTOR: f64 = 10.0;
const BUDGET: f64 = 0.01;
/// Calls every ten milliseconds, to each of the two guards.
const CALLS: u64 = 3;

/// What the process said of a window at a time (seconds since 1970).
#[derive(Clone, Copy, Debug)]
struct Said {
    at: f64,
    window: u64,
    valid: u64,
    bad: u64,
    burn: f64,
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// How far the two may be apart: SLO-MATH's relative 2 · scrape interval ÷ window.
fn tolerance(window: u64) -> f64 {
    2.0 * SCRAPE / window as f64
}

struct Shop {
    plimsoll: Plimsoll,
    shop: SloHandle,
    guard: Guard,
    breaking: Guard,
    /// One call in so many fails; none if 0.
    fails: AtomicU64,
    done: AtomicBool,
    made: AtomicU64,
    failed: AtomicU64,
}

impl Shop {
    fn open() -> Arc<Self> {
        let plimsoll = Plimsoll::new();
        let alert = AlertWindow::new(Severity::P0, Duration::from_secs(LONG), Duration::from_secs(SHORT), FACTOR);
        let slo = |name| {
            let slo = Slo::new(name).success(99.0).latency(98.0, Duration::from_millis(300)).over_minutes(10);
            slo.alerts(vec![alert]).scrape_interval(Duration::from_secs_f64(SCRAPE))
        };
        let shop = plimsoll.declare(slo("shop")).unwrap();
        let upstream = plimsoll.declare(slo("upstream")).unwrap();
        let brisk = Breaker::default().open_for(Duration::from_secs(2), Duration::from_secs(4));
        Arc::new(Self {
            // Counts every call, and shows what it would have done.
            guard: shop.guard().breaker(brisk.clone().observe_only()).build().unwrap(),
            breaking: upstream.guard().breaker(brisk.ramp(0.1, Duration::from_secs(2))).build().unwrap(),
            plimsoll,
            shop,
            fails: AtomicU64::new(0),
            done: AtomicBool::new(false),
            made: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Calls, at an even rate; each takes 20 ms.
    async fn calls(self: Arc<Self>) {
        let mut pulse = tokio::time::interval(Duration::from_millis(10));
        let mut under_way: VecDeque<(Permit, bool)> = VecDeque::new();
        while !self.done.load(Ordering::Relaxed) {
            pulse.tick().await;
            while under_way.len() >= 6 * CALLS as usize {
                under_way.drain(..CALLS as usize).for_each(finish);
            }
            for _ in 0..CALLS {
                let n = self.made.fetch_add(1, Ordering::Relaxed);
                let fails = self.fails.load(Ordering::Relaxed);
                let failing = fails > 0 && n.is_multiple_of(fails);
                self.failed.fetch_add(u64::from(failing), Ordering::Relaxed);
                under_way.extend(
                    [&self.guard, &self.breaking]
                        .into_iter()
                        .filter_map(|guard| guard.admit().ok().map(|permit| (permit, failing))),
                );
            }
        }
        under_way.into_iter().for_each(finish);
    }

    /// Asks the process over and over what it has to say.
    async fn listen(self: Arc<Self>) -> Vec<Said> {
        let mut said = Vec::new();
        let objective = self.shop.objective("success").unwrap();
        let mut pulse = tokio::time::interval(Duration::from_millis(20));
        while !self.done.load(Ordering::Relaxed) {
            pulse.tick().await;
            for window in [SHORT, LONG] {
                let at = seconds(self.plimsoll.clock().wall());
                let (reading, burn) =
                    (objective.reading(Window::seconds(window)), objective.burn_rate(Window::seconds(window)));
                let (valid, bad) = (reading.tally.valid(), reading.tally.bad);
                said.push(Said { at, window, valid, bad, burn: burn.map_or(0.0, |burn| burn.value) });
            }
        }
        said
    }

    async fn phase(&self, fails: u64, lasts: u64) {
        self.fails.store(fails, Ordering::Relaxed);
        // Prometheus scrapes by real time, so the incident takes real time.
        tokio::time::sleep(Duration::from_secs(lasts)).await;
    }
}

fn finish((permit, failing): (Permit, bool)) {
    if failing {
        permit.failure()
    } else {
        permit.success()
    };
}

fn events(verdict: &str) -> String {
    format!("plimsoll_events_total{{slo=\"shop\",objective=\"success\",verdict=~\"{verdict}\"}}")
}

fn increase(verdict: &str, window: u64) -> String {
    format!("sum(increase({}[{window}s]))", events(verdict))
}

fn burn(window: u64) -> String {
    format!("{} / {} / {BUDGET}", increase("bad", window), increase("good|bad", window))
}

#[track_caller]
fn close(what: &str, prometheus: f64, process: f64, within: f64) {
    let apart = (prometheus - process).abs();
    assert!(
        apart <= within,
        "{what}: Prometheus says {prometheus}, the process {process}: {apart} apart, {within} allowed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_and_the_process_agree_through_an_incident() {
    let shop = Shop::open();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let app =
        axum::Router::new().route("/", axum::routing::get(|| async { "a shop" })).merge(ops::router(&shop.plimsoll));
    let service = tokio::spawn(async { axum::serve(listener, app).await });
    let prometheus = Prometheus::scraping(target).await;
    let now = || seconds(shop.plimsoll.clock().wall());
    // The first scrape comes before the first call: so everything is there from zero.
    while prometheus.samples(&events("bad"), 60, now()).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await; // until another process's next scrape
    }

    let begun = now();
    let calls = tokio::spawn(Arc::clone(&shop).calls());
    let listening = tokio::spawn(Arc::clone(&shop).listen());
    shop.phase(0, 20).await;
    let broken = now();
    shop.phase(2, 22).await;
    let healed = now();
    shop.phase(0, 26).await;
    let ended = now();
    shop.done.store(true, Ordering::Relaxed);
    calls.await.unwrap();
    let said = listening.await.unwrap();
    // The last calls must have been scraped too.
    let made = shop.made.load(Ordering::Relaxed) as f64;
    let total = format!("sum({})", events("good|bad"));
    while prometheus.value(&total, now()).await < made {
        assert!(now() < ended + 5.0, "the last calls were never scraped");
        tokio::time::sleep(Duration::from_millis(100)).await; // until another process's next scrape
    }

    // Counts, to the unit.
    let bad = prometheus.value(&events("bad"), now()).await;
    let good = prometheus.value(&events("good"), now()).await;
    let tally = shop.shop.objective("success").unwrap().total();
    assert_eq!((good, bad), (tally.good as f64, tally.bad as f64));
    assert_eq!((good + bad, bad), (made, shop.failed.load(Ordering::Relaxed) as f64));
    let scrapes = prometheus.samples(&events("bad"), 120, now()).await;
    assert_eq!(scrapes[0].1, 0.0, "the first scrape saw zero");
    let times: Vec<f64> = scrapes.iter().map(|(at, _)| *at).filter(|at| *at <= now()).collect();
    assert!(times.len() > 60, "{times:?}");

    every_scrape_adds_up(&prometheus, &times).await;
    windows_agree(&prometheus, &times, &said, [begun, broken, healed, ended]).await;
    edges_agree(&prometheus, &shop, &times).await;
    service.abort();
}

async fn every_scrape_adds_up(prometheus: &Prometheus, times: &[f64]) {
    let count = "plimsoll_request_duration_seconds_count";
    for at in times {
        let states = prometheus.values("sum by (guard) (plimsoll_breaker_state)", *at).await;
        assert_eq!(states, [1.0, 1.0], "at {at}");
        let apart = format!("{count} - on(slo) sum by (slo) (plimsoll_outcomes_total)");
        assert_eq!(prometheus.values(&apart, *at).await, [0.0, 0.0], "at {at}");
        let apart = format!("sum by (slo, objective) (plimsoll_events_total) - on(slo) group_left {count}");
        assert_eq!(prometheus.values(&apart, *at).await, [0.0; 4], "at {at}");
    }
    let last = *times.last().unwrap();
    let changes =
        |guard, to| format!("plimsoll_breaker_transitions_total{{guard=\"{guard}\",from=\"closed\",to=\"{to}\"}}");
    assert!(prometheus.value(&changes("shop", "would_be_open"), last).await > 0.0);
    assert!(prometheus.value(&changes("upstream", "open"), last).await > 0.0);
    assert!(prometheus.value("sum(plimsoll_rejections_total{guard=\"upstream\"})", last).await > 100.0);
}

async fn windows_agree(prometheus: &Prometheus, times: &[f64], said: &[Said], phases: [f64; 4]) {
    let [begun, broken, healed, ended] = phases;
    let largest = 1.0 / BUDGET;
    let (mut all, mut strict) = (0, 0);
    for window in [SHORT, LONG] {
        // Over all moments: apart by no more than the tolerance, in terms of what there was at all.
        let within = tolerance(window);
        for at in times.iter().filter(|at| **at > begun + 5.0 && **at < ended) {
            let of = said.iter().filter(|said| said.window == window);
            let said = of.min_by(|a, b| (a.at - at).abs().total_cmp(&(b.at - at).abs())).unwrap();
            let valid = prometheus.value(&increase("good|bad", window), *at).await;
            let bad = prometheus.value(&increase("bad", window), *at).await;
            let (process, process_bad) = (said.valid as f64, said.bad as f64);
            let since = at - begun;
            // While the process is younger than the window, so is what it may be wrong about.
            let events = process * (window as f64 / since).max(1.0);
            close(&format!("valid events in {window} s, {since:.1} s in"), valid, process, within * events);
            close(&format!("bad events in {window} s, {since:.1} s in"), bad, process_bad, within * events);
            let ratio = bad / valid;
            close(&format!("bad ratio in {window} s, {since:.1} s in"), ratio, process_bad / process, within);
            let gauge = format!(
                "plimsoll_burn_rate{{slo=\"shop\",objective=\"success\",window=\"{}\"}}",
                Window::seconds(window)
            );
            let gauge = prometheus.value(&gauge, *at).await;
            let ours = format!("burn rate in {window} s, {since:.1} s in");
            close(&ours, gauge, said.burn, 0.5 * within * largest);
            close(&ours, prometheus.value(&burn(window), *at).await, gauge, within * largest);
            all += 1;
            // Relative to the burn itself, where that can be said: `increase` knows nothing of the part of a second
            // between an edge of the window and the scrape next to it, and takes the average for it. So the edges must
            // not lie where the phases change, nor may calls fail there at over twice the average.
            let begins = at - window as f64;
            let average = process_bad / process;
            let plain = |edge: f64| {
                let amid = phases.iter().all(|change| (edge - change).abs() > 1.2 * SCRAPE);
                amid && (edge < broken || edge > healed || average >= 0.25)
            };
            if begins > begun && process_bad > 0.0 && plain(begins) && plain(*at) {
                strict += 1;
                close(&ours, prometheus.value(&burn(window), *at).await, gauge, within * gauge);
            }
        }
    }
    assert!(all > 100 && strict > 15, "{all} moments compared, {strict} of them strictly");
}

async fn edges_agree(prometheus: &Prometheus, shop: &Shop, times: &[f64]) {
    let firing = format!("({}) > {FACTOR} and ({}) > {FACTOR}", burn(LONG), burn(SHORT));
    let mut seen = Vec::new();
    for at in times {
        let fires = !prometheus.values(&firing, *at).await.is_empty();
        if fires != (seen.len() % 2 == 1) {
            seen.push(*at);
        }
    }
    let edges = shop.plimsoll.events().into_iter().filter_map(|event| match &event.kind {
        EventKind::Alert { slo: "shop", objective, state, .. } if objective == "success" => {
            Some((*state, seconds(event.wall)))
        }
        _ => None,
    });
    let edges: Vec<(&str, f64)> = edges.collect();
    assert_eq!(edges.iter().map(|(state, _)| *state).collect::<Vec<_>>(), ["firing", "resolved"]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    for ((state, at), seen) in edges.iter().zip(&seen) {
        // One scrape and one evaluation, which here happens at every scrape.
        close(&format!("the alert was {state} at"), *seen, *at, 2.0 * SCRAPE);
    }
}
