//! CLASSIFY: how a call ended, and what that means for the SLI and for the breaker.

mod accounting;
mod classify;

pub use accounting::{Accounting, Tally, Verdict};
#[cfg(feature = "http")]
pub use classify::StatusClassifier;
pub use classify::{Classify, ResultClassifier};

/// What kind of failure it was, where more is known than that it failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The callee answered that it failed: an `Err`, a 5xx.
    #[default]
    Server,
    /// No answer came: connecting, resolving or the connection itself failed.
    Transport,
    /// The caller's own mistake, where a classifier says so: a 4xx is good by default.
    Client,
}

/// How a call ended. Every call, admitted or refused, ends in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// It succeeded, but took longer than the guard's slow threshold. Set by the recorder.
    Slow,
    /// It failed.
    Failure(FailureClass),
    /// Somebody waited long enough and gave up on it, and said so.
    TimedOut,
    /// Its future, permit or body was dropped before it ended.
    Abandoned,
    /// It panicked.
    Panicked,
    /// Its answer began well, and its body broke.
    BodyError,
    /// The breaker refused it.
    Rejected,
    /// The limiter refused it.
    Shed,
    /// A fallback answered, or the callee said that it is limiting (429).
    Degraded,
}

/// An [`Outcome`] by its number, as the hot path passes it on: told once, by a caller that mostly knows it at compile
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) u8);

impl Row {
    pub(crate) const SUCCESS: Self = Outcome::Success.row();
    pub(crate) const SLOW: Self = Outcome::Slow.row();
}

impl Outcome {
    /// How many outcomes there are, failure classes counted apart.
    pub(crate) const COUNT: usize = 12;

    /// Every outcome, in the order of their indices.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Success,
        Self::Slow,
        Self::Failure(FailureClass::Server),
        Self::Failure(FailureClass::Transport),
        Self::Failure(FailureClass::Client),
        Self::TimedOut,
        Self::Abandoned,
        Self::Panicked,
        Self::BodyError,
        Self::Rejected,
        Self::Shed,
        Self::Degraded,
    ];

    /// The plain failure: `Failure(FailureClass::Server)`.
    pub const FAILURE: Self = Self::Failure(FailureClass::Server);

    /// The row of cells it is counted in.
    #[inline]
    pub(crate) const fn row(self) -> Row {
        Row(match self {
            Self::Success => 0,
            Self::Slow => 1,
            Self::Failure(FailureClass::Server) => 2,
            Self::Failure(FailureClass::Transport) => 3,
            Self::Failure(FailureClass::Client) => 4,
            Self::TimedOut => 5,
            Self::Abandoned => 6,
            Self::Panicked => 7,
            Self::BodyError => 8,
            Self::Rejected => 9,
            Self::Shed => 10,
            Self::Degraded => 11,
        })
    }

    /// Whether the call was refused before anything was done for it, and so took no time.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Rejected | Self::Shed)
    }

    /// The name it is exported under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Slow => "slow",
            Self::Failure(FailureClass::Server) => "failure",
            Self::Failure(FailureClass::Transport) => "failure_transport",
            Self::Failure(FailureClass::Client) => "failure_client",
            Self::TimedOut => "timed_out",
            Self::Abandoned => "abandoned",
            Self::Panicked => "panicked",
            Self::BodyError => "body_error",
            Self::Rejected => "rejected",
            Self::Shed => "shed",
            Self::Degraded => "degraded",
        }
    }
}
