//! How a call is told no: why, and when to come back.

use std::fmt;
use std::time::Duration;

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The breaker is open.
    Open,
    /// The breaker is half-open and its probes are under way.
    Probing,
    /// The breaker is closing, and this call was not among those let through.
    Ramping,
    /// Somebody forced the breaker open.
    ForcedOpen,
    /// The breaker let calls through again after the service behind it had not been asked to get ready.
    NotReady,
    /// Too many fallbacks are under way.
    FallbackLimit,
    /// The limiter has no room, and the call could not wait.
    Limit,
    /// Too many wait for room already.
    QueueFull,
    /// The call waited for room until it was too late.
    QueueTimeout,
    /// The budget goes too fast, or is gone, and the call is among those that go first.
    Pressure,
    /// The call's deadline has passed, or would before it could be answered.
    Deadline,
    /// Somebody shed calls of its priority by hand.
    ShedByHand,
    /// The call was let through and failed. Only a fallback that is asked on failure too is told this.
    Failed,
}

impl Reason {
    /// Every reason to refuse a call.
    pub const ALL: [Self; 12] = [
        Self::Open,
        Self::Probing,
        Self::Ramping,
        Self::ForcedOpen,
        Self::NotReady,
        Self::FallbackLimit,
        Self::Limit,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::Pressure,
        Self::Deadline,
        Self::ShedByHand,
    ];

    /// Whether it is the limiter that refuses, so that the call is *shed*, and not the breaker.
    pub const fn is_shed(self) -> bool {
        use Reason::{Deadline, Limit, Pressure, QueueFull, QueueTimeout, ShedByHand};
        matches!(self, Limit | QueueFull | QueueTimeout | Pressure | Deadline | ShedByHand)
    }

    /// The name it is exported under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probing => "probing",
            Self::Ramping => "ramping",
            Self::ForcedOpen => "forced_open",
            Self::NotReady => "not_ready",
            Self::FallbackLimit => "fallback_limit",
            Self::Limit => "limit",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::Pressure => "pressure",
            Self::Deadline => "deadline",
            Self::ShedByHand => "shed_by_hand",
            Self::Failed => "failed",
        }
    }
}

/// A refusal: which guard, why, and when it may be worth coming back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    guard: &'static str,
    reason: Reason,
    /// In nanoseconds, and a `Duration` only when asked for: that takes a division, which few callers want.
    retry_after: u64,
}

impl Rejection {
    #[inline]
    pub(crate) const fn new(guard: &'static str, reason: Reason, retry_after: u64) -> Self {
        Self { guard, reason, retry_after }
    }

    /// A refusal that time alone does not end.
    pub(crate) const NEVER: u64 = u64::MAX;

    /// The guard that refused.
    pub const fn guard(&self) -> &'static str {
        self.guard
    }

    /// Why.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// In how long a call may be let through again; none if only an operator can tell.
    pub const fn retry_after(&self) -> Option<Duration> {
        if self.retry_after == Self::NEVER { None } else { Some(Duration::from_nanos(self.retry_after)) }
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Rejection");
        debug
            .field("guard", &self.guard)
            .field("reason", &self.reason)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guard, reason, .. } = self;
        let why = match reason {
            Reason::Open => "its circuit breaker is open",
            Reason::Probing => "its circuit breaker is probing",
            Reason::Ramping => "its circuit breaker is closing gradually",
            Reason::ForcedOpen => "its circuit breaker is forced open",
            Reason::NotReady => "its service was not ready when the circuit breaker let calls through again",
            Reason::FallbackLimit => "too many fallbacks are under way",
            Reason::Limit => "as many calls are under way as it lets in",
            Reason::QueueFull => "too many calls wait to be let in",
            Reason::QueueTimeout => "it waited to be let in until it was too late",
            Reason::Pressure => "the error budget goes too fast, and calls like it go first",
            Reason::Deadline => "its deadline would pass before it could be answered",
            Reason::ShedByHand => "calls of its priority are shed by hand",
            Reason::Failed => return write!(f, "{guard} let the call through, and it failed"),
        };
        write!(f, "{guard} refused the call: {why}")?;
        match self.retry_after() {
            Some(wait) => write!(f, "; retry after {:.3} s", wait.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}
