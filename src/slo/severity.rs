//! How urgent an alert is.

use std::fmt;

/// How urgent an alert is. `P0` is the highest: `Severity::P0 > Severity::P1`.
// Declared from the lowest up, so that the derived order is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A ticket: somebody looks at it in working hours.
    P2,
    /// A page: somebody looks at it soon.
    P1,
    /// A page: somebody looks at it now.
    P0,
}

impl Severity {
    /// Every severity, the highest first.
    pub const ALL: [Self; 3] = [Self::P0, Self::P1, Self::P2];

    /// The name it is exported under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
        }
    }

    /// Whether it wakes somebody; if not, it opens a ticket.
    pub const fn pages(self) -> bool {
        matches!(self, Self::P0 | Self::P1)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
