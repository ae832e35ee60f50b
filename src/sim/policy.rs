//! What stands between the requests and the workers.

use crate::shed::Priority;
use crate::time::Timestamp;

/// A request that asks to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its place: no two requests that are under way have the same, and those of requests that ended are given out again.
    pub place: u32,
    /// When its client first asked.
    pub arrived: Timestamp,
    /// When its client leaves, or would have left.
    pub deadline: Timestamp,
    /// How often the client has asked before.
    pub attempt: u32,
    /// How much it matters.
    pub priority: Priority,
    /// A number by chance, the same for all attempts: whom it comes from, if a policy wants to know.
    pub token: u64,
}

/// What becomes of a request that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It joins the queue of the workers, at its end.
    Admit,
    /// It waits, outside that queue, until [`Policy::next`] names it.
    Hold,
    /// It is refused, for this reason.
    Refuse(&'static str),
    /// It is not even sent, for this reason: the client refuses it to itself, which costs the service nothing.
    Withhold(&'static str),
}

/// How a request that was let in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A worker answered it, in time or late.
    Success,
    /// A worker failed it.
    Failure,
    /// Nobody worked on it: it was let in, and its client had left when a worker turned to it.
    Left,
}

/// An admission policy, as the simulator drives it. [`Sim::run`](super::Sim::run) makes one of a guard; write another to
/// compare it with.
///
/// It is asked one thing at a time, and time never goes back.
pub trait Policy {
    /// A request asks to be let in.
    fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer;

    /// A worker turns to a request that was let in; says whether it is worked on. By default it is unless its client has
    /// left by now.
    fn start(&mut self, call: &Call, now: Timestamp) -> bool {
        now < call.deadline
    }

    /// A request that was let in has ended.
    fn end(&mut self, call: &Call, ended: Ended, now: Timestamp) {
        let _ = (call, ended, now);
    }

    /// The next of the requests that wait, by its place, about which there is news: it is let in now, or refused. Asked
    /// whenever anything happened, until it says none; so many workers have nothing to do, and nothing is in their queue.
    fn next(&mut self, idle: usize, now: Timestamp) -> Option<(u32, Answer)> {
        let _ = (idle, now);
        None
    }

    /// The client of a request that still waits leaves; says whether it is forgotten. If it is not, [`Policy::next`] still
    /// has to name it. By default it is not.
    fn leave(&mut self, call: &Call, now: Timestamp) -> bool {
        let _ = (call, now);
        false
    }
}
