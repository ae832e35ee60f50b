//! What a declaration is refused with.

use std::fmt;

/// Why a declaration was refused.
///
/// The message says what was given, what is allowed, and what to write instead. The type is opaque so
/// that new checks are no breaking change; ask it with the `is_*` predicates.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invalid,
    Duplicate,
    Unreachable,
    TooFine,
    Unreadable,
    Fixed,
}

impl Error {
    /// A value out of its range: an empty name, a target of 100 %, a threshold over the histogram's range.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, message: message.into() }
    }

    /// A name that is taken.
    pub(crate) fn duplicate(message: impl Into<String>) -> Self {
        Self { kind: Kind::Duplicate, message: message.into() }
    }

    /// An alert or trip that can never fire.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unreachable, message: message.into() }
    }

    /// A window finer than what is remembered or scraped.
    pub(crate) fn too_fine(message: impl Into<String>) -> Self {
        Self { kind: Kind::TooFine, message: message.into() }
    }

    /// A file that is no file of declarations.
    #[cfg(feature = "artifacts")]
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unreadable, message: message.into() }
    }

    /// A change that a running process cannot make.
    pub(crate) fn fixed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Fixed, message: message.into() }
    }

    /// The same, with where it was found in front.
    #[cfg(feature = "artifacts")]
    pub(crate) fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// Whether a value was out of its allowed range.
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }

    /// Whether a name was already taken.
    pub fn is_duplicate(&self) -> bool {
        self.kind == Kind::Duplicate
    }

    /// Whether an alert or a trip was asked for that no amount of bad events could reach.
    pub fn is_unreachable(&self) -> bool {
        self.kind == Kind::Unreachable
    }

    /// Whether a window was shorter than the finest step that is remembered or scraped.
    pub fn is_too_fine(&self) -> bool {
        self.kind == Kind::TooFine
    }

    /// Whether a file could not be read, or was no file of declarations.
    pub fn is_unreadable(&self) -> bool {
        self.kind == Kind::Unreadable
    }

    /// Whether a declaration was to be changed while it runs in a way that takes a restart.
    pub fn needs_restart(&self) -> bool {
        self.kind == Kind::Fixed
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {})", self.kind, self.message)
    }
}

impl std::error::Error for Error {}
