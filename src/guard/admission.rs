//! Waiting to be let in.

use super::GuardCore;
use super::core::Entry;
use super::permit::{Permit, Place, dropped, slot};
use crate::breaker::{Reason, Rejection};
use crate::shed::{CallContext, Waiting};
use crate::time::{Ticks, nanos};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// When to come back to a limiter, at the latest.
const RETRY: Duration = Duration::from_secs(1);

/// A call that waits to be let in. Whoever drops it gives its place up, and the call counts as abandoned.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) core: &'static GuardCore,
    pub(crate) started: Ticks,
    pub(crate) context: CallContext,
    waiting: Option<Waiting>,
    #[cfg(feature = "tower")]
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Admission {
    pub(super) fn new(core: &'static GuardCore, started: Ticks, context: CallContext, waiting: Waiting) -> Self {
        Self {
            core,
            started,
            context,
            #[cfg(feature = "tower")]
            timer: timer(waiting.until.since(core.now())),
            waiting: Some(waiting),
        }
    }

    /// Asks once more. A refusal is not counted yet.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, Rejection>> {
        let Some(waiting) = &self.waiting else { return Poll::Pending }; // polled after it was done
        #[cfg(feature = "tower")]
        while let Some(sleep) = &mut self.timer
            && sleep.as_mut().poll(cx).is_ready()
        {
            // It is late, and is told so below; unless the runtime's clock is ahead of ours.
            let left = waiting.until.since(self.core.now());
            self.timer = if left.is_zero() { None } else { timer(left) };
        }
        match self.core.ask_in_line(waiting, cx.waker()) {
            None => Poll::Pending,
            Some(settled) => {
                self.waiting = None;
                Poll::Ready(match settled {
                    Ok(level) => self.core.let_in_from_line(self.started, level),
                    Err(reason) => Err(self.core.shed(reason)),
                })
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.core.give_up(&waiting);
            self.core.abandon(self.started);
        }
    }
}

/// Wakes in so long, on a runtime that can.
#[cfg(feature = "tower")]
pub(crate) fn timer(wait: Duration) -> Option<Pin<Box<tokio::time::Sleep>>> {
    tokio::runtime::Handle::try_current().ok()?;
    // A runtime without a timer panics. Without one somebody in line is told that it is late by whoever passes next.
    std::panic::catch_unwind(|| Box::pin(tokio::time::sleep(wait))).ok()
}

/// The future of a permit, made by [`Guard::acquire`](crate::Guard::acquire). Dropped while it waits, its call is counted
/// as abandoned.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Acquire(State);

#[derive(Debug)]
enum State {
    New(&'static GuardCore, CallContext),
    Waits(Admission),
    Done,
}

impl Acquire {
    pub(super) fn new(core: &'static GuardCore, context: CallContext) -> Self {
        Self(State::New(core, context))
    }
}

impl Future for Acquire {
    type Output = Result<Permit, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (core, context, polled) = match &mut self.0 {
                State::New(core, context) => match core.enter(*context) {
                    Entered::In(permit) => return Poll::Ready(Ok(permit)),
                    Entered::Waits(admission) => {
                        self.0 = State::Waits(admission);
                        continue;
                    }
                    Entered::Refused(_, rejection) => (*core, *context, Err(rejection)),
                },
                State::Waits(admission) => match admission.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(polled) => (admission.core, admission.context, polled),
                },
                State::Done => return Poll::Pending,
            };
            self.0 = State::Done;
            if let Err(rejection) = &polled {
                core.count_refusal(rejection.reason(), &context);
            }
            return Poll::Ready(polled);
        }
    }
}

/// What becomes of a call at first.
#[derive(Debug)]
pub(crate) enum Entered {
    In(Permit),
    Waits(Admission),
    /// A refusal that is not counted yet; the call began then.
    Refused(#[cfg_attr(not(feature = "tower"), allow(dead_code))] Ticks, Rejection),
}

impl GuardCore {
    /// Lets a call in, or in line, or not. A refusal is not counted.
    pub(crate) fn enter(&'static self, context: CallContext) -> Entered {
        let started = self.ticked();
        let now = self.at(started);
        let context = context.seen_at(now);
        match self.ask_at(now, &context) {
            Ok(entry) => Entered::In(self.let_in(started, entry)),
            Err(rejection) => match (rejection.reason(), self.shedding()) {
                (Reason::Limit, Some(shedding)) if shedding.limiter.has_queue() => {
                    match shedding.limiter.wait(slot(), &context, now) {
                        Ok(waiting) => Entered::Waits(Admission::new(self, started, context, waiting)),
                        Err(reason) => Entered::Refused(started, self.shed(reason)),
                    }
                }
                _ => Entered::Refused(started, rejection),
            },
        }
    }

    /// The limiter's refusal.
    pub(super) fn shed(&self, reason: Reason) -> Rejection {
        if reason == Reason::ShedByHand {
            return Rejection::new(self.name, reason, Rejection::NEVER);
        }
        let wait = self.patience().map_or(RETRY, |patience| patience.clamp(Duration::from_millis(1), RETRY));
        Rejection::new(self.name, reason, nanos(wait))
    }

    /// How long a call may wait to be let in.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.shedding().map(|shedding| shedding.limiter.patience())
    }

    /// What has become of somebody in line.
    pub(super) fn ask_in_line(&self, waiting: &Waiting, waker: &Waker) -> Option<Result<u8, Reason>> {
        self.shedding()?.limiter.ask(waiting, self.now(), waker)
    }

    /// Lets somebody in who waited, unless the breaker has opened meanwhile.
    pub(super) fn let_in_from_line(&'static self, started: Ticks, level: u8) -> Result<Permit, Rejection> {
        let ticks = self.ticked();
        let Entry { ticket, level } = self.ask_breaker(level, self.at(ticks))?;
        let waited = u32::try_from(self.since(started) / 1_000).unwrap_or(u32::MAX);
        Ok(Permit::new(self, started, ticket, Place::new(self.recorder.start(slot()), level).after(waited)))
    }

    /// Somebody in line went away.
    pub(super) fn give_up(&self, waiting: &Waiting) {
        if let Some(shedding) = self.shedding() {
            shedding.limiter.give_up(slot(), waiting, self.now());
        }
    }

    /// Counts a call that went away before it was let in.
    pub(super) fn abandon(&self, started: Ticks) {
        self.record(started, dropped());
    }
}
