//! The state machine: pure. Times come in, tickets, refusals and transitions come out.

use super::config::Breaker;
use super::hold::Hold;
use super::rejection::Reason;
use super::trip::Why;
use crate::outcome::Verdict;
use crate::time::Timestamp;
use std::time::Duration;

/// What state a breaker is in, an operator's hand included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls pass, to find out.
    HalfOpen,
    /// A growing share of calls passes.
    Ramping,
    /// Refusing, by an operator's hand.
    ForcedOpen,
    /// Passing, by an operator's hand.
    ForcedClosed,
    /// Only observing, and would be open now.
    WouldBeOpen,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::Ramping,
        Self::ForcedOpen,
        Self::ForcedClosed,
        Self::WouldBeOpen,
    ];

    /// The name it is exported under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramping => "ramping",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::WouldBeOpen => "would_be_open",
        }
    }

    /// Whether a breaker can go from this state straight to `to`: which changes are exported.
    #[cfg(feature = "metrics")]
    pub(crate) const fn may_become(self, to: Self) -> bool {
        use State::{Closed, ForcedClosed, ForcedOpen, HalfOpen, Open, Ramping, WouldBeOpen};
        match (self, to) {
            // By itself.
            (Closed, Open | WouldBeOpen)
            | (Open, HalfOpen)
            | (HalfOpen, Open | Ramping)
            | (Ramping, Open)
            // By an operator's hand; and closed by itself from half-open (without a ramp) and ramping.
            | (ForcedOpen, Ramping | ForcedClosed)
            | (Open | HalfOpen | Ramping | WouldBeOpen | ForcedOpen | ForcedClosed, Closed)
            | (Closed | Open | HalfOpen | Ramping | WouldBeOpen, ForcedOpen | ForcedClosed)
            | (ForcedClosed, ForcedOpen) => true,
            _ => false,
        }
    }
}

/// How often a breaker went from each state to each other.
pub(crate) type Transitions = [[u64; State::ALL.len()]; State::ALL.len()];

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Auto,
    Observe,
    ForcedOpen,
    ForcedClosed,
}

/// What an admitted call carries: which life of the breaker let it in, and whether it is a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) generation: u32,
    /// The serial number of its lease; 0 if it is no probe.
    pub(crate) lease: u32,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed,
    Open { until: Timestamp },
    HalfOpen { good: u32, leases: Vec<Lease> },
    Ramping { since: Timestamp },
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    serial: u32,
    until: Timestamp,
}

/// Bytes that a probe under way takes.
pub(super) const LEASE: usize = size_of::<Lease>();

/// A change of state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) why: Why,
}

/// The answer to "may I?".
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Admission {
    Pass(Ticket),
    Refuse { reason: Reason, retry_after: Option<Duration> },
}

#[derive(Clone, Debug)]
pub(crate) struct Core {
    open: Duration,
    open_max: Duration,
    jitter: f64,
    probes: u32,
    lease: Duration,
    ramp: (f64, Duration),
    mode: Mode,
    /// Who decides when no operator does.
    own_mode: Mode,
    /// When what an operator decided ends by itself, if it does.
    hold: Option<Box<Hold>>,
    phase: Phase,
    generation: u32,
    /// How many times it has opened since it last closed for good.
    attempt: u32,
    /// When a breaker that only observes, and so has no ramp, would have closed for good.
    settled: Option<Timestamp>,
    serial: u32,
    random: u64,
}

impl Core {
    pub(crate) fn new(config: &Breaker, seed: u64) -> Self {
        Self {
            open: config.open,
            open_max: config.open_max,
            jitter: config.jitter,
            probes: config.probes,
            lease: config.lease,
            ramp: config.ramp,
            mode: config.mode,
            own_mode: config.mode,
            hold: None,
            phase: Phase::Closed,
            generation: 1,
            attempt: 0,
            settled: None,
            serial: 0,
            random: seed,
        }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// What an operator decided for a while.
    pub(crate) fn hold(&self) -> Option<&Hold> {
        self.hold.as_deref()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn state(&self) -> State {
        match (self.mode, &self.phase) {
            (Mode::ForcedOpen, _) => State::ForcedOpen,
            (Mode::ForcedClosed, _) => State::ForcedClosed,
            (Mode::Observe, Phase::Open { .. }) => State::WouldBeOpen,
            (_, Phase::Closed) => State::Closed,
            (_, Phase::Open { .. }) => State::Open,
            (_, Phase::HalfOpen { .. }) => State::HalfOpen,
            (_, Phase::Ramping { .. }) => State::Ramping,
        }
    }

    /// Since when it has been ramping.
    pub(crate) fn ramping_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Ramping { since } => Some(since),
            _ => None,
        }
    }

    /// Before this, time alone changes no answer: while open, or half-open with every probe under way.
    pub(crate) fn refuses_until(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Open { until } => Some(*until),
            Phase::HalfOpen { good, leases } if good + leases.len() as u32 >= self.probes => {
                leases.iter().map(|lease| lease.until).min()
            }
            _ => None,
        }
    }

    /// What time alone does: an open breaker becomes half-open, probes that hang are given up, a ramp ends; and so does
    /// what an operator decided for a while.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Option<Transition> {
        if self.hold.as_ref().is_some_and(|hold| hold.is_over(now)) {
            let transition = self.set_mode(Mode::Auto, None, now);
            return transition.map(|transition| Transition { why: Why::OperatorOver, ..transition });
        }
        if matches!(self.mode, Mode::ForcedOpen | Mode::ForcedClosed) {
            return None;
        }
        match &mut self.phase {
            Phase::Open { until } if now >= *until => {
                let next = if self.mode == Mode::Observe {
                    self.settled = Some(now.after(self.ramp.1));
                    Phase::Closed
                } else {
                    Phase::HalfOpen { good: 0, leases: Vec::with_capacity(self.probes as usize) }
                };
                Some(self.become_fresh(next, Why::OpenLongEnough))
            }
            Phase::HalfOpen { leases, .. } => {
                leases.retain(|lease| now < lease.until);
                None
            }
            Phase::Ramping { since } if now.since(*since) >= self.ramp.1 => {
                let from = self.state();
                // No new life: what the ramp admitted still speaks for the closed breaker.
                self.phase = Phase::Closed;
                self.attempt = 0;
                Some(Transition { from, to: self.state(), why: Why::RampOver })
            }
            _ => None,
        }
    }

    /// Decides on a call; [`tick`](Self::tick) comes first.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Admission {
        let ticket = Ticket { generation: self.generation, lease: 0 };
        match self.mode {
            Mode::ForcedOpen => return Admission::Refuse { reason: Reason::ForcedOpen, retry_after: None },
            Mode::ForcedClosed | Mode::Observe => return Admission::Pass(ticket),
            Mode::Auto => {}
        }
        let retry_after = self.refuses_until().map(|until| until.since(now));
        match &mut self.phase {
            Phase::Closed | Phase::Ramping { .. } => Admission::Pass(ticket),
            Phase::Open { .. } => Admission::Refuse { reason: Reason::Open, retry_after },
            Phase::HalfOpen { .. } if retry_after.is_some() => {
                Admission::Refuse { reason: Reason::Probing, retry_after }
            }
            Phase::HalfOpen { leases, .. } => {
                self.serial = self.serial.wrapping_add(1).max(1);
                leases.push(Lease { serial: self.serial, until: now.after(self.lease) });
                Admission::Pass(Ticket { lease: self.serial, ..ticket })
            }
        }
    }

    /// The share of calls that a ramp lets through, 0..=1.
    pub(crate) fn share(&self, now: Timestamp) -> f64 {
        match self.phase {
            Phase::Ramping { since } => {
                let (from, over) = self.ramp;
                let gone = now.since(since).as_secs_f64() / over.as_secs_f64().max(1e-9);
                (from + (1.0 - from) * gone).clamp(0.0, 1.0)
            }
            _ => 1.0,
        }
    }

    /// A probe ended. Probes of another life, and probes whose lease ran out, decide nothing.
    pub(crate) fn probed(&mut self, ticket: Ticket, verdict: Verdict, now: Timestamp) -> Option<Transition> {
        if ticket.generation != self.generation || self.mode != Mode::Auto {
            return None;
        }
        let Phase::HalfOpen { good, leases } = &mut self.phase else { return None };
        let held = leases.iter().position(|lease| lease.serial == ticket.lease && now < lease.until)?;
        leases.swap_remove(held);
        match verdict {
            Verdict::Excluded => None,
            Verdict::Bad => Some(self.trip(Why::ProbeFailed, now)),
            Verdict::Good => {
                *good += 1;
                if *good < self.probes {
                    return None;
                }
                let why = Why::ProbesSucceeded { probes: self.probes };
                let next = if self.ramp.1.is_zero() { Phase::Closed } else { Phase::Ramping { since: now } };
                if self.ramp.1.is_zero() {
                    self.attempt = 0;
                }
                Some(self.become_fresh(next, why))
            }
        }
    }

    /// Opens, for longer than the last time if it has not closed for good since.
    pub(crate) fn trip(&mut self, why: Why, now: Timestamp) -> Transition {
        if self.settled.take().is_some_and(|settled| now >= settled) {
            self.attempt = 0;
        }
        let doubled = self.open.saturating_mul(1 << self.attempt.min(20)).min(self.open_max);
        self.attempt = self.attempt.saturating_add(1);
        let early = self.random() * self.jitter;
        let until = now.after(doubled.mul_f64(1.0 - early));
        self.become_fresh(Phase::Open { until }, why)
    }

    /// An operator decides, until `hold` is over if there is one, or lets go: then a breaker that was forced open ramps,
    /// one that was forced closed is closed.
    pub(crate) fn set_mode(&mut self, mode: Mode, hold: Option<Hold>, now: Timestamp) -> Option<Transition> {
        let forced = matches!(self.mode, Mode::ForcedOpen | Mode::ForcedClosed);
        let mode = match mode {
            // Let go of, one that only observed does so again; it decides when it is told to while it observes.
            Mode::Auto if forced || self.hold.is_some() => self.own_mode,
            Mode::Observe if hold.is_some() => mode,
            Mode::Auto | Mode::Observe => {
                self.own_mode = mode;
                mode
            }
            forced => forced,
        };
        // What it does by itself has no end.
        self.hold = hold.filter(|_| mode != self.own_mode).map(Box::new);
        if mode == self.mode {
            return None;
        }
        let from = self.state();
        let next = match (self.mode, mode) {
            (Mode::ForcedOpen, Mode::Auto) if !self.ramp.1.is_zero() => Phase::Ramping { since: now },
            _ => Phase::Closed,
        };
        self.mode = mode;
        (self.attempt, self.settled) = (0, None);
        let transition = self.become_fresh(next, Why::Operator);
        Some(Transition { from, ..transition })
    }

    /// As it was made, in a life of its own; says from which state to which that was.
    pub(crate) fn restart(&mut self) -> (State, State) {
        let from = self.state();
        (self.attempt, self.settled, self.hold) = (0, None, None);
        self.phase = Phase::Closed;
        self.generation = self.generation.wrapping_add(1);
        (from, self.state())
    }

    /// Begins a new life: nothing that was admitted before has a say in it.
    fn become_fresh(&mut self, phase: Phase, why: Why) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
        Transition { from, to: self.state(), why }
    }

    /// Uniform over 0..1. Source: Steele, Lea, Flood, SplitMix64.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
