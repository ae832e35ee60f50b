//! plimsoll, beside everything else.

use crate::common::{self, NEXT_TO_IT, admit, call, counted, next_to_the_limit, untripped};
use crate::row::{Mark, Row};
use plimsoll::{Breaker, GuardError, Outcome, Plimsoll, Slo};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

pub const GROUP: &str = "plimsoll";
pub const FULL: &str = "full guard, success";
pub const LAYERED: &str = "full guard as a layer around a ready service, success";

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();

    let sli = common::sli();
    let row = Row::new(GROUP, "SLI only, success", move |_| move || admit(black_box(&sli)).success());
    rows.push(row.mark(Mark::Reads(0.65)).counts(move || counted(&sli, Outcome::Success)));

    let guard = common::breaker_only(Breaker::default());
    let row =
        Row::new(GROUP, "breaker and one objective, success", move |_| move || admit(black_box(&guard)).success());
    rows.push(row.counts(move || counted(&guard, Outcome::Success)));

    let guard = common::full(Breaker::default()).guard();
    let row = Row::new(GROUP, FULL, move |_| move || admit(black_box(&guard)).success());
    rows.push(row.mark(Mark::Reads(0.8)).counts(move || counted(&guard, Outcome::Success)));

    // Calls that succeed within 384 ns are counted in one word, all others in three: so is every call of this row, though
    // it takes no longer.
    let guard = common::full(Breaker::default()).guard();
    let row = Row::new(GROUP, "full guard, counted as a longer call is", move |_| {
        move || admit(black_box(&guard)).finish(Outcome::Degraded)
    });
    rows.push(row.mark(Mark::Reads(0.8)).counts(move || counted(&guard, Outcome::Degraded)));

    let guard = common::full_engaged().guard();
    let row = Row::new(GROUP, "full guard, its limiter engaged, success", move |_| {
        move || admit(black_box(&guard)).success()
    });
    rows.push(row.mark(Mark::Reads(0.8)).counts(move || counted(&guard, Outcome::Success)));

    let guard = common::full(untripped(Duration::from_secs(10))).guard();
    let row = Row::new(GROUP, "full guard, every call fails", move |_| move || admit(black_box(&guard)).failure());
    rows.push(row.mark(Mark::Times(2.0, FULL)).counts(move || counted(&guard, Outcome::FAILURE)));

    for (window, name) in [(10, "10 s"), (3_600, "1 h")] {
        let guard = common::full(next_to_the_limit(Duration::from_secs(window))).guard();
        let name = format!("full guard, 8 of 9 calls fail, trips at 90 % in {name}");
        let row = Row::new(GROUP, name, move |_| {
            let mut n = 0;
            move || {
                let permit = admit(black_box(&guard));
                n = (n + 1) % (NEXT_TO_IT + 1);
                if n == 1 { permit.success() } else { permit.failure() }
            }
        });
        let all = move || counted(&guard, Outcome::Success) + counted(&guard, Outcome::FAILURE);
        rows.push(row.mark(Mark::Times(2.0, FULL)).counts(all));
    }

    // 9.9 times a budget of 10 % is nearly all calls: far from four in ten, and not to be looked for at each of them.
    let lenient = Plimsoll::new().declare(Slo::new("lenient").success(90.0).alerts(Vec::new()));
    let guard = lenient.expect("a declaration that works").guard().breaker(Breaker::default().slo_burn(9.9));
    let guard = guard.build().expect("a guard that works");
    let row = Row::new(GROUP, "a 90 % objective, 4 of 10 calls fail, trips at 50 %", move |_| {
        let mut n = 0;
        move || {
            let permit = admit(black_box(&guard));
            n = (n + 1) % 10;
            if n < 6 { permit.success() } else { permit.failure() }
        }
    });
    let all = move || counted(&guard, Outcome::Success) + counted(&guard, Outcome::FAILURE);
    rows.push(row.mark(Mark::Times(2.0, FULL)).counts(all));

    let guard = common::full(Breaker::default()).guard();
    guard.force_open();
    let row = Row::new(GROUP, "full guard, refused", move |_| move || assert!(black_box(&guard).admit().is_err()));
    rows.push(row.mark(Mark::Reads(0.4)).counts(move || counted(&guard, Outcome::Rejected)));

    let layered = common::full(Breaker::default());
    let guard = layered.guard();
    let layered = Mutex::new(layered);
    let row = Row::new(GROUP, LAYERED, move |_| {
        let mut service = layered.lock().expect("no thread panics").clone();
        move || _ = black_box(call(&mut service, black_box(0)))
    });
    rows.push(row.mark(Mark::Reads(0.8)).counts(move || counted(&guard, Outcome::Success)));

    let layered = common::full_without_fallback(Breaker::default());
    let guard = layered.guard();
    guard.force_open();
    let layered = Mutex::new(layered);
    let row = Row::new(GROUP, "full guard as a layer, refused", move |_| {
        let mut service = layered.lock().expect("no thread panics").clone();
        move || assert!(matches!(call(&mut service, black_box(0)), Err(GuardError::Rejected(_))))
    });
    rows.push(row.mark(Mark::Reads(0.4)).counts(move || counted(&guard, Outcome::Rejected)));

    let layered = common::full(Breaker::default());
    let guard = layered.guard();
    guard.force_open();
    let layered = Mutex::new(layered);
    let row = Row::new(GROUP, "full guard as a layer, refused, fallback value", move |_| {
        let mut service = layered.lock().expect("no thread panics").clone();
        move || assert!(call(&mut service, black_box(0)) == Ok(common::FALLEN_BACK))
    });
    rows.push(row.mark(Mark::Reads(0.5)).counts(move || counted(&guard, Outcome::Degraded)));
    rows
}
