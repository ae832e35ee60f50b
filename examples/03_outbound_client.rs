//! A breaker around an HTTP client: it opens when the service behind it breaks, probes, and closes again.
//!
//! ```sh
//! cargo run --example 03_outbound_client
//! ```

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Router, routing::get};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use plimsoll::{Breaker, GuardError, Plimsoll, Slo, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (upstream, broken) = upstream().await?;

    let plimsoll = Plimsoll::new();
    plimsoll.subscribe(|event| println!("  * {}", event.kind));
    let prices = plimsoll.declare(Slo::new("prices").success(99.9).over_minutes(60))?;

    // The default breaker, but quicker to try again and to ramp up, so that nobody has to wait here.
    let breaker = Breaker::default()
        .open_for(Duration::from_millis(500), Duration::from_secs(5))
        .ramp(0.1, Duration::from_secs(1));
    let layer = prices.guard().breaker(breaker).http_client()?;
    let guard = layer.guard();
    let client = layer.layer(Client::builder(TokioExecutor::new()).build_http::<Body>());

    println!("the service works");
    let ask = || async {
        let request = Request::get(&upstream).body(Body::empty())?;
        match client.clone().oneshot(request).await {
            // The call counts when its body is over: read it, or it counts as abandoned.
            Ok(response) => _ = response.into_body().collect().await?,
            // Refused: nothing was sent. The rejection says why, and when to come back.
            Err(GuardError::Rejected(rejection)) => return Ok(Some(rejection)),
            Err(GuardError::Inner(error)) => eprintln!("  {error}"),
        }
        Ok::<_, Box<dyn std::error::Error>>(None)
    };
    for _ in 0..100 {
        ask().await?;
    }

    println!("the service breaks");
    broken.store(true, Ordering::Relaxed);
    let refused = loop {
        if let Some(rejection) = ask().await? {
            break rejection;
        }
    };
    println!("  {refused}");
    println!("  {}", guard.explain());

    println!("the service is repaired; calls go on, some of them refused");
    broken.store(false, Ordering::Relaxed);
    while guard.state() != State::Closed {
        ask().await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    println!("in the end");
    for (outcome, calls) in guard.outcomes().filter(|(_, calls)| *calls > 0) {
        println!("  {:<10} {calls}", outcome.as_str());
    }
    Ok(())
}

/// A service that can be broken.
async fn upstream() -> std::io::Result<(String, Arc<AtomicBool>)> {
    let broken = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&broken);
    let answer = move || async move {
        match switch.load(Ordering::Relaxed) {
            true => (StatusCode::INTERNAL_SERVER_ERROR, "no\n"),
            false => (StatusCode::OK, "4.20\n"),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    Ok((url, broken))
}
