//! An axum service with a promise on one of its routes, and pages that show it.
//!
//! ```sh
//! cargo run --example 02_axum            # asks itself a few times, shows /slo, and ends
//! cargo run --example 02_axum -- serve   # goes on until Ctrl-C
//! ```

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Router, extract::Query, routing::get};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use plimsoll::{Plimsoll, Slo};
use std::collections::HashMap;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plimsoll = Plimsoll::new();
    let search = plimsoll.declare(
        Slo::new("search")
            .success(99.5)
            .latency(95.0, Duration::from_millis(200))
            .over_minutes(60) // short, to see something here: 30 days are the default
            .owner("team-search"),
    )?;

    let app = Router::new()
        .route("/search", get(handler))
        // Guards the routes above it, and not what is found nowhere, as `.layer(…)` would. 5xx is bad; a body that
        // streams counts when it has ended.
        .route_layer(search.guard().http()?)
        // Not guarded: /metrics, /slo, /livez, /readyz.
        .merge(plimsoll::ops::router(&plimsoll));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{url}/search?q=rust  {url}/slo  {url}/metrics\n");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    if std::env::args().any(|arg| arg == "serve") {
        return Ok(server.await??);
    }

    for n in 0..400 {
        // One in a hundred asks for something that the service fails at.
        let what = if n % 100 == 0 { "trouble" } else { "rust" };
        fetch(&format!("{url}/search?q={what}")).await?;
    }
    println!("{}", fetch(&format!("{url}/slo")).await?);
    for line in fetch(&format!("{url}/metrics")).await?.lines() {
        if line.starts_with("plimsoll_events_total") {
            println!("{line}");
        }
    }
    Ok(())
}

async fn handler(Query(query): Query<HashMap<String, String>>) -> (StatusCode, &'static str) {
    match query.get("q").map(String::as_str) {
        Some("trouble") => (StatusCode::INTERNAL_SERVER_ERROR, "the index is broken\n"),
        Some(_) => (StatusCode::OK, "three results\n"),
        // The caller's mistake is no failure of the service: 4xx is good.
        None => (StatusCode::BAD_REQUEST, "search for what? ?q=…\n"),
    }
}

async fn fetch(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let response = client.request(Request::get(url).body(Body::empty())?).await?;
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
