//! Times that mean something on a machine with other things to do.
//!
//! Work is done in batches of some microseconds, each timed by itself. Batches in which a thread was taken off its core
//! are few and far longer than the rest; the longest and the shortest tenth are left out. With several threads only those
//! batches count during which all of them were running: else a lock that nobody else was there to hold would look cheap.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A thread's own part of the work: does it so many times.
pub type Work = Box<dyn FnMut(u64)>;

/// What a batch should take at least.
const BATCH: Duration = Duration::from_micros(15);
/// Batches that a median should stand on.
const ENOUGH: usize = 100;
const MOST: usize = 20_000;
/// A batch so much longer than its thread's median was interrupted, in nanoseconds: other threads' turns on a core are
/// longer, waiting for a lock is shorter.
const INTERRUPTED: u64 = 500_000;

/// Nanoseconds an operation, and how many batches that stands on.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub ns: f64,
    pub batches: usize,
}

/// How often `make`'s work is to be repeated to fill a batch.
pub fn batch_size(make: &(dyn Fn(usize) -> Work + Sync)) -> u64 {
    let mut work = make(0);
    work(64);
    let mut n = 1;
    loop {
        let begun = Instant::now();
        work(n);
        if begun.elapsed() >= BATCH {
            return n;
        }
        n *= 2;
    }
}

/// Measures on `threads` threads, each on a core of its own as long as there are any.
pub fn measure(threads: usize, batch: u64, budget: Duration, make: &(dyn Fn(usize) -> Work + Sync)) -> Timing {
    let mut best = once(threads, batch, budget, make);
    // Others had the cores: give it more time, thrice at the most.
    for more in [2, 4, 8] {
        if best.batches >= ENOUGH {
            break;
        }
        let again = once(threads, batch, budget * more, make);
        if again.batches >= best.batches {
            best = again;
        }
    }
    best
}

fn once(threads: usize, batch: u64, budget: Duration, make: &(dyn Fn(usize) -> Work + Sync)) -> Timing {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let (start, stop, done) = (&Barrier::new(threads), &AtomicBool::new(false), &AtomicUsize::new(0));
    let origin = Instant::now();
    let logs: Vec<Vec<(u64, u64)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let core = cores.get(thread % cores.len().max(1)).copied();
                scope.spawn(move || {
                    core.map(core_affinity::set_for_current);
                    let mut work = make(thread);
                    let mut log = Vec::with_capacity(MOST);
                    work(64);
                    start.wait();
                    let begun = Instant::now();
                    let mut before = begun;
                    while log.len() < MOST && !(stop.load(Ordering::Relaxed) && log.len() > 2) {
                        work(batch);
                        let now = Instant::now();
                        log.push(((before - origin).as_nanos() as u64, (now - origin).as_nanos() as u64));
                        before = now;
                        if now - begun > budget && done.fetch_add(1, Ordering::Relaxed) + 1 >= threads {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    stop.store(true, Ordering::Relaxed);
                    log
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect()
    });
    let mut durations: Vec<u64> = logs.iter().enumerate().flat_map(|(i, log)| undisturbed(i, log, &logs)).collect();
    durations.sort_unstable();
    let batches = durations.len();
    let middle = &durations[batches / 10..batches - batches / 10];
    let usual = match middle.len() {
        n if batches >= ENOUGH / 10 => middle.iter().sum::<u64>() as f64 / n as f64,
        // They put each other to sleep, as some locks do: that is their price, so it is the plain average.
        _ => {
            let all = logs.iter().flatten();
            all.clone().map(|(from, to)| to - from).sum::<u64>() as f64 / all.count().max(1) as f64
        }
    };
    Timing { ns: usual / batch as f64, batches }
}

/// The lengths of those batches of `log` during which every other thread was running.
fn undisturbed<'a>(
    own: usize,
    log: &'a [(u64, u64)],
    logs: &'a [Vec<(u64, u64)>],
) -> impl Iterator<Item = u64> + use<'a> {
    let others: Vec<(&[(u64, u64)], u64)> =
        logs.iter().enumerate().filter(|(i, _)| *i != own).map(|(_, log)| (&log[..], median(log))).collect();
    log.iter()
        .filter(move |(from, to)| others.iter().all(|(log, usual)| ran(log, *usual, *from, *to)))
        .map(|(a, b)| b - a)
}

/// Whether a thread ran all the time from `from` to `to`.
fn ran(log: &[(u64, u64)], usual: u64, from: u64, to: u64) -> bool {
    let inside = log.first().is_some_and(|first| first.0 <= from) && log.last().is_some_and(|last| last.1 >= to);
    let begin = log.partition_point(|batch| batch.1 <= from);
    inside && log[begin..].iter().take_while(|batch| batch.0 < to).all(|batch| batch.1 - batch.0 <= usual + INTERRUPTED)
}

fn median(log: &[(u64, u64)]) -> u64 {
    let mut lengths: Vec<u64> = log.iter().map(|(a, b)| b - a).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

/// The middle of some measurements, how far the middle half of them spreads, as a ratio of it, and the extremes.
#[derive(Clone, Copy, Debug)]
pub struct Middle {
    pub value: f64,
    pub spread: f64,
    pub least: f64,
    pub most: f64,
}

/// [`Middle`] of `values`.
pub fn middle(values: impl IntoIterator<Item = f64>) -> Middle {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let at = |q: f64| {
        sorted.get((q * (sorted.len().saturating_sub(1)) as f64).round() as usize).copied().unwrap_or(f64::NAN)
    };
    Middle { value: at(0.5), spread: (at(0.75) - at(0.25)) / at(0.5) / 2.0, least: at(0.0), most: at(1.0) }
}

/// The name and the processor of this machine, for a table's caption.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores, {}, load {load} when it began", model.unwrap_or("unknown processor"))
}
