//! What all meters and guards of a registry share.

use super::Guard;
use crate::error::Error;
use crate::events::EventLog;
use crate::time::Clock;
use parking_lot::Mutex;

/// The clock, the events and the list of guards.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    pub(crate) events: EventLog,
    guards: Mutex<Vec<Guard>>,
}

impl Hub {
    pub(crate) fn new(clock: Clock) -> Self {
        let events = EventLog::new(clock.clone());
        Self { clock, events, guards: Mutex::default() }
    }

    /// Adds the guard that `make` makes, if the name is free.
    pub(super) fn add(&self, name: &str, make: impl FnOnce() -> Guard) -> Result<Guard, Error> {
        let mut guards = self.guards.lock();
        if guards.iter().any(|guard| guard.name() == name) {
            return Err(Error::duplicate(format!(
                "there is a guard named {name:?} already: clone that one, or give this one a name of its own with \
                 `.named(\"…\")`"
            )));
        }
        let guard = make();
        guards.push(guard);
        Ok(guard)
    }

    /// Every guard, in the order in which they were made.
    pub(crate) fn guards(&self) -> Vec<Guard> {
        self.guards.lock().clone()
    }
}
