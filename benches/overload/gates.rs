//! Policies that let in by the delay in the queue, or by how many calls succeeded.

use super::limits::{Fixed, Limited};
use super::queues::rank;
use plimsoll::Timestamp;
use plimsoll::sim::{Answer, Call, Ended, Policy};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Refuses while the delay to be expected, by the length of the queue and the mean service time of late, is over 40 ms.
pub struct DelayGate {
    workers: f64,
    waiting: usize,
    started: Vec<u64>,
    mean: f64,
}

impl DelayGate {
    pub fn new(workers: usize) -> Self {
        Self { workers: workers as f64, waiting: 0, started: Vec::new(), mean: 0.0 }
    }
}

impl Policy for DelayGate {
    fn arrive(&mut self, call: &Call, _: Timestamp) -> Answer {
        if self.waiting as f64 * self.mean / self.workers > 0.04e9 {
            return Answer::Refuse("delay");
        }
        self.waiting += 1;
        let place = call.place as usize;
        if self.started.len() <= place {
            self.started.resize(place + 1, 0);
        }
        Answer::Admit
    }

    fn start(&mut self, call: &Call, now: Timestamp) -> bool {
        self.waiting -= 1;
        self.started[call.place as usize] = now.as_nanos();
        now < call.deadline
    }

    fn end(&mut self, call: &Call, ended: Ended, now: Timestamp) {
        if ended != Ended::Left {
            let took = (now.as_nanos() - self.started[call.place as usize]) as f64;
            self.mean += (took - self.mean) * 0.02;
        }
    }
}

/// WeChat's overload control: by second, if the mean wait was over 20 ms, 5 % less than were let in, otherwise 1 % of all more;
/// by the priority of the call, then by that of its user, one of 128.
pub struct Dagor {
    level: usize,
    asked: [u32; Dagor::LEVELS],
    admitted: u32,
    waits: (u64, u64),
    ends: u64,
}

impl Dagor {
    const LEVELS: usize = 3 * 128;

    pub fn new() -> Self {
        Self { level: Self::LEVELS, asked: [0; Self::LEVELS], admitted: 0, waits: (0, 0), ends: 0 }
    }

    /// What lets in a given number of those that asked: the levels below it.
    fn adjust(&mut self) {
        let (sum, n) = self.waits;
        let all: u32 = self.asked.iter().sum();
        let wanted = if n > 0 && sum / n > 20_000_000 {
            f64::from(self.admitted) * 0.95
        } else {
            f64::from(self.admitted) + f64::from(all) * 0.01
        };
        let mut let_in = f64::from(self.asked[..self.level].iter().sum::<u32>());
        while let_in > wanted && self.level > 1 {
            self.level -= 1;
            let_in -= f64::from(self.asked[self.level]);
        }
        while let_in < wanted && self.level < Self::LEVELS {
            let_in += f64::from(self.asked[self.level]);
            self.level += 1;
        }
        (self.asked, self.admitted, self.waits) = ([0; Self::LEVELS], 0, (0, 0));
    }
}

impl Policy for Dagor {
    fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer {
        if now.as_nanos() >= self.ends {
            self.adjust();
            self.ends = now.as_nanos() + 1_000_000_000;
        }
        let level = rank(call) * 128 + (call.token % 128) as usize;
        self.asked[level] += 1;
        if level >= self.level {
            return Answer::Refuse("level");
        }
        self.admitted += 1;
        Answer::Admit
    }

    fn start(&mut self, call: &Call, now: Timestamp) -> bool {
        self.waits.0 += now.since(call.arrived).as_nanos() as u64;
        self.waits.1 += 1;
        now < call.deadline
    }
}

/// How many of how many, over a sliding window of whole seconds.
struct Window {
    seconds: Vec<(u64, [f64; 2])>,
    sums: [f64; 2],
}

impl Window {
    fn new(seconds: usize) -> Self {
        Self { seconds: vec![(0, [0.0; 2]); seconds], sums: [0.0; 2] }
    }

    fn add(&mut self, which: usize, now: Timestamp) {
        let second = now.as_nanos() / 1_000_000_000;
        let length = self.seconds.len() as u64;
        for (at, counts) in &mut self.seconds {
            if *at + length <= second {
                self.sums[0] -= counts[0];
                self.sums[1] -= counts[1];
                *counts = [0.0; 2];
            }
        }
        let (at, counts) = &mut self.seconds[(second % length) as usize];
        *at = second;
        counts[which] += 1.0;
        self.sums[which] += 1.0;
    }
}

/// Clients that refrain from asking as more of what they ask is refused (SRE book, ch. 21), and a limit of 20 behind them.
pub struct Throttle {
    requests_and_accepts: Window,
    behind: Limited<Fixed>,
    rng: StdRng,
}

impl Throttle {
    pub fn new(seed: u64) -> Self {
        Self {
            requests_and_accepts: Window::new(120),
            behind: Limited::by(Fixed(20)),
            rng: StdRng::seed_from_u64(seed),
        }
    }
}

impl Policy for Throttle {
    fn arrive(&mut self, call: &Call, now: Timestamp) -> Answer {
        let [requests, accepts] = self.requests_and_accepts.sums;
        self.requests_and_accepts.add(0, now);
        if self.rng.random::<f64>() < (requests - 2.0 * accepts) / (requests + 1.0) {
            return Answer::Withhold("throttle");
        }
        let answer = self.behind.arrive(call, now);
        if answer == Answer::Admit {
            self.requests_and_accepts.add(1, now);
        }
        answer
    }

    fn end(&mut self, call: &Call, ended: Ended, now: Timestamp) {
        self.behind.end(call, ended, now);
    }
}

/// Envoy's admission control: over 30 s, the more of what was let in failed, the less is let in; up to 80 % is refused. To
/// fail is to be late.
pub struct SuccessRatio {
    all_and_good: Window,
    rng: StdRng,
}

impl SuccessRatio {
    pub fn new(seed: u64) -> Self {
        Self { all_and_good: Window::new(30), rng: StdRng::seed_from_u64(seed) }
    }
}

impl Policy for SuccessRatio {
    fn arrive(&mut self, _: &Call, _: Timestamp) -> Answer {
        let [all, good] = self.all_and_good.sums;
        let refused = ((all - good / 0.95) / (all + 1.0)).max(0.0).sqrt();
        if self.rng.random::<f64>() < refused.min(0.8) { Answer::Refuse("ratio") } else { Answer::Admit }
    }

    fn end(&mut self, call: &Call, ended: Ended, now: Timestamp) {
        self.all_and_good.add(0, now);
        if ended == Ended::Success && now <= call.deadline {
            self.all_and_good.add(1, now);
        }
    }
}
