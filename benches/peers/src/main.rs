//! What a guarded call costs beside everything else that does part of it, in one process, in one run.
//!
//! `cargo run --release` in this folder prints the table; `-- --rounds N` sets how many rounds it stands on (9),
//! `-- --quick` is for trying it, and `-- --ours` leaves the peers out.
#![allow(clippy::disallowed_methods)]

mod alloc;
mod breakers;
#[path = "../../common/mod.rs"]
mod common;
mod floors;
mod http_rows;
mod metrics;
mod ours;
mod row;
mod stacks;

use ::metrics::set_global_recorder;
use common::measure::{Middle, batch_size, machine, measure, middle};
use metrics_exporter_prometheus::PrometheusBuilder;
use row::{Mark, Row};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// What was measured of one row, a number a round.
#[derive(Default)]
struct Measured {
    one: Vec<f64>,
    two: Vec<f64>,
    allocations: f64,
}

fn main() {
    let (rounds, budget) = arguments();
    let buckets = PrometheusBuilder::new().set_buckets(&metrics::BUCKETS).expect("buckets that work");
    let recorder = buckets.build_recorder();
    let exporter = recorder.handle();
    set_global_recorder(recorder).expect("the only recorder");

    let mut rows: Vec<Row> =
        [floors::rows(), metrics::rows(), breakers::rows(), http_rows::rows(), stacks::rows(), ours::rows()]
            .into_iter()
            .flatten()
            .collect();
    if std::env::args().any(|arg| arg == "--ours") {
        rows.retain(|row| [floors::GROUP, ours::GROUP].contains(&row.group));
    }
    let sizes: Vec<u64> = rows.iter().map(|row| batch_size(&row.make)).collect();
    let mut table: Vec<Measured> =
        rows.iter().map(|row| Measured { allocations: allocations(row), ..<_>::default() }).collect();
    let machine = machine();
    // Round by round, so that whatever the machine does meanwhile it does to all of them.
    for round in 0..rounds {
        for ((row, size), measured) in rows.iter().zip(&sizes).zip(&mut table) {
            measured.one.push(measure(1, *size, budget, &row.make).ns);
            measured.two.push(measure(2, *size, budget * 2, &row.make).ns);
            // As its own upkeep would: undrained, its histograms grow without limit.
            exporter.run_upkeep();
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    print(&rows, &table, &machine, rounds);
    let wrong: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, row.check.as_ref()?(row.made())?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn arguments() -> (usize, Duration) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|arg| arg == "--quick");
    let at = arguments.iter().position(|arg| arg == "--rounds");
    let rounds = at.and_then(|at| arguments.get(at + 1)?.parse().ok());
    let budget = Duration::from_millis(if quick { 3 } else { 12 });
    (rounds.unwrap_or(if quick { 2 } else { 9 }), budget)
}

/// Allocations an operation, when it is warm.
fn allocations(row: &Row) -> f64 {
    let mut work = (row.make)(0);
    work(256);
    let before = alloc::allocations();
    work(1_000);
    (alloc::allocations() - before) as f64 / 1_000.0
}

fn print(rows: &[Row], table: &[Measured], machine: &str, rounds: usize) {
    let find =
        |name: &str| rows.iter().position(|row| row.name == name).map(|at| &table[at]).expect("a row of that name");
    let reads = find(floors::TWO_READS);
    println!("{machine}; median of {rounds} interleaved rounds, ± half of the middle half's spread.\n");
    println!("| | 1T, ns | 2T, ns | of two reads | 2T ÷ 1T | allocs | mark |");
    println!("|---|---:|---:|---:|---:|---:|---|");
    let mut group = "";
    for (row, measured) in rows.iter().zip(table) {
        if row.group != group {
            group = row.group;
            println!("| **{group}** | | | | | | |");
        }
        let (of_reads, scaling) = (ratio(&measured.one, &reads.one), ratio(&measured.two, &measured.one));
        let mut marks = Vec::new();
        match row.mark {
            Some(Mark::Reads(limit)) => {
                marks.push(judged("reads", of_reads.value, limit));
                marks.push(judged("2T", scaling.value, 1.1));
            }
            Some(Mark::Times(limit, of)) => {
                marks.push(judged(&format!("× {of}"), ratio(&measured.one, &find(of).one).value, limit));
            }
            None => {}
        }
        if row.mark.is_some() {
            marks.push(judged("allocs", measured.allocations, 0.0));
        }
        println!(
            "| {} | {} | {} | {:.2} ± {:.0} % | {:.2} | {:.1} | {} |",
            row.name,
            shown(middle(measured.one.iter().copied())),
            shown(middle(measured.two.iter().copied())),
            of_reads.value,
            of_reads.spread * 100.0,
            scaling.value,
            measured.allocations,
            marks.join(", ")
        );
    }
    println!("\n| against | 1T | 2T | mark |\n|---|---:|---:|---|");
    for (stack, one, two) in [(stacks::LEANEST, 4.0, 13.0), (stacks::TODAY, 18.0, 45.0)] {
        for ours in [ours::FULL, ours::LAYERED] {
            let Some(stacked) = rows.iter().position(|row| row.name == stack) else { continue };
            let (stacked, own) = (&table[stacked], find(ours));
            let (by_one, by_two) = (ratio(&stacked.one, &own.one).value, ratio(&stacked.two, &own.two).value);
            let word = |value, least| if value >= least { "ok" } else { "MISSED" };
            println!(
                "| {stack} ÷ {ours} | {by_one:.1} | {by_two:.1} | ≥ {one} {}, ≥ {two} {} |",
                word(by_one, one),
                word(by_two, two)
            );
        }
    }
}

fn judged(what: &str, value: f64, limit: f64) -> String {
    format!("{what} {value:.2} ≤ {limit}: {}", if value <= limit { "ok" } else { "**missed**" })
}

fn shown(of: Middle) -> String {
    let range = if of.most > 1.5 * of.least { format!(" ({:.0} … {:.0})", of.least, of.most) } else { String::new() };
    format!("{:.1} ± {:.0} %{range}", of.value, of.spread * 100.0)
}

/// Round by round, for both were measured in the same.
fn ratio(of: &[f64], to: &[f64]) -> Middle {
    middle(of.iter().zip(to).map(|(a, b)| a / b))
}
