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
/// The least limit to begin with.
const FIRST: u32 = 8;
/// The share of the newest call in the mean latency.
const NEWEST: f64 = 0.02;

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
            target: seconds(target),
            fixed,
            at: LEVELS - 1,
            dwelt: 0,
        }
    }

    /// Begins with `in_flight` calls under way, having learned nothing yet.
    pub(super) fn begin(&mut self, in_flight: u32) {
        let mean = self.mean;
        *self = Self { target: self.target, mean, ..Self::new(0, None) };
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

    /// A call ended that was let in at `level`; `wanted` says whether others wait, or were refused, for want of room.
    /// Returns whether the limit may have changed.
    pub(super) fn observe(&mut self, level: usize, latency: u64, good: bool, wanted: bool) -> bool {
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
        (self.at, self.dwelt) = (next.unwrap_or(best), 0);
    }

    /// How many calls a level has seen, old ones counting less.
    fn calls_at(&self, level: usize) -> f64 {
        self.levels[level].calls / self.weight
    }

    /// The logarithm of `throughput ÷ n^WORTH`.
    fn worth(&self, level: usize) -> f64 {
        let (n, seen) = (f64::from(calls(level)), self.levels[level]);
        let good = (seen.good / seen.calls).max(0.01);
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
    use super::{LEVELS, calls, level_of};

    #[test]
    fn a_level_is_the_lowest_that_holds_so_many() {
        for n in 1..10_000 {
            let level = level_of(n);
            assert!(calls(level) >= n || level == LEVELS - 1, "{n}: {level} holds {}", calls(level));
            assert!(level == 0 || calls(level - 1) < n, "{n}: {} is enough", calls(level - 1));
        }
    }
}
