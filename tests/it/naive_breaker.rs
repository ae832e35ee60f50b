//! A circuit breaker written down anew from what is specified: naive, for one thread, with a list of all results.

use crate::rig::ms;
use plimsoll::{Reason, State, Timestamp};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) ratio: f64,
    pub(crate) min_calls: u64,
    pub(crate) window: Duration,
    pub(crate) consecutive: u32,
    pub(crate) probes: u32,
    pub(crate) lease: Duration,
    pub(crate) open: Duration,
    pub(crate) open_max: Duration,
    pub(crate) ramp: (f64, Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Good,
    Bad,
    Dropped,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    Closed,
    Open { until: Timestamp },
    HalfOpen { good: u32, leases: Vec<(u64, Timestamp)> },
    Ramping { since: Timestamp },
    ForcedOpen,
    ForcedClosed,
}

pub(crate) struct Naive {
    pub(crate) rules: Rules,
    pub(crate) phase: Phase,
    pub(crate) life: u64,
    pub(crate) opened: u32,
    pub(crate) probes: u64,
    /// When each result of this life came, and whether it was bad.
    pub(crate) results: Vec<(Timestamp, bool)>,
    pub(crate) in_a_row: u32,
    /// All shares of all ramps, and how many calls they let through.
    pub(crate) ramped: (f64, f64),
}

impl Naive {
    pub(crate) fn new(rules: Rules) -> Self {
        let (phase, results) = (Phase::Closed, Vec::new());
        Self { rules, phase, life: 1, opened: 0, probes: 0, results, in_a_row: 0, ramped: (0.0, 0.0) }
    }

    pub(crate) fn begin(&mut self, phase: Phase) {
        (self.phase, self.in_a_row, self.life) = (phase, 0, self.life + 1);
        self.results.clear();
    }

    pub(crate) fn open(&mut self, now: Timestamp) {
        let time = self.rules.open * 2_u32.saturating_pow(self.opened.min(16));
        self.opened += 1;
        self.begin(Phase::Open { until: now.after(time.min(self.rules.open_max)) });
    }

    pub(crate) fn close(&mut self, now: Timestamp) {
        if self.rules.ramp.1.is_zero() {
            self.opened = 0;
            self.begin(Phase::Closed);
        } else {
            self.begin(Phase::Ramping { since: now });
        }
    }

    /// What time alone does.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        match &mut self.phase {
            Phase::Open { until } if now >= *until => self.begin(Phase::HalfOpen { good: 0, leases: Vec::new() }),
            Phase::HalfOpen { leases, .. } => leases.retain(|(_, until)| now < *until),
            Phase::Ramping { since } if now.since(*since) >= self.rules.ramp.1 => {
                (self.phase, self.opened) = (Phase::Closed, 0);
            }
            _ => {}
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Ramping { .. } => State::Ramping,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::ForcedClosed => State::ForcedClosed,
        }
    }

    /// Whether the results so far may trip it, and whether they must. A window begins within a step of 1/20 of it, or
    /// of half a second, whose results may count or not.
    pub(crate) fn judge(&self, now: Timestamp) -> (bool, bool) {
        if !matches!(self.phase, Phase::Closed | Phase::Ramping { .. }) {
            return (false, false);
        }
        let Rules { ratio, min_calls, window, consecutive, .. } = self.rules;
        let step = (window / 20).min(ms(500)).as_nanos() as u64;
        let begin = now.as_nanos().saturating_sub(window.as_nanos() as u64) / step * step;
        let count = |from: u64, bad: bool| {
            self.results.iter().filter(|(at, was)| *was == bad && at.as_nanos() >= from).count() as u64
        };
        let (good_most, bad_most) = (count(begin, false), count(begin, true));
        let (good_least, bad_least) = (count(begin + step, false), count(begin + step, true));
        let over = |bad: u64, good: u64| bad > 0 && bad as f64 / (good + bad) as f64 >= ratio;
        let in_a_row = self.in_a_row >= consecutive;
        let may = good_most + bad_most >= min_calls && over(bad_most, good_least);
        let must = good_least + bad_least >= min_calls && over(bad_least, good_most);
        (in_a_row || may, in_a_row || must)
    }

    /// The answer to one who asks; `None` where the ramp decides.
    pub(crate) fn ask(&self, now: Timestamp) -> Option<Result<(), (Reason, Option<Duration>)>> {
        match &self.phase {
            Phase::Closed | Phase::ForcedClosed => Some(Ok(())),
            Phase::ForcedOpen => Some(Err((Reason::ForcedOpen, None))),
            Phase::Open { until } => Some(Err((Reason::Open, Some(until.since(now))))),
            Phase::HalfOpen { good, leases } if good + leases.len() as u32 >= self.rules.probes => {
                let next = leases.iter().map(|(_, until)| until.since(now)).min();
                Some(Err((Reason::Probing, next)))
            }
            Phase::HalfOpen { .. } => Some(Ok(())),
            Phase::Ramping { .. } => None,
        }
    }

    /// A call was let in: which life it belongs to, and the how-manieth probe it is, or 0.
    pub(crate) fn admitted(&mut self, now: Timestamp) -> (u64, u64) {
        let mut probe = 0;
        if let Phase::HalfOpen { leases, .. } = &mut self.phase {
            self.probes += 1;
            probe = self.probes;
            leases.push((probe, now.after(self.rules.lease)));
        }
        (self.life, probe)
    }

    /// A call ended; whether the breaker must be open for it.
    pub(crate) fn ended(&mut self, life: u64, probe: u64, end: End, now: Timestamp) -> bool {
        if life != self.life {
            return false;
        }
        match &mut self.phase {
            Phase::HalfOpen { good, leases } => {
                let Some(held) = leases.iter().position(|(known, _)| *known == probe) else { return false };
                leases.swap_remove(held);
                match end {
                    End::Dropped => {}
                    End::Bad => self.open(now),
                    End::Good => {
                        *good += 1;
                        if *good == self.rules.probes {
                            self.close(now);
                        }
                    }
                }
                false
            }
            Phase::Closed | Phase::Ramping { .. } if end != End::Dropped => {
                let window = self.rules.window;
                self.results.retain(|(at, _)| now.since(*at) <= window * 2);
                self.results.push((now, end == End::Bad));
                self.in_a_row = if end == End::Bad { self.in_a_row + 1 } else { 0 };
                end == End::Bad && self.judge(now).1
            }
            _ => false,
        }
    }
}
