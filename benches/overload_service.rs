//! An axum service on loopback, asked for more than it can do: unprotected, behind tower's limit and load shed, and behind
//! an adaptive guard.
//!
//! `cargo bench --bench overload_service`. Its handlers need a processor: each waits for its turn on one of as many worker
//! threads as there are cores less one, which the load has. Requests come at their times, whether or not those before are
//! answered; three in ten are critical, the rest can be shed. In time is within 100 ms of when a request was due.
#![allow(clippy::disallowed_methods)] // it measures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{BoxError, Router};
use common::{caption, measuring};
use plimsoll::{Guard, HttpContext, Outcome, Plimsoll, Shed, Slo};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;

/// What a request takes of a worker, on average: the times are exponential.
const WORK: Duration = Duration::from_millis(5);
const IN_TIME: Duration = Duration::from_millis(100);
/// A client that has heard nothing gives up.
const PATIENCE: Duration = Duration::from_secs(2);
const CRITICAL: f64 = 0.3;
/// tower's limit, as somebody who did not tune it writes it.
const STATIC_LIMIT: usize = 20;

type Job = (Duration, oneshot::Sender<()>);

fn main() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    let capacity = workers as f64 / WORK.as_secs_f64();
    let (length, loads): (_, &[f64]) = if measuring() {
        (Duration::from_secs(8), &[0.5, 0.9, 1.5, 2.0, 3.0, 4.0])
    } else {
        (Duration::from_millis(400), &[3.0])
    };
    println!("{}; {workers} workers, {capacity:.0} requests a second at the most\n", caption(1));
    println!("| load | policy | goodput, of capacity | critical in time | refused | p99 of answers, ms |");
    println!("|---:|---|---:|---:|---:|---:|");
    for load in loads {
        for policy in ["none", "tower's limit 20 and load shed", "plimsoll, adaptive"] {
            // A new service each time: none inherits a queue, or what was learned.
            let over = Arc::new(AtomicBool::new(false));
            let (server, guard) = serve(policy, workers, &over);
            let asked = ask(server, load * capacity, length);
            // What it had not come to would take the processor from the next.
            over.store(true, Ordering::Relaxed);
            print(*load, policy, capacity * length.as_secs_f64(), &asked);
            check(guard, &asked);
        }
    }
}

/// What became of one request.
struct Asked {
    critical: bool,
    /// After how long it was answered with 200; none if it was not.
    answered: Option<Duration>,
    refused: bool,
}

fn print(load: f64, policy: &str, capacity: f64, asked: &[Asked]) {
    let in_time = |asked: &&Asked| asked.answered.is_some_and(|took| took <= IN_TIME);
    let (good, critical) = (asked.iter().filter(in_time).count(), asked.iter().filter(|asked| asked.critical));
    let critical_in_time = critical.clone().filter(in_time).count() as f64 / critical.count().max(1) as f64;
    let refused = asked.iter().filter(|asked| asked.refused).count() as f64 / asked.len().max(1) as f64;
    let mut answers: Vec<Duration> = asked.iter().filter_map(|asked| asked.answered).collect();
    answers.sort_unstable();
    let p99 = answers.get(answers.len() * 99 / 100).or(answers.last()).copied().unwrap_or_default();
    println!(
        "| {load} × | {policy} | {:.2} | {:.1} % | {:.0} % | {:.0} |",
        good as f64 / capacity,
        critical_in_time * 100.0,
        refused * 100.0,
        p99.as_secs_f64() * 1e3
    );
}

/// The work was done: what was answered well was counted.
fn check(guard: Option<Guard>, asked: &[Asked]) {
    let Some(guard) = guard else { return };
    let answered = asked.iter().filter(|asked| asked.answered.is_some()).count() as u64;
    let shed: u64 = asked.iter().filter(|asked| asked.refused).count() as u64;
    let counted = |wanted| guard.outcomes().find(|(outcome, _)| *outcome == wanted).map_or(0, |(_, n)| n);
    assert!(counted(Outcome::Success) >= answered, "{answered} answers, {} counted", counted(Outcome::Success));
    assert!(counted(Outcome::Shed) >= shed, "{shed} were shed, {} counted", counted(Outcome::Shed));
}

fn serve(policy: &str, workers: usize, over: &Arc<AtomicBool>) -> (SocketAddr, Option<Guard>) {
    let (jobs, queue) = mpsc::channel::<Job>();
    let queue = Arc::new(Mutex::new(queue));
    for core in 0..workers {
        let (queue, over) = (Arc::clone(&queue), Arc::clone(over));
        std::thread::spawn(move || {
            core_affinity::get_core_ids()
                .and_then(|cores| cores.get(core).copied())
                .map(core_affinity::set_for_current);
            while !over.load(Ordering::Relaxed) {
                let job = queue.lock().expect("a queue").recv();
                let Ok((work, done)) = job else { return };
                let begun = Instant::now();
                while begun.elapsed() < work {
                    std::hint::spin_loop();
                }
                _ = done.send(());
            }
        });
    }
    let seed = Arc::new(AtomicU64::new(1));
    let handler = move || {
        let work = exponential(seed.fetch_add(1, Ordering::Relaxed));
        let (tell, done) = oneshot::channel();
        let sent = jobs.send((work, tell));
        async move {
            sent.expect("a worker");
            done.await.map(|()| "sold").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    let app = Router::new().route("/checkout", get(handler));
    let plimsoll = Plimsoll::new();
    let slo = plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, IN_TIME)).expect("an SLO");
    let (app, guard) = match policy {
        "none" => (app, None),
        "plimsoll, adaptive" => {
            let context = HttpContext::new().trust_priority("x-priority".parse().expect("a header"));
            let layer = slo.guard().shed(Shed::adaptive()).http().expect("a guard").context(context);
            let guard = layer.guard();
            (app.layer(layer), Some(guard))
        }
        _ => {
            let full = |_: BoxError| async { StatusCode::SERVICE_UNAVAILABLE };
            // The global one: axum applies layers anew for each connection, and any other limit would be one each.
            let limit = GlobalConcurrencyLimitLayer::new(STATIC_LIMIT);
            let layers = ServiceBuilder::new().layer(HandleErrorLayer::new(full)).load_shed().layer(limit);
            (app.layer(layers), None)
        }
    };
    let (tell, address) = mpsc::channel();
    std::thread::spawn(move || {
        last_core();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits for it");
            axum::serve(listener, app).await.expect("it serves");
        });
    });
    (address.recv().expect("a server"), guard)
}

/// The workers have the others.
fn last_core() {
    core_affinity::get_core_ids().and_then(|cores| cores.last().copied()).map(core_affinity::set_for_current);
}

/// A number from 0 to 1 (SplitMix64).
fn uniform(n: u64) -> f64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn exponential(n: u64) -> Duration {
    WORK.mul_f64(-(1.0 - uniform(n)).ln())
}

fn ask(server: SocketAddr, rate: f64, length: Duration) -> Vec<Asked> {
    last_core();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let begun = Instant::now();
        let (mut due, mut asked) = (begun, Vec::new());
        for n in 0_u64.. {
            due += Duration::from_secs_f64(-(1.0 - uniform(n + 1_000_000)).ln() / rate);
            if due > begun + length {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            let critical = uniform(n + 2_000_000) < CRITICAL;
            asked.push(tokio::spawn(one(server, due, critical)));
        }
        let mut all = Vec::new();
        for asked in asked {
            all.push(asked.await.expect("a client"));
        }
        all
    })
}

async fn one(server: SocketAddr, due: Instant, critical: bool) -> Asked {
    let status = tokio::time::timeout_at((due + PATIENCE).into(), async {
        let mut stream = TcpStream::connect(server).await?;
        let priority = if critical { "critical" } else { "sheddable" };
        let request =
            format!("GET /checkout HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-priority: {priority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned())
    });
    let status = status.await.ok().and_then(Result::ok).unwrap_or_default();
    Asked { critical, answered: (status == "200").then(|| due.elapsed()), refused: status == "503" }
}
