//! The routes that show.

use super::{json, one_slo, query, status, timeline};
use crate::breaker::State;
use crate::registry::Plimsoll;
use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use std::time::Duration;

/// What Prometheus is told about the text.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const JSON: &str = "application/json";
/// How far a timeline looks back: the default, the least and the most.
const SINCE: [Duration; 3] = [Duration::from_secs(2 * 3_600), Duration::from_secs(1), Duration::from_secs(30 * 86_400)];

/// Routes to be merged into a service's own, or served on a port of their own:
///
/// | route | query | answer |
/// |---|---|---|
/// | `/metrics` | | everything for Prometheus, read at that moment |
/// | `/slo` | `format=json` | the [`status`] page, for people; or all of it for scripts |
/// | `/slo/{name}` | `format=json` | one SLO in full: both windows of each alert, budget, latency, outcomes, its guards; 404 with those there are if there is none |
/// | `/slo/timeline` | `since=2h` | the [`timeline`] in Markdown, to be pasted into a post-mortem; `since` is 1 s to 30 d |
/// | `/livez` | | 200 while the process answers at all |
/// | `/readyz` | | 200, with a line for each breaker that is not closed, and for each limiter that warms up |
///
/// All of them answer GET and HEAD and are never cached. On the routes under `/slo` a query that is not known, or a time that
/// cannot be, is refused with 400 and what is allowed. Names are percent-encoded in paths; an SLO that is called `timeline` is
/// found under `/slo/%74imeline`.
///
/// An open breaker does **not** make the process unready: what is broken is the service it calls, and a load balancer that
/// took away every instance that noticed would turn a partial outage, answered by fallbacks, into a whole one. Nor does a
/// limiter that warms up: it lets in what the service can do by then, and without traffic it would never get warm.
///
/// They tell how the service does, and change nothing: what changes something is in [`control`](super::control). Still, most
/// will not want them on a public port.
///
/// JSON keeps its keys; new ones may come. Ratios are 0..=1, times are in seconds, and what cannot be said is `null`: a burn
/// rate without events, a budget that will last.
///
/// ```sh
/// curl -sS "http://127.0.0.1:3000/slo/checkout"
/// curl -sS "http://127.0.0.1:3000/slo?format=json" | jq '.slos[].objectives[] | {name, left: .budget.remaining}'
/// curl -sS "http://127.0.0.1:3000/slo/timeline?since=4h" > timeline.md
/// ```
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
        let text = handle.as_ref().map_or_else(|| metrics.render_own(), |handle| metrics.render(handle));
        answer(StatusCode::OK, EXPOSITION, text)
    };
    let [page, one, story, ready] = std::array::from_fn(|_| plimsoll.clone());
    Router::new()
        .route("/metrics", get(metrics))
        .route("/slo", get(move |RawQuery(query): RawQuery| async move { whole(&page, query.as_deref()) }))
        .route(
            "/slo/{name}",
            get(move |Path(name): Path<String>, RawQuery(query): RawQuery| async move {
                of_one(&one, &name, query.as_deref())
            }),
        )
        .route("/slo/timeline", get(move |RawQuery(query): RawQuery| async move { told(&story, query.as_deref()) }))
        .route("/livez", get(|| async { plain(StatusCode::OK, "alive\n".to_owned()) }))
        .route("/readyz", get(move || async move { plain(StatusCode::OK, readiness(&ready)) }))
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    let headers: [(HeaderName, &str); 3] =
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}

pub(super) fn plain(status: StatusCode, body: String) -> Response {
    answer(status, PLAIN, body)
}

/// What is wrong with what was asked.
pub(super) fn refused(why: String) -> Response {
    plain(StatusCode::BAD_REQUEST, why + "\n")
}

fn whole(plimsoll: &Plimsoll, query: Option<&str>) -> Response {
    match wants_json(query) {
        Ok(true) => answer(StatusCode::OK, JSON, json::whole(plimsoll).to_string()),
        Ok(false) => plain(StatusCode::OK, status(plimsoll)),
        Err(why) => refused(why),
    }
}

fn of_one(plimsoll: &Plimsoll, name: &str, query: Option<&str>) -> Response {
    let json = match wants_json(query) {
        Ok(json) => json,
        Err(why) => return refused(why),
    };
    let Some(slo) = plimsoll.slo(name) else {
        let known: Vec<&str> = plimsoll.slos().iter().map(|slo| slo.name()).collect();
        return plain(StatusCode::NOT_FOUND, format!("there is no SLO {name:?}; {}\n", super::words::known(&known)));
    };
    if json {
        answer(StatusCode::OK, JSON, json::of_one(plimsoll, slo).to_string())
    } else {
        plain(StatusCode::OK, one_slo(plimsoll, slo))
    }
}

fn told(plimsoll: &Plimsoll, query: Option<&str>) -> Response {
    let [default, least, most] = SINCE;
    let since = query::read(query, ["since"])
        .and_then(|[since]| since.map_or(Ok(default), |since| query::duration("since", &since, least, most)));
    match since {
        Ok(since) => answer(StatusCode::OK, MARKDOWN, timeline(plimsoll, since)),
        Err(why) => refused(why),
    }
}

fn wants_json(query: Option<&str>) -> Result<bool, String> {
    let [format] = query::read(query, ["format"])?;
    match format.as_deref() {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!("`format={other:?}` is not known: write text or json")),
    }
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
