//! Policies that are a queue: none, a deadline, controlled delay, strict priorities.

use plimsoll::sim::{Answer, Call, Policy};
use plimsoll::{Priority, Timestamp};
use std::collections::VecDeque;

/// No protection: one queue, and all that is in it is worked on, however late.
pub struct Fifo;

impl Policy for Fifo {
    fn arrive(&mut self, _: &Call, _: Timestamp) -> Answer {
        Answer::Admit
    }

    fn start(&mut self, _: &Call, _: Timestamp) -> bool {
        true
    }
}

/// What is too late when a worker turns to it is not worked on, and nothing else is refused.
pub struct DeadlineDrop;

impl Policy for DeadlineDrop {
    fn arrive(&mut self, _: &Call, _: Timestamp) -> Answer {
        Answer::Admit
    }
}

/// Adaptive LIFO under controlled delay, as folly and Facebook's servers have it: while the queue has not been empty for
/// 100 ms, the last come is the first served; otherwise the first, and who has waited for over 100 ms is refused.
pub struct Codel {
    /// Place, since when.
    queue: VecDeque<(u32, u64)>,
    gone: Vec<u32>,
    last_empty: u64,
}

const INTERVAL: u64 = 100_000_000;

impl Codel {
    pub fn new() -> Self {
        Self { queue: VecDeque::new(), gone: Vec::new(), last_empty: 0 }
    }
}

impl Policy for Codel {
    fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer {
        if self.queue.is_empty() {
            self.last_empty = now.as_nanos();
        }
        self.queue.push_back((call.place, now.as_nanos()));
        Answer::Hold
    }

    fn next(&mut self, idle: usize, now: Timestamp) -> Option<(u32, Answer)> {
        if let Some(gone) = self.gone.pop() {
            return Some((gone, Answer::Refuse("gone")));
        }
        if idle == 0 {
            return None;
        }
        let now = now.as_nanos();
        let turned = now - self.last_empty > INTERVAL;
        let (place, since) = if turned { self.queue.pop_back() } else { self.queue.pop_front() }?;
        if self.queue.is_empty() {
            self.last_empty = now;
        }
        Some((place, if now - since > INTERVAL { Answer::Refuse("codel") } else { Answer::Admit }))
    }

    fn leave(&mut self, call: &Call, _: Timestamp) -> bool {
        if let Some(at) = self.queue.iter().position(|(place, _)| *place == call.place) {
            self.queue.remove(at);
        }
        self.gone.push(call.place);
        false
    }
}

/// No policy, but the best order there is for the critical: whenever a worker is free it takes the most important request,
/// of those the one that came first; nobody is interrupted. What no policy can beat that lets others in at all.
pub struct Strict {
    queues: [VecDeque<u32>; 3],
}

impl Strict {
    pub fn new() -> Self {
        Self { queues: Default::default() }
    }

    fn queue(&mut self, call: &Call) -> &mut VecDeque<u32> {
        &mut self.queues[rank(call)]
    }
}

impl Policy for Strict {
    fn arrive(&mut self, call: &Call, _: Timestamp) -> Answer {
        self.queue(call).push_back(call.place);
        Answer::Hold
    }

    fn next(&mut self, idle: usize, _: Timestamp) -> Option<(u32, Answer)> {
        let queue = self.queues.iter_mut().find(|queue| !queue.is_empty()).filter(|_| idle > 0)?;
        queue.pop_front().map(|place| (place, Answer::Admit))
    }

    fn leave(&mut self, call: &Call, _: Timestamp) -> bool {
        let queue = self.queue(call);
        if let Some(at) = queue.iter().position(|place| *place == call.place) {
            queue.remove(at);
        }
        true
    }
}

/// 0 is the most important.
pub fn rank(call: &Call) -> usize {
    usize::from(call.priority < Priority::CRITICAL) + usize::from(call.priority < Priority::DEFAULT)
}
