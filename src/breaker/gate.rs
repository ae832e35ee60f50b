//! The breaker between threads.
//!
//! One atomic word says who may pass: the state in its lower bits, the generation in its upper half. While it reads
//! "closed" a call loads it twice, once to come in and once to go out, and nothing is written. Everything else, the
//! state machine and the windows it judges by, is under a lock that only calls take which are refused no longer, which
//! probe, or which failed; those that failed do not wait for it.

use super::config::Breaker;
use super::control::{Control, Watched};
#[cfg(any(feature = "metrics", plimsoll_loom))]
use super::core::Transitions;
use super::core::{Admission, Mode, State, Ticket, Transition};
use super::hold::Hold;
use super::rejection::{Reason, Rejection};
use super::trip::Why;
#[cfg(feature = "tower")]
use super::wait::Wait;
use super::wait::Waiters;
use super::word::{self, *};
use crate::outcome::{Accounting, Row, Verdict};
use crate::record::{Lane, Recorder};
use crate::sync::{AtomicI64, AtomicU64, Mutex, Ordering, fence};
use crate::time::{Timestamp, nanos};
use crossbeam_utils::CachePadded;
use std::fmt;
#[cfg(feature = "tower")]
use std::task::Waker;
use std::time::Duration;

/// Results after which a judgement is looked at again at the latest.
const MOST_SLACK: i64 = 1 << 40;
/// What the shares of a ramp are summed in. A power of two, so that the sum may wrap.
const WHOLE: u64 = 1 << 32;

/// Called after each transition, with no lock held.
pub(crate) type Report = Box<dyn Fn(&Transition, Timestamp) + Send + Sync>;

/// A breaker that threads share.
pub(crate) struct Gate {
    hot: Hot,
    bad: CachePadded<Bad>,
    guard: &'static str,
    ramp_from: f64,
    accounting: Accounting,
    /// In nanoseconds; the last number there is if there is no end to it.
    patience: u64,
    slow_probe_fails: bool,
    consecutive_limit: u32,
    /// The sum of the shares of all calls that met a ramp.
    ramped: AtomicU64,
    control: Mutex<Control>,
    waiters: Waiters,
    report: Report,
}

/// Read by every call, and seldom written: one line.
#[derive(Debug)]
#[repr(align(64))]
struct Hot {
    word: AtomicU64,
    recorder: &'static Recorder,
    /// By row: whether a call that ended so, however late, is good and nothing else.
    plain: u32,
    /// Before this (nanoseconds) an open or fully probing breaker refuses without asking anybody.
    refuses_until: AtomicU64,
    ramping_since: AtomicU64,
    next_tick: AtomicU64,
    /// How long a ramp takes. Its nanoseconds are fewer than there is room for, in which the compiler notes whether there is a
    /// gate at all: on this line, then.
    ramp: Duration,
}

/// Written by calls that fail: apart from what they and all others read.
#[derive(Debug)]
struct Bad {
    in_a_row: InARow,
    /// Bad or slow results that it takes at the least until a judgement can be other than the last one was.
    slack: AtomicI64,
}

impl Gate {
    /// A breaker that reads `recorder`, with `plain` as its notion of good and bad.
    #[allow(clippy::too_many_arguments)] // a constructor with one caller
    pub(crate) fn new(
        guard: &'static str,
        config: &Breaker,
        fallback: bool,
        patience: Option<Duration>,
        watched: &[Watched],
        recorder: &'static Recorder,
        seed: u64,
        now: Timestamp,
        report: Report,
    ) -> Self {
        let plain = Lane { accounting: config.accounting, threshold: None, patience, of_successes: false };
        let control = Control::new(config, fallback, plain, watched, recorder, config.seed.unwrap_or(seed), now);
        let gate = Self {
            hot: Hot {
                word: AtomicU64::new(0),
                recorder,
                plain: config.accounting.plain_rows().into(),
                refuses_until: AtomicU64::new(0),
                ramping_since: AtomicU64::new(0),
                next_tick: AtomicU64::new(control.next_tick().as_nanos()),
                ramp: config.ramp.1,
            },
            bad: CachePadded::new(Bad { in_a_row: InARow::new(control.core.generation()), slack: AtomicI64::new(0) }),
            guard,
            ramp_from: config.ramp.0,
            accounting: config.accounting,
            patience: patience.map_or(u64::MAX, nanos),
            slow_probe_fails: config.slow.is_some(),
            consecutive_limit: config.consecutive.unwrap_or(u32::MAX),
            ramped: AtomicU64::new(0),
            control: Mutex::new(control),
            waiters: Waiters::new(),
            report,
        };
        gate.publish(&gate.control.lock());
        gate
    }

    /// Lets a call in while the circuit is closed; else [`admit`](Self::admit) decides.
    #[inline]
    pub(crate) fn pass(&self) -> Option<Ticket> {
        // Acquire: what was stored before the word (`publish`) is seen with it.
        let word = self.hot.word.load(Ordering::Acquire);
        (word & STATE == CLOSED).then_some(Ticket { generation: generation(word), lease: 0 })
    }

    /// What a call is refused with as long as nothing but time has to be looked at. The clock is read only where it
    /// matters.
    #[inline]
    pub(crate) fn refuses(&self, now: impl FnOnce() -> Timestamp) -> Option<Rejection> {
        let reason = match self.hot.word.load(Ordering::Acquire) & STATE {
            FORCED_OPEN => return Some(self.refusal(Reason::ForcedOpen, Rejection::NEVER)),
            OPEN => Reason::Open,
            HALF_OPEN => Reason::Probing,
            _ => return None,
        };
        let until = Timestamp::from_nanos(self.hot.refuses_until.load(Ordering::Acquire));
        let now = now();
        (now < until).then(|| self.refusal(reason, until.nanos_since(now)))
    }

    /// Decides on a call that [`refuses`](Self::refuses) does not refuse.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<Ticket, Rejection> {
        let word = self.hot.word.load(Ordering::Acquire);
        let ticket = Ticket { generation: generation(word), lease: 0 };
        match word & STATE {
            // Closed: what brought the call here was a tick.
            CLOSED | FORCED_CLOSED => return Ok(ticket),
            WOULD_BE_OPEN if now.as_nanos() < self.hot.refuses_until.load(Ordering::Acquire) => return Ok(ticket),
            RAMPING => {
                let since = Timestamp::from_nanos(self.hot.ramping_since.load(Ordering::Acquire));
                let gone = now.since(since);
                if gone < self.hot.ramp {
                    return if self.ramp_passes(gone) {
                        Ok(ticket)
                    } else {
                        Err(self.refusal(Reason::Ramping, nanos(self.hot.ramp - gone)))
                    };
                }
            }
            _ => {}
        }
        let mut control = self.control.lock();
        let transition = control.core.tick(now);
        let admission = control.core.admit(now);
        self.changed(control, transition, now);
        match admission {
            Admission::Pass(ticket) => Ok(ticket),
            Admission::Refuse { reason, retry_after } => {
                Err(self.refusal(reason, retry_after.map_or(Rejection::NEVER, nanos)))
            }
        }
    }

    /// Lets the ramp's share through, evenly spread: a call passes if with it the sum of shares passes a whole number.
    fn ramp_passes(&self, gone: Duration) -> bool {
        let (from, over) = (self.ramp_from, self.hot.ramp);
        let share = from + (1.0 - from) * gone.as_secs_f64() / over.as_secs_f64().max(1e-9);
        let share = (share.clamp(0.0, 1.0) * WHOLE as f64) as u64;
        // Relaxed: it orders nothing, it only counts.
        let sum = self.ramped.fetch_add(share, Ordering::Relaxed);
        sum % WHOLE + share >= WHOLE
    }

    fn refusal(&self, reason: Reason, retry_after: u64) -> Rejection {
        Rejection::new(self.guard, reason, retry_after)
    }

    /// Wakes `waker` when the breaker changes its state, in the place of the one that `wait` stood for. Ask
    /// [`refuses`](Self::refuses) once more afterwards.
    #[cfg(feature = "tower")]
    pub(crate) fn wake_on_change(&'static self, wait: &mut Option<Wait>, waker: &Waker) {
        self.waiters.register(wait, waker);
    }

    /// Records the end of a call, and lets the breaker see it if the call was admitted in its present life.
    pub(crate) fn finish(&self, slot: usize, epoch: u8, ticket: Ticket, row: Row, latency: u64, now: Timestamp) {
        if !self.is_of_now(ticket) {
            return self.hot.recorder.finish_unseen(slot, epoch, row, latency);
        }
        let row = self.hot.recorder.finish(slot, epoch, row, latency);
        if !self.is_plain(ticket, row) {
            self.consider(ticket, row, latency, now);
        }
    }

    /// Whether a call was admitted in the breaker's present life.
    #[inline(always)] // see `GuardCore::admit`
    pub(crate) fn is_of_now(&self, ticket: Ticket) -> bool {
        generation(self.hot.word.load(Ordering::Acquire)) == ticket.generation
    }

    /// Whether there is nothing to be seen in a call: it was no probe, is good, and no bad call is known that it would end the row of.
    #[inline(always)]
    pub(crate) fn is_plain(&self, ticket: Ticket, row: Row) -> bool {
        ticket.lease == 0 && self.hot.plain >> row.0 & 1 != 0 && self.bad.in_a_row.bad() == 0
    }

    /// Lets the breaker see a call that will be counted as something else, or later.
    #[cfg(feature = "tower")]
    pub(crate) fn see(&self, ticket: Ticket, row: Row, latency: u64, now: Timestamp) {
        if self.is_of_now(ticket) {
            self.hot.recorder.adopt(row, latency);
            self.consider(ticket, row, latency, now);
        }
    }

    /// Lets the breaker see a call that was counted just now.
    #[cold]
    pub(crate) fn consider(&self, ticket: Ticket, row: Row, latency: u64, now: Timestamp) {
        // With the fence of `changed`: either this sees that the breaker changed while the call was being counted, or the
        // change sees the call, and begins a new life after it.
        fence(Ordering::SeqCst);
        if !self.is_of_now(ticket) {
            self.hot.recorder.disown(row, latency);
            return;
        }
        let verdict = self.accounting.verdict_of(row, latency > self.patience);
        let slow = row == Row::SLOW;
        if ticket.lease != 0 {
            let verdict = if slow && self.slow_probe_fails { Verdict::Bad } else { verdict };
            let mut control = self.control.lock();
            let transition = control.core.probed(ticket, verdict, now);
            return self.changed(control, transition, now);
        }
        let mut in_a_row = 0;
        match verdict {
            // Counted only where it matters: good calls that follow would have to put it back to zero.
            Verdict::Bad if self.consecutive_limit == u32::MAX => {}
            Verdict::Bad => in_a_row = self.bad.in_a_row.add(ticket.generation),
            Verdict::Good => self.bad.in_a_row.end(ticket.generation),
            Verdict::Excluded => {}
        }
        if verdict != Verdict::Bad && !slow {
            return;
        }
        // Each result takes one off, and whoever takes the last judges. Release: a judgement that knows of it sees the call.
        let slack = self.bad.slack.fetch_sub(1, Ordering::Release) - 1;
        if slack <= 0 || in_a_row >= self.consecutive_limit {
            self.judge(now);
        }
    }

    /// Trips if the evidence is there, unless another thread is about it.
    fn judge(&self, now: Timestamp) {
        let Some(mut control) = self.control.try_lock() else { return };
        // Acquire: of what was taken off before, each call is in the cells that are read below.
        let (consecutive, before) = (self.bad.in_a_row.bad(), self.bad.slack.load(Ordering::Acquire));
        let judged = control.judge(self.hot.recorder, consecutive, now);
        if let Err(slack) = &judged {
            // Added to, not stored: what others took off meanwhile stays off, whether the judgement saw it or not.
            self.bad.slack.fetch_add(MOST_SLACK.min(*slack) - before, Ordering::Relaxed);
        }
        self.changed(control, judged.ok(), now);
    }

    /// When [`tick`](Self::tick) wants to be called next.
    #[inline]
    pub(crate) fn next_tick(&self) -> Timestamp {
        Timestamp::from_nanos(self.hot.next_tick.load(Ordering::Relaxed))
    }

    /// What time alone does: windows roll, a ramp ends, calls in flight grow old.
    pub(crate) fn tick(&self, now: Timestamp) {
        let Some(mut control) = self.control.try_lock() else { return };
        control.roll(self.hot.recorder, now);
        let ended = control.core.tick(now);
        self.changed(control, ended, now);
        self.judge(now);
    }

    /// An operator decides, for a while or until further notice, or lets go.
    pub(crate) fn set_mode(&self, mode: Mode, hold: Option<Hold>, now: Timestamp) {
        let mut control = self.control.lock();
        let transition = control.core.set_mode(mode, hold, now);
        self.changed(control, transition, now);
    }

    /// Begins anew for somebody else, as it was made; what was admitted before has no say in it. Nobody is told; it says
    /// itself from which state to which that was.
    pub(crate) fn restart(&self) -> (State, State) {
        let mut control = self.control.lock();
        let change = control.core.restart();
        self.bad.in_a_row.begin(control.core.generation());
        self.bad.slack.store(0, Ordering::Relaxed);
        self.publish(&control);
        fence(Ordering::SeqCst); // see `consider`: a call that was counted, and so is no longer in flight, may be on its way there
        control.forget(self.hot.recorder);
        change
    }

    /// Publishes a change, lets go of the lock, and tells whoever wants to know.
    fn changed(
        &self,
        mut control: impl std::ops::DerefMut<Target = Control>,
        transition: Option<Transition>,
        now: Timestamp,
    ) {
        if let Some(transition) = &transition {
            if transition.why != Why::RampOver {
                self.bad.in_a_row.begin(control.core.generation());
            }
            self.bad.slack.store(0, Ordering::Relaxed);
        }
        let refused = self.hot.refuses_until.load(Ordering::Relaxed) != 0;
        self.publish(&control);
        let refuses = self.hot.refuses_until.load(Ordering::Relaxed) != 0;
        if let Some(transition) = &transition {
            fence(Ordering::SeqCst);
            control.note(transition, self.hot.recorder, now);
        }
        drop(control);
        if transition.is_some() || refuses != refused {
            self.waiters.wake();
        }
        let told = |transition: &Transition| transition.from != transition.to || transition.why == Why::OperatorOver;
        if let Some(transition) = transition.filter(told) {
            (self.report)(&transition, now);
        }
    }

    fn publish(&self, control: &Control) {
        let core = &control.core;
        self.hot.next_tick.store(control.next_tick().as_nanos(), Ordering::Relaxed);
        let until = core.refuses_until().map_or(0, Timestamp::as_nanos);
        self.hot.refuses_until.store(until, Ordering::Release);
        self.hot.ramping_since.store(core.ramping_since().map_or(0, Timestamp::as_nanos), Ordering::Release);
        // Release: whoever sees this word sees the times that belong to it, or later ones.
        self.hot.word.store(word::of(core.state(), core.generation()), Ordering::Release);
    }

    /// The state at `now`, with what time alone has done.
    pub(crate) fn state(&self, now: Timestamp) -> State {
        self.tick(now);
        self.control.lock().core.state()
    }

    /// The state as it was last decided on.
    pub(crate) fn peek(&self) -> State {
        self.control.lock().core.state()
    }

    /// What it saw when it last decided, in words; `name` is what it goes by.
    pub(crate) fn explain(&self, name: &str, now: Timestamp) -> String {
        self.tick(now);
        self.control.lock().explain(name, now)
    }

    /// Bytes it takes, whatever the traffic.
    pub(crate) fn memory_footprint(&self) -> usize {
        size_of::<Self>() + self.control.lock().memory_footprint()
    }

    #[cfg(any(feature = "metrics", plimsoll_loom))]
    pub(crate) fn transitions(&self) -> Transitions {
        self.control.lock().transitions
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("guard", &self.guard).field("control", &self.control).finish_non_exhaustive()
    }
}
