//! The experiment that every shedder here is judged by: overload on virtual time, for plimsoll's own guard and for the
//! algorithms of others, written anew as briefly as they allow.
//!
//! `cargo bench --bench overload --features sim` prints the tables, and leaves them in `target/overload.json`, with
//! `target/overload-goodput.svg` and `target/overload-latency.svg`. Behind `--`, parts of names choose policies, and
//! `--from-seed=5` takes other seeds than those that the policy was built with.
//!
//! Poisson arrivals, open loop; 2 workers with exponential service times of 10 ms behind one queue, so a capacity of 200
//! requests a second; clients wait 100 ms. 60 s at 0.7 × capacity, 120 s of overload of which the first 10 are not counted,
//! 60 s at 0.7 again; means over five seeds, and half the way from the least to the most. With r, each refusal keeps a
//! worker busy for r × 10 ms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops
#![allow(unreachable_pub, missing_debug_implementations)]

mod bounds;
mod columns;
mod gates;
mod limits;
mod plots;
mod queues;
mod roster;
mod table;

use columns::{CRITICAL, Column, FIRST, Load, OTHERS, Unit};
use std::path::PathBuf;
use table::{Effort, Table};

fn main() {
    let measures = std::env::args().any(|arg| arg == "--bench") && !std::env::args().any(|arg| arg == "--test");
    let first = std::env::args().find_map(|arg| arg.strip_prefix("--from-seed=")?.parse().ok()).unwrap_or(0);
    let effort = match measures {
        true => Effort { seeds: first..first + 5, shorter: 1 },
        false => Effort { seeds: 0..1, shorter: 60 },
    };
    let is_all = first == 0 && std::env::args().skip(1).all(|arg| arg.starts_with('-'));

    let first = Table::fill(FIRST, &effort);
    first.print("Goodput, as a share of capacity", &[("bound", bound(FIRST, Unit::Capacity, bounds::goodput))]);
    let others = Table::fill(OTHERS, &effort);
    let bounds = bound(OTHERS, Unit::Capacity, bounds::goodput);
    others.print("Goodput at other loads, and of other services", &[("bound", bounds)]);
    let critical = Table::fill(CRITICAL, &effort);
    critical.print(
        "Of the critical clients (20 %, with 50 % default and 30 % sheddable), those answered in time, %",
        &[
            ("bound: nobody else comes", bound(CRITICAL, Unit::Critical, bounds::critical_alone)),
            ("bound: others keep all workers busy", bound(CRITICAL, Unit::Critical, bounds::critical_not_interrupting)),
        ],
    );

    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"));
    // What was only tried does not overwrite what was measured.
    let name = if measures && is_all { "overload" } else { "overload-tried" };
    let file = |ending: &str| target.join(format!("{name}{ending}"));
    let json = serde_json::json!({ "rows": first.json(), "others": others.json(), "critical": critical.json() });
    std::fs::write(file(".json"), format!("{json:#}\n")).expect("the target directory can be written to");
    plots::goodput(&file("-goodput.svg"), &effort);
    plots::latency(&file("-latency.svg"), &effort);
    println!("\n{} and two pictures beside it", file(".json").display());
}

/// What no policy can pass, in the columns that are in `unit`.
fn bound(columns: &[Column], unit: Unit, by: fn(&Load) -> f64) -> Vec<Option<f64>> {
    columns.iter().map(|column| (column.unit == unit).then(|| by(&column.of))).collect()
}
