//! What happens to a call that cannot pass at once: it is asked about, and let in or refused.

use super::GuardCore;
use super::core::Entry;
#[cfg(feature = "tower")]
use super::permit::Refusal;
use super::permit::slot;
use crate::breaker::{Reason, Rejection, Ticket};
use crate::outcome::Outcome;
use crate::shed::CallContext;
use crate::time::{Ticks, Timestamp};

impl GuardCore {
    #[cold]
    pub(super) fn ask_or_reject(&'static self, ticks: Ticks, context: Option<CallContext>) -> Result<Entry, Rejection> {
        if !self.is_due(ticks)
            && let Some(refused) = self.gate.as_ref().and_then(|gate| gate.refuses(|| self.clock.at(ticks)))
        {
            // Whatever it brings along.
            let (slot, sli) = (slot(), self.sli());
            sli.note(slot, refused.reason() as usize);
            sli.count(slot, Outcome::Rejected, 1);
            return Err(refused);
        }
        self.ask_or_reject_slowly(ticks, context)
    }

    fn ask_or_reject_slowly(&'static self, ticks: Ticks, context: Option<CallContext>) -> Result<Entry, Rejection> {
        let now = self.clock.at(ticks);
        if self.is_due(ticks) {
            self.tick(now);
        }
        let context = context.unwrap_or_else(CallContext::current).seen_at(now);
        self.ask_at(now, &context).inspect_err(|refused| self.count_refusal(refused.reason(), &context))
    }

    /// Counts a refusal that no fallback is asked about.
    pub(super) fn count_refusal(&self, reason: Reason, context: &CallContext) {
        self.note(reason, context);
        self.refused(reason);
    }

    /// Asks the breaker, and then the limiter: a probe's lease is not taken for a call that finds no room.
    pub(super) fn ask_at(&self, now: Timestamp, context: &CallContext) -> Result<Entry, Rejection> {
        if let Some(refused) = self.gate.as_ref().and_then(|gate| gate.refuses(|| now)) {
            return Err(refused);
        }
        let level = match self.shedding() {
            None if context.due().is_some_and(|due| due <= now) => return Err(self.shed(Reason::Deadline)),
            None => 0,
            Some(shedding) => shedding.limiter.enter(slot(), context, now).map_err(|reason| self.shed(reason))?,
        };
        self.ask_breaker(level, now)
    }

    pub(super) fn ask_breaker(&self, level: u8, now: Timestamp) -> Result<Entry, Rejection> {
        let ticket = match &self.gate {
            None => Ok(Ticket { generation: 0, lease: 0 }),
            Some(gate) => gate.refuses(|| now).map_or_else(|| gate.admit(now), Err),
        };
        if let (Err(_), Some(shedding)) = (&ticket, self.shedding()) {
            shedding.limiter.give_back(slot(), level, now);
        }
        ticket.map(|ticket| Entry { ticket, level })
    }

    /// A refusal that a fallback may answer: of it only the reason is counted yet.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn refuse(&'static self, ticks: Ticks, rejection: Rejection, context: &CallContext) -> Refusal {
        self.note(rejection.reason(), context);
        Refusal::new(self, ticks, rejection)
    }

    /// Refuses a call to a service that was not asked to get ready: for the breaker's reason, if it would refuse too.
    #[cfg(feature = "tower")]
    #[inline(always)] // see `admit`
    pub(crate) fn refuse_unready(&'static self) -> Refusal {
        let ticks = self.ticked();
        let rejection = self.gate.as_ref().and_then(|gate| gate.refuses(|| self.clock.at(ticks)));
        let rejection = rejection.unwrap_or_else(|| Rejection::new(self.name, Reason::NotReady, 0));
        self.refuse(ticks, rejection, &CallContext::new())
    }

    #[inline]
    pub(super) fn note(&self, reason: Reason, context: &CallContext) {
        self.sli().note(slot(), reason as usize);
        if let Some(shedding) = self.shedding().filter(|_| reason.is_shed()) {
            shedding.limiter.count(context.importance());
        }
    }

    /// Counts a refusal that nobody answers.
    #[inline]
    pub(super) fn refused(&self, reason: Reason) {
        self.sli().count(slot(), if reason.is_shed() { Outcome::Shed } else { Outcome::Rejected }, 1);
    }
}
