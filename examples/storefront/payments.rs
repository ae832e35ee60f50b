//! The service that breaks: it tells which payment methods a customer may use.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Router, serve};
use plimsoll::{Clock, Timestamp};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;

/// The header that numbers a checkout, so that both payments services treat the same checkout the same way.
pub const NUMBER: &str = "checkout-number";

/// A payments service on a port of its own.
#[derive(Clone, Debug)]
pub struct Payments {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    clock: Clock,
    broken: AtomicBool,
    calls: AtomicU64,
    first_bad: OnceLock<Timestamp>,
}

impl Payments {
    /// Starts one.
    pub async fn start(clock: &Clock) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let inner = Inner {
            url: format!("http://{}", listener.local_addr()?),
            clock: clock.clone(),
            broken: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            first_bad: OnceLock::new(),
        };
        let payments = Self { inner: Arc::new(inner) };
        let app = Router::new().route("/methods/{customer}", get(methods)).with_state(payments.clone());
        tokio::spawn(async move { serve(listener, app).await });
        Ok(payments)
    }

    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Breaks it, or repairs it.
    pub fn set_broken(&self, broken: bool) {
        self.inner.broken.store(broken, Ordering::Relaxed);
    }

    /// How often it was called.
    pub fn calls(&self) -> u64 {
        self.inner.calls.load(Ordering::Relaxed)
    }

    /// When it gave its first bad answer.
    pub fn first_bad(&self) -> Option<Timestamp> {
        self.inner.first_bad.get().copied()
    }
}

/// While it is broken 60 % of the answers are errors, and the others take a second or so.
async fn methods(
    State(payments): State<Payments>,
    Path(customer): Path<u64>,
    headers: HeaderMap,
) -> (StatusCode, [(&'static str, String); 1], String) {
    let inner = &*payments.inner;
    inner.calls.fetch_add(1, Ordering::Relaxed);
    let number = headers.get(NUMBER).and_then(|number| number.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (fails, spread) = (chance(number, 1) < 0.6, chance(number, 2));
    let broken = inner.broken.load(Ordering::Relaxed);
    let millis = match (broken, fails) {
        (false, _) => 4.0 + 12.0 * spread,
        (true, true) => 80.0 + 80.0 * spread,
        (true, false) => 700.0 + 600.0 * spread,
    };
    tokio::time::sleep(Duration::from_secs_f64(millis / 1_000.0)).await;
    let number = [(NUMBER, number.to_string())];
    if broken && fails {
        inner.first_bad.get_or_init(|| inner.clock.now());
        (StatusCode::SERVICE_UNAVAILABLE, number, "payments is overloaded\n".into())
    } else {
        (StatusCode::OK, number, format!("customer {customer} may pay by card or by invoice\n"))
    }
}

/// A number in 0..1 that depends on nothing but what it is for. Source: Steele, Lea, Flood, SplitMix64.
pub fn chance(number: u64, purpose: u64) -> f64 {
    let mut z = number.wrapping_mul(4).wrapping_add(purpose).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
