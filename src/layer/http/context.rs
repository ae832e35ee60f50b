//! What an HTTP request brings along.

use crate::layer::ReadContext;
use crate::shed::{CallContext, Priority};
use http::{HeaderMap, HeaderName, Request};
use std::sync::Arc;
use std::time::Duration;

/// Reads a request's extensions, and such headers as it is told to trust.
///
/// Nobody can promote himself: without being told it believes no header, but only a [`CallContext`] that the service's own
/// middleware has put into the request's [extensions](http::Extensions), and else what the task has already. Tell it to
/// trust a header where only your own services, or a proxy that removes it from what strangers send, can set it.
///
/// ```
/// # use plimsoll::{HttpContext, Plimsoll, Shed, Slo};
/// # use std::time::Duration;
/// # let plimsoll = Plimsoll::new();
/// # let slo = plimsoll.declare(Slo::new("checkout").success(99.9).latency(99.0, Duration::from_millis(500)))?;
/// let context = HttpContext::new().trust_priority("x-priority".parse()?).trust_timeout("grpc-timeout".parse()?);
/// let layer = slo.guard().shed(Shed::adaptive()).http()?.context(context);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct HttpContext {
    /// Servers clone their services for each request, and most trust none.
    trusted: Option<Arc<Trusted>>,
}

#[derive(Clone, Debug, Default)]
struct Trusted {
    priority: Option<HeaderName>,
    timeout: Option<HeaderName>,
}

impl HttpContext {
    /// Trusts no header.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this header to say `critical`, `default`, `sheddable`, or a number from 0 to 255. Anything else is ignored.
    #[must_use]
    pub fn trust_priority(mut self, header: HeaderName) -> Self {
        self.trusted().priority = Some(header);
        self
    }

    /// Trusts this header to say how long the caller waits, as gRPC writes it: digits and one of `H`, `M`, `S`, `m`, `u`,
    /// `n`; without a unit, milliseconds. Anything else is ignored.
    #[must_use]
    pub fn trust_timeout(mut self, header: HeaderName) -> Self {
        self.trusted().timeout = Some(header);
        self
    }

    fn trusted(&mut self) -> &mut Trusted {
        Arc::make_mut(self.trusted.get_or_insert_default())
    }
}

impl Trusted {
    fn read(&self, headers: &HeaderMap) -> Option<CallContext> {
        let said = |name: &Option<HeaderName>| headers.get(name.as_ref()?)?.to_str().ok();
        let (priority, timeout) =
            (said(&self.priority).and_then(Priority::parse), said(&self.timeout).and_then(timeout));
        if priority.is_none() && timeout.is_none() {
            return None;
        }
        let context = CallContext::current();
        let context = priority.map_or(context, |priority| context.priority(priority));
        Some(timeout.map_or(context, |timeout| context.within(timeout)))
    }
}

impl<B> ReadContext<Request<B>> for HttpContext {
    #[inline(always)] // see `Guarded::call`
    fn read(&self, request: &Request<B>) -> Option<CallContext> {
        let own = request.extensions().get::<CallContext>().copied();
        let told = || self.trusted.as_ref()?.read(request.headers());
        own.or_else(told).or_else(|| CallContext::is_present().then(CallContext::current))
    }
}

/// A time-out as gRPC writes it (*gRPC over HTTP2*, "Timeout").
fn timeout(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    // Up to eight digits there; more would be longer than anybody waits.
    let n: u32 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(u64::from(n) * 3_600),
        "M" => Duration::from_secs(u64::from(n) * 60),
        "S" => Duration::from_secs(u64::from(n)),
        "m" | "" => Duration::from_millis(u64::from(n)),
        "u" => Duration::from_micros(u64::from(n)),
        "n" => Duration::from_nanos(u64::from(n)),
        _ => return None,
    })
}
