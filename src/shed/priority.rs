//! How much a call matters, when not all can be served.

use std::fmt;

/// How much a call matters: under overload the lowest goes first.
///
/// Three are named, after the criticality of RPCs in *Site Reliability Engineering*, ch. 21; any number between them may
/// be used as well. Exported series tell apart the three named ones only, and count the others towards the next below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// What people wait for, and what costs money when it fails. Refused last.
    pub const CRITICAL: Self = Self(200);
    /// Everything of which nothing is said.
    pub const DEFAULT: Self = Self(100);
    /// What can be done later, or not at all: prefetches, batches, crawlers. Refused first.
    pub const SHEDDABLE: Self = Self(0);

    /// The names of the three, from the most important down.
    pub(crate) const BANDS: [&'static str; 3] = ["critical", "default", "sheddable"];

    /// Any other: 0 is the lowest, 255 the highest.
    pub const fn custom(level: u8) -> Self {
        Self(level)
    }

    /// Its number, 0..=255; higher matters more.
    pub const fn level(self) -> u8 {
        self.0
    }

    /// What it is exported as: the place in [`BANDS`](Self::BANDS).
    pub(crate) const fn band(self) -> usize {
        match self.0 {
            200.. => 0,
            100.. => 1,
            _ => 2,
        }
    }

    /// The priority with this name, or this number: `critical`, `default`, `sheddable`, or 0 to 255.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let named = [Self::CRITICAL, Self::DEFAULT, Self::SHEDDABLE];
        let named = Self::BANDS.iter().zip(named).find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, priority)| priority).or_else(|| text.parse().ok().map(Self))
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CRITICAL => f.write_str("critical"),
            Self::DEFAULT => f.write_str("default"),
            Self::SHEDDABLE => f.write_str("sheddable"),
            Self(level) => level.fmt(f),
        }
    }
}

impl fmt::Debug for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Priority({self})")
    }
}
