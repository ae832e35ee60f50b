//! An axum service that is asked for more than it can do: the critical are answered, the rest is shed.
//!
//! ```sh
//! cargo run --example 06_overload
//! ```

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::{Router, routing::get};
use plimsoll::{CallContext, HttpContext, Outcome, Plimsoll, Priority, Shed, Slo};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plimsoll = Plimsoll::new();
    let shop =
        plimsoll.declare(Slo::new("shop").success(99.0).latency(99.0, Duration::from_millis(100)).over_minutes(60))?;

    // Only where strangers cannot set it: behind a proxy that removes it from what they send.
    let context = HttpContext::new().trust_priority("x-priority".parse()?);
    // No number is tuned: the latency objective says how long a call may take.
    let inbound = shop.guard().shed(Shed::adaptive()).http()?.context(context);
    let guard = inbound.guard();

    // Two workers that take 10 ms for each request: 200 a second, and no more.
    let workers = Arc::new(Semaphore::new(2));
    let handler = move || async move {
        let Ok(_worker) = workers.acquire().await else { return "closed" };
        tokio::time::sleep(Duration::from_millis(10)).await;
        // What a handler calls in turn is as important as what it is made for.
        if CallContext::current().importance() == Priority::CRITICAL { "paid" } else { "shown" }
    };
    let app = Router::new().route("/", get(handler)).layer(inbound).merge(plimsoll::ops::router(&plimsoll));

    // Three times as many as that, one in five of them critical, for two seconds.
    let (mut critical, mut others) = (Vec::new(), Vec::new());
    for n in 0..1_200 {
        let priority = if n % 5 == 0 { "critical" } else { "sheddable" };
        let mut request = Request::get("/").body(Body::empty())?;
        request.headers_mut().insert("x-priority", HeaderValue::from_static(priority));
        let asked = tokio::spawn(app.clone().oneshot(request));
        if n % 5 == 0 {
            critical.push(asked)
        } else {
            others.push(asked)
        }
        if n % 6 == 5 {
            tokio::time::sleep(Duration::from_millis(9)).await;
        }
    }
    println!("while it lasts: {}", guard.explain());
    for (name, asked) in [("critical ", critical), ("sheddable", others)] {
        let (all, mut answered) = (asked.len(), 0);
        for response in asked {
            answered += usize::from(response.await??.status().is_success());
        }
        println!("{name}: {answered} of {all} were answered");
    }
    let shed = guard.outcomes().find(|(outcome, _)| *outcome == Outcome::Shed).map_or(0, |(_, n)| n);
    println!("shed:      {shed}");

    // For a runbook: shed a class by hand, and let it in again.
    guard.shed_below(Some(Priority::DEFAULT));
    println!("by hand:   {}", guard.admit_in(CallContext::new().priority(Priority::SHEDDABLE)).unwrap_err());
    guard.shed_below(None);
    Ok(())
}
