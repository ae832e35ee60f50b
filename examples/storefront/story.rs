//! The script: what happens when, and how quickly things must go to fit into the time.

use plimsoll::Breaker;
use std::time::Duration;

/// A part of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Healthy,
    Broken,
    Repaired,
    /// After the end.
    Over,
}

impl Act {
    /// In a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Healthy => "all is well",
            Self::Broken => "payments is failing",
            Self::Repaired => "payments is repaired",
            Self::Over => "the story is over",
        }
    }

    /// What the teller says when it begins.
    pub fn opening(self) -> &'static str {
        match self {
            Self::Healthy => {
                "All is well. The same customers, who never wait for one another, check out at two equal shops: one \
                 calls its payments service through a guard, the other does without."
            }
            Self::Broken => "Payments breaks: 60 % of its answers are errors, the others take a second.",
            Self::Repaired => "Payments is repaired. Nobody tells the shop: its breaker has to find out.",
            Self::Over => "The story is over.",
        }
    }
}

/// The script of a story of a given length.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub length: Duration,
}

impl Script {
    /// What is on, this long after the start.
    pub fn act(&self, at: Duration) -> Act {
        match at {
            at if at < self.broken_at() => Act::Healthy,
            at if at < self.repaired_at() => Act::Broken,
            at if at < self.length => Act::Repaired,
            _ => Act::Over,
        }
    }

    /// When payments breaks.
    pub fn broken_at(&self) -> Duration {
        self.length / 6
    }

    /// When it is repaired.
    pub fn repaired_at(&self) -> Duration {
        self.length / 2
    }

    /// How long until the next act begins; for ever, almost, if there is none.
    pub fn next(&self, at: Duration) -> Duration {
        let begins = [self.broken_at(), self.repaired_at(), self.length].into_iter().find(|begins| *begins > at);
        begins.map_or(Duration::from_secs(3_600), |begins| begins - at)
    }

    /// A breaker in the story's time scale.
    ///
    /// The default trips when the SLO's budget burns 14.4 times too fast, if there is a fallback to answer instead: long
    /// before half of all calls have failed. A probe that is slow does not count as healed.
    pub fn breaker(&self) -> Breaker {
        let most = |share: u32, limit: u64| (self.length / share).min(Duration::from_secs(limit));
        Breaker::default()
            .burn_windows(Duration::from_secs(5), Duration::from_millis(500))
            .slow_ratio(0.5, Duration::from_millis(500))
            .open_for(most(45, 5), most(18, 20))
            .probes(5, Duration::from_secs(2))
            .ramp(0.1, most(15, 6))
    }
}
