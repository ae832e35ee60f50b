//! The pieces as a user wires them, and whole stacks of them.

use crate::common::call;
use crate::metrics::{BUCKETS, otel};
use crate::row::Row;
use failsafe::{CircuitBreaker, FailurePolicy};
use opentelemetry::KeyValue;
use std::fmt;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::{Layer, Service, ServiceBuilder};

const GROUP: &str = "A whole stack today";
pub const TODAY: &str = "metrics + tower-resilience breaker + load_shed + limit, a label per status";
pub const LEANEST: &str = "the leanest: tikv + recloser + load_shed + limit, one series without labels";
const HOUR: Duration = Duration::from_secs(3_600);

/// Answers at once: an even number with itself, an odd one with an error.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

impl Service<u64> for Echo {
    type Response = u64;
    type Error = fmt::Error;
    type Future = Ready<Result<u64, fmt::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), fmt::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(if request & 1 == 0 { Ok(request) } else { Err(fmt::Error) })
    }
}

/// Fails until it is open: `try_one` says whether a call came back with an error, failed or refused.
pub fn open(mut try_one: impl FnMut(bool) -> bool) {
    for _ in 0..1_000 {
        try_one(true);
    }
    assert!(try_one(false), "a thousand failures did not open it");
}

pub fn recloser_breaker() -> recloser::Recloser {
    recloser::Recloser::custom().error_rate(0.5).closed_len(100).half_open_len(10).open_wait(HOUR).build()
}

pub fn failsafe_breaker() -> impl CircuitBreaker + Send + Sync + 'static {
    // Its default policy, but for the time it stays open.
    let backoff = failsafe::backoff::constant(HOUR);
    let rate =
        failsafe::failure_policy::success_rate_over_time_window(0.8, 5, Duration::from_secs(30), backoff.clone());
    let policy = rate.or_else(failsafe::failure_policy::consecutive_failures(5, backoff));
    failsafe::Config::new().failure_policy(policy).build()
}

pub fn resilience_breaker() -> tower_resilience_circuitbreaker::CircuitBreakerLayer {
    tower_resilience_circuitbreaker::CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(20)
        .wait_duration_in_open(HOUR)
        .build()
        .expect("a breaker that works")
}

pub fn seatbelt_breaker<S>(inner: S) -> impl Service<u64, Response = u64, Error = fmt::Error> + Clone + Send + 'static
where
    S: Service<u64, Response = u64, Error = fmt::Error> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let (clock, driver) = tick::runtime::InactiveClock::default().activate(Waker::noop().clone());
    std::mem::forget(driver); // no timers are driven: a breaker only reads the clock
    let context = seatbelt::ResilienceContext::new(&clock);
    let layer = seatbelt::breaker::Breaker::layer("breaker", &context)
        .recovery_with(|result: &Result<u64, fmt::Error>, _| match result {
            Ok(_) => seatbelt::RecoveryInfo::never(),
            Err(_) => seatbelt::RecoveryInfo::retry(),
        })
        .rejected_input_error(|_: u64, _| fmt::Error)
        .min_throughput(20)
        .break_duration(HOUR);
    layer.layer(inner)
}

/// What sheds and limits: far above what two threads have under way.
pub fn limited() -> LoadShed<ConcurrencyLimit<Echo>> {
    ServiceBuilder::new().load_shed().concurrency_limit(1_000).service(Echo)
}

/// The same for those that want the service's own error back.
#[derive(Clone)]
struct Limited(LoadShed<ConcurrencyLimit<Echo>>);

impl Service<u64> for Limited {
    type Response = u64;
    type Error = fmt::Error;
    type Future = futures_like::MapErr<<LoadShed<ConcurrencyLimit<Echo>> as Service<u64>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), fmt::Error>> {
        self.0.poll_ready(cx).map_err(|_| fmt::Error)
    }

    fn call(&mut self, request: u64) -> Self::Future {
        futures_like::MapErr(self.0.call(request))
    }
}

mod futures_like {
    use std::fmt;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub struct MapErr<F>(pub F);

    impl<F: Future<Output = Result<u64, tower::BoxError>> + Unpin> Future for MapErr<F> {
        type Output = Result<u64, fmt::Error>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            Pin::new(&mut self.0).poll(cx).map_err(|_| fmt::Error)
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();

    let service = ServiceBuilder::new().layer(resilience_breaker()).load_shed().concurrency_limit(1_000).service(Echo);
    let service = Mutex::new(service);
    rows.push(Row::new(GROUP, TODAY, move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        move || {
            let begun = Instant::now();
            let status: u16 = if call(&mut service, black_box(0)).is_ok() { 200 } else { 500 };
            let status = status.to_string();
            metrics::counter!("peers_requests_total", "method" => "GET", "status" => status.clone()).increment(1);
            let seconds = black_box(begun).elapsed().as_secs_f64();
            metrics::histogram!("peers_request_seconds", "method" => "GET", "status" => status).record(seconds);
        }
    }));

    let service = Mutex::new(seatbelt_breaker(Limited(limited())));
    let histogram = Arc::new(otel());
    rows.push(Row::new(GROUP, "opentelemetry + seatbelt + load_shed + limit", move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        let histogram = Arc::clone(&histogram);
        move || {
            let begun = Instant::now();
            let status: i64 = if call(&mut service, black_box(0)).is_ok() { 200 } else { 500 };
            let seconds = black_box(begun).elapsed().as_secs_f64();
            histogram.record(seconds, &[KeyValue::new("method", "GET"), KeyValue::new("status", status)]);
        }
    }));

    let (histogram, breaker) = (tikv("peers_failsafe_seconds"), Arc::new(failsafe_breaker()));
    let service = Mutex::new(Limited(limited()));
    rows.push(Row::new(GROUP, "tikv + failsafe + load_shed + limit", move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        let (histogram, breaker) = (histogram.clone(), Arc::clone(&breaker));
        move || {
            let begun = Instant::now();
            _ = black_box(breaker.call(|| call(&mut service, black_box(0))));
            histogram.observe(black_box(begun).elapsed().as_secs_f64());
        }
    }));

    let (histogram, breaker) = (tikv("peers_recloser_seconds"), Arc::new(recloser_breaker()));
    let service = Mutex::new(Limited(limited()));
    rows.push(Row::new(GROUP, LEANEST, move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        let (histogram, breaker) = (histogram.clone(), Arc::clone(&breaker));
        move || {
            let begun = Instant::now();
            _ = black_box(breaker.call(|| call(&mut service, black_box(0))));
            histogram.observe(black_box(begun).elapsed().as_secs_f64());
        }
    }));
    rows
}

fn tikv(name: &str) -> prometheus::Histogram {
    let options = prometheus::HistogramOpts::new(name, "help").buckets(BUCKETS.to_vec());
    prometheus::Histogram::with_opts(options).expect("options that work")
}
