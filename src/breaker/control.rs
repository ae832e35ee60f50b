//! What the gate keeps under its lock: the state machine, the control windows, and what was last decided.

use super::config::Breaker;
use super::core::{self, Core, Mode, State, Transition, Transitions};
use super::trip::{Evidence, Trips};
use crate::outcome::{Accounting, Outcome, Tally, Verdict};
use crate::record::{Lane, Mapping, Recorder};
use crate::slo::Target;
use crate::time::Timestamp;
use crate::window::Ring;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters before the objectives': good, bad, slow.
const FIXED: usize = 3;

/// A target that may be declared anew while breakers and limiters watch it.
#[derive(Clone, Debug)]
pub(crate) struct LiveTarget(Arc<AtomicU64>);

impl LiveTarget {
    pub(crate) fn new(target: Target) -> Self {
        Self(Arc::new(AtomicU64::new(target.budget_parts())))
    }

    pub(crate) fn get(&self) -> Target {
        // Relaxed: a number by itself, and a judgement by the one before it is as good.
        Target::leaving(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, target: Target) {
        self.0.store(target.budget_parts(), Ordering::Relaxed);
    }
}

/// An objective, as the breaker's burn trip sees it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) target: LiveTarget,
    /// Judged with the breaker's accounting.
    pub(crate) lane: Lane,
}

#[derive(Debug)]
pub(super) struct Control {
    pub(super) core: Core,
    pub(super) last: Option<(Timestamp, Transition)>,
    pub(super) transitions: Transitions,
    trips: Trips,
    burn_windows: (Duration, Duration),
    targets: Vec<LiveTarget>,
    mappings: Vec<Mapping>,
    slow: Mapping,
    ring: Ring,
    epoch_turned: Timestamp,
    /// What had been counted when the present life began: nothing before it is held against it.
    floor: Vec<u64>,
    cells: Vec<u64>,
    sums: Vec<u64>,
    base: Vec<u64>,
}

/// Bytes that a breaker takes beside its own size, if it is to read `recorder`: at most, with all probes under way.
pub(crate) fn bytes_beside(config: &Breaker, watched: &[Watched], recorder: &Recorder, now: Timestamp) -> usize {
    let plain = Lane { accounting: config.accounting, threshold: None, patience: None, of_successes: false };
    let control = Control::new(config, false, plain, watched, recorder, 0, now);
    control.memory_footprint() + config.probes as usize * core::LEASE
}

impl Control {
    pub(super) fn new(
        config: &Breaker,
        fallback: bool,
        plain: Lane,
        watched: &[Watched],
        recorder: &Recorder,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let trips = Trips::new(config, fallback);
        let watched = if trips.burn.is_some() { watched } else { &[] };
        // Windows that nothing reads would only cost memory.
        let unread = (config.window, config.window);
        let (long, short) = trips.burn.map_or(unread, |_| config.burn_windows);
        let step = (config.window / 20).min(short / 10);
        let step = config.age.map_or(step, |(age, _)| step.min(age / 8)).max(Duration::from_millis(5));
        let width = FIXED + 2 * watched.len();
        let nothing = Outcome::ALL.iter().fold(plain.accounting, |all, outcome| all.with(*outcome, Verdict::Excluded));
        let slow = Accounting::with(nothing, Outcome::Slow, Verdict::Bad);
        let lanes = std::iter::once(plain).chain(watched.iter().map(|watched| watched.lane));
        let mut control = Self {
            core: Core::new(config, seed),
            last: None,
            transitions: Default::default(),
            trips,
            burn_windows: config.burn_windows,
            targets: watched.iter().map(|watched| watched.target.clone()).collect(),
            mappings: lanes.map(|lane| recorder.mapping(&lane)).collect(),
            slow: recorder.mapping(&Lane { accounting: slow, threshold: None, patience: None, of_successes: false }),
            ring: Ring::new(width, step, config.window.max(long), now),
            epoch_turned: now,
            floor: vec![0; width],
            cells: Vec::new(),
            sums: Vec::with_capacity(width),
            base: Vec::with_capacity(width),
        };
        control.count(recorder);
        if control.trips.age.is_some() {
            // From the first call on: in the epoch that there is without this, nothing is counted.
            recorder.turn_epoch(now);
        }
        control
    }

    pub(super) fn next_tick(&self) -> Timestamp {
        let ends = self.core.hold().map(|hold| hold.until);
        ends.map_or(self.ring.next_tick(), |ends| ends.min(self.ring.next_tick()))
    }

    /// Sums what the recorder holds, less what was disowned.
    fn count(&mut self, recorder: &Recorder) {
        recorder.seen_at_least_into(&mut self.cells);
        self.sum();
    }

    fn sum(&mut self) {
        self.sums.clear();
        for (index, mapping) in self.mappings.iter().enumerate() {
            let tally = mapping.tally(&self.cells);
            self.sums.extend([tally.good, tally.bad]);
            if index == 0 {
                self.sums.push(self.slow.tally(&self.cells).bad);
            }
        }
    }

    /// What was counted over the last `window` of the present life.
    fn over(&mut self, window: Duration, now: Timestamp, mut each: impl FnMut(usize, u64)) {
        self.ring.at(0..self.sums.len(), window, now, &self.sums, &mut self.base);
        for (index, (sum, (base, floor))) in self.sums.iter().zip(self.base.iter().zip(&self.floor)).enumerate() {
            each(index, sum.saturating_sub(*base.max(floor)));
        }
    }

    /// Rolls the control windows, if it is time.
    pub(super) fn roll(&mut self, recorder: &Recorder, now: Timestamp) {
        self.count(recorder);
        if now >= self.ring.next_tick() {
            self.ring.roll(now, &self.sums);
        }
        if let Some((age, _)) = self.trips.age
            && now.since(self.epoch_turned) >= age / 8
        {
            recorder.turn_epoch(now);
            self.epoch_turned = now;
        }
    }

    /// Whether the evidence at `now` trips the breaker; if so it has. If not: how many more bad or slow results it takes,
    /// at the least, until it could before the next tick.
    pub(super) fn judge(&mut self, recorder: &Recorder, consecutive: u32, now: Timestamp) -> Result<Transition, i64> {
        if !matches!(self.core.state(), State::Closed | State::Ramping) {
            return Err(i64::MAX);
        }
        self.roll(recorder, now);
        let old = self.trips.age.map_or(0, |(age, _)| recorder.older_than(age, now));
        let seen = Evidence { consecutive, old, ..self.over_window(self.trips.window, now) };
        if let Some(why) = self.trips.judge(&seen).or_else(|| self.judge_burn(now)) {
            return Ok(self.core.trip(why, now));
        }
        Err(self.slack(&seen, now))
    }

    /// How many more bad or slow results it takes at the least, whatever leaves the windows until the next tick.
    fn slack(&mut self, seen: &Evidence, now: Timestamp) -> i64 {
        let then = self.ring.next_tick();
        let calls = self.over_window(self.trips.window, then).calls;
        let mut slack = self.trips.slack(seen, calls);
        for objective in 0..self.targets.len() {
            let both = [self.burn_windows.0, self.burn_windows.1].map(|window| {
                let (seen, then) = (self.tally(objective, window, now), self.tally(objective, window, then));
                self.trips.burn_slack(self.targets[objective].get(), seen.bad, then.valid())
            });
            slack = slack.min(both[0].max(both[1]));
        }
        slack.max(1)
    }

    fn over_window(&mut self, window: Duration, now: Timestamp) -> Evidence {
        let mut counted = [0; FIXED];
        self.over(window, now, |index, n| {
            if let Some(cell) = counted.get_mut(index) {
                *cell = n;
            }
        });
        let [good, bad, slow] = counted;
        Evidence { calls: good + bad, bad, slow, ..Evidence::default() }
    }

    fn judge_burn(&mut self, now: Timestamp) -> Option<super::Why> {
        let (long, short) = self.burn_windows;
        (0..self.targets.len()).find_map(|objective| {
            let long = self.tally(objective, long, now);
            let short = self.tally(objective, short, now);
            self.trips.judge_burn(self.targets[objective].get(), long, short)
        })
    }

    fn tally(&mut self, objective: usize, window: Duration, now: Timestamp) -> Tally {
        let first = FIXED + 2 * objective;
        let mut tally = Tally::default();
        self.over(window, now, |index, n| {
            if index == first {
                tally.good = n;
            } else if index == first + 1 {
                tally.bad = n;
            }
        });
        tally
    }

    /// Keeps the books after a change of state.
    pub(super) fn note(&mut self, transition: &Transition, recorder: &Recorder, now: Timestamp) {
        if transition.from != transition.to {
            self.transitions[transition.from as usize][transition.to as usize] += 1;
            self.last = Some((now, transition.clone()));
        }
        if transition.why != super::Why::RampOver {
            self.begin(recorder);
        }
    }

    /// Begins a life that nothing is held against.
    fn begin(&mut self, recorder: &Recorder) {
        // At the most, so that nothing of an earlier life is left to be counted in this one.
        recorder.seen_at_most_into(&mut self.cells);
        self.sum();
        self.floor.clone_from(&self.sums);
        recorder.forgive();
    }

    /// The same for somebody else, who is told of nothing that was before.
    pub(super) fn forget(&mut self, recorder: &Recorder) {
        self.last = None;
        self.begin(recorder);
    }

    pub(super) fn memory_footprint(&self) -> usize {
        let vectors = self.floor.capacity() + self.cells.capacity() + self.sums.capacity() + self.base.capacity();
        let mappings = self.mappings.iter().chain([&self.slow]).map(Mapping::memory_footprint);
        self.ring.memory_footprint() + vectors * 8 + mappings.sum::<usize>()
    }

    /// In words: the state, and what the last decision saw.
    pub(super) fn explain(&self, guard: &str, now: Timestamp) -> String {
        let state = match self.core.state() {
            State::Closed => "closed: calls pass",
            State::Open => "open: calls are refused",
            State::HalfOpen => "half-open: probes pass, other calls are refused",
            State::Ramping => "ramping: a growing share of calls passes",
            State::ForcedOpen => "forced open: calls are refused until an operator lets go",
            State::ForcedClosed => "forced closed: calls pass whatever happens, until an operator lets go",
            State::WouldBeOpen => "only observing: calls pass, and would be refused now",
        };
        let mut text = format!("breaker {guard} is {state}");
        if self.core.mode() == Mode::Observe && self.core.state() == State::Closed {
            text.push_str(" (only observing)");
        }
        if let Some(hold) = self.core.hold() {
            text.push_str(&format!("; {}", hold.left(now)));
        }
        if let Some(share) = self.core.ramping_since().map(|_| self.core.share(now)) {
            text.push_str(&format!("; {:.0} % pass", share * 100.0));
        }
        match &self.last {
            None => text.push_str("; it has never changed its state"),
            Some((at, Transition { from, to, why })) => {
                let (from, to, ago) = (from.as_str(), to.as_str(), now.since(*at).as_secs_f64());
                text.push_str(&format!("; it went from {from} to {to} {ago:.1} s ago because {why}"));
            }
        }
        if let Some(until) = self.core.refuses_until() {
            let (wait, attempt) = (until.since(now).as_secs_f64(), self.core.attempt());
            text.push_str(&format!("; the next probe may pass in {wait:.1} s (opened {attempt} × in a row)"));
        }
        text
    }
}
