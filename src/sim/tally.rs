//! Counting what happens, while it does.

use super::calls::Request;
use super::plan::Sim;
use super::report::{Counts, PhaseReport, Report, Second};
use crate::time::{Timestamp, nanos};
use std::time::Duration;

/// What a request came to, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    InTime,
    Late,
    Failed,
    Refused,
    /// The client left before anybody worked for it.
    Left,
}

const SECOND: u64 = 1_000_000_000;
const TENTH: u64 = SECOND / 10;

#[derive(Debug)]
pub(super) struct Tally {
    phases: Vec<PhaseReport>,
    phase: usize,
    start: u64,
    /// What happens from then until then counts for the phase.
    counts_from: u64,
    counts_until: u64,
    now: u64,
    settle: u64,
    mean: f64,
    seconds: Vec<Second>,
    second: Second,
    second_ends: u64,
    latencies: Vec<u64>,
    /// Of the clients that came in each tenth of a second: all, and those answered in time.
    tenths: Vec<(u32, u32)>,
}

impl Tally {
    pub(super) fn new(sim: &Sim, now: Timestamp) -> Self {
        let kinds: Vec<_> = sim.mix.iter().map(|(priority, _)| *priority).collect();
        let settle = nanos(sim.settle);
        let phase = |phase: &super::Phase| PhaseReport::new(phase.length - sim.settle, &kinds);
        Self {
            phases: sim.phases.iter().map(phase).collect(),
            phase: 0,
            start: now.as_nanos(),
            counts_from: 0,
            counts_until: 0,
            now: now.as_nanos(),
            settle,
            mean: sim.service.mean_nanos(),
            seconds: Vec::new(),
            second: Second::default(),
            second_ends: now.as_nanos() + SECOND,
            latencies: Vec::new(),
            tenths: Vec::new(),
        }
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = now.as_nanos();
        while self.now >= self.second_ends {
            self.end_second();
        }
    }

    fn end_second(&mut self) {
        let begins = self.second_ends - SECOND - self.start;
        self.latencies.sort_unstable();
        let quantile = |q: f64| {
            let at = (self.latencies.len() as f64 * q).ceil().max(1.0) as usize - 1;
            self.latencies.get(at).copied().map(Duration::from_nanos)
        };
        let done =
            Second { begins: Duration::from_nanos(begins), p50: quantile(0.5), p99: quantile(0.99), ..self.second };
        self.seconds.push(done);
        self.second = Second::default();
        self.second_ends += SECOND;
        self.latencies.clear();
    }

    /// A phase begins.
    pub(super) fn phase(&mut self, number: usize, workers: usize, slower: f64) {
        self.phase = number;
        let phase = &mut self.phases[number];
        self.counts_from = self.now + self.settle;
        self.counts_until = self.counts_from + nanos(phase.measured);
        phase.begins = Duration::from_nanos(self.now - self.start);
        phase.capacity = workers as f64 * 1e9 / (self.mean * slower);
    }

    /// Whether what happens now counts for the phase that it happens in.
    pub(super) fn counts(&self) -> bool {
        (self.counts_from..self.counts_until).contains(&self.now)
    }

    pub(super) fn arrived(&mut self, request: &Request) {
        self.second.offered += 1;
        let tenth = self.tenth(request);
        if self.tenths.len() <= tenth {
            self.tenths.resize(tenth + 1, (0, 0));
        }
        self.tenths[tenth].0 += 1;
        if request.counts {
            self.of(request).offered += 1;
        }
    }

    /// A client asks, for the first time or again.
    pub(super) fn asked(&mut self) {
        if self.counts() {
            self.phases[self.phase].attempts += 1;
        }
    }

    pub(super) fn refused(&mut self, reason: &'static str) {
        self.second.refused += 1;
        if self.counts() {
            let reasons = &mut self.phases[self.phase].refusals;
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, n)) => *n += 1,
                None => reasons.push((reason, 1)),
            }
        }
    }

    /// A worker is through with it.
    pub(super) fn worked(&mut self, request: &Request, now: Timestamp) {
        if request.fails {
            return;
        }
        let latency = now.nanos_since(request.call.arrived);
        let in_time = u64::from(now <= request.call.deadline);
        self.latencies.push(latency);
        self.second.completed += 1;
        self.second.in_time += in_time;
        if self.counts() {
            let phase = &mut self.phases[self.phase];
            phase.completed += 1;
            phase.completed_in_time += in_time;
            phase.latencies.saturating_record(latency / 1_000);
        }
    }

    /// It is over for the client, or will not be before the end of the simulation.
    pub(super) fn ended(&mut self, request: &Request, ending: Ending, now: Timestamp) {
        if ending == Ending::InTime {
            let tenth = self.tenth(request);
            self.tenths[tenth].1 += 1;
        }
        if !request.counts {
            return;
        }
        let counts = self.of(request);
        match ending {
            Ending::InTime => counts.in_time += 1,
            Ending::Failed if now <= request.call.deadline => counts.failed += 1,
            Ending::Refused if now <= request.call.deadline => counts.refused += 1,
            Ending::Left => counts.left += 1,
            Ending::Late | Ending::Failed | Ending::Refused => counts.late += 1,
        }
    }

    fn tenth(&self, request: &Request) -> usize {
        ((request.call.arrived.as_nanos() - self.start) / TENTH) as usize
    }

    fn of(&mut self, request: &Request) -> &mut Counts {
        &mut self.phases[request.phase].kinds[usize::from(request.kind)].1
    }

    pub(super) fn report(self) -> Report {
        Report { phases: self.phases, seconds: self.seconds, tenths: self.tenths }
    }
}
