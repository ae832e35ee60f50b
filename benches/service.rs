//! An axum service on loopback, with and without plimsoll, under the same open-loop load.
//!
//! `cargo bench --bench service`. The service has one core and the load the other. The service without plimsoll runs
//! twice: what the two differ by is the noise, and less than that nobody can tell. A third one has a layer that does
//! nothing but put a body around the answer's: what axum asks for any layer that sees the end of a body.
#![allow(clippy::disallowed_methods)] // it measures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use common::measure::middle;
use common::{caption, counted, measuring, slo};
use http_body_util::Limited;
use plimsoll::{Breaker, Guard, Outcome, Plimsoll};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tower::util::MapResponseLayer;

const CONNECTIONS: usize = 16;
const REQUEST: &[u8] = b"GET /checkout HTTP/1.1\r\nhost: shop\r\n\r\n";
const BODY: &str = "sold";

/// What was measured in one round: at full load the processor time of the service's thread for a request, in
/// microseconds, and requests a second; at a steady rate p50, p99 and p99.9 in microseconds, each from the moment the
/// request was due. The first depends least on what else the machine does.
type Round = [f64; COLUMNS];
const COLUMNS: usize = 5;

fn main() {
    let (rounds, share) = if measuring() { (9, 1.0) } else { (1, 0.02) };
    let caption = caption(rounds);
    let layer = slo(&Plimsoll::new(), "shop").guard().breaker(Breaker::default()).http().expect("a guard that works");
    let guard = layer.guard();
    let plain = || Router::new().route("/checkout", get(|| async { BODY }));
    let servers = [
        ("without", serve(plain())),
        ("without, again", serve(plain())),
        ("with a layer that does nothing", serve(plain().layer(MapResponseLayer::new(wrapped)))),
        ("with a full guard", serve(plain().layer(layer))),
    ];
    let runtime = runtime();
    core_affinity::get_core_ids().and_then(|cores| cores.get(1).copied()).map(core_affinity::set_for_current);

    // What it can do decides what it is asked: half of it, so that no queue builds up by itself.
    let full = Duration::from_millis(400).mul_f64(share);
    let most = runtime.block_on(closed_loop(servers[0].1.address, full));
    let rate = (most / 2.0).max(100.0);
    let mut measured: Vec<Vec<Round>> = vec![Vec::new(); servers.len()];
    let mut answered = 0;
    for round in 0..rounds {
        for turn in 0..servers.len() {
            // Another one begins each round.
            let at = (round + turn) % servers.len();
            let server = &servers[at].1;
            let (before, begun) = (server.processor_time(), Instant::now());
            let throughput = runtime.block_on(closed_loop(server.address, full));
            let answers = throughput * begun.elapsed().as_secs_f64();
            let processor = (server.processor_time() - before) / answers / 1e3;
            let mut latencies = runtime.block_on(open_loop(server.address, rate, full * 2));
            if at + 1 == servers.len() {
                answered += latencies.len() as u64;
            }
            latencies.sort_unstable_by(f64::total_cmp);
            let q = |q: f64| latencies[(q * (latencies.len() - 1) as f64) as usize];
            measured[at].push([processor, throughput, q(0.5), q(0.99), q(0.999)]);
        }
    }
    check(guard, answered);
    print(&caption, rate, &servers.each_ref().map(|(name, _)| *name), &measured);
}

fn wrapped(response: Response<Body>) -> Response<Limited<Body>> {
    response.map(|body| Limited::new(body, usize::MAX))
}

fn check(guard: Guard, at_least: u64) {
    let counted = counted(&guard, Outcome::Success);
    assert!(counted >= at_least, "{at_least} requests were answered and {counted} counted");
    let others: u64 = guard.outcomes().map(|(_, n)| n).sum::<u64>() - counted;
    assert_eq!(others, 0, "requests that did not succeed");
}

fn print(caption: &str, rate: f64, names: &[&str], measured: &[Vec<Round>]) {
    println!("{caption}; open loop at {rate:.0} requests a second\n");
    println!("| | processor time, µs a request | at full load, req/s | p50, µs | p99, µs | p99.9, µs |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, rounds) in names.iter().zip(measured) {
        let columns = (0..COLUMNS).map(|n| middle(rounds.iter().map(|round| round[n])));
        let columns: Vec<String> = columns.map(|m| format!("{} ± {:.0} %", three(m.value), m.spread * 100.0)).collect();
        println!("| {name} | {} |", columns.join(" | "));
    }
    for at in 1..names.len() {
        let columns =
            (0..COLUMNS).map(|n| middle(measured[at].iter().zip(&measured[0]).map(|(own, first)| own[n] / first[n])));
        let columns: Vec<String> =
            columns.map(|m| format!("{:+.1} % ± {:.1}", (m.value - 1.0) * 100.0, m.spread * 100.0)).collect();
        println!("| {} against the first | {} |", names[at], columns.join(" | "));
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Three digits, or more if it has more before the point.
fn three(n: f64) -> String {
    if n < 100.0 { format!("{n:.2}") } else { format!("{n:.0}") }
}

struct Server {
    address: SocketAddr,
    /// Where Linux says how long its thread has run.
    schedstat: PathBuf,
}

impl Server {
    /// In nanoseconds.
    fn processor_time(&self) -> f64 {
        let text = std::fs::read_to_string(&self.schedstat).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(f64::NAN)
    }
}

/// Serves on a free port, on a thread on the first core, until the process ends.
fn serve(app: Router) -> Server {
    let (tell, server) = mpsc::channel();
    std::thread::spawn(move || {
        core_affinity::get_core_ids().and_then(|cores| cores.first().copied()).map(core_affinity::set_for_current);
        let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        runtime().block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            let address = listener.local_addr().expect("an address");
            let schedstat = Path::new("/proc").join(thread).join("schedstat");
            tell.send(Server { address, schedstat }).expect("somebody waits for it");
            axum::serve(listener, app).await.expect("it serves");
        });
    });
    server.recv().expect("a server")
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: vec![0; 4_096] }
    }

    /// A request and its whole answer.
    async fn ask(&mut self) {
        self.stream.write_all(REQUEST).await.expect("a socket that takes it");
        let mut read = 0;
        loop {
            let n = self.stream.read(&mut self.buffer[read..]).await.expect("an answer");
            assert!(n > 0, "the server hung up");
            read += n;
            if self.buffer[..read].ends_with(BODY.as_bytes()) {
                break;
            }
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"), "an answer that is not 200");
    }
}

/// Each connection asks again as soon as it is answered: requests a second.
async fn closed_loop(server: SocketAddr, length: Duration) -> f64 {
    let begun = Instant::now();
    let ask = |_| async move {
        let mut connection = Connection::open(server).await;
        let mut answered = 0_u64;
        while begun.elapsed() < length {
            connection.ask().await;
            answered += 1;
        }
        answered
    };
    let answered: u64 = futures_util::future::join_all((0..CONNECTIONS).map(ask)).await.into_iter().sum();
    answered as f64 / begun.elapsed().as_secs_f64()
}

/// Requests at their times, whether or not those before are answered: microseconds from due to done.
async fn open_loop(server: SocketAddr, rate: f64, length: Duration) -> Vec<f64> {
    let gap = Duration::from_secs_f64(CONNECTIONS as f64 / rate);
    let begun = Instant::now() + Duration::from_millis(5);
    let ask = |connection: usize| async move {
        let mut latencies = Vec::new();
        let mut due = begun + gap.mul_f64(connection as f64 / CONNECTIONS as f64);
        let mut connection = Connection::open(server).await;
        while due < begun + length {
            // Timers are a millisecond coarse; the rest is waited for turn by turn.
            if let Some(early) = due.checked_duration_since(Instant::now() + Duration::from_millis(2)) {
                tokio::time::sleep(early).await;
            }
            while Instant::now() < due {
                tokio::task::yield_now().await;
            }
            connection.ask().await;
            latencies.push((Instant::now() - due).as_secs_f64() * 1e6);
            due += gap;
        }
        latencies
    };
    futures_util::future::join_all((0..CONNECTIONS).map(ask)).await.concat()
}
