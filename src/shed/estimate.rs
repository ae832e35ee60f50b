//! Learning how many calls a service works on at once without one of them waiting for another: pure, and without a clock.
//!
//! A service with `c` workers gives the same latency to its first `c` calls and then makes each further one wait. So by
//! Little's law (calls = throughput × latency) the throughput at `n` calls, `n ÷ latency(n)`, rises up to `c` and is flat
//! beyond it. `latency(n)` is learned from every call that ends, under the number of calls that were under way when it was
//! let in: in calm times too, long before there is an overload. The limit is the `n` with the best of
//! `throughput(n) ÷ n^0.2`: twice as many calls must bring 15 % more throughput to be worth what they wait.
//!
//! Only calls that ended well and in time count as throughput. So failures, and calls that all run into one time-out,
//! never make a limit look better than a lower one.

/// Levels of concurrency: 1, 2, 3, 4, and then four to each doubling, up to 8,192.
pub(super) const LEVELS: usize = 48;
/// What a further call under way must bring: the elasticity of throughput by concurrency at the limit.
const WORTH: f64 = 0.2;
/// How much of doubt counts as hope, in standard errors: what is little known is tried now and then.
const HOPE: f64 = 0.35;
/// How many calls are remembered, for each four of the limit.
const MEMORY: f64 = 2_000.0;
/// Calls after which a level is known well enough to be the best.
const KNOWN: f64 = 4.0;
/// The least share of calls that succeed from which something is learned.
const LEAST_GOOD: f64 = 0.01;
/// The least limit to begin with.
const FIRST: u32 = 8;
/// The share of the newest call in the mean latency.
const NEWEST: f64 = 0.02;
/// The quick tenth moves by this share for each call.
const STEP: f64 = 0.1;

/// What calls were like that were let in at one level. Sums of weights, of latencies in seconds, of their squares.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    calls: f64,
    latency: f64,
    squares: f64,
    good: f64,
}

/// Learns the limit.
#[derive(Debug)]
pub(super) struct Estimator {
    levels: [Level; LEVELS],
    /// The weight of the newest call; older ones lose by its growth.
    weight: f64,
    /// The mean latency of late, in seconds; none yet, if it is zero.
    mean: f64,
    /// One call in ten is quicker, in seconds; not known yet, if it is zero.
    quick: f64,
    /// A call that took longer, in seconds, was no success.
    target: f64,
    /// The limit, if it is not to be learned.
    fixed: Option<u32>,
    /// The level that is the limit now, and since how many calls it is.
    at: usize,
    dwelt: u32,
}

impl Estimator {
    /// For calls that shall take no longer than `target` nanoseconds. With a `fixed` limit it learns nothing but how long
    /// calls take.
    pub(super) fn new(target: u64, fixed: Option<u32>) -> Self {
        Self {
            levels: [Level::default(); LEVELS],
            weight: 1.0,
            mean: 0.0,
            quick: 0.0,
            target: seconds(target),
            fixed,
            at: LEVELS - 1,
            dwelt: 0,
        }
    }

    /// Has learned nothing yet, and limits nothing.
    pub(super) fn forget(&mut self) {
        let Self { target, mean, quick, .. } = *self;
        *self = Self { target, mean, quick, ..Self::new(0, None) };
    }

    /// Begins with `in_flight` calls under way, having learned nothing yet.
    pub(super) fn begin(&mut self, in_flight: u32) {
        self.forget();
        self.at = level_of(in_flight.saturating_mul(2).max(FIRST));
    }

    /// How many calls may be under way; at the highest level, any number.
    pub(super) fn limit(&self) -> u32 {
        match self.fixed {
            Some(fixed) => fixed,
            None if self.at == LEVELS - 1 => u32::MAX,
            None => calls(self.at),
        }
    }

    /// How long a call takes once it is let in, in nanoseconds.
    pub(super) fn expected(&self) -> u64 {
        (self.mean * 1e9) as u64
    }

    /// One call in ten takes less, once it is let in, in nanoseconds; zero while that is not known.
    pub(super) fn quick(&self) -> u64 {
        (self.quick * 1e9) as u64
    }

    /// How long a call takes when no more are let in than the limit, in nanoseconds; zero while there is none.
    pub(super) fn at_limit(&self) -> u64 {
        let seen = self.levels[self.at];
        if seen.calls > 0.0 { (seen.latency / seen.calls * 1e9) as u64 } else { 0 }
    }

    /// A call took so long. Whoever gave up sooner than others are answered says nothing of how long it would have taken.
    pub(super) fn watch(&mut self, latency: u64, good: bool) {
        let latency = seconds(latency);
        if self.quick == 0.0 {
            self.quick = latency;
        } else if latency >= self.quick {
            self.quick *= 1.0 + 0.1 * STEP;
        } else if good {
            self.quick *= 1.0 - 0.9 * STEP;
        }
    }

    /// A call ended that was let in at `level`; `wanted` says whether others wait, or were refused, for want of room.
    /// Returns whether the limit may have changed.
    pub(super) fn observe(&mut self, level: usize, latency: u64, good: bool, wanted: bool) -> bool {
        self.watch(latency, good);
        let latency = seconds(latency);
        let in_time = latency <= self.target;
        let (capped, for_mean) = (latency.min(4.0 * self.target), latency.min(self.target));
        self.mean += if self.mean == 0.0 { for_mean } else { (for_mean - self.mean) * NEWEST };
        if self.fixed.is_some() {
            return false;
        }
        self.weight *= 1.0 + 1.0 / (MEMORY * (f64::from(calls(self.at)) / 4.0).max(1.0));
        if self.weight > 1e12 {
            self.rescale();
        }
        let weight = self.weight;
        let Some(seen) = self.levels.get_mut(level) else { return false };
        seen.calls += weight;
        seen.latency += weight * capped;
        seen.squares += weight * capped * capped;
        seen.good += if good && in_time { weight } else { 0.0 };
        self.dwelt += u32::from(wanted);
        // At a level for as many calls as it holds: as long as each of them takes.
        if self.dwelt < calls(self.at).clamp(4, 1_024) {
            return false;
        }
        self.choose();
        true
    }

    fn rescale(&mut self) {
        let by = self.weight;
        for level in &mut self.levels {
            let Level { calls, latency, squares, good } = *level;
            *level = Level { calls: calls / by, latency: latency / by, squares: squares / by, good: good / by };
        }
        self.weight = 1.0;
    }

    /// The best level known, or one near it that might be better and is little known.
    fn choose(&mut self) {
        self.dwelt = 0;
        if self.levels.iter().all(|seen| seen.good < LEAST_GOOD * seen.calls.max(self.weight)) {
            // Nothing succeeds. No number of failures is better than another; but if all are late, fewer may not be.
            let sum = |of: fn(&Level) -> f64| self.levels.iter().map(of).sum::<f64>();
            if sum(|seen| seen.latency) > self.target * sum(|seen| seen.calls) {
                self.at = self.at.saturating_sub(1);
            }
            return;
        }
        let spread = self.spread();
        let known = |i: usize| self.calls_at(i) >= KNOWN;
        let worth = |i: usize| self.worth(i);
        let tried = (0..LEVELS).filter(|i| self.calls_at(*i) >= 1.0);
        let best = tried.max_by(|a, b| known(*a).cmp(&known(*b)).then(worth(*a).total_cmp(&worth(*b))));
        let best = best.unwrap_or(self.at);
        let hope = |i: usize| match self.calls_at(i) {
            calls if calls >= 1.0 => worth(i) + HOPE * (spread / calls).sqrt(),
            // Never tried: only by steps, away from what is known.
            _ if i.abs_diff(best) <= 1 => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        };
        let near = best.saturating_sub(2)..=(best + 2).min(LEVELS - 1);
        let next = near.max_by(|a, b| hope(*a).total_cmp(&hope(*b)));
        self.at = next.unwrap_or(best);
    }

    /// How many calls a level has seen, old ones counting less.
    fn calls_at(&self, level: usize) -> f64 {
        self.levels[level].calls / self.weight
    }

    /// The logarithm of `throughput ÷ n^WORTH`.
    fn worth(&self, level: usize) -> f64 {
        let (n, seen) = (f64::from(calls(level)), self.levels[level]);
        let good = (seen.good / seen.calls).max(1e-9);
        (good * n * seen.calls / seen.latency.max(1e-12)).ln() - WORTH * n.ln()
    }

    /// The variance of latencies, in squares of their mean.
    fn spread(&self) -> f64 {
        let (mut variance, mut all) = (0.0, 0.0);
        for (i, seen) in self.levels.iter().enumerate().filter(|(i, _)| self.calls_at(*i) >= 1.0) {
            let mean = seen.latency / seen.calls;
            variance += self.calls_at(i) * (seen.squares / seen.calls / (mean * mean).max(1e-24) - 1.0).max(0.0);
            all += self.calls_at(i);
        }
        (variance / f64::max(all, 1.0)).clamp(0.05, 4.0)
    }
}

/// How many calls a level stands for.
fn calls(level: usize) -> u32 {
    match level {
        0..4 => level as u32 + 1,
        _ => (5 + (level as u32 - 4) % 4) << ((level as u32 - 4) / 4),
    }
}

/// The lowest level that holds so many calls.
pub(super) fn level_of(n: u32) -> usize {
    match n {
        0..=4 => n.saturating_sub(1) as usize,
        _ => {
            let octave = (n - 1).ilog2() - 2;
            let step = (n - 1) >> octave; // 4..=7
            (octave as usize * 4 + step as usize).min(LEVELS - 1)
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::{Estimator, LEVELS, calls, level_of};

    #[test]
    fn a_level_is_the_lowest_that_holds_so_many() {
        for n in 1..10_000 {
            let level = level_of(n);
            assert!(calls(level) >= n || level == LEVELS - 1, "{n}: {level} holds {}", calls(level));
            assert!(level == 0 || calls(level - 1) < n, "{n}: {} is enough", calls(level - 1));
        }
    }

    const MS: u64 = 1_000_000;

    /// As many calls as there is room for, over and over: each takes what `latency` says of so many, and is good if `good` says
    /// so of how long it took. The limits that were settled on.
    fn limits(latency: impl Fn(u32) -> u64, good: impl Fn(u64) -> bool) -> Vec<u32> {
        let mut learned = Estimator::new(100 * MS, None);
        learned.begin(0);
        let mut limits = Vec::new();
        for _ in 0..3_000 {
            let room = learned.limit();
            for n in 1..=room {
                let takes = latency(n);
                learned.observe(level_of(n), takes, good(takes), true);
            }
            limits.push(learned.limit());
        }
        limits.split_off(2_000)
    }

    /// So many workers that each take 10 ms.
    fn workers(c: u32) -> impl Fn(u32) -> u64 {
        move |n| 10 * MS * u64::from(n.max(c)) / u64::from(c)
    }

    fn mean(limits: &[u32]) -> f64 {
        limits.iter().map(|limit| f64::from(*limit)).sum::<f64>() / limits.len() as f64
    }

    #[test]
    fn the_limit_is_as_many_calls_as_there_are_workers() {
        for c in [1, 2, 7, 16, 64, 300] {
            let limit = mean(&limits(workers(c), |_| true)) / f64::from(c);
            assert!((0.85..=1.35).contains(&limit), "{limit} times {c} workers");
        }
    }

    #[test]
    fn a_stable_timeout_does_not_inflate_the_limit() {
        // Two workers, and whoever is not answered in 50 ms is timed out: beyond ten calls all take the same.
        let timed_out = |n| workers(2)(n).min(50 * MS);
        let limit = mean(&limits(timed_out, |takes| takes < 50 * MS));
        assert!((1.5..=4.0).contains(&limit), "{limit}");
        // Everything times out: a limit as good as any other, and no reason to let more in.
        let all = limits(|_| 50 * MS, |_| false);
        assert!(all.iter().all(|limit| *limit <= 64), "{}", mean(&all));
    }

    #[test]
    fn calls_that_are_all_late_bring_the_limit_down_and_calls_that_all_fail_at_once_do_not() {
        let settles_at = |latency: fn(u64) -> u64, good: bool| {
            let mut learned = Estimator::new(100 * MS, None);
            learned.begin(100);
            for _ in 0..1_000 {
                let room = learned.limit();
                (0..room).for_each(|_| _ = learned.observe(level_of(room), latency(room.into()), good, true));
            }
            learned.limit()
        };
        // Two workers: 200 calls at once take a second.
        let limit = settles_at(|room| 5 * MS * room.max(2), true);
        assert!((1..=5).contains(&limit), "{limit}");
        let down = settles_at(|_| MS, false);
        assert!((100..=256).contains(&down), "{down}: there is nothing to learn from an outage");
    }

    #[test]
    fn how_quick_one_in_ten_is_follows_both_ways() {
        let mut learned = Estimator::new(100 * MS, None);
        for step in [20_u64, 200, 2] {
            for n in 0..2_000 {
                // Evenly from half to one and a half of it.
                learned.watch(step * MS / 2 + step * MS * (n * 7 % 100) / 100, true);
            }
            let quick = learned.quick() as f64 / (step * MS) as f64;
            assert!((0.5..=0.75).contains(&quick), "{quick} of {step} ms");
        }
    }
}
