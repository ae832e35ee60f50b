//! What an operator does to a guard, and who it was.

use super::Guard;
use crate::breaker::{Hold, Mode};
use crate::events::EventKind;
use crate::shed::Priority;
use crate::time::Timestamp;
use std::time::Duration;

/// Who takes a decision out of the library's hands, why, and for how long; all of it may be unsaid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Act {
    pub(crate) by: Option<String>,
    pub(crate) why: Option<String>,
    /// Then it ends by itself.
    pub(crate) lasts: Option<Duration>,
}

impl Act {
    pub(super) fn hold(&self, now: Timestamp) -> Option<Hold> {
        let whose = match (&self.by, &self.why) {
            (Some(by), Some(why)) => format!("by {by}: {why}"),
            (Some(by), None) => format!("by {by}"),
            (None, Some(why)) => why.clone(),
            (None, None) => String::new(),
        };
        self.lasts.map(|lasts| Hold { until: now.after(lasts), whose })
    }

    pub(super) fn event(&self, what: String) -> EventKind {
        let lasts = self.lasts.map_or_else(String::new, |lasts| format!(" for {}", crate::window::Window::of(lasts)));
        EventKind::Operator { what: what + &lasts, by: self.by.clone(), why: self.why.clone() }
    }
}

impl Guard {
    /// Whether there is a breaker to be operated.
    #[cfg(feature = "axum")]
    pub(crate) fn has_breaker(&self) -> bool {
        self.core.gate.is_some()
    }

    /// Takes the decision out of the breaker's hands, or gives it back.
    pub(crate) fn operate(&self, mode: Mode, act: &Act) {
        let (now, name) = (self.core.now(), self.name());
        let done = match mode {
            Mode::ForcedOpen => "forced open",
            Mode::ForcedClosed => "forced closed",
            Mode::Observe => "set to observe only",
            Mode::Auto => "given back its decision",
        };
        let Some(gate) = &self.core.gate else {
            let what = format!("guard {name} has no breaker to be {done}");
            return self.core.meter.hub.events.emit(now, act.event(what));
        };
        self.core.meter.hub.events.emit(now, act.event(format!("breaker {name} was {done}")));
        gate.set_mode(mode, act.hold(now), now);
    }

    /// Sheds by hand every call of a lower priority than this, or none any more.
    pub(crate) fn shed(&self, below: Option<Priority>, act: &Act) {
        let (now, name) = (self.core.now(), self.name());
        self.core.shedding_by_hand().shed_below(below, act.hold(now));
        let what = match below {
            Some(below) => format!("guard {name} sheds every call below {below} priority"),
            None => format!("guard {name} sheds no priority by hand any more"),
        };
        self.core.meter.hub.events.emit(now, act.event(what));
    }
}
