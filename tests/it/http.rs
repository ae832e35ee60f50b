//! Guarded servers.

use crate::harness::{Rig, breaker, ended, trip};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use plimsoll::{FailureClass, Guard, Outcome};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tower::{Layer, Service, ServiceExt, service_fn};

async fn by_status(Path(status): Path<u16>) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

fn router() -> Router {
    Router::new().route("/status/{status}", get(by_status))
}

async fn status(app: &Router, path: &str) -> u16 {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

async fn json_of<B: http_body::Body<Error: std::fmt::Debug>>(response: Response<B>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn five_hundreds_fail_four_hundreds_succeed_429_degrades() {
    let rig = Rig::new();
    let layer = rig.slo.guard().http().unwrap();
    let app = router().layer(layer.clone());
    for code in [200, 201, 302, 400, 404, 429, 500, 502, 503] {
        assert_eq!(status(&app, &format!("/status/{code}")).await, code);
    }
    assert_eq!(ended(layer.guard()), [("success", 5), ("failure", 3), ("degraded", 1)]);
}

#[tokio::test]
async fn a_refusal_is_a_503_with_retry_after_and_a_problem_document() {
    let rig = Rig::new();
    let seconds = Duration::from_secs_f64;
    let breaker = breaker().open_for(seconds(2.5), seconds(2.5));
    let layer = rig.slo.guard().named("the \"fast\" \\ lane").breaker(breaker).http().unwrap();
    let service = layer.layer(service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Response::new(Body::empty())))));
    trip(layer.guard());
    let ask = || service.clone().oneshot(Request::new(Body::empty()));
    let response = ask().await.unwrap();
    assert_eq!(response.status(), 503);
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("retry-after"), "3", "rounded up, so that nobody comes too early");
    assert_eq!(header("content-type"), "application/problem+json");
    let problem = json_of(response).await;
    let expected = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the \"fast\" \\ lane refused the call: its circuit breaker is open; retry after 2.500 s",
        "guard": "the \"fast\" \\ lane",
        "reason": "open",
        "retry_after_seconds": 3,
    });
    assert_eq!(problem, expected);
    rig.advance(2.4);
    assert_eq!(ask().await.unwrap().headers()["retry-after"], "1", "at least one");
    rig.advance(0.1);
    let probe = layer.guard().admit().unwrap();
    let response = ask().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1", "a probe mostly ends long before its lease of 30 s");
    assert_eq!(json_of(response).await["reason"], "probing");
    probe.failure();
    layer.guard().force_open();
    assert_eq!(ask().await.unwrap().headers()["retry-after"], "5", "a guess: only the operator knows");
    assert_eq!(ended(layer.guard()), [("failure", 3), ("rejected", 4)]);
}

#[tokio::test]
async fn axum_takes_it_around_routers_and_routes() {
    let rig = Rig::new();
    let named = |name: &str| rig.slo.guard().named(name).breaker(breaker()).http().unwrap();
    let (whole, routes, method) = (named("router"), named("route_layer"), named("method"));
    let guards: Vec<Guard> = vec![whole.guard(), routes.guard(), method.guard()];
    let app = Router::new()
        .route("/method", get(|| async { "method" }).layer(method).post(|| async { "not guarded by it" }))
        .route("/plain", get(|| async { "plain" }))
        .route_layer(routes)
        .layer(whole);
    assert_eq!(status(&app, "/method").await, 200);
    assert_eq!(status(&app, "/plain").await, 200);
    assert_eq!(status(&app, "/nowhere").await, 404);
    let successes: Vec<_> = guards.iter().map(|guard| ended(*guard)).collect();
    assert_eq!(successes, [[("success", 3)], [("success", 2)], [("success", 1)]]);
    for guard in guards {
        guard.force_open();
        assert_eq!(status(&app, "/method").await, 503);
        guard.auto();
    }
}

#[tokio::test]
async fn the_breaker_of_a_server_opens_and_closes_again() {
    let rig = Rig::new();
    let layer = rig.guard().http().unwrap();
    let app = router().layer(layer.clone());
    for (code, got) in [(500, 500), (500, 500), (200, 503), (200, 503)] {
        assert_eq!(status(&app, &format!("/status/{code}")).await, got);
    }
    rig.advance(10.0);
    for _ in 0..2 {
        assert_eq!(status(&app, "/status/200").await, 200);
    }
    assert_eq!(ended(layer.guard()), [("success", 2), ("failure", 2), ("rejected", 2)]);
}

#[tokio::test]
async fn a_classifier_replaces_the_status() {
    let rig = Rig::new();
    let layer = rig.guard().http().unwrap().classify(|result: Result<&Response<Body>, &Infallible>| match result {
        Ok(response) if response.status() == 409 => Outcome::Failure(FailureClass::Client),
        Ok(response) if response.status() == 404 => Outcome::FAILURE,
        _ => Outcome::Success,
    });
    let guard = layer.guard();
    let app = router().layer(layer);
    for code in [200, 404, 409, 500] {
        assert_eq!(status(&app, &format!("/status/{code}")).await, code);
    }
    assert_eq!(ended(guard), [("success", 2), ("failure", 1), ("failure_client", 1)]);
}

#[tokio::test]
async fn a_server_answers_from_its_fallback() {
    let rig = Rig::new();
    let layer = rig
        .guard()
        .fallback(|request: Request<Body>, _| async move {
            Ok::<_, Infallible>(Response::new(Body::from(format!("cached {}", request.uri().path()))))
        })
        .http()
        .unwrap();
    let guard = layer.guard();
    let app = router().layer(layer);
    guard.force_open();
    let response = app.oneshot(Request::get("/status/200").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "cached /status/200");
    assert_eq!(ended(guard), [("degraded", 1)]);
}

#[test]
fn the_error_stays_the_services_own() {
    fn keeps_infallible<S: Service<Request<Body>, Error = Infallible>>(_: &S) {}
    let rig = Rig::new();
    let layer = rig.guard().http().unwrap();
    keeps_infallible(&layer.layer(service_fn(|_| ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))))));
    let failing = layer.layer(service_fn(|_: Request<()>| ready(Err::<Response<Body>, _>("no"))));
    assert_eq!(crate::harness::now(failing.oneshot(Request::new(()))).err(), Some("no"));
    assert_eq!(ended(layer.guard()), [("failure_transport", 1)]);
}

/// Serves one connection after another until the runtime ends.
async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// Counting may come a moment after the client has read the last byte.
async fn settled(guard: Guard) -> Vec<(&'static str, u64)> {
    while guard.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    ended(guard)
}

#[tokio::test]
async fn a_hyper_server_counts_each_body_as_it_was_sent() {
    let rig = Rig::new();
    let layer = rig.guard().http().unwrap();
    let service = layer.layer(service_fn(|request: Request<hyper::body::Incoming>| {
        let chunks = || stream::iter(["pa", "id"].map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk))));
        let response = match request.uri().path() {
            "/full" => Response::new(Body::from("paid")),
            "/chunked" => Response::new(Body::from_stream(chunks())),
            // hyper drops such a body after its last byte, without asking for its end.
            "/counted" => {
                let counted = Response::builder().header("content-length", 4);
                counted.body(Body::from_stream(chunks())).unwrap()
            }
            _ => Response::builder().status(204).body(Body::from_stream(chunks())).unwrap(),
        };
        ready(Ok::<_, Infallible>(response))
    }));
    let address = serve(service).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let paths = ["/full", "/chunked", "/counted"];
    for path in paths {
        let request = Request::get(format!("http://{address}{path}")).body(Empty::new()).unwrap();
        let body = client.request(request).await.unwrap().into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "paid", "{path}");
    }
    assert_eq!(settled(layer.guard()).await, [("success", 3)]);
    for path in paths {
        let request = Request::head(format!("http://{address}{path}")).body(Empty::new()).unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 200);
    }
    let request = Request::get(format!("http://{address}/none")).body(Empty::new()).unwrap();
    assert_eq!(client.request(request).await.unwrap().status(), 204);
    assert_eq!(settled(layer.guard()).await, [("success", 7)]);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_an_abandoned_call() {
    let rig = Rig::new();
    let layer = rig.guard().http().unwrap();
    let endless = || stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'.'; 8_192])));
    let service = service_fn(move |_: Request<hyper::body::Incoming>| {
        ready(Ok::<_, Infallible>(Response::new(Body::from_stream(endless()))))
    });
    let address = serve(layer.layer(service)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{address}/")).body(Empty::new()).unwrap();
    let mut response = client.request(request).await.unwrap();
    assert!(response.frame().await.unwrap().is_ok());
    assert_eq!(layer.guard().in_flight(), 1);
    drop((response, client));
    assert_eq!(settled(layer.guard()).await, [("abandoned", 1)]);
}

/// A connection's end that counts how often it is written to.
struct Counting {
    io: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What a server sends, and in how many writes, for a request on a connection of its own.
async fn sent(app: Router, request: &str) -> (String, usize) {
    let (mut client, io) = tokio::io::duplex(65_536);
    let writes = Arc::new(AtomicUsize::new(0));
    let io = TokioIo::new(Counting { io, writes: Arc::clone(&writes) });
    let mut server = hyper::server::conn::http1::Builder::new();
    let server = server.auto_date_header(false).serve_connection(io, TowerToHyperService::new(app));
    let request = format!("{request} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    server.await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    (answer, writes.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_guarded_server_sends_the_same_bytes_in_as_many_writes() {
    let stream = async || Body::from_stream(stream::iter(["pa", "id"].map(Ok::<_, Infallible>)));
    let plain = || {
        router()
            .route("/full", get(async || "paid"))
            .route("/empty", get(async || ()))
            .route("/large", get(async || "paid".repeat(5_000)))
            .route("/stream", get(stream))
            .route("/counted", get(async move || ([("content-length", "4")], stream().await)))
    };
    let rig = Rig::new();
    let layer = rig.slo.guard().http().unwrap();
    let paths = ["full", "empty", "large", "stream", "counted", "status/204", "status/304", "status/500", "nowhere"];
    let requests = paths.iter().flat_map(|path| ["GET", "HEAD", "POST"].map(|method| format!("{method} /{path}")));
    for request in requests {
        let expected = sent(plain().with_state(()), &request).await;
        assert!(expected.0.starts_with("HTTP/1.1 "), "{request}: {expected:?}");
        assert_eq!(sent(plain().layer(layer.clone()).with_state(()), &request).await, expected, "{request}");
    }
    assert_eq!(layer.guard().in_flight(), 0);
    assert!(ended(layer.guard()).iter().all(|(outcome, _)| ["success", "failure"].contains(outcome)));
}
