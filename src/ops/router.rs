//! The routes: `/metrics`, `/slo`, `/livez`, `/readyz`.

use super::status;
use crate::breaker::State;
use crate::registry::Plimsoll;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

/// What Prometheus is told about the text.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Routes to be merged into a service's own, or served on a port of their own:
///
/// * `/metrics`: everything for Prometheus, read at that moment;
/// * `/slo`: the [`status`] page, for people;
/// * `/livez`: 200 while the process answers at all;
/// * `/readyz`: 200, with a line for each breaker that is not closed, and for each limiter that warms up. An open breaker
///   does **not** make the process unready: what is broken is the service it calls, and a load balancer that took away
///   every instance that noticed would turn a partial outage, answered by fallbacks, into a whole one. Nor does a
///   warm-up: without traffic nothing gets warm, and after an outage all instances would go, and come back, at once.
///
/// They tell how the service does, and change nothing; still, most will not want them on a public port.
pub fn router<S: Clone + Send + Sync + 'static>(plimsoll: &Plimsoll) -> Router<S> {
    routes(plimsoll, None)
}

/// The same, with the user's own metrics on `/metrics` too: all that the exporter behind `handle` holds.
pub fn router_with<S: Clone + Send + Sync + 'static>(plimsoll: &Plimsoll, handle: PrometheusHandle) -> Router<S> {
    routes(plimsoll, Some(handle))
}

fn routes<S: Clone + Send + Sync + 'static>(plimsoll: &Plimsoll, handle: Option<PrometheusHandle>) -> Router<S> {
    let metrics = plimsoll.clone();
    let metrics = move || async move {
        plain(EXPOSITION, handle.as_ref().map_or_else(|| metrics.render_own(), |handle| metrics.render(handle)))
    };
    let (page, ready) = (plimsoll.clone(), plimsoll.clone());
    Router::new()
        .route("/metrics", get(metrics))
        .route("/slo", get(move || async move { plain(PLAIN, status(&page)) }))
        .route("/livez", get(|| async { plain(PLAIN, "alive\n".to_owned()) }))
        .route("/readyz", get(move || async move { plain(PLAIN, readiness(&ready)) }))
}

fn plain(kind: &'static str, body: String) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], body)
}

fn readiness(plimsoll: &Plimsoll) -> String {
    let mut text = String::from("ready\n");
    for guard in plimsoll.guards() {
        let state = guard.state();
        if state != State::Closed {
            text.extend(["breaker ", guard.name(), ": ", super::words::state(state), "\n"]);
        }
        if let Some(warmth) = guard.warmth() {
            text.push_str(&format!("limiter {}: warming up, {:.0} % of the way\n", guard.name(), warmth * 100.0));
        }
    }
    text
}
