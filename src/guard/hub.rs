//! What all meters and guards of a registry share.

use super::{Guard, KeyedView};
use crate::error::Error;
use crate::events::EventLog;
use crate::time::Clock;
use parking_lot::Mutex;
use std::fmt;

/// The clock, the events and the list of guards.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    pub(crate) events: EventLog,
    known: Mutex<Known>,
}

/// Every guard, in the order in which they were made. All names are apart.
#[derive(Default)]
struct Known {
    guards: Vec<Guard>,
    keyed: Vec<&'static dyn KeyedView>,
}

impl Known {
    fn refuse_taken(&self, name: &str) -> Result<(), Error> {
        let mut names = self.guards.iter().map(Guard::name).chain(self.keyed.iter().map(|keyed| keyed.name()));
        if names.any(|known| known == name) {
            return Err(Error::duplicate(format!(
                "there is a guard named {name:?} already: clone that one, or give this one a name of its own with \
                 `.named(\"…\")`"
            )));
        }
        Ok(())
    }
}

impl Hub {
    pub(crate) fn new(clock: Clock) -> Self {
        let events = EventLog::new(clock.clone());
        Self { clock, events, known: Mutex::default() }
    }

    /// Adds the guard that `make` makes, if the name is free.
    pub(super) fn add(&self, name: &str, make: impl FnOnce() -> Guard) -> Result<Guard, Error> {
        let mut known = self.known.lock();
        known.refuse_taken(name)?;
        let guard = make();
        known.guards.push(guard);
        Ok(guard)
    }

    /// The same for a guard per key.
    pub(super) fn add_keyed<V: KeyedView>(
        &self,
        name: &str,
        make: impl FnOnce() -> &'static V,
    ) -> Result<&'static V, Error> {
        let mut known = self.known.lock();
        known.refuse_taken(name)?;
        let keyed = make();
        known.keyed.push(keyed);
        Ok(keyed)
    }

    /// Every guard, in the order in which they were made.
    pub(crate) fn guards(&self) -> Vec<Guard> {
        self.known.lock().guards.clone()
    }

    /// Every guard per key, in the order in which they were made.
    pub(crate) fn keyed_guards(&self) -> Vec<&'static dyn KeyedView> {
        self.known.lock().keyed.clone()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyed = self.keyed.iter().map(|keyed| keyed.name());
        f.debug_struct("Known").field("guards", &self.guards).field("keyed", &keyed.collect::<Vec<_>>()).finish()
    }
}
