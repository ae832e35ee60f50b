//! What there is: the promises, two payments services, two shops, and their customers.

use crate::args::Args;
use crate::load::{Load, Seen};
use crate::payments::Payments;
use crate::promises;
use crate::shop::Shop;
use crate::story::Script;
use crate::summary::{self, Count, Summary, Unguarded};
use crate::view::sum;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::{BoxError, Router};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use plimsoll::{Guard, Outcome, Plimsoll, Reason, Slo, SloHandle, Stale, Timestamp};
use std::io::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

/// Everything that runs.
#[derive(Debug)]
pub struct World {
    pub plimsoll: Plimsoll,
    /// The guarded shop first, the other one second, here and wherever there are two of something.
    pub shops: [SloHandle; 2],
    pub payments: [Payments; 2],
    pub payments_guard: Guard,
    pub load: Load,
    pub url: String,
    visitors: [Arc<AtomicU64>; 2],
}

/// For a demonstration the period is an hour rather than 30 days: the alerts look back over seconds, not hours.
fn promised(slo: Slo) -> Slo {
    slo.over_minutes(60)
}

impl World {
    /// Declares the promises and starts the services.
    pub async fn build(args: &Args, script: &Script) -> Result<Self, BoxError> {
        let plimsoll = Plimsoll::new();
        let clock = plimsoll.clock();
        let payments = [Payments::start(clock).await?, Payments::start(clock).await?];

        let payments_slo = plimsoll.declare(promised(promises::payments()))?;
        let layer = payments_slo
            .guard()
            .breaker(script.breaker())
            .stale(Stale::new(|question: &Request<Body>| question.uri().path().to_owned()).capacity(1_000))
            .also_on_failure()
            .http_client()?;
        let payments_guard = layer.guard();
        let guarded = Shop::new(layer.layer(whole_answers()), payments[0].url());
        let unguarded = Shop::new(whole_answers(), payments[1].url());

        // Both shops are measured alike: a guard without a breaker only counts.
        let shop = |name| plimsoll.declare(promised(promises::checkout(name)));
        let shops = [shop("checkout")?, shop("checkout_unguarded")?];
        let visitors = [guarded.visitors(), unguarded.visitors()];
        // It listens on loopback only, so what changes something may be on the same port.
        let ops = plimsoll::ops::router(&plimsoll).merge(plimsoll::ops::control(&plimsoll));
        let front = guarded.routes().route_layer(shops[0].guard().http()?).merge(ops);
        let back = unguarded.routes().route_layer(shops[1].guard().http()?);
        let url = serve(args.port, front).await?;
        let load = Load::new(clock, [url.clone(), serve(0, back).await?]);
        Ok(Self { shops, payments, payments_guard, load, url, visitors, plimsoll })
    }

    /// What is about to happen, and where to look.
    pub fn introduction(&self, args: &Args) -> String {
        let Args { rate, seconds, .. } = args;
        format!(
            "  storefront: {rate} checkouts a second at each of two shops, for {seconds} seconds\n\n  \
             status   {0}/slo\n  timeline {0}/slo/timeline\n  control  {0}/control\n  \
             metrics  {0}/metrics\n  checkout {0}/checkout?customer=7",
            self.url
        )
    }

    /// Breaks payments for both shops, or repairs it.
    pub fn set_broken(&self, broken: bool) {
        self.payments.iter().for_each(|payments| payments.set_broken(broken));
    }

    /// Sends no further customers, and waits until all have been served and counted.
    pub async fn settle(&self) {
        self.load.stop();
        self.load.drain(Duration::from_secs(10)).await;
        // A server may still be about to count an answer that its client has got already.
        for _ in 0..200 {
            if self.plimsoll.guards().iter().all(|guard| guard.in_flight() == 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether somebody else called a shop: then the customers' counts cannot be the guards'.
    pub fn had_visitors(&self) -> bool {
        self.visitors.iter().any(|visitors| visitors.load(Ordering::Relaxed) > 0)
    }

    /// Who counted what.
    pub fn counts(&self) -> Vec<Count> {
        let mut counts = Vec::new();
        let names = [["checkouts", "good", "bad"], ["checkouts without", "good", "bad"]];
        for (shop, [all, good, bad]) in names.into_iter().enumerate() {
            let (seen, total) = (self.load.seen(shop), self.success(shop).total());
            counts.push(Count::new(all, [("customers", Seen::get(&seen.sent)), ("guard", total.total())]));
            counts.push(Count::new(good, [("customers", Seen::get(&seen.good)), ("guard", total.good)]));
            counts.push(Count::new(bad, [("customers", Seen::get(&seen.bad)), ("guard", total.bad)]));
            let unanswered = Seen::get(&seen.unanswered);
            counts.push(Count::new("unanswered", [("customers", unanswered), ("guard", total.excluded)]));
        }
        let (calls, sent) = (self.payments[1].calls(), self.success(1).total().total());
        counts.push(Count::new("calls without", [("guard", sent), ("payments", calls)]));
        let admitted = sum(self.payments_guard.outcomes(), |_| true) - self.refused();
        let calls = self.payments[0].calls();
        counts.push(Count::new("calls to payments", [("guard", admitted), ("payments", calls)]));
        let cached = Seen::get(&self.load.seen(0).cached);
        counts.push(Count::new("remembered answers", [("customers", cached), ("guard", self.degraded())]));
        counts
    }

    /// What came of it, in the time since `start`.
    pub fn summary(&self, script: &Script, start: Timestamp) -> Summary {
        let events = self.plimsoll.events();
        let (guarded, unguarded) = (self.success(0), self.success(1));
        let (with, without) = (guarded.total(), unguarded.total());
        let breaker = summary::changes(&events, start);
        let first = |to: &str, after: u64| {
            // That a probe failed is no trip.
            let mut changes = breaker.iter().filter(|change| change.to == to && change.from != "half_open");
            let change = changes.find(|change| change.at_ms >= after)?;
            Some(change.at_ms - after)
        };
        let first_bad = self.payments[0].first_bad().map(|at| summary::millis(at, start));
        let repaired = summary::whole_millis(script.repaired_at());
        Summary {
            requests: with.total(),
            good: with.good,
            bad: with.bad,
            excluded: with.excluded,
            degraded: self.degraded(),
            refused: self.refused(),
            tripped_after_ms: first_bad.and_then(|at| first("open", at)),
            recovered_after_ms: first("closed", repaired),
            budget_remaining: guarded.budget().remaining,
            alerts: summary::alerts(&events, start),
            without_guard: Unguarded {
                requests: without.total(),
                good: without.good,
                bad: without.bad,
                budget_remaining: unguarded.budget().remaining,
            },
            breaker,
        }
    }

    fn success(&self, shop: usize) -> plimsoll::ObjectiveHandle {
        self.shops[shop].objective("success").expect("it was declared with one")
    }

    fn degraded(&self) -> u64 {
        sum(self.payments_guard.outcomes(), |outcome| outcome == Outcome::Degraded)
    }

    fn refused(&self) -> u64 {
        let again = |reason: &Reason| *reason == Reason::FallbackLimit;
        self.payments_guard.refusals().filter(|(reason, _)| !again(reason)).map(|(_, n)| n).sum()
    }
}

/// A real HTTP client that gives whole answers: what streams by cannot be remembered.
fn whole_answers() -> impl Service<
    Request<Body>,
    Response = Response<Full<Bytes>>,
    Error = Error,
    Future = impl Future<Output = Result<Response<Full<Bytes>>, Error>> + Send,
> + Clone
+ Send
+ Sync
+ 'static {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    service_fn(move |question| {
        let answer = client.request(question);
        async move {
            let (head, body) = answer.await.map_err(Error::other)?.into_parts();
            let body = body.collect().await.map_err(Error::other)?;
            Ok(Response::from_parts(head, Full::new(body.to_bytes())))
        }
    })
}

/// Serves on loopback; the URL it is found at.
async fn serve(port: u16, app: Router) -> Result<String, BoxError> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.map_err(|error| format!("port {port} on 127.0.0.1 cannot be had: {error}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
