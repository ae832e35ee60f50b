//! One guard at run time: what a call passes on its way in and out. THE hot path, with `record` and `breaker::gate`.

use super::meter::Meter;
use super::permit::{Permit, Place, slot};
#[cfg(feature = "tower")]
use super::places::FallbackPlace;
use super::shedding::Shedding;
#[cfg(feature = "tower")]
use crate::breaker::Reason;
use crate::breaker::{Gate, Rejection, Ticket};
#[cfg(feature = "tower")]
use crate::outcome::Verdict;
use crate::outcome::{Outcome, Row};
use crate::record::{Recorder, Writer, slots};
use crate::shed::{CallContext, Places};
use crate::time::{Clock, Ticks, Timestamp, nanos};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a call was let in with: by the breaker, and by the limiter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) ticket: Ticket,
    pub(super) level: u8,
}

/// A guard lives as long as the process: a permit then needs no reference count, which two cores would fight over.
///
/// In this order, what every call reads lies side by side, for a guard that is rarely called is in no cache.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct GuardCore {
    /// When windows, or the breaker, want to be rolled (ticks). Nothing beside it is written.
    next_tick: AtomicU64,
    /// In nanoseconds: a call that took less exceeded nothing, and only its own recorder and breaker count it.
    pub(super) quick: u64,
    /// Of `recorder`.
    writer: Writer,
    /// Unless it limits, it has one only once somebody sheds by hand.
    pub(super) shedding: OnceLock<&'static Shedding>,
    pub(super) clock: Clock,
    pub(crate) gate: Option<Gate>,
    pub(crate) recorder: &'static Recorder,
    /// Where calls are counted for the SLO, if `recorder` is one key's and only the breaker's.
    sli: Option<&'static Recorder>,
    pub(crate) name: &'static str,
    pub(crate) meter: &'static Meter,
    first_byte: OnceLock<&'static Recorder>,
    /// None without a fallback.
    places: Option<Places>,
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
            writer: recorder.writer(),
            sli: None,
            gate,
            shedding: OnceLock::new(),
            quick: recorder.within(),
            clock: meter.hub.clock.clone(),
            next_tick: AtomicU64::new(0),
            first_byte: OnceLock::new(),
            places: (fallback_limit > 0).then(|| Places::new(fallback_limit, slots::owned() + 1)),
        }
    }

    /// The same for one key of many, whose calls are counted for the SLO in `sli`.
    pub(super) fn for_sli(self, sli: &'static Recorder) -> Self {
        Self { sli: Some(sli), quick: 0, ..self }
    }

    #[inline]
    pub(crate) fn shedding(&self) -> Option<&'static Shedding> {
        self.shedding.get().copied()
    }

    /// The recorder that the SLO reads.
    #[inline]
    pub(super) fn sli(&self) -> &'static Recorder {
        self.sli.unwrap_or(self.recorder)
    }

    pub(super) fn at(&self, ticks: Ticks) -> Timestamp {
        self.clock.at(ticks)
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
        let entry = match self.pass(ticks) {
            Some(entry) => entry,
            None => self.ask_or_reject(ticks, None)?,
        };
        Ok(self.let_in(ticks, entry))
    }

    /// The same for a call that says what it brings along.
    pub(super) fn admit_in(&'static self, context: CallContext) -> Result<Permit, Rejection> {
        let ticks = self.clock.ticks();
        let entry = self.ask_or_reject(ticks, Some(context))?;
        Ok(self.let_in(ticks, entry))
    }

    /// [`admit`](Self::admit) for a call that is counted in already.
    #[inline]
    pub(super) fn admit_started(&'static self, ticks: Ticks, epoch: u8) -> Result<Permit, Rejection> {
        let entry = match self.pass(ticks) {
            Some(entry) => entry,
            None => self.ask_or_reject(ticks, None)?,
        };
        Ok(Permit::new(self, ticks, entry.ticket, Place::new(epoch, entry.level)))
    }

    /// Lets a call in that nothing has to be asked about.
    #[cfg(feature = "tower")]
    #[inline(always)] // see `admit`
    pub(crate) fn admit_at_once(&'static self) -> Option<Permit> {
        let ticks = self.clock.ticks();
        self.pass(ticks).map(|entry| self.let_in(ticks, entry))
    }

    /// Whether a call may pass without a question: no tick is due, the circuit is closed, if there is one, the call brings
    /// nothing along that a limiter would ask about, and there is room.
    #[inline]
    fn pass(&self, ticks: Ticks) -> Option<Entry> {
        if self.is_due(ticks) {
            return None;
        }
        if CallContext::is_present() {
            return None; // its deadline may have passed
        }
        let ticket = match &self.gate {
            None => Ticket { generation: 0, lease: 0 },
            Some(gate) => gate.pass()?,
        };
        let level = match self.shedding() {
            None => 0,
            Some(shedding) => shedding.limiter.enter_at_once(slot)?,
        };
        Some(Entry { ticket, level })
    }

    #[inline(always)] // see `admit`
    pub(super) fn let_in(&'static self, ticks: Ticks, entry: Entry) -> Permit {
        let epoch = match self.writer.own(slots::known()) {
            Some(own) => own.start(),
            None => self.recorder.start(slot()),
        };
        Permit::new(self, ticks, entry.ticket, Place::new(epoch, entry.level))
    }

    /// Counts a call out. The time it is given is its end.
    #[inline(always)] // whoever calls it has registers saved already, as reading some clocks asks for
    pub(super) fn finish(&self, started: Ticks, ticket: Ticket, place: Place, row: Row) {
        self.finish_at(started, self.clock.ticks(), ticket, place.ending(row));
    }

    /// What is rare is called last and returns to no one, so that nothing has to be saved for it.
    fn finish_at(&self, started: Ticks, ticks: Ticks, ticket: Ticket, place: Place) {
        let latency = self.clock.nanos_between(started, ticks);
        if self.is_due(ticks) || latency >= self.quick || !place.is_bare() {
            return self.finish_slowly(latency, ticks, ticket, place);
        }
        if let Some(gate) = &self.gate {
            if !gate.is_of_now(ticket) {
                return self.finish_slowly(latency, ticks, ticket, place);
            }
            // Asked before the call is counted: then there is nothing to be done afterwards. A failure that comes in between
            // comes after this call, which had ended.
            if !gate.is_plain(ticket, place.row()) {
                return self.finish_seen(latency, ticks, ticket, place);
            }
        }
        match self.writer.own(slots::known()) {
            Some(own) => own.finish_within(place.row(), latency),
            None => self.finish_slowly(latency, ticks, ticket, place),
        }
    }

    /// Counts a call out that the breaker has to look at.
    #[cold]
    fn finish_seen(&self, latency: u64, ticks: Ticks, ticket: Ticket, place: Place) {
        let (Some(gate), Some(own)) = (&self.gate, self.writer.own(slots::known())) else {
            return self.finish_slowly(latency, ticks, ticket, place);
        };
        own.finish_within(place.row(), latency);
        gate.consider(ticket, place.row(), latency, self.clock.at(ticks));
    }

    #[cold]
    fn finish_slowly(&self, latency: u64, ticks: Ticks, ticket: Ticket, place: Place) {
        if self.is_due(ticks) {
            // Before it is counted: what is counted after a tick belongs to the next.
            self.tick(self.clock.at(ticks));
        }
        let row = place.row();
        match &self.gate {
            None => _ = self.recorder.finish(slot(), place.epoch(), row, latency),
            Some(gate) => gate.finish(slot(), place.epoch(), ticket, row, latency, self.clock.at(ticks)),
        }
        if let Some(sli) = self.sli {
            sli.record(slot(), row, latency);
        }
        if let Some(shedding) = self.shedding()
            && (place.is_limited() || shedding.limiter.is_slow(latency))
        {
            self.leave(shedding, place, row, latency, self.clock.at(ticks));
        }
    }

    /// Shows the breaker how a call ended that is not over yet, since a fallback may answer it.
    #[cfg(feature = "tower")]
    pub(super) fn saw(&self, started: Ticks, ticket: Ticket, place: Place, outcome: Outcome) {
        let ticks = self.ticked();
        let (latency, now) = (self.clock.nanos_between(started, ticks), self.clock.at(ticks));
        if let Some(gate) = &self.gate {
            gate.see(ticket, outcome.row(), latency, now);
        }
        if let Some(shedding) = self.shedding() {
            self.leave(shedding, place, outcome.row(), latency, now);
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
    #[inline]
    pub(crate) fn ticked(&self) -> Ticks {
        let ticks = self.clock.ticks();
        if self.is_due(ticks) {
            self.tick(self.clock.at(ticks));
        }
        ticks
    }

    pub(super) fn first_byte(&self, latency: Duration) {
        if let Some(recorder) = self.first_byte.get() {
            recorder.record(slot(), Row::SUCCESS, nanos(latency));
        }
    }

    /// Makes room for first-byte latencies.
    #[cfg(feature = "http")]
    pub(crate) fn expect_first_bytes(&self) {
        self.first_byte.get_or_init(|| self.meter.recorder_aside());
    }

    pub(crate) fn first_bytes(&self) -> Option<&'static Recorder> {
        self.first_byte.get().copied()
    }

    #[inline]
    pub(super) fn is_due(&self, ticks: Ticks) -> bool {
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
        if let Some(shedding) = self.shedding() {
            shedding.tick(self.meter, self.recorder, now);
            self.end_by_hand(shedding, now);
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
        let place = self.places.as_ref().and_then(FallbackPlace::of);
        if place.is_none() {
            self.note(Reason::FallbackLimit, &CallContext::new());
        }
        place
    }

    /// Bytes it takes, whatever the traffic; its SLO's history is counted with the SLO.
    pub(crate) fn memory_footprint(&self) -> usize {
        let first = self.first_bytes().map_or(0, Recorder::memory_footprint);
        // The gate's own size is in this one's.
        let gate = self.gate.as_ref().map_or(0, |gate| gate.memory_footprint() - size_of::<Gate>());
        let shedding = self.shedding().map_or(0, Shedding::memory_footprint);
        let places = self.places.as_ref().map_or(0, Places::memory_footprint);
        size_of::<Self>() + self.recorder.memory_footprint() + places + first + gate + shedding
    }

    /// Whether an outcome is bad to the SLI, even in time.
    #[cfg(feature = "tower")]
    pub(crate) fn is_bad(&self, outcome: Outcome) -> bool {
        self.meter.accounting.verdict(outcome, false) == Verdict::Bad
    }
}
