//! The simulation itself: one event after the other, on virtual time.

use super::calls::{Calls, Stage};
use super::plan::Sim;
use super::policy::{Answer, Ended, Policy};
use super::report::Report;
use super::tally::{Ending, Tally};
use crate::time::{ManualClock, Timestamp, nanos};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What is going to happen. Of what happens at one moment, what was foreseen first happens first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Phase(usize),
    Arrival,
    /// A worker is through with a request.
    Worked(u32),
    /// A worker is through with refusing one.
    Refused(u32),
    /// It was refused, which kept nobody busy.
    Answered(u32),
    /// The client of a request that waits leaves. The number tells it from others in its place.
    Leaves(u32, u32),
}

/// What the workers have before them.
#[derive(Clone, Copy, Debug)]
enum Job {
    Work(u32),
    Refusal(u32),
}

pub(super) struct Engine<'a, P> {
    sim: &'a Sim,
    policy: &'a mut P,
    clock: ManualClock,
    now: Timestamp,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    foreseen: u64,
    calls: Calls,
    queue: VecDeque<Job>,
    busy: usize,
    workers: usize,
    phase: usize,
    phase_began: u64,
    refusal: u64,
    /// Of each kind of request so many of what all shares add up to, added up.
    shares: Vec<f64>,
    tally: Tally,
    // Chance comes in streams of its own, so that one does not shift another.
    arrivals: StdRng,
    requests: StdRng,
}

impl<'a, P: Policy> Engine<'a, P> {
    pub(super) fn new(sim: &'a Sim, policy: &'a mut P, clock: ManualClock) -> Self {
        let mut sum = 0.0;
        let shares = sim.mix.iter().map(|(_, share)| {
            sum += share;
            sum
        });
        let stream = |number: u64| StdRng::seed_from_u64(sim.seed.wrapping_mul(0x9E37_79B9).wrapping_add(number << 60));
        Self {
            now: clock.now(),
            events: BinaryHeap::new(),
            foreseen: 0,
            calls: Calls::default(),
            queue: VecDeque::new(),
            busy: 0,
            workers: sim.workers,
            phase: 0,
            phase_began: clock.now().as_nanos(),
            refusal: (sim.refusal_cost * sim.service.mean_nanos()) as u64,
            shares: shares.collect(),
            tally: Tally::new(sim, clock.now()),
            arrivals: stream(1),
            requests: stream(2),
            sim,
            policy,
            clock,
        }
    }

    pub(super) fn run(mut self) -> Report {
        let start = self.now.as_nanos();
        let mut end = start;
        for (number, phase) in self.sim.phases.iter().enumerate() {
            self.foresee(end, Event::Phase(number));
            end = end.saturating_add(nanos(phase.length));
        }
        let gap = self.sim.arrivals.gap(&mut self.arrivals);
        self.foresee_arrival(start, gap);
        // Whoever is not answered by then will not be answered in time.
        let stop = end.saturating_add(nanos(self.sim.deadline));
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > stop {
                break;
            }
            self.advance(at);
            self.happens(event);
            self.go_on();
        }
        self.advance(stop);
        for place in self.calls.places() {
            self.tally.ended(self.calls.at(place), Ending::Late, self.now);
        }
        self.tally.report()
    }

    fn advance(&mut self, to: u64) {
        let to = Timestamp::from_nanos(to);
        self.clock.advance(to.since(self.now));
        self.now = to;
        self.tally.advance(to);
    }

    fn foresee(&mut self, at: u64, event: Event) {
        self.foreseen += 1;
        self.events.push(Reverse((at, self.foreseen, event)));
    }

    fn after(&mut self, time: u64, event: Event) {
        self.foresee(self.now.as_nanos().saturating_add(time), event);
    }

    /// Foresees the next request, after so much load from `since` on: in this phase or in one that follows.
    fn foresee_arrival(&mut self, since: u64, mut load: f64) {
        let (mut since, mut began) = (since, self.phase_began);
        for phase in &self.sim.phases[self.phase..] {
            match phase.pass(since - began, load, self.sim.capacity()) {
                Ok(time) => return self.foresee(since + time, Event::Arrival),
                Err(left) => load = left,
            }
            began = began.saturating_add(nanos(phase.length));
            since = began;
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Phase(number) => {
                self.phase = number;
                self.phase_began = self.now.as_nanos();
                self.workers = self.sim.phases[number].workers.unwrap_or(self.sim.workers);
                self.tally.phase(number, self.workers, self.sim.phases[number].slower);
            }
            Event::Arrival => {
                self.arrival();
                let gap = self.sim.arrivals.gap(&mut self.arrivals);
                self.foresee_arrival(self.now.as_nanos(), gap);
            }
            Event::Worked(place) => {
                self.busy -= 1;
                let request = self.calls.at(place);
                let ended = if request.fails { Ended::Failure } else { Ended::Success };
                self.policy.end(&request.call, ended, self.now);
                self.tally.worked(request, self.now);
                match ended {
                    Ended::Failure => self.again_or(place, Ending::Failed),
                    _ if self.now <= request.call.deadline => self.over(place, Ending::InTime),
                    _ => self.over(place, Ending::Late),
                }
            }
            Event::Refused(place) => {
                self.busy -= 1;
                match self.calls.at(place).stage {
                    Stage::Left => self.over(place, Ending::Left),
                    _ => self.again_or(place, Ending::Refused),
                }
            }
            Event::Answered(place) => self.again_or(place, Ending::Refused),
            Event::Leaves(place, number) => {
                let request = self.calls.at(place);
                let waits = request.number == number && request.stage == Stage::Held;
                if waits && self.policy.leave(&request.call, self.now) {
                    self.left(place);
                }
            }
        }
    }

    fn arrival(&mut self) {
        let phase = &self.sim.phases[self.phase];
        let work = self.sim.service.draw(&mut self.requests) * phase.slower;
        let fails = phase.failing > 0.0 && self.requests.random::<f64>() < phase.failing;
        let kind = match &self.shares[..] {
            [_] => 0,
            shares => {
                let all = shares.last().copied().unwrap_or(1.0);
                let chance = self.requests.random::<f64>() * all;
                shares.iter().position(|share| chance < *share).unwrap_or(shares.len() - 1)
            }
        };
        let deadline = self.now.after(self.sim.deadline);
        let place = self.calls.add(self.now, deadline, self.sim.mix[kind].0, self.requests.random());
        let request = self.calls.at_mut(place);
        (request.work, request.fails, request.kind, request.phase) = (work as u64, fails, kind as u8, self.phase);
        request.counts = self.tally.counts();
        self.tally.arrived(self.calls.at(place));
        self.ask(place);
    }

    fn ask(&mut self, place: u32) {
        self.tally.asked();
        let answer = self.policy.arrive(&self.calls.at(place).call, self.now);
        self.answer(place, answer);
        if answer == Answer::Hold {
            let (number, deadline) = (self.calls.at(place).number, self.calls.at(place).call.deadline);
            self.foresee(deadline.as_nanos(), Event::Leaves(place, number));
        }
    }

    fn answer(&mut self, place: u32, answer: Answer) {
        let request = self.calls.at_mut(place);
        match answer {
            Answer::Hold => request.stage = Stage::Held,
            Answer::Admit => {
                request.stage = Stage::Queued;
                self.queue.push_back(Job::Work(place));
            }
            Answer::Refuse(reason) | Answer::Withhold(reason) => {
                request.stage = Stage::Refused;
                self.tally.refused(reason);
                if self.refusal > 0 && matches!(answer, Answer::Refuse(_)) {
                    // To refuse is quick, so it is done first.
                    self.queue.push_front(Job::Refusal(place));
                } else if self.sim.retries > 0 {
                    self.after(0, Event::Answered(place));
                } else {
                    self.over(place, Ending::Refused);
                }
            }
        }
    }

    /// Idle workers turn to what waits for them, and the policy to what waits for it, until all is as it has to be.
    fn go_on(&mut self) {
        loop {
            while self.busy < self.workers
                && let Some(job) = self.queue.pop_front()
            {
                self.begin(job);
            }
            let idle = self.workers.saturating_sub(self.busy);
            let Some((place, answer)) = self.policy.next(idle, self.now) else { break };
            debug_assert_eq!(self.calls.at(place).stage, Stage::Held, "only what waits can be named");
            self.answer(place, answer);
        }
    }

    fn begin(&mut self, job: Job) {
        match job {
            Job::Refusal(place) => {
                self.busy += 1;
                self.after(self.refusal, Event::Refused(place));
            }
            Job::Work(place) if self.policy.start(&self.calls.at(place).call, self.now) => {
                self.busy += 1;
                self.calls.at_mut(place).stage = Stage::Worked;
                self.after(self.calls.at(place).work, Event::Worked(place));
            }
            Job::Work(place) => {
                self.policy.end(&self.calls.at(place).call, Ended::Left, self.now);
                self.left(place);
            }
        }
    }

    /// A client left before anybody worked for it. To find that out costs what a refusal does.
    fn left(&mut self, place: u32) {
        if self.refusal > 0 {
            self.calls.at_mut(place).stage = Stage::Left;
            self.queue.push_front(Job::Refusal(place));
        } else {
            self.over(place, Ending::Left);
        }
    }

    fn again_or(&mut self, place: u32, ending: Ending) {
        let request = self.calls.at_mut(place);
        if request.call.attempt < self.sim.retries && self.now < request.call.deadline {
            request.call.attempt += 1;
            self.ask(place);
        } else {
            self.over(place, ending);
        }
    }

    fn over(&mut self, place: u32, ending: Ending) {
        self.tally.ended(self.calls.at(place), ending, self.now);
        self.calls.remove(place);
    }
}
