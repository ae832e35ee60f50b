//! What does not grow: the cost of a call with the number of objectives, of guards, the length of the period and the
//! events so far; and memory, which is what was said at declaration.
//!
//! `cargo bench --bench growth`
#![allow(clippy::disallowed_methods)] // it measures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use common::measure::{Work, batch_size, measure, middle};
use common::{admit, caption, counted, measuring};
use plimsoll::{Breaker, Guard, KeyedGuard, Objective, Outcome, Plimsoll, Shed, Slo, SloHandle};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DAY: u64 = 86_400;

/// One of the sizes that something is tried at.
struct Size {
    name: String,
    slos: Vec<SloHandle>,
    guards: Arc<[Guard]>,
    made: Arc<AtomicU64>,
    resident: u64,
}

impl Size {
    fn new(name: impl Into<String>, declare: impl FnOnce(&Plimsoll) -> Vec<SloHandle>) -> Self {
        let before = resident();
        let slos = declare(&Plimsoll::new());
        let shed = Shed::adaptive().target(Duration::from_millis(500));
        let build = |slo: &SloHandle| slo.guard().breaker(Breaker::default()).shed(shed.clone()).build();
        let build = |slo: &SloHandle| build(slo).expect("a guard that works");
        let guards = slos.iter().map(build).collect();
        let resident = resident().saturating_sub(before);
        Self { name: name.into(), slos, guards, made: Arc::default(), resident }
    }

    /// Calls its guards, one after the other, over and over. Each was called once before: windows that were due are
    /// rolled then.
    fn work(&self) -> Work {
        let (guards, made, mut next) = (Arc::clone(&self.guards), Arc::clone(&self.made), 0);
        let mut work = move |n| {
            for _ in 0..n {
                admit(black_box(&guards[next])).success();
                next += 1;
                if next == guards.len() {
                    next = 0;
                }
            }
            made.fetch_add(n, Ordering::Relaxed);
        };
        work(self.guards.len() as u64);
        Box::new(work)
    }

    fn check(&self) {
        let counted: u64 = self.guards.iter().map(|guard| counted(guard, Outcome::Success)).sum();
        assert_eq!(counted, self.made.load(Ordering::Relaxed), "{}: calls of which not all were counted", self.name);
    }

    fn footprint(&self) -> u64 {
        let slos: usize = self.slos.iter().map(SloHandle::memory_footprint).sum();
        let guards: usize = self.guards.iter().map(Guard::memory_footprint).sum();
        (slos + guards) as u64
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * 4_096)
}

/// Measures and prints; gives the nanoseconds a call, size by size.
fn table(title: &str, rounds: usize, sizes: &[Size]) -> Vec<f64> {
    let batches: Vec<u64> = sizes.iter().map(|size| batch_size(&|_| size.work())).collect();
    let mut times = vec![Vec::new(); sizes.len()];
    for _ in 0..rounds {
        for ((size, batch), times) in sizes.iter().zip(&batches).zip(&mut times) {
            times.push(measure(1, *batch, Duration::from_millis(20), &|_| size.work()).ns);
        }
    }
    println!("\n| {title} | ns a call | of the first | KiB a guard, stated | in memory |\n|---|---:|---:|---:|---:|");
    for (size, own) in sizes.iter().zip(&times) {
        size.check();
        let time = middle(own.iter().copied());
        let of_first = middle(own.iter().zip(&times[0]).map(|(own, first)| own / first));
        let kib = |bytes: u64| bytes as f64 / size.guards.len() as f64 / 1_024.0;
        println!(
            "| {} | {:.1} ± {:.0} % | {:.2} | {:.1} | {:.1} |",
            size.name,
            time.value,
            time.spread * 100.0,
            of_first.value,
            kib(size.footprint()),
            kib(size.resident)
        );
    }
    times.into_iter().map(|own| middle(own).value).collect()
}

fn mark(what: &str, value: f64, limit: f64) {
    println!("\n{what}: {value:.2} ≤ {limit}: {}", if value <= limit { "ok" } else { "**missed**" });
}

/// Memory of a guard with a month, one objective or eight.
fn memory(few: &Size, many: &Size) {
    let kib = |size: &Size| size.footprint() as f64 / 1_024.0;
    mark("KiB of a guard with one objective and a month", kib(few), 96.0);
    mark("KiB more for each further objective", (kib(many) - kib(few)) / 7.0, 16.0);
}

/// What memory alone costs: adding one to a word of each of as many places, as far apart as guards are.
fn one_word_each(places: usize, rounds: usize) -> f64 {
    const APART: usize = 112 * 1_024 / 8;
    let words: Arc<[AtomicU64]> = (0..places * APART).map(|_| AtomicU64::new(0)).collect();
    let work = |_| -> Work {
        let (words, mut next) = (Arc::clone(&words), 0);
        Box::new(move |n| {
            for _ in 0..n {
                let word = black_box(&words[next]);
                word.store(word.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                next += APART;
                if next == words.len() {
                    next = 0;
                }
            }
        })
    };
    let batch = batch_size(&work);
    middle((0..rounds).map(|_| measure(1, batch, Duration::from_millis(10), &work).ns)).value
}

fn slo(plimsoll: &Plimsoll, name: &str, objectives: usize, period: Duration) -> SloHandle {
    let mut slo = Slo::new(name).success(99.9).over(period);
    for n in 1..objectives {
        let latency = Objective::latency(99.0, Duration::from_millis(50 * n as u64));
        slo = slo.objective(latency.named(format!("latency{n}")));
    }
    plimsoll.declare(slo).expect("a declaration that works")
}

/// The dearest against the first: within the noise of 5 %.
fn flat(times: &[f64]) {
    mark("the dearest against the first", times.iter().copied().fold(0.0, f64::max) / times[0], 1.05);
}

/// A guard per key: keys called in turn.
fn keyed(keys: &[usize], rounds: usize) {
    let pools: Vec<(usize, KeyedGuard<u64>)> = keys
        .iter()
        .map(|n| {
            let slo = slo(&Plimsoll::new(), "keyed", 2, Duration::from_secs(30 * DAY));
            (*n, slo.guard().breaker(Breaker::default()).keyed(*n).expect("a guard that works"))
        })
        .collect();
    let made = AtomicU64::new(0);
    let count = |n: u64| _ = made.fetch_add(n, Ordering::Relaxed);
    let work = |keys: usize, guard: KeyedGuard<u64>, n: u64, next: &mut u64| {
        for _ in 0..n {
            guard.admit(black_box(&*next)).expect("nothing trips it").success();
            *next = (*next + 1) % keys as u64;
        }
        count(n);
    };
    println!("\n| keys of one keyed guard, called in turn | ns a call | KiB a key, stated |\n|---|---:|---:|");
    let mut most: f64 = 0.0;
    for (keys, guard) in &pools {
        let mut next = 0;
        work(*keys, *guard, 2 * *keys as u64, &mut next);
        let batch = 256;
        let mut batches = Vec::new();
        for _ in 0..rounds * (200 + keys / 64) {
            let begun = Instant::now();
            work(*keys, *guard, batch, &mut next);
            batches.push(begun.elapsed().as_nanos() as f64 / batch as f64);
        }
        let time = middle(batches);
        let kib = guard.memory_footprint() as f64 / *keys as f64 / 1_024.0;
        println!("| {keys} | {:.1} ± {:.0} % | {kib:.1} |", time.value, time.spread * 100.0);
        if *keys >= 100 {
            most = most.max(kib);
        }
        assert_eq!((guard.evicted(), guard.overflowed()), (0, 0), "keys there was room for");
    }
    let all = |guard: &KeyedGuard<u64>| guard.outcomes().map(|(_, n)| n).sum::<u64>();
    let counted: u64 = pools.iter().map(|(_, guard)| all(guard)).sum();
    assert_eq!(counted, made.into_inner(), "calls of which not all were counted");
    if most > 0.0 {
        mark("KiB a key, of a hundred keys and more", most, 16.0);
    }
}

fn main() {
    let (rounds, most_guards, most_events) = if measuring() { (9, 10_000, 9) } else { (1, 10, 4) };
    println!("{}", caption(rounds));
    let days = |n: u64| Duration::from_secs(n * DAY);

    let one = |n: usize| Size::new(n.to_string(), |p| vec![slo(p, "one", n, days(30))]);
    let sizes = [1, 2, 4, 8].map(one);
    let times = table("objectives", rounds, &sizes);
    mark("ns more for each further objective", (times[3] - times[0]) / 7.0, 1.0);
    memory(&sizes[0], &sizes[3]);

    let periods = [("5 min", 300), ("1 h", 3_600), ("1 d", DAY), ("30 d", 30 * DAY), ("90 d", 90 * DAY)];
    let over = |(name, seconds): (&str, u64)| Size::new(name, |p| vec![slo(p, "one", 2, Duration::from_secs(seconds))]);
    flat(&table("period", rounds, &periods.map(over)));

    let exponents: Vec<u32> = (3..=most_events).step_by(2).collect();
    let after = |exponent: &u32| {
        let size = Size::new(format!("10^{exponent}"), |p| vec![slo(p, "one", 2, days(30))]);
        size.slos[0].count(10_u64.pow(*exponent) - 1, 1);
        size
    };
    flat(&table("events so far", rounds, &exponents.iter().map(after).collect::<Vec<_>>()));

    let counts: Vec<usize> = [1, 10, 100, 1_000, 10_000].into_iter().filter(|n| *n <= most_guards).collect();
    let many =
        |n: usize| Size::new(n.to_string(), |p| (0..n).map(|i| slo(p, &format!("slo {i}"), 2, days(30))).collect());
    let sizes: Vec<Size> = counts.iter().map(|n| many(*n)).collect();
    flat(&table("guards, each of an SLO of its own, called in turn", rounds, &sizes));
    drop(sizes);
    keyed(&counts, rounds);
    println!("\nAdding one to a word of each of as many places, called in turn:");
    for n in counts {
        println!("{n}: {:.1} ns", one_word_each(n, rounds));
    }
}
