//! The line before a limiter: who gets in it, learns what became of him, or leaves.
//!
//! Wakers are woken and dropped with the lock let go of: they are other people's code.

use super::queue::Settled;
use super::{CallContext, Limiter, Priority};
use crate::breaker::Reason;
use crate::sync::Ordering;
use crate::time::Timestamp;
use std::task::Waker;
use std::time::Duration;

impl Limiter {
    /// Gets in line; or in, if a place has become free.
    pub(crate) fn wait(&self, slot: usize, context: &CallContext, now: Timestamp) -> Result<Waiting, Reason> {
        let until = now.after(self.patience());
        // Let in later than that, it could hardly be answered by its deadline.
        let quick = Duration::from_nanos(self.quick.load(Ordering::Relaxed));
        let until = context.due().map_or(until, |due| until.min(now.after(due.since(now).saturating_sub(quick))));
        let mut late = Vec::new();
        let mut queue = self.queue.lock();
        queue.passed(self.newly_passed());
        queue.expire(now, &mut late);
        let queued = queue.push(context.importance(), context.whose(), now, until);
        self.waiting.store(queue.len() as u32, Ordering::SeqCst);
        drop(queue);
        let waiting = queued.map(|(number, put_out)| {
            late.extend(put_out);
            Waiting { number, priority: context.importance(), until }
        });
        late.into_iter().for_each(Waker::wake);
        // Whoever left before it was seen that somebody waits.
        self.hand_over(slot, now);
        waiting
    }

    /// What has become of somebody in line; if nothing, `waker` is kept to be woken.
    pub(crate) fn ask(&self, waiting: &Waiting, now: Timestamp, waker: &Waker) -> Option<Result<u8, Reason>> {
        let mut waker = Some(waker.clone());
        let mut queue = self.queue.lock();
        let settled = queue.ask(waiting.number, waiting.priority, now, &mut waker);
        self.waiting.store(queue.len() as u32, Ordering::SeqCst);
        drop(queue);
        drop(waker);
        settled.map(|settled| match settled {
            Settled::In(level) => Ok(level),
            Settled::Refused(reason) => Err(reason),
        })
    }

    /// Somebody waits no longer.
    pub(crate) fn give_up(&self, slot: usize, waiting: &Waiting, now: Timestamp) {
        let mut queue = self.queue.lock();
        let (settled, waker) = queue.leave(waiting.number, waiting.priority);
        self.waiting.store(queue.len() as u32, Ordering::SeqCst);
        drop(queue);
        drop(waker);
        if let Some(Settled::In(level)) = settled {
            self.give_back(slot, level, now);
        }
    }

    /// Lets in those in line for whom there is room. SeqCst, with `wait` and `Places`: who comes sees the place that was
    /// given back, or who gave it back sees who came.
    #[inline]
    pub(super) fn hand_over(&self, slot: usize, now: Timestamp) {
        // loom takes SeqCst accesses for AcqRel ones, and would find somebody lost who is not.
        #[cfg(plimsoll_loom)]
        crate::sync::fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            self.let_in(slot, now);
        }
    }

    #[cold]
    fn let_in(&self, slot: usize, now: Timestamp) {
        let mut wake = Vec::new();
        let mut queue = self.queue.lock();
        queue.passed(self.newly_passed());
        queue.expire(now, &mut wake);
        while queue.len() > 0 && self.take_place(slot, Priority::CRITICAL) {
            if !queue.pop(now, self.level(), &mut wake) {
                self.places.give_back(slot);
            }
        }
        self.waiting.store(queue.len() as u32, Ordering::SeqCst);
        drop(queue);
        wake.into_iter().for_each(Waker::wake);
    }
}

/// A place in line. Whoever holds it asks what has become of it, or gives up.
#[derive(Debug)]
pub(crate) struct Waiting {
    number: u64,
    priority: Priority,
    /// It is told by then.
    #[cfg_attr(not(feature = "tower"), allow(dead_code))] // only a timer asks
    pub(crate) until: Timestamp,
}
