//! The customers: an open-loop load generator.
//!
//! Open loop means that customers come when they come: nobody waits for the answer to somebody else. A generator that
//! waited would send less while the shop is slow, and so hide the very outage it should show.

use crate::payments::{NUMBER, chance};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use plimsoll::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Customers who come back all the time, so that payments has said something of each before it breaks.
const REGULARS: u64 = 50;
/// Every so many checkouts a new customer comes, of whom nothing is in any cache.
const NEWCOMER: u64 = 250;

/// What the customers of one shop saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub sent: AtomicU64,
    pub good: AtomicU64,
    pub bad: AtomicU64,
    /// Checkouts that got no answer at all: there should be none.
    pub unanswered: AtomicU64,
    /// Good ones of which the shop said that they rest on a remembered answer.
    pub cached: AtomicU64,
}

impl Seen {
    pub fn get(cell: &AtomicU64) -> u64 {
        cell.load(Ordering::Relaxed)
    }

    fn ended(&self) -> u64 {
        Self::get(&self.good) + Self::get(&self.bad) + Self::get(&self.unanswered)
    }
}

/// The same customers for several shops.
#[derive(Clone, Debug)]
pub struct Load {
    client: Client<HttpConnector, Body>,
    clock: Clock,
    shops: Arc<[(String, Seen)]>,
    stop: Arc<AtomicBool>,
    number: Arc<AtomicU64>,
    latest: Arc<AtomicU64>,
}

impl Load {
    /// Customers for the shops at these URLs.
    pub fn new(clock: &Clock, urls: impl IntoIterator<Item = String>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client,
            clock: clock.clone(),
            shops: urls.into_iter().map(|url| (url, Seen::default())).collect(),
            stop: Arc::default(),
            number: Arc::default(),
            latest: Arc::default(),
        }
    }

    /// What the customers of a shop saw.
    pub fn seen(&self, shop: usize) -> &Seen {
        &self.shops[shop].1
    }

    /// Sends `rate` checkouts a second to every shop, at the same moments, until [`stop`](Self::stop).
    ///
    /// The gaps between them are exponentially distributed: a Poisson process, as of many people who do not know of one
    /// another.
    pub async fn run(self, rate: u64) {
        self.stop.store(false, Ordering::Relaxed);
        let start = self.clock.now();
        let mut due = Duration::ZERO;
        while !self.stop.load(Ordering::Relaxed) {
            let gone = self.clock.now().since(start);
            if due > gone {
                tokio::time::sleep(due - gone).await;
                continue;
            }
            self.latest.fetch_max((gone - due).as_millis() as u64, Ordering::Relaxed);
            let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
            for shop in 0..self.shops.len() {
                self.shops[shop].1.sent.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(self.clone().checkout(shop, number));
            }
            due += Duration::from_secs_f64(-(1.0 - chance(number, 0)).ln() / rate as f64);
        }
    }

    /// No further customers.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until every customer has an answer, but no longer than `limit`.
    pub async fn drain(&self, limit: Duration) {
        let start = self.clock.now();
        let open = |seen: &Seen| seen.ended() < Seen::get(&seen.sent);
        while self.shops.iter().any(|(_, seen)| open(seen)) && self.clock.now().since(start) < limit {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How late, at most, a customer was sent on the way: if it is much, this machine was too slow for the load.
    pub fn latest(&self) -> Duration {
        Duration::from_millis(self.latest.load(Ordering::Relaxed))
    }

    async fn checkout(self, shop: usize, number: u64) {
        let (url, seen) = &self.shops[shop];
        let customer = match number % NEWCOMER {
            0 => 1_000_000 + number,
            _ => (chance(number, 3) * REGULARS as f64) as u64,
        };
        let cell = match self.ask(format!("{url}/checkout?customer={customer}"), number).await {
            Some((status, cached)) if status.is_success() => {
                seen.cached.fetch_add(u64::from(cached), Ordering::Relaxed);
                &seen.good
            }
            Some(_) => &seen.bad,
            None => &seen.unanswered,
        };
        cell.fetch_add(1, Ordering::Relaxed);
    }

    /// One checkout: its status, and whether it rests on a remembered answer.
    async fn ask(&self, url: String, number: u64) -> Option<(StatusCode, bool)> {
        let request = Request::post(url).header(NUMBER, number).body(Body::empty()).ok()?;
        let response = self.client.request(request).await.ok()?;
        let (status, cached) = (response.status(), response.headers().contains_key(crate::shop::REMEMBERED));
        response.into_body().collect().await.ok()?;
        Some((status, cached))
    }
}
