//! What it costs to read, and what a reader costs those who write.
//!
//! `cargo bench --bench reading --features prometheus`; `-- writers` says only what it costs those who write.
#![allow(clippy::disallowed_methods)] // it measures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use common::measure::{Middle, middle};
use common::{admit, caption, counted, measuring, slo};
use plimsoll::{Breaker, Guard, ManualClock, Outcome, Plimsoll, Shed, Slo, Window};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let (rounds, guards) = if measuring() { (9, 1_000) } else { (1, 20) };
    println!("{}\n", caption(rounds));
    if std::env::args().any(|arg| arg == "writers") {
        return writers(rounds);
    }
    println!("| reading | takes | mark |\n|---|---:|---|");
    burn_rates(rounds);
    status(rounds, guards / 2);
    exposition(rounds, guards);
    writers(rounds);
}

/// The median of several runs of `work`, in nanoseconds of this thread's processor time, each divided by `by`: others that
/// are on the machine make it late, not slow. The scheduler says what it gave only at its own ticks, some 4 ms apart: a run is
/// repeated for as long as many of them take, and a step of them is 4 % of what it says.
fn timed(rounds: usize, by: usize, mut work: impl FnMut()) -> Middle {
    work();
    let least = if measuring() { 1e8 } else { 0.0 };
    let once = |_| {
        let (begun, mut times) = (processor_time(), 0);
        loop {
            work();
            times += 1;
            let took = processor_time() - begun;
            if took >= least {
                return took / (times * by) as f64;
            }
        }
    };
    middle((0..rounds * 3).map(once))
}

/// What the scheduler has given this thread so far, in nanoseconds; the time that passes, where it does not say.
fn processor_time() -> f64 {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let said = said.and_then(|text| text.split(' ').next()?.parse().ok());
    said.unwrap_or_else(|| BEGUN.get_or_init(Instant::now).elapsed().as_nanos() as f64)
}

fn shown(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

fn row(what: &str, took: Middle, limit: Option<f64>) {
    let mark = limit.map_or_else(String::new, |limit| {
        format!("≤ {}: {}", shown(limit), if took.value <= limit { "ok" } else { "**missed**" })
    });
    println!("| {what} | {} ± {:.0} % | {mark} |", shown(took.value), took.spread * 100.0);
}

/// A month of traffic, minute by minute, on a clock that is moved by hand.
fn burn_rates(rounds: usize) {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let month = plimsoll.declare(Slo::new("month").success(99.9).over_days(30)).expect("a declaration that works");
    let minutes = if measuring() { 30 * 24 * 60 } else { 60 };
    for minute in 0..minutes {
        month.count(1_000, u64::from(minute % 2 == 0));
        clock.advance(Duration::from_secs(60));
    }
    for (name, window) in [
        ("5 min", Window::minutes(5)),
        ("1 h", Window::hours(1)),
        ("6 h", Window::hours(6)),
        ("3 d", Window::days(3)),
        ("30 d", Window::days(30)),
    ] {
        let took = timed(rounds, 1_000, || {
            for _ in 0..1_000 {
                _ = black_box(month.burn_rate(black_box(window)));
            }
        });
        row(&format!("burn rate over {name}"), took, Some(1e3));
    }
    assert!(month.burn_rate(Window::hours(1)).expect("enough events").value > 0.0);
}

/// `slos` SLOs of two objectives, each with a guard that was called: one in a hundred is in trouble, or all.
fn many(slos: usize, all_in_trouble: bool) -> Plimsoll {
    let plimsoll = Plimsoll::new();
    for i in 0..slos {
        let slo = slo(&plimsoll, &format!("slo {i}"));
        let guard = slo.guard().breaker(Breaker::default()).shed(Shed::adaptive()).build().expect("a guard that works");
        (0..2_000).for_each(|_| admit(&guard).success());
        let failures = if all_in_trouble || i % 100 == 0 { 10 } else { 1 };
        (0..failures).for_each(|_| admit(&guard).failure());
    }
    plimsoll
}

fn status(rounds: usize, slos: usize) {
    let plimsoll = many(slos, false);
    let objectives = 2 * slos;
    let took = timed(rounds, 1, || {
        for objective in plimsoll.slos().iter().flat_map(|slo| slo.objectives()) {
            _ = black_box((objective.budget(), objective.burn_rate(Window::hours(1))));
        }
    });
    row(&format!("budget and burn rate of {objectives} objectives"), took, Some(1e6));
    // The page shows those that are well as of the last tick, and none has come since they were called.
    std::thread::sleep(Duration::from_millis(1_100));
    let page = |plimsoll: &Plimsoll| timed(rounds, 1, || _ = black_box(plimsoll::ops::status(plimsoll)));
    let wrong = slos.div_ceil(100);
    let said = plimsoll::ops::status(&plimsoll).matches("!! error budget spent").count();
    assert_eq!(said, wrong, "budgets that are spent");
    row(&format!("the status page of {objectives} objectives, {wrong} in trouble"), page(&plimsoll), Some(1e6));
    let troubled = many(slos, true);
    std::thread::sleep(Duration::from_millis(1_100));
    row("the same with half of them in trouble", page(&troubled), None);
}

fn exposition(rounds: usize, guards: usize) {
    let plimsoll = many(guards, false);
    let length = plimsoll.render_own().len() as f64 / 1e6;
    let took = timed(rounds, 1, || _ = black_box(plimsoll.render_own()));
    row(&format!("text of {guards} guards, {length:.1} MB, nobody called meanwhile"), took, Some(5e6));
    let all = plimsoll.guards();
    let called = timed(rounds, 1, || all.iter().for_each(|guard| admit(guard).success()));
    let took = timed(rounds, 1, || {
        all.iter().for_each(|guard| admit(guard).success());
        _ = black_box(plimsoll.render_own());
    });
    let took = Middle { value: took.value - called.value, ..took };
    row("the same, every guard called between two", took, Some(5e6));
    let recorder = plimsoll.prometheus_builder().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let published = timed(rounds, 1, || plimsoll.publish());
        row(&format!("publish {guards} guards to the facade"), published, None);
        let took = timed(rounds, 1, || {
            plimsoll.publish();
            _ = black_box(recorder.handle().render());
        });
        row("that, and the exporter's render", took, Some(5e6));
    });
}

/// How long a writer's slowest call takes, in each millisecond, while on another core nothing is done, a loop turns, or
/// everything is read over and over.
fn writers(rounds: usize) {
    let plimsoll = many(if measuring() { 100 } else { 5 }, false);
    let guard = plimsoll.guards()[0];
    let before = counted(&guard, Outcome::Success);
    let others: [(&str, &(dyn Fn() + Sync)); 4] = [
        ("nothing else goes on", &|| std::thread::sleep(Duration::from_millis(1))),
        ("a loop turns", &|| (0..1_000).for_each(|i| _ = black_box(i))),
        ("the text of 100 guards is written, over and over", &|| _ = black_box(plimsoll.render_own())),
        ("this SLO's burn rate is read, over and over", &|| {
            _ = black_box(plimsoll.slos()[0].burn_rate(Window::hours(1)));
        }),
    ];
    let mut measured = vec![Vec::new(); others.len()];
    let mut made = 0;
    // Short and many: what it takes to hand a line from core to core is one thing for some seconds and another for the next.
    for _ in 0..rounds * 5 {
        for ((_, other), measured) in others.iter().zip(&mut measured) {
            let (calls, slowest) = write_beside(guard, other);
            made += calls;
            measured.push(slowest);
        }
    }
    assert_eq!(counted(&guard, Outcome::Success) - before, made, "calls of which not all were counted");
    println!("\n| a writer, while | call, median | p99.99 | slowest in a ms, median | of the loop's | mark of that |");
    println!("|---|---:|---:|---:|---:|---|");
    for ((name, _), own) in others.iter().zip(&measured) {
        let column = |n: usize| middle(own.iter().map(|slowest| slowest[n]));
        let of_loop = middle(own.iter().zip(&measured[1]).map(|(own, turning)| own[2] / turning[2]));
        println!(
            "| {name} | {} | {} | {} ± {:.0} % | {:.2} | {} |",
            shown(column(0).value),
            shown(column(1).value),
            shown(column(2).value),
            column(2).spread * 100.0,
            of_loop.value,
            if of_loop.value <= 2.0 { "≤ 2: ok" } else { "≤ 2: **missed**" }
        );
    }
}

/// Calls made, and the median call, the 99.99th of a hundred, and the median of each millisecond's slowest.
fn write_beside(guard: Guard, other: &(dyn Fn() + Sync)) -> (u64, [f64; 3]) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cores.get(1).copied().map(core_affinity::set_for_current);
            while !stop.load(Ordering::Relaxed) {
                other();
            }
        });
        let writer = scope.spawn(|| {
            cores.first().copied().map(core_affinity::set_for_current);
            write(guard, if measuring() { 20 } else { 3 })
        });
        let written = writer.join().expect("a writer that ends");
        stop.store(true, Ordering::Relaxed);
        written
    })
}

fn write(guard: Guard, milliseconds: usize) -> (u64, [f64; 3]) {
    let clock = quanta::Clock::new();
    // Written to once: a page that is touched for the first time takes longer than what is measured.
    let mut calls = vec![1; milliseconds * 40_000];
    calls.clear();
    let mut slowest = Vec::with_capacity(milliseconds);
    (0..50_000).for_each(|_| admit(black_box(&guard)).success()); // everything is at hand
    while slowest.len() < milliseconds && calls.len() < calls.capacity() {
        let (from, mut most) = (clock.raw(), 0);
        let mut before = from;
        while clock.delta_as_nanos(from, before) < 1_000_000 && calls.len() < calls.capacity() {
            admit(black_box(&guard)).success();
            let now = clock.raw();
            let took = clock.delta_as_nanos(before, now);
            most = most.max(took);
            calls.push(took as u32);
            before = now;
        }
        slowest.push(most as f64);
    }
    let made = calls.len() as u64 + 50_000;
    calls.sort_unstable();
    let at = |q: f64| f64::from(calls[(q * (calls.len() - 1) as f64) as usize]);
    (made, [at(0.5), at(0.9999), middle(slowest).value])
}
