//! The requests that are under way.

use super::policy::Call;
use crate::shed::Priority;
use crate::time::Timestamp;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody is in this place.
    Free,
    /// It asks.
    Asks,
    /// It waits for the policy.
    Held,
    /// It waits for a worker.
    Queued,
    /// A worker works on it.
    Worked,
    /// It was refused.
    Refused,
    /// Its client left before a worker turned to it.
    Left,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) call: Call,
    /// Which of those that were in this place it is.
    pub(super) number: u32,
    pub(super) stage: Stage,
    /// What it takes a worker, in nanoseconds.
    pub(super) work: u64,
    pub(super) fails: bool,
    pub(super) kind: u8,
    pub(super) phase: usize,
    /// Whether it came when what comes was counted.
    pub(super) counts: bool,
}

/// Places are used again, so that nothing is allocated once there are enough of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    requests: Vec<Request>,
    free: Vec<u32>,
}

impl Calls {
    pub(super) fn add(&mut self, now: Timestamp, deadline: Timestamp, priority: Priority, token: u64) -> u32 {
        let place = self.free.pop().unwrap_or(self.requests.len() as u32);
        let call = Call { place, arrived: now, deadline, attempt: 0, priority, token };
        let number = self.requests.get(place as usize).map_or(0, |before| before.number.wrapping_add(1));
        let request =
            Request { call, number, stage: Stage::Asks, work: 0, fails: false, kind: 0, phase: 0, counts: false };
        match self.requests.get_mut(place as usize) {
            Some(free) => *free = request,
            None => self.requests.push(request),
        }
        place
    }

    pub(super) fn remove(&mut self, place: u32) {
        self.at_mut(place).stage = Stage::Free;
        self.free.push(place);
    }

    pub(super) fn at(&self, place: u32) -> &Request {
        &self.requests[place as usize]
    }

    pub(super) fn at_mut(&mut self, place: u32) -> &mut Request {
        &mut self.requests[place as usize]
    }

    /// Of all that have not ended, the places.
    pub(super) fn places(&self) -> Vec<u32> {
        let under_way = self.requests.iter().filter(|request| request.stage != Stage::Free);
        under_way.map(|request| request.call.place).collect()
    }
}
