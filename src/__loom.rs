//! What `tests/loom.rs` holds of the core: the parts that threads share, small enough to try every interleaving of.

use crate::breaker::{Breaker, Gate, Mode, State, Ticket};
use crate::outcome::{Outcome, Tally};
use crate::record::{Lane, Recorder, SUM_UNIT, histogram};
use crate::shed::{self, CallContext, Ended, Limiter, Shed, Waiting};
use crate::time::Timestamp;
use crate::window::{Column, History, Window};
use std::task::Waker;
use std::time::Duration;

/// A recorder.
#[derive(Clone, Copy, Debug)]
pub struct Counts(&'static Recorder);

impl Counts {
    /// With so many slots of which each is one thread's own; the slot after them is shared.
    pub fn new(owned: usize) -> Self {
        Self(Box::leak(Box::new(Recorder::with_slots(&[], None, owned))))
    }

    pub fn start(self, slot: usize) -> u8 {
        self.0.start(slot)
    }

    pub fn finish(self, slot: usize, epoch: u8, outcome: Outcome, nanos: u64) {
        self.0.finish(slot, epoch, outcome.row(), nanos);
    }

    pub fn record(self, slot: usize, outcome: Outcome, nanos: u64) {
        self.0.record(slot, outcome.row(), nanos);
    }

    /// Calls in the cells, and calls in the histogram, of one snapshot.
    pub fn snapshot(self) -> (u64, u64) {
        let (mut cells, mut latencies) = (Vec::new(), 0);
        let seen = self.0.cells_into(&mut cells);
        self.0.spread(&cells, &seen, |_, n| latencies += n);
        (cells.iter().sum(), latencies)
    }

    /// Calls in the histogram, which is brought up to date.
    pub fn latencies(self) -> u64 {
        let mut buckets = [0; histogram::BUCKETS];
        self.0.add_latency_to(&mut buckets);
        buckets.iter().sum()
    }

    /// The sum of all latencies, in steps of 64.
    pub fn nanos(self) -> u64 {
        self.0.cells_into(&mut Vec::new()).sum * SUM_UNIT
    }

    pub fn in_flight(self) -> u64 {
        self.0.in_flight()
    }
}

fn lane(breaker: &Breaker) -> Lane {
    Lane { accounting: breaker.trips_by(), threshold: None, patience: None, of_successes: false }
}

/// Places, of which there are only so many.
#[derive(Debug)]
pub struct Places(shed::Places);

impl Places {
    /// So many, over so many thread slots, of which the last is shared.
    pub fn new(places: u32, slots: usize) -> Self {
        Self(shed::Places::new(places, slots))
    }

    pub fn take(&self, slot: usize) -> bool {
        self.0.take(slot, 0)
    }

    pub fn give_back(&self, slot: usize) {
        self.0.give_back(slot);
    }

    pub fn resize(&self, places: u32) {
        self.0.resize(places);
    }

    pub fn taken(&self) -> u32 {
        self.0.taken()
    }
}

/// What an SLO remembers, in steps of a second.
#[derive(Debug)]
pub struct Memory(History);

impl Memory {
    pub fn new(counts: Counts, now: Timestamp) -> Self {
        let column = Column { lane: lane(&Breaker::never()), slices: None };
        let history = History::new(vec![column], Duration::from_secs(1), Duration::from_secs(60), now);
        history.attach(counts.0);
        Self(history)
    }

    /// As a guard does before it counts.
    pub fn tick(&self, now: Timestamp) -> bool {
        now >= self.0.next_tick() && self.0.try_roll(now, |_| ()).is_some()
    }

    pub fn read(&self, window: Window, now: Timestamp) -> Tally {
        self.0.look(now, |view| view.read(0, window)).tally
    }

    pub fn total(&self, now: Timestamp) -> Tally {
        self.0.look(now, |view| view.total(0))
    }
}

/// A breaker and the recorder that it reads.
#[derive(Debug)]
pub struct Fuse {
    gate: Gate,
    counts: Counts,
}

/// A call that was let in.
#[derive(Clone, Copy, Debug)]
pub struct Call(Ticket, u8);

impl Fuse {
    pub fn new(breaker: &Breaker, counts: Counts, now: Timestamp) -> Self {
        let gate = Gate::new("fuse", breaker, false, None, &[], counts.0, 1, now, Box::new(|_, _| {}));
        Self { gate, counts }
    }

    pub fn admit(&self, slot: usize, now: Timestamp) -> Option<Call> {
        let ticket = self.gate.admit(now).ok()?;
        Some(Call(ticket, self.counts.start(slot)))
    }

    pub fn finish(&self, slot: usize, Call(ticket, epoch): Call, outcome: Outcome, now: Timestamp) {
        let row = outcome.row();
        // As a guard does: see `GuardCore::finish_at`.
        let writer = self.counts.0.writer();
        match writer.own(slot) {
            Some(own) if epoch == 0 && self.gate.is_of_now(ticket) => {
                let plain = self.gate.is_plain(ticket, row);
                own.finish_within(row, 0);
                if !plain {
                    self.gate.consider(ticket, row, 0, now);
                }
            }
            _ => self.gate.finish(slot, epoch, ticket, row, 0, now),
        }
    }

    pub fn tick(&self, now: Timestamp) {
        self.gate.tick(now);
    }

    /// For somebody else.
    pub fn restart(&self) {
        self.gate.restart();
    }

    pub fn force_open(&self, now: Timestamp) {
        self.gate.set_mode(Mode::ForcedOpen, None, now);
    }

    pub fn auto(&self, now: Timestamp) {
        self.gate.set_mode(Mode::Auto, None, now);
    }

    pub fn state(&self, now: Timestamp) -> State {
        self.gate.state(now)
    }

    /// How often it went to a state.
    pub fn times(&self, state: State) -> u64 {
        self.gate.transitions().iter().map(|to| to[state as usize]).sum()
    }
}

/// A fixed limit, and the line before it. Time stands still.
#[derive(Debug)]
pub struct Line(Limiter, Timestamp);

/// Somebody in line.
#[derive(Debug)]
pub struct Waits(Waiting);

/// A place within the limit.
#[derive(Debug)]
pub struct Seat(u8);

impl Line {
    /// For so many thread slots, of which the last is shared.
    pub fn new(limit: u32, slots: usize, now: Timestamp) -> Self {
        let shed = Shed::fixed(limit).queue(4).max_wait(Duration::from_secs(1));
        Self(Limiter::new(&shed, None, slots, now), now)
    }

    pub fn enter(&self, slot: usize) -> Option<Seat> {
        self.0.enter(slot, &CallContext::new(), self.1).ok().map(Seat)
    }

    pub fn wait(&self, slot: usize) -> Option<Waits> {
        self.0.wait(slot, &CallContext::new(), self.1).ok().map(Waits)
    }

    pub fn ask(&self, waits: &Waits, waker: &Waker) -> Option<Seat> {
        self.0.ask(&waits.0, self.1, waker)?.ok().map(Seat)
    }

    pub fn give_up(&self, slot: usize, waits: Waits) {
        self.0.give_up(slot, &waits.0, self.1);
    }

    pub fn leave(&self, slot: usize, seat: Seat) {
        self.0.leave(slot, seat.0, Ended { latency: 1, good: true }, || 0, self.1);
    }
}
