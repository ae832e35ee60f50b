//! One guard at run time: what a call passes on its way in and out. THE hot path, with `record` and `breaker::gate`.

use super::meter::Meter;
#[cfg(feature = "tower")]
use super::permit::Refusal;
use super::permit::{Permit, slot};
#[cfg(feature = "tower")]
use super::places::FallbackPlace;
use super::places::Places;
#[cfg(feature = "tower")]
use crate::breaker::Reason;
use crate::breaker::{Gate, Rejection, Ticket};
#[cfg(feature = "tower")]
use crate::outcome::Verdict;
use crate::outcome::{Outcome, Row};
use crate::record::Recorder;
use crate::time::{Clock, Ticks, Timestamp, nanos};
use crossbeam_utils::CachePadded;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A guard lives as long as the process: a permit then needs no reference count, which two cores would fight over.
#[derive(Debug)]
pub(crate) struct GuardCore {
    pub(crate) name: &'static str,
    pub(crate) meter: &'static Meter,
    pub(crate) recorder: &'static Recorder,
    /// Where calls are counted for the SLO, if `recorder` is one key's and only the breaker's.
    sli: Option<&'static Recorder>,
    pub(crate) gate: Option<Gate>,
    clock: Clock,
    /// When windows, or the breaker, want to be rolled (ticks).
    next_tick: CachePadded<AtomicU64>,
    first_byte: OnceLock<&'static Recorder>,
    places: Places,
}

impl GuardCore {
    pub(super) fn new(
        name: &'static str,
        meter: &'static Meter,
        recorder: &'static Recorder,
        gate: Option<Gate>,
        fallback_limit: u32,
    ) -> Self {
        Self {
            name,
            meter,
            recorder,
            sli: None,
            gate,
            clock: meter.hub.clock.clone(),
            next_tick: CachePadded::new(AtomicU64::new(0)),
            first_byte: OnceLock::new(),
            places: Places::new(fallback_limit, crate::record::slots::owned() + 1),
        }
    }

    /// The same for one key of many, whose calls are counted for the SLO in `sli`.
    pub(super) fn for_sli(self, sli: &'static Recorder) -> Self {
        Self { sli: Some(sli), ..self }
    }

    /// The recorder that the SLO reads.
    #[inline]
    fn sli(&self) -> &'static Recorder {
        self.sli.unwrap_or(self.recorder)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long ago that was.
    pub(super) fn since(&self, started: Ticks) -> u64 {
        self.clock.nanos_between(started, self.clock.ticks())
    }

    /// Lets a call in, or not. The refusal is counted.
    // Always inlined: a permit that is handed on through memory costs more than all that is counted for it.
    #[inline(always)]
    pub(crate) fn admit(&'static self) -> Result<Permit, Rejection> {
        let ticks = self.clock.ticks();
        let ticket = match self.pass(ticks) {
            Some(ticket) => ticket,
            None => self.ask_or_reject(ticks)?,
        };
        Ok(self.let_in(ticks, ticket))
    }

    #[cold]
    fn ask_or_reject(&'static self, ticks: Ticks) -> Result<Ticket, Rejection> {
        let refused = match self.ask(ticks) {
            Ok(ticket) => return Ok(ticket),
            Err(refused) => refused,
        };
        let (slot, sli) = (slot(), self.sli());
        sli.note(slot, refused.reason() as usize);
        sli.count(slot, Outcome::Rejected, 1);
        Err(refused)
    }

    /// [`admit`](Self::admit) for a call that is counted in already.
    #[inline]
    pub(super) fn admit_started(&'static self, ticks: Ticks, epoch: u8) -> Result<Permit, Rejection> {
        let ticket = match self.pass(ticks) {
            Some(ticket) => ticket,
            None => self.ask_or_reject(ticks)?,
        };
        Ok(Permit::new(self, ticks, ticket, epoch))
    }

    /// Lets a call in, or not. Of the refusal only the reason is counted yet: a fallback may answer it.
    #[cfg(feature = "tower")]
    #[inline(always)] // see `admit`
    pub(crate) fn admit_or_fall_back(&'static self) -> Result<Permit, Refusal> {
        let ticks = self.clock.ticks();
        let ticket = match self.pass(ticks) {
            Some(ticket) => ticket,
            None => self.ask_or_refuse(ticks)?,
        };
        Ok(self.let_in(ticks, ticket))
    }

    #[cfg(feature = "tower")]
    #[cold]
    fn ask_or_refuse(&'static self, ticks: Ticks) -> Result<Ticket, Refusal> {
        self.ask(ticks).map_err(|rejection| self.refuse(ticks, rejection))
    }

    /// Whether a call may pass without a question: no tick is due, and the circuit is closed, if there is one.
    #[inline]
    fn pass(&self, ticks: Ticks) -> Option<Ticket> {
        if self.is_due(ticks) {
            return None;
        }
        match &self.gate {
            None => Some(Ticket { generation: 0, lease: 0 }),
            Some(gate) => gate.pass(),
        }
    }

    #[inline]
    fn let_in(&'static self, ticks: Ticks, ticket: Ticket) -> Permit {
        Permit::new(self, ticks, ticket, self.recorder.start(slot()))
    }

    #[inline]
    fn ask(&self, ticks: Ticks) -> Result<Ticket, Rejection> {
        let now = self.clock.at(ticks);
        if self.is_due(ticks) {
            self.tick(now);
        }
        match &self.gate {
            None => Ok(Ticket { generation: 0, lease: 0 }),
            Some(gate) => gate.refuses(|| now).map_or_else(|| gate.admit(now), Err),
        }
    }

    #[cfg(feature = "tower")]
    #[inline]
    fn refuse(&'static self, ticks: Ticks, rejection: Rejection) -> Refusal {
        self.note(rejection.reason());
        Refusal::new(self, ticks, rejection)
    }

    /// Refuses a call to a service that was not asked to get ready: for the breaker's reason, if it would refuse too.
    #[cfg(feature = "tower")]
    #[inline(always)]
    pub(crate) fn refuse_unready(&'static self) -> Refusal {
        let ticks = self.ticked();
        let rejection = self.gate.as_ref().and_then(|gate| gate.refuses(|| self.clock.at(ticks)));
        self.refuse(ticks, rejection.unwrap_or_else(|| Rejection::new(self.name, Reason::NotReady, 0)))
    }

    #[cfg(feature = "tower")]
    #[inline]
    fn note(&self, reason: Reason) {
        self.sli().note(slot(), reason as usize);
    }

    /// Counts a call out. The time it is given is its end.
    #[inline]
    pub(super) fn finish(&self, started: Ticks, ticket: Ticket, epoch: u8, row: Row) {
        let ticks = self.clock.ticks();
        if self.is_due(ticks) {
            // Before it is counted: what is counted after a tick belongs to the next.
            self.tick(self.clock.at(ticks));
        }
        let latency = self.clock.nanos_between(started, ticks);
        match &self.gate {
            None => _ = self.recorder.finish(slot(), epoch, row, latency),
            Some(gate) => gate.finish(slot(), epoch, ticket, row, latency, || self.clock.at(ticks)),
        }
        if let Some(sli) = self.sli {
            sli.record(slot(), row, latency);
        }
    }

    /// Shows the breaker how a call ended that is not over yet, since a fallback may answer it.
    #[cfg(feature = "tower")]
    pub(super) fn saw(&self, started: Ticks, ticket: Ticket, outcome: Outcome) {
        let ticks = self.ticked();
        if let Some(gate) = &self.gate {
            gate.see(ticket, outcome.row(), self.clock.nanos_between(started, ticks), self.clock.at(ticks));
        }
    }

    /// Counts a call out that the breaker has seen already.
    #[cfg(feature = "tower")]
    pub(super) fn finish_unseen(&self, started: Ticks, epoch: u8, outcome: Outcome) {
        let latency = self.clock.nanos_between(started, self.ticked());
        self.recorder.finish_unseen(slot(), epoch, outcome.row(), latency);
        if let Some(sli) = self.sli {
            sli.record(slot(), outcome.row(), latency);
        }
    }

    /// Counts a call that was never let in.
    #[cfg(feature = "tower")]
    pub(super) fn record(&self, started: Ticks, outcome: Outcome) {
        let latency = self.clock.nanos_between(started, self.ticked());
        self.sli().record(slot(), outcome.row(), latency);
    }

    /// Counts a call that was never let in and took no time.
    #[cfg(feature = "tower")]
    #[inline]
    pub(super) fn record_at_once(&self, outcome: Outcome) {
        self.sli().record(slot(), outcome.row(), 0);
    }

    /// The time, and what it alone does is done.
    #[cfg(feature = "tower")]
    #[inline]
    fn ticked(&self) -> Ticks {
        let ticks = self.clock.ticks();
        if self.is_due(ticks) {
            self.tick(self.clock.at(ticks));
        }
        ticks
    }

    /// Counts a refusal that nobody answers.
    #[cfg(feature = "tower")]
    #[inline]
    pub(super) fn refused(&self) {
        self.sli().count(slot(), Outcome::Rejected, 1);
    }

    pub(super) fn first_byte(&self, latency: Duration) {
        if let Some(recorder) = self.first_byte.get() {
            recorder.record(slot(), Row::SUCCESS, nanos(latency));
        }
    }

    /// Makes room for first-byte latencies.
    #[cfg(feature = "http")]
    pub(crate) fn expect_first_bytes(&self) {
        self.first_byte.get_or_init(|| Box::leak(Box::new(Recorder::new(&[], None))));
    }

    pub(crate) fn first_bytes(&self) -> Option<&'static Recorder> {
        self.first_byte.get().copied()
    }

    #[inline]
    fn is_due(&self, ticks: Ticks) -> bool {
        // Relaxed: a stale answer costs a vain tick, or delays it to the next call.
        ticks.raw() >= self.next_tick.load(Ordering::Relaxed)
    }

    /// What time alone does. No lock is waited for: if another thread is about it, it is done.
    #[cold]
    pub(crate) fn tick(&self, now: Timestamp) {
        if now >= self.meter.next_tick() {
            self.meter.tick(now);
        }
        let mut next = self.meter.next_tick();
        if let Some(gate) = &self.gate {
            if now >= gate.next_tick() {
                gate.tick(now);
            }
            next = next.min(gate.next_tick());
        }
        let next = self.clock.shortly_before(next, self.clock.ticks());
        self.next_tick.store(next.raw(), Ordering::Relaxed);
    }

    /// Takes a place among the fallbacks under way, if one is free; one that does not wait needs none.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn fallback_place(&'static self, waits: bool) -> Option<FallbackPlace> {
        if !waits {
            return Some(FallbackPlace::NONE_NEEDED);
        }
        let place = self.places.take(slot());
        if place.is_none() {
            self.note(Reason::FallbackLimit);
        }
        place
    }

    /// Bytes it takes, whatever the traffic; its SLO's history is counted with the SLO.
    pub(crate) fn memory_footprint(&self) -> usize {
        let first = self.first_bytes().map_or(0, Recorder::memory_footprint);
        let gate = self.gate.as_ref().map_or(0, Gate::memory_footprint);
        size_of::<Self>() + self.recorder.memory_footprint() + self.places.memory_footprint() + first + gate
    }

    /// Whether an outcome is good to the SLI, in time or late.
    #[cfg(feature = "tower")]
    pub(crate) fn is_bad(&self, outcome: Outcome) -> bool {
        self.meter.slo.sli_accounting().verdict(outcome, false) == Verdict::Bad
    }
}
