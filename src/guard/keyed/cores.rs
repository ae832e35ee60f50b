//! What all keys of a guard share, and how a core for one of them is made.

use crate::breaker::{Breaker, Rejection, State, Transition, bytes_beside};
use crate::events::EventKind;
use crate::guard::builder;
use crate::guard::{GuardCore, Meter, Permit};
use crate::record::{Recorder, slots};
use crate::time::{Ticks, Timestamp};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const STATES: usize = State::ALL.len();
/// Characters of a key that are shown.
const SHOWN: usize = 64;

/// What all keys of a guard share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) meter: &'static Meter,
    /// Where every call is counted for the SLO.
    pub(crate) sli: &'static Recorder,
    breaker: Breaker,
    bytes_of_a_key: usize,
    transitions: [[AtomicU64; STATES]; STATES],
}

/// A core, and the key it is for now.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) core: &'static GuardCore,
    label: &'static Mutex<String>,
}

/// A core that cannot be given to another key while this is held: a call is counted in.
pub(super) struct Pin {
    core: &'static GuardCore,
    epoch: u8,
}

impl Shared {
    pub(super) fn new(name: &'static str, meter: &'static Meter, breaker: Breaker) -> &'static Self {
        let sli = meter.recorder(breaker.slow_threshold());
        meter.watched_by(name, &breaker);
        let bytes_of_a_key = Self::bytes_of_a_key(meter, &breaker);
        Box::leak(Box::new(Self { name, meter, sli, breaker, bytes_of_a_key, transitions: Default::default() }))
    }

    /// A core for the key in place `index`.
    pub(super) fn make(&'static self, index: usize, label: String) -> &'static Slot {
        let label: &'static Mutex<String> = Box::leak(Box::new(Mutex::new(label)));
        let recorder: &'static Recorder = Box::leak(Box::new(recorder(self.meter, &self.breaker)));
        let report = move |transition: &Transition, now: Timestamp| {
            self.changed(transition.from, transition.to);
            let (from, to) = (transition.from.as_str(), transition.to.as_str());
            let (key, why) = (Some(label.lock().clone()), transition.why.to_string());
            self.meter.hub.events.emit(now, EventKind::Breaker { guard: self.name, key, from, to, why });
        };
        let gate = builder::gate(self.name, &self.breaker, false, self.meter, recorder, Box::new(report));
        let core = GuardCore::new(self.name, self.meter, recorder, Some(gate), 0).for_sli(self.sli);
        Box::leak(Box::new(Slot { index, core: Box::leak(Box::new(core)), label }))
    }

    /// Bytes that a key takes at most: a core, its probes, and its places in the books.
    pub(super) fn bytes_of_a_key(meter: &'static Meter, breaker: &Breaker) -> usize {
        let recorder = recorder(meter, breaker);
        let watched = meter.watched(breaker.trips_by());
        let gate = bytes_beside(breaker, &watched, &recorder, meter.hub.clock.now());
        let books = 4 * SHOWN + 2 * size_of::<(u64, &Slot)>() + size_of::<AtomicU64>() + size_of::<u64>();
        size_of::<GuardCore>() + size_of::<Slot>() + recorder.memory_footprint() + gate + books
    }

    /// Bytes that `keys` keys take, and what they share.
    pub(super) fn bytes(&self, keys: usize) -> usize {
        size_of::<Self>() + self.sli.memory_footprint() + keys * self.bytes_of_a_key
    }

    fn changed(&self, from: State, to: State) {
        self.transitions[from as usize][to as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "metrics")]
    pub(super) fn transitions(&self) -> crate::breaker::Transitions {
        self.transitions.each_ref().map(|from| from.each_ref().map(|n| n.load(Ordering::Relaxed)))
    }

    /// Makes `slot` as new, for the key that is shown as `label`; gives back what the one before was shown as.
    pub(super) fn hand_over(&self, slot: &Slot, label: String) -> String {
        if let Some(gate) = &slot.core.gate {
            let (from, to) = gate.restart();
            if from != to {
                self.changed(from, to);
            }
        }
        std::mem::replace(&mut slot.label.lock(), label)
    }
}

/// Small, for it serves one breaker: it is exact only where that looks.
fn recorder(meter: &Meter, breaker: &Breaker) -> Recorder {
    let thresholds = match breaker.burn_factor(false) {
        Some(_) => meter.thresholds(),
        None => meter.patience().into_iter().collect(),
    };
    Recorder::of_key(&thresholds, breaker.slow_threshold())
}

/// How a key is shown.
pub(super) fn label(key: &impl ToString) -> String {
    // A control character would break the line, or worse, where it is shown.
    let whole = key.to_string().replace(char::is_control, "\u{fffd}");
    match whole.char_indices().nth(SHOWN) {
        // Not a part of the longer string, which would be kept with it.
        Some((end, _)) => [&whole[..end], "…"].concat(),
        None => whole,
    }
}

impl Slot {
    pub(super) fn pin(&self) -> Pin {
        Pin { core: self.core, epoch: self.core.recorder.start(slots::current()) }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.core.recorder.in_flight() == 0
    }

    /// Whether time alone may do something to it.
    pub(super) fn is_restless(&self) -> bool {
        self.core.gate.as_ref().is_some_and(|gate| gate.pass().is_none()) || !self.is_idle()
    }

    pub(super) fn state(&self, now: Timestamp) -> State {
        self.core.gate.as_ref().map_or(State::Closed, |gate| gate.state(now))
    }

    /// The state as it was last decided on: nobody is told anything.
    pub(super) fn peek(&self) -> State {
        self.core.gate.as_ref().map_or(State::Closed, |gate| gate.peek())
    }

    pub(super) fn label(&self) -> String {
        self.label.lock().clone()
    }

    pub(super) fn explain(&self, name: &str, now: Timestamp) -> String {
        self.core.gate.as_ref().map_or_else(String::new, |gate| gate.explain(name, now))
    }
}

impl Pin {
    #[inline]
    pub(super) fn admit(self, ticks: Ticks) -> Result<Permit, Rejection> {
        let permit = self.core.admit_started(ticks, self.epoch)?;
        // The permit counts the call out.
        std::mem::forget(self);
        Ok(permit)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.core.recorder.stop(slots::current(), self.epoch);
    }
}
