//! Layers that see requests and responses.

use crate::common::{call, slo};
use crate::row::Row;
use axum::body::Body;
use http::{Request, Response};
use plimsoll::{Breaker, Outcome, Plimsoll, Shed};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use tower::{Layer, Service};

const GROUP: &str = "HTTP layers, a request and its empty response included";

#[derive(Clone, Copy)]
struct Hello;

impl Service<Request<Body>> for Hello {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}

fn row<S, B>(name: &str, service: S) -> Row
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    B: http_body::Body,
{
    let service = Mutex::new(service);
    Row::new(GROUP, name, move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        move || {
            let request = Request::get("/checkout").body(Body::empty()).expect("a request");
            let Ok(response) = call(&mut service, black_box(request)) else { panic!("it always answers") };
            let mut body = pin!(response.into_body());
            let mut cx = Context::from_waker(Waker::noop());
            while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
        }
    })
}

pub fn rows() -> Vec<Row> {
    let guard = slo(&Plimsoll::new(), "http").guard().breaker(Breaker::default()).shed(Shed::adaptive());
    let layer = guard.http().expect("a guard that works");
    let guard = layer.guard();
    vec![
        row("none", Hello),
        row("axum-prometheus", axum_prometheus::PrometheusMetricLayer::new().layer(Hello)),
        row("plimsoll, full guard, `.http()`", layer.layer(Hello))
            .counts(move || crate::common::counted(&guard, Outcome::Success)),
    ]
}
