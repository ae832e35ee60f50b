//! What is shown of a guard per key, whatever its keys are.

use super::Key;
use super::pool::Pool;
use crate::breaker::State;
#[cfg(feature = "metrics")]
use crate::breaker::Transitions;
use crate::record::NOTES;
use crate::time::Timestamp;

/// A guard per key, of which nobody needs to know what its keys are.
pub(crate) trait KeyedView: Send + Sync {
    fn name(&self) -> &'static str;
    /// What time alone does.
    fn tick(&self, now: Timestamp);
    /// What there is; [`tick`](Self::tick) comes first.
    fn show(&self) -> KeyedShown;
}

/// A guard per key at one moment.
#[derive(Debug)]
pub(crate) struct KeyedShown {
    pub(crate) name: &'static str,
    pub(crate) slo: &'static str,
    pub(crate) capacity: usize,
    pub(crate) keys: usize,
    pub(crate) evicted: u64,
    pub(crate) overflowed: u64,
    /// Keys by the state of their breaker.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only the exposition shows them"))]
    pub(crate) states: [u64; State::ALL.len()],
    #[cfg(feature = "metrics")]
    pub(crate) transitions: Transitions,
    pub(crate) refusals: [u64; NOTES],
    pub(crate) in_flight: u64,
    /// The keys whose breaker is not closed, as they are shown; the breaker of those that found no room among them.
    pub(crate) unwell: Vec<(String, State)>,
}

impl<K: Key> KeyedView for Pool<K> {
    fn name(&self) -> &'static str {
        self.shared().name
    }

    fn tick(&self, now: Timestamp) {
        for slot in self.slots().into_iter().chain([self.others()]).filter(|slot| slot.is_restless()) {
            slot.core.tick(now);
        }
        self.tell(now);
    }

    fn show(&self) -> KeyedShown {
        let slots = self.slots();
        let (mut states, mut unwell) = ([0; State::ALL.len()], Vec::new());
        for slot in slots.iter().copied().chain([self.others()]) {
            // A breaker that is closed stays so by itself.
            let state = if slot.is_restless() { slot.peek() } else { State::Closed };
            if slot.index < self.capacity() {
                states[state as usize] += 1;
            }
            if state != State::Closed {
                unwell.push((slot.label(), state));
            }
        }
        KeyedShown {
            name: self.shared().name,
            slo: self.shared().meter.name,
            capacity: self.capacity(),
            keys: slots.len(),
            evicted: self.evicted(),
            overflowed: self.overflowed(),
            states,
            #[cfg(feature = "metrics")]
            transitions: self.shared().transitions(),
            refusals: self.shared().sli.notes(),
            in_flight: self.in_flight(),
            unwell,
        }
    }
}
