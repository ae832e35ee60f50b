//! A guard as the admission policy: what is tried is what runs in production.

use super::policy::{Answer, Call, Ended, Policy};
use crate::guard::{Guard, Permit};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Admits by a guard, and tells it how calls end.
#[derive(Debug)]
pub(super) struct Guarded {
    guard: Guard,
    /// By place.
    permits: Vec<Option<Permit>>,
}

impl Guarded {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard, permits: Vec::new() }
    }

    fn keep(&mut self, place: u32, permit: Permit) {
        let place = place as usize;
        if self.permits.len() <= place {
            self.permits.resize_with(place + 1, || None);
        }
        self.permits[place] = Some(permit);
    }
}

impl Policy for Guarded {
    fn arrive(&mut self, call: &Call, _: Timestamp) -> Answer {
        match self.guard.admit() {
            Ok(permit) => {
                self.keep(call.place, permit);
                Answer::Admit
            }
            Err(rejection) => Answer::Refuse(rejection.reason().as_str()),
        }
    }

    fn end(&mut self, call: &Call, ended: Ended, _: Timestamp) {
        let Some(permit) = self.permits.get_mut(call.place as usize).and_then(Option::take) else { return };
        match ended {
            Ended::Success => permit.success(),
            Ended::Failure => permit.finish(Outcome::FAILURE),
            // As when a connection is closed: nobody says anything.
            Ended::Left => drop(permit),
        }
    }
}
