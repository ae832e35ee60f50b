//! The shop: its checkout asks payments how a customer may pay.

use crate::payments::NUMBER;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use axum::response::{IntoResponse, Response as Answer};
use axum::routing::any;
use axum::{BoxError, Router};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::{Service, ServiceExt};

/// The header of an answer that rests on a remembered one.
pub const REMEMBERED: HeaderName = HeaderName::from_static("from-cache");

/// What a checkout needs: a client that reaches payments, guarded or not.
#[derive(Clone, Debug)]
pub struct Shop<S> {
    payments: S,
    payments_url: Arc<str>,
    visitors: Arc<AtomicU64>,
}

#[derive(Debug, Deserialize)]
struct Who {
    customer: u64,
}

impl<S, B> Shop<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// A shop that asks the payments service at this URL through this client.
    pub fn new(payments: S, payments_url: &str) -> Self {
        Self { payments, payments_url: payments_url.into(), visitors: Arc::default() }
    }

    /// `/checkout?customer=N`.
    pub fn routes(&self) -> Router {
        Router::new().route("/checkout", any(checkout::<S, B>)).with_state(self.clone())
    }

    /// Checkouts that the load generator did not send: somebody else was curious.
    pub fn visitors(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.visitors)
    }
}

async fn checkout<S, B>(
    State(shop): State<Shop<S>>,
    who: Result<Query<Who>, QueryRejection>,
    headers: HeaderMap,
) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // A visitor gets a number that no customer has.
    let number = headers.get(NUMBER).cloned();
    let number =
        number.unwrap_or_else(|| HeaderValue::from(u64::MAX / 2 + shop.visitors.fetch_add(1, Ordering::Relaxed)));
    let customer = who.map_or(0, |Query(who)| who.customer);
    let uri = format!("{}/methods/{customer}", shop.payments_url);
    let Ok(question) = Request::get(uri).header(NUMBER, number).body(Body::empty()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match ask(shop.payments, question).await {
        Ok((cached, methods)) => {
            let answer = format!("Thank you. {methods}").into_response();
            if cached { ([(REMEMBERED, "yes")], answer).into_response() } else { answer }
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// What payments says, and whether it is only remembered: payments repeats the number of the checkout that it answered.
async fn ask<S, B>(payments: S, question: Request<Body>) -> Result<(bool, String), BoxError>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: axum::body::HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let number = question.headers().get(NUMBER).cloned();
    let response = payments.oneshot(question).await.map_err(Into::into)?;
    let (head, body) = response.into_parts();
    // To the end even if it is an error: only then is the connection free for the next question.
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    if !head.status.is_success() {
        return Err(format!("payments answered {}", head.status).into());
    }
    Ok((number.as_ref() != head.headers.get(NUMBER), String::from_utf8_lossy(&body).into_owned()))
}
