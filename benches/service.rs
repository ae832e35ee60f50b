//! Axum services on loopback, with and without plimsoll, under the same load.
//!
//! `cargo bench --bench service`. The service has one core and the load the other. One service does nothing for a request:
//! what a guard costs is most of it there that it can be. The other reads an order and waits a millisecond, as for a
//! database.
//!
//! All rows of a table take turns in slices of some ten milliseconds, so that what else the machine does falls on all of
//! them alike; for throughput and latencies only that quarter of the slices counts in which the two threads waited least
//! for their cores. The service without plimsoll is there twice: what the two differ by is the noise, and less than that nobody
//! can tell. Another one has a layer that does nothing but put a body around the answer's: what axum asks for any layer
//! that sees the end of a body. The guard is put where axum boxes the call and its body once more (`Router::layer`), the body
//! alone (`Handler::layer`), and outside.
#![allow(clippy::disallowed_methods)] // it measures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router, ServiceExt};
use common::measure::middle;
use common::{caption, counted, measuring, slo};
use futures_util::future::join_all;
use http_body_util::Limited;
use plimsoll::{Breaker, Guard, HttpLayer, Outcome, Plimsoll, Shed};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tower::util::MapResponseLayer;
use tower::{Layer, Service};

/// How long a service is asked at a time: at full load, and at a steady rate.
const FULL: Duration = Duration::from_millis(16);
const STEADY: Duration = Duration::from_millis(20);
/// Slices to a round.
const SLICES: usize = 24;

/// What was measured in one round: at full load the processor time of the service's thread for a request, in
/// microseconds, and requests a second, both the median of slices; at a steady rate p50, p99 and p99.9 of slices together in
/// microseconds, from the moment the request was due. The first depends least on what else the machine does.
type Round = [f64; COLUMNS];
const COLUMNS: usize = 5;

/// A service, and how it is asked.
struct Kind {
    name: &'static str,
    router: fn() -> Router,
    /// The same with a guard around its handler alone.
    handler: fn(HttpLayer) -> Router,
    request: &'static [u8],
    /// So many that it always has something to do.
    connections: usize,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "A service that does nothing",
        router: || Router::new().route("/checkout", get(checkout)),
        handler: |layer| Router::new().route("/checkout", get(checkout.layer(layer))),
        request: b"GET /checkout HTTP/1.1\r\nhost: shop\r\n\r\n",
        connections: 16,
    },
    Kind {
        name: "A service that reads and writes JSON, and waits a millisecond",
        router: || Router::new().route("/orders", post(order)),
        handler: |layer| Router::new().route("/orders", post(order.layer(layer))),
        request: b"POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 113\r\n\r\n\
            {\"customer\":\"c-1138\",\"items\":[{\"sku\":\"a-1\",\"count\":2,\"cents\":1999},{\"sku\":\"b-7\",\"count\":1,\"cents\":499}],\"gift\":0}",
        connections: 96,
    },
];

async fn checkout() -> &'static str {
    "sold"
}

async fn order(Json(order): Json<Value>) -> Json<Value> {
    let cents = |item: &Value| item["cents"].as_u64().unwrap_or(0) * item["count"].as_u64().unwrap_or(0);
    let total: u64 = order["items"].as_array().into_iter().flatten().map(cents).sum();
    tokio::time::sleep(Duration::from_millis(1)).await;
    Json(json!({ "order": order, "cents": total, "state": "sold" }))
}

fn main() {
    let (rounds, slices) = if measuring() { (9, SLICES) } else { (1, 1) };
    println!("{}, of {slices} slices each\n", caption(rounds));
    for kind in &KINDS {
        measure(kind, rounds, slices);
    }
}

fn measure(kind: &Kind, rounds: usize, slices: usize) {
    let plain = || (kind.router)().with_state(());
    let [routes, handler, around] = ["routes", "handler", "around"].map(full_guard);
    let servers = [
        ("without", serve(plain()), None),
        ("without, again", serve(plain()), None),
        ("with a layer that does nothing", serve(plain().layer(MapResponseLayer::new(limited))), None),
        ("with a full guard, `Router::layer`", serve(plain().layer(routes.clone())), Some(routes.guard())),
        (
            "with a full guard, `Handler::layer`",
            serve((kind.handler)(handler.clone()).with_state(())),
            Some(handler.guard()),
        ),
        ("with a full guard around the router", serve(boxed(around.layer(plain()))), Some(around.guard())),
    ];
    let runtime = runtime();
    core_affinity::get_core_ids().and_then(|cores| cores.get(1).copied()).map(core_affinity::set_for_current);
    let own = Thread::current();
    let mut clients: Vec<Client> =
        servers.iter().map(|(_, server, _)| runtime.block_on(Client::open(kind, server))).collect();

    // What it can do decides what it is asked: half of it, so that no queue builds up by itself.
    let begun = Instant::now();
    runtime.block_on(clients[0].at_full_load(FULL * 12));
    let rate = clients[0].answered as f64 / begun.elapsed().as_secs_f64() / 2.0;
    let mut measured: Vec<Vec<Round>> = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        let mut full: Vec<Vec<(f64, [f64; 2])>> = vec![Vec::new(); servers.len()];
        let mut steady: Vec<Vec<(f64, Vec<f64>)>> = vec![Vec::new(); servers.len()];
        for slice in 0..slices {
            for turn in 0..servers.len() {
                // Another one begins each time.
                let at = (slice + turn) % servers.len();
                let (server, client) = (&servers[at].1, &mut clients[at]);
                let waited = || own.waited() + server.thread.waited();
                let (before, ran, answered, begun) = (waited(), server.thread.ran(), client.answered, Instant::now());
                runtime.block_on(client.at_full_load(FULL));
                // Everything is answered: the service's thread sleeps, and what Linux says of it is complete.
                let answered = (client.answered - answered) as f64;
                let processor = (server.thread.ran() - ran) / answered / 1e3;
                full[at].push((waited() - before, [processor, answered / begun.elapsed().as_secs_f64()]));
                let before = waited();
                let latencies = runtime.block_on(client.at_rate(rate, STEADY));
                steady[at].push((waited() - before, latencies));
            }
        }
        for (at, (full, steady)) in full.into_iter().zip(steady).enumerate() {
            let processor = middle(full.iter().map(|(_, slice)| slice[0])).value;
            let throughput = middle(calmest(full).iter().map(|slice| slice[1])).value;
            let mut steady = calmest(steady).concat();
            steady.sort_unstable_by(f64::total_cmp);
            let q = |q: f64| steady[(q * (steady.len() - 1) as f64) as usize];
            measured[at].push([processor, throughput, q(0.5), q(0.99), q(0.999)]);
        }
    }
    for ((_, _, guard), client) in servers.iter().zip(&clients) {
        guard.iter().for_each(|guard| check(guard, client.answered));
    }
    println!("{}, steady at {rate:.0} requests a second:\n", kind.name);
    print(&servers.each_ref().map(|(name, ..)| *name), &measured);
}

/// The quarter of them in which there was least waiting, which is what they begin with.
fn calmest<T>(mut slices: Vec<(f64, T)>) -> Vec<T> {
    slices.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    slices.truncate(slices.len().div_ceil(4));
    slices.into_iter().map(|(_, slice)| slice).collect()
}

fn full_guard(name: &str) -> HttpLayer {
    let guard = slo(&Plimsoll::new(), name).guard().breaker(Breaker::default()).shed(Shed::adaptive());
    guard.http().expect("a guard that works")
}

fn limited(response: Response<Body>) -> Response<Limited<Body>> {
    response.map(|body| Limited::new(body, usize::MAX))
}

/// As `axum::serve` wants it.
fn boxed<S, B>(service: S) -> impl Served
where
    S: Service<Request, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    MapResponseLayer::new(|response: Response<B>| response.map(Body::new)).layer(service)
}

trait Served: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static {}

impl<S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static> Served for S {}

fn check(guard: &Guard, answered: u64) {
    assert_eq!(counted(guard, Outcome::Success), answered, "requests that were counted, and that were answered");
    let all: u64 = guard.outcomes().map(|(_, n)| n).sum();
    assert_eq!(all, answered, "all that were counted, and those that succeeded");
}

fn print(names: &[&str], measured: &[Vec<Round>]) {
    println!("| | processor time, µs a request | at full load, req/s | p50, µs | p99, µs | p99.9, µs |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, rounds) in names.iter().zip(measured) {
        let columns = (0..COLUMNS).map(|n| middle(rounds.iter().map(|round| round[n])));
        let columns: Vec<String> = columns.map(|m| format!("{} ± {:.1} %", three(m.value), m.spread * 100.0)).collect();
        println!("| {name} | {} |", columns.join(" | "));
    }
    for at in 1..names.len() {
        let columns =
            (0..COLUMNS).map(|n| middle(measured[at].iter().zip(&measured[0]).map(|(own, first)| own[n] / first[n])));
        let columns: Vec<String> =
            columns.map(|m| format!("{:+.1} % ± {:.1}", (m.value - 1.0) * 100.0, m.spread * 100.0)).collect();
        println!("| {} against the first | {} |", names[at], columns.join(" | "));
    }
    println!();
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
    thread: Thread,
}

/// Where Linux says how long a thread has run.
struct Thread(PathBuf);

impl Thread {
    fn current() -> Self {
        let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        Self(Path::new("/proc").join(thread).join("schedstat"))
    }

    /// In nanoseconds.
    fn ran(&self) -> f64 {
        self.field(0)
    }

    /// How long it could have run and had no core, in nanoseconds.
    fn waited(&self) -> f64 {
        self.field(1)
    }

    fn field(&self, n: usize) -> f64 {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.split(' ').nth(n).and_then(|nanos| nanos.parse().ok()).unwrap_or(f64::NAN)
    }
}

/// Serves on a free port, on a thread on the first core, until the process ends.
fn serve(service: impl Served) -> Server {
    let (tell, server) = mpsc::channel();
    std::thread::spawn(move || {
        core_affinity::get_core_ids().and_then(|cores| cores.first().copied()).map(core_affinity::set_for_current);
        let thread = Thread::current();
        runtime().block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            let address = listener.local_addr().expect("an address");
            tell.send(Server { address, thread }).expect("somebody waits for it");
            axum::serve(listener, service.into_make_service()).await.expect("it serves");
        });
    });
    server.recv().expect("a server")
}

/// Connections that stay open from slice to slice.
struct Client {
    connections: Vec<Connection>,
    answered: u64,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    request: &'static [u8],
    /// An answer's length: that of the first.
    length: usize,
}

impl Client {
    async fn open(kind: &Kind, server: &Server) -> Self {
        let connections = join_all((0..kind.connections).map(|_| Connection::open(kind.request, server.address))).await;
        Self { answered: connections.len() as u64, connections }
    }

    /// Each connection asks again as soon as it is answered.
    async fn at_full_load(&mut self, length: Duration) {
        let begun = Instant::now();
        let ask = async |connection: &mut Connection| {
            let mut answered = 0_u64;
            while begun.elapsed() < length {
                connection.ask().await;
                answered += 1;
            }
            answered
        };
        self.answered += join_all(self.connections.iter_mut().map(ask)).await.iter().sum::<u64>();
    }

    /// Requests at their times, whether or not those before are answered: microseconds from due to done.
    async fn at_rate(&mut self, rate: f64, length: Duration) -> Vec<f64> {
        let gap = Duration::from_secs_f64(self.connections.len() as f64 / rate);
        let begun = Instant::now() + Duration::from_millis(1);
        let turns = self.connections.len() as f64;
        let ask = async |(turn, connection): (usize, &mut Connection)| {
            let mut latencies = Vec::new();
            let mut due = begun + gap.mul_f64(turn as f64 / turns);
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
        let latencies = join_all(self.connections.iter_mut().enumerate().map(ask)).await.concat();
        self.answered += latencies.len() as u64;
        latencies
    }
}

impl Connection {
    /// One that has been answered once.
    async fn open(request: &'static [u8], server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let mut connection = Self { stream, buffer: vec![0; 4_096], request, length: 1 };
        connection.length = connection.ask().await;
        connection
    }

    /// A request and its whole answer.
    async fn ask(&mut self) -> usize {
        self.stream.write_all(self.request).await.expect("a socket that takes it");
        let mut read = 0;
        while read < self.length {
            let n = self.stream.read(&mut self.buffer[read..]).await.expect("an answer");
            assert!(n > 0, "the server hung up");
            read += n;
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"), "an answer that is not 200");
        read
    }
}
