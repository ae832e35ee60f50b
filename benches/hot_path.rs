//! What one guarded call costs, piece by piece, on one, two and four threads.
//!
//! `cargo bench --bench hot_path`, or with a part of a name after it. After each row the guard's own counts are held
//! against the calls that were made.
#![allow(clippy::disallowed_methods)] // it measures clocks
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use common::{Layered, NEXT_TO_IT, admit, call, counted, next_to_the_limit, on_cores, untripped};
use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll::{Breaker, Guard, GuardError, Outcome};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(10);
const THREADS: [usize; 3] = [1, 2, 4];

/// A row per number of threads. `check` gets the calls made.
fn rows(c: &mut Criterion, name: &str, work: impl Fn(u64) + Sync, check: impl Fn(u64)) {
    let made = AtomicU64::new(0);
    let mut group = c.benchmark_group(name);
    for threads in THREADS {
        group.bench_function(format!("{threads}T"), |bencher| {
            bencher.iter_custom(|iterations| {
                on_cores(threads, iterations, |_, n| {
                    work(n);
                    made.fetch_add(n, Ordering::Relaxed);
                })
            });
        });
    }
    group.finish();
    check(made.into_inner());
}

fn rows_of(c: &mut Criterion, name: &str, guard: Guard, outcome: Outcome, work: impl Fn(u64) + Sync) {
    let before = counted(&guard, outcome);
    rows(c, name, work, |made| assert_eq!(counted(&guard, outcome) - before, made, "{name}"));
}

fn success(guard: &Guard, n: u64) {
    for _ in 0..n {
        admit(black_box(guard)).success();
    }
}

fn failure(guard: &Guard, n: u64) {
    for _ in 0..n {
        admit(black_box(guard)).failure();
    }
}

fn refused(guard: &Guard, n: u64) {
    for _ in 0..n {
        assert!(black_box(guard).admit().is_err());
    }
}

fn floor(c: &mut Criterion) {
    let two_reads = |n| {
        for _ in 0..n {
            black_box(Instant::now());
            black_box(Instant::now());
        }
    };
    rows(c, "floor/two Instant::now", two_reads, |_| {});
    let counter = quanta::Clock::new();
    let two_raw = |n| {
        for _ in 0..n {
            let begun = black_box(counter.raw());
            black_box(counter.delta_as_nanos(begun, counter.raw()));
        }
    };
    rows(c, "floor/two quanta raw", two_raw, |_| {});
}

fn sli(c: &mut Criterion) {
    let guard = common::sli();
    rows_of(c, "sli/success", guard, Outcome::Success, |n| success(&guard, n));
    rows_of(c, "sli/failure", guard, Outcome::FAILURE, |n| failure(&guard, n));
}

fn breaker(c: &mut Criterion) {
    let guard = common::breaker_only(Breaker::default());
    rows_of(c, "breaker/success", guard, Outcome::Success, |n| success(&guard, n));
    guard.force_open();
    rows_of(c, "breaker/refused", guard, Outcome::Rejected, |n| refused(&guard, n));
    let guard = common::breaker_only(untripped(WINDOW));
    rows_of(c, "breaker/failure", guard, Outcome::FAILURE, |n| failure(&guard, n));
}

fn keyed(c: &mut Criterion) {
    let keys: Vec<String> = (0..1_024).map(|n| format!("tenant-{n}")).collect();
    // One key has one breaker, whose counters all threads share; of 1,024 keys, asked for in turn, each call puts another
    // key out once the room is taken.
    for (name, of) in [("one key", 1), ("512 keys", 512), ("1,024 keys, room for 1,000", 1_024)] {
        let guard = common::keyed();
        let counted = || guard.outcomes().map(|(_, n)| n).sum::<u64>();
        let success = |n: u64| {
            for i in 0..n as usize {
                black_box(guard).admit(keys[i % of].as_str()).expect("nothing trips it").success();
            }
        };
        let name = format!("keyed/success, {name}");
        rows(c, &name, success, |made| assert_eq!(counted(), made, "{name}"));
    }
}

fn full(c: &mut Criterion) {
    let service = common::full(Breaker::default());
    let guard = service.guard();
    rows_of(c, "full/success", guard, Outcome::Success, |n| success(&guard, n));
    rows_of(c, "full/success, layered", guard, Outcome::Success, |n| layered(&service, n, 0));
    let engaged = common::full_engaged().guard();
    rows_of(c, "full/success, limiter engaged", engaged, Outcome::Success, |n| success(&engaged, n));
    guard.force_open();
    rows_of(c, "full/refused", guard, Outcome::Rejected, |n| refused(&guard, n));
    rows_of(c, "full/refused, fallback value", guard, Outcome::Degraded, |n| layered(&service, n, 0));
    let service = common::full_without_fallback(Breaker::default());
    service.guard().force_open();
    rows_of(c, "full/refused, layered", service.guard(), Outcome::Rejected, |n| {
        let mut service = service.clone();
        for _ in 0..n {
            assert!(matches!(call(&mut service, black_box(0)), Err(GuardError::Rejected(_))));
        }
    });
}

fn full_failing(c: &mut Criterion) {
    let service = common::full(untripped(WINDOW));
    let guard = service.guard();
    rows_of(c, "full/failure", guard, Outcome::FAILURE, |n| failure(&guard, n));
    rows_of(c, "full/failure, layered", guard, Outcome::FAILURE, |n| layered(&service, n, 1));
    for (name, window) in [("10 s", WINDOW), ("1 h", Duration::from_secs(3_600))] {
        let guard = common::full(next_to_the_limit(window)).guard();
        let name = format!("full/8 of 9 fail, trips at 90 % in {name}");
        let eight_of_nine = |n| {
            for i in 0..n {
                let permit = admit(black_box(&guard));
                if i % (NEXT_TO_IT + 1) == 0 { permit.success() } else { permit.failure() }
            }
        };
        let all = || counted(&guard, Outcome::FAILURE) + counted(&guard, Outcome::Success);
        rows(c, &name, eight_of_nine, |made| assert_eq!(all(), made, "{name}"));
    }
}

fn layered(service: &Layered, n: u64, request: u64) {
    let mut service = service.clone();
    for _ in 0..n {
        _ = black_box(call(&mut service, black_box(request)));
    }
}

fn quickly() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots()
}

criterion_group! { name = hot_path; config = quickly(); targets = floor, sli, breaker, keyed, full, full_failing }
criterion_main!(hot_path);
