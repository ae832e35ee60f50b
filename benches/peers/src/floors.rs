//! What nothing can be cheaper than.

use crate::common::call;
use crate::row::Row;
use crate::stacks::Echo;
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub const GROUP: &str = "Floors";
pub const TWO_READS: &str = "two `Instant::now()`";

/// On a pair of cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new(GROUP, TWO_READS, |_| {
            || {
                black_box(Instant::now());
                black_box(Instant::now());
            }
        }),
        Row::new(GROUP, "two `quanta` readings, raw, and their difference", |_| {
            let clock = quanta::Clock::new();
            move || {
                let begun = black_box(clock.raw());
                black_box(clock.delta_as_nanos(begun, clock.raw()));
            }
        }),
        Row::new(GROUP, "empty tower call", |_| {
            let mut echo = Echo;
            move || _ = black_box(call(&mut echo, black_box(0)))
        }),
        Row::new(GROUP, "empty tower call, future boxed", |_| {
            let mut boxed = tower::util::BoxService::new(Echo);
            move || _ = black_box(call(&mut boxed, black_box(0)))
        }),
    ];
    let own: Arc<[Padded; 8]> = Arc::default();
    rows.push(Row::new(GROUP, "`fetch_add`, a line of its own", move |thread| {
        let own = Arc::clone(&own);
        move || _ = black_box(&own[thread % 8]).0.fetch_add(1, Ordering::Relaxed)
    }));
    let shared: Arc<Padded> = Arc::default();
    rows.push(Row::new(GROUP, "`fetch_add`, one shared line", move |_| {
        let shared = Arc::clone(&shared);
        move || _ = black_box(&shared).0.fetch_add(1, Ordering::Relaxed)
    }));
    let mutex = Arc::new(parking_lot::Mutex::new(0_u64));
    rows.push(Row::new(GROUP, "`parking_lot` mutex", move |_| {
        let mutex = Arc::clone(&mutex);
        move || *black_box(&mutex).lock() += 1
    }));
    let mutex = Arc::new(std::sync::Mutex::new(0_u64));
    rows.push(Row::new(GROUP, "`std` mutex", move |_| {
        let mutex = Arc::clone(&mutex);
        move || *black_box(&mutex).lock().expect("no thread panics") += 1
    }));
    let mutex = Arc::new(tokio::sync::Mutex::new(0_u64));
    rows.push(Row::new(GROUP, "`tokio` mutex, tried until it is had", move |_| {
        let mutex = Arc::clone(&mutex);
        move || {
            loop {
                if let Ok(mut n) = black_box(&mutex).try_lock() {
                    *n += 1;
                    break;
                }
                std::hint::spin_loop();
            }
        }
    }));
    rows.push(Row::new(GROUP, "`hdrhistogram`, a thread's own recorder", |_| {
        let histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 2);
        let mut sync = histogram.expect("bounds that work").into_sync();
        let recorder = RefCell::new(sync.recorder());
        let mut n = 0_u64;
        move || {
            n = n % 1_000_000 + 997;
            recorder.borrow_mut().saturating_record(black_box(n));
            _ = black_box(&mut sync);
        }
    }));
    rows
}
