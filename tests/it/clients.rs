//! Guarded HTTP clients, against a real server on the loopback interface.

use crate::harness::{Rig, breaker, ended};
use axum::Router;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use plimsoll::{FailureClass, GuardError, Outcome, Reason, State};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::{Layer, Service, ServiceExt};

/// Answers with the status it is asked for, and counts how often it is asked.
async fn upstream() -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let handler = move |Path(status): Path<u16>| async move {
        count.fetch_add(1, Ordering::SeqCst);
        (StatusCode::from_u16(status).unwrap(), "answer")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/{status}", get(handler));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, asked)
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn request(address: SocketAddr, status: u16) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}/{status}")).body(Empty::new()).unwrap()
}

fn hyper_client()
-> impl Service<Request<Empty<Bytes>>, Response = http::Response<hyper::body::Incoming>, Error = Error, Future: Send> + Clone
{
    Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>()
}

#[tokio::test]
async fn hyper_utils_client_trips_is_refused_and_heals() {
    let rig = Rig::new();
    let (address, asked) = upstream().await;
    let layer = rig.guard().http_client().unwrap();
    let client = layer.layer(hyper_client());
    for status in [200, 404, 500, 503] {
        let response = client.clone().oneshot(request(address, status)).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "answer");
    }
    assert_eq!(layer.guard().state(), State::Open);
    let refused = client.clone().oneshot(request(address, 200)).await.unwrap_err();
    assert_eq!(refused.rejection().unwrap().reason(), Reason::Open);
    assert_eq!(asked.load(Ordering::SeqCst), 4, "the refused call never went out");
    rig.advance(10.0);
    let healed = client.oneshot(request(address, 200)).await.unwrap();
    healed.into_body().collect().await.unwrap();
    assert_eq!(layer.guard().state(), State::Closed);
    assert_eq!(ended(layer.guard()), [("success", 3), ("failure", 2), ("rejected", 1)]);
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_clients_call_counts_at_the_end_of_its_body() {
    let rig = Rig::new();
    let (address, _) = upstream().await;
    let layer = rig.guard().http_client().unwrap();
    let client = layer.layer(hyper_client());
    let response = client.clone().oneshot(request(address, 200)).await.unwrap();
    assert_eq!((layer.guard().in_flight(), ended(layer.guard())), (1, vec![]));
    response.into_body().collect().await.unwrap();
    assert_eq!((layer.guard().in_flight(), ended(layer.guard())), (0, vec![("success", 1)]));
    drop(client.oneshot(request(address, 200)).await.unwrap());
    assert_eq!(ended(layer.guard()), [("success", 1), ("abandoned", 1)], "a body that nobody read");
    assert_eq!(layer.guard().first_byte().unwrap().count(), 2);
}

#[tokio::test]
async fn no_connection_is_a_failure_of_transport() {
    let rig = Rig::new();
    let address = nobody().await;
    let layer = rig.guard().http_client().unwrap();
    let client = layer.layer(hyper_client());
    for _ in 0..2 {
        let error = client.clone().oneshot(request(address, 200)).await.unwrap_err();
        assert!(matches!(&error, GuardError::Inner(error) if error.is_connect()), "{error}");
    }
    assert!(matches!(client.oneshot(request(address, 200)).await, Err(GuardError::Rejected(_))));
    assert_eq!(ended(layer.guard()), [("failure_transport", 2), ("rejected", 1)]);
}

#[tokio::test]
async fn reqwest_is_guarded_through_its_tower_side() {
    let rig = Rig::new();
    let (address, asked) = upstream().await;
    let layer =
        rig.guard().layer().unwrap().classify(|result: Result<&reqwest::Response, &reqwest::Error>| match result {
            Ok(response) if response.status().is_server_error() => Outcome::FAILURE,
            Ok(_) => Outcome::Success,
            Err(error) if error.is_timeout() => Outcome::TimedOut,
            Err(_) => Outcome::Failure(FailureClass::Transport),
        });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let guarded = layer.layer(client.clone());
    let ask = |address: SocketAddr, status: u16| {
        let request = client.get(format!("http://{address}/{status}")).build().unwrap();
        guarded.clone().oneshot(request)
    };
    let answer = ask(address, 200).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "answer");
    assert_eq!(ask(address, 500).await.unwrap().status(), 500);
    assert!(matches!(ask(nobody().await, 200).await, Err(GuardError::Inner(error)) if error.is_connect()));
    assert_eq!(layer.guard().state(), State::Open);
    let refused = ask(address, 200).await.unwrap_err();
    assert!(refused.to_string().starts_with("payments refused the call: its circuit breaker is open"), "{refused}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(ended(layer.guard()), [("success", 1), ("failure", 1), ("failure_transport", 1), ("rejected", 1)]);
}

#[tokio::test]
async fn a_client_is_answered_from_its_fallback() {
    let rig = Rig::new();
    let (address, asked) = upstream().await;
    // Outermost, answers are whole: they can be kept.
    let layer = rig
        .slo
        .guard()
        .breaker(breaker())
        .stale(plimsoll::Stale::new(|path: &&'static str| *path))
        .also_on_failure()
        .layer()
        .unwrap();
    let client = hyper_client();
    let prices = layer.layer(tower::service_fn(move |path: &'static str| {
        let client = client.clone();
        async move {
            let status = path.parse().map_err(|_| "no status")?;
            let response = client.oneshot(request(address, status)).await.map_err(|_| "no answer")?;
            if response.status() != 200 {
                return Err("no price");
            }
            response.into_body().collect().await.map(|body| body.to_bytes()).map_err(|_| "half a price")
        }
    }));
    assert_eq!(prices.clone().oneshot("200").await.unwrap(), "answer");
    for _ in 0..2 {
        assert_eq!(prices.clone().oneshot("500").await, Err(GuardError::Inner("no price")));
    }
    assert_eq!(prices.oneshot("200").await.unwrap(), "answer");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(ended(layer.guard()), [("success", 1), ("failure", 2), ("degraded", 1)]);
}
