//! A refusal as an HTTP response: 503 with `Retry-After` and a problem document (RFC 9457).

use super::body::GuardBody;
use crate::breaker::{Reason, Rejection};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;
use std::fmt::Write;
use std::time::Duration;

/// When to come back if nobody knows: a guess that keeps clients from asking all the time.
const UNKNOWN: Duration = Duration::from_secs(5);

/// A probe may hold its lease for long, but mostly ends soon, and clients should not stay away for the lease.
const PROBING: Duration = Duration::from_secs(1);

pub(super) fn response<B: Body>(rejection: &Rejection) -> Response<GuardBody<B>> {
    let wait = rejection.retry_after().unwrap_or(UNKNOWN);
    let seconds = seconds(if rejection.reason() == Reason::Probing { wait.min(PROBING) } else { wait });
    let mut response = Response::new(GuardBody::problem(Bytes::from(document(rejection, seconds))));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    // It is out of date the moment the breaker closes.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whole seconds, at least one, and never too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn document(rejection: &Rejection, seconds: u64) -> String {
    format!(
        r#"{{"type":"about:blank","title":"Service Unavailable","status":503,"detail":{},"guard":{},"reason":"{}","retry_after_seconds":{seconds}}}"#,
        quoted(&rejection.to_string()),
        quoted(rejection.guard()),
        rejection.reason().as_str(),
    )
}

/// A JSON string (RFC 8259, 7).
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => _ = write!(json, "\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
