//! Runs, means over them, and how they are shown.

use super::columns::{Column, Load};
use super::roster::{ROWS, Row};
use plimsoll::sim::Report;
use serde_json::{Map, Value, json};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Over seeds: the mean, and from the least to the most. None if it was not there for every seed.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub mean: f64,
    pub spread: f64,
}

pub struct Table {
    pub columns: &'static [Column],
    /// By row of the roster, then by column.
    pub cells: Vec<Vec<Option<Cell>>>,
}

pub struct Effort {
    pub seeds: Range<u64>,
    /// How many times shorter than the experiment is.
    pub shorter: u32,
}

impl Table {
    /// Tries everybody at everything, on all cores.
    pub fn fill(columns: &'static [Column], effort: &Effort) -> Self {
        let mut loads: Vec<Load> = Vec::new();
        columns.iter().for_each(|column| {
            if !loads.contains(&column.of) {
                loads.push(column.of);
            }
        });
        // The longest first, so that no core has much left to do when the others are through.
        loads.sort_by(|a, b| (b.times * b.workers as f64).total_cmp(&(a.times * a.workers as f64)));
        let jobs: Vec<(usize, Load)> = loads.iter().flat_map(|load| (0..ROWS.len()).map(|row| (row, *load))).collect();
        let cells = Mutex::new(vec![vec![None; columns.len()]; ROWS.len()]);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((row, load)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let reports: Vec<Report> =
                    (effort.seeds.clone()).map(|seed| run(&ROWS[*row], load, seed, effort)).collect();
                let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
                for (at, column) in columns.iter().enumerate().filter(|(_, column)| column.of == *load) {
                    cells[*row][at] = Cell::of(reports.iter().map(column.read));
                }
            }
        };
        std::thread::scope(|scope| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            (0..cores).for_each(|_| _ = scope.spawn(work));
        });
        Self { columns, cells: cells.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Markdown.
    pub fn print(&self, title: &str, more: &[(&str, Vec<Option<f64>>)]) {
        println!("\n### {title}\n");
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        println!("| policy | {} |", names.join(" | "));
        println!("|---|{}", "---:|".repeat(names.len()));
        for (row, cells) in ROWS.iter().zip(&self.cells) {
            let cells: Vec<_> = cells.iter().zip(self.columns).map(|(cell, column)| shown(*cell, column)).collect();
            println!("| {} | {} |", row.name, cells.join(" | "));
        }
        for (name, values) in more {
            let values = values.iter().zip(self.columns);
            let values =
                values.map(|(value, column)| value.map_or("".to_owned(), |v| format!("{v:.*}", column.unit.digits())));
            println!("| *{name}* | {} |", values.collect::<Vec<_>>().join(" | "));
        }
    }

    /// Rows by policy, columns by their names; what never happened is null.
    pub fn json(&self) -> Value {
        let rows = ROWS.iter().zip(&self.cells).map(|(row, cells)| {
            let mut object = Map::new();
            object.insert("policy".to_owned(), json!(row.name));
            let mut spread = Map::new();
            for (cell, column) in cells.iter().zip(self.columns) {
                object.insert(column.name.to_owned(), cell.map_or(Value::Null, |cell| json!(cell.mean)));
                spread.insert(column.name.to_owned(), cell.map_or(Value::Null, |cell| json!(cell.spread)));
            }
            object.insert("spread".to_owned(), Value::Object(spread));
            Value::Object(object)
        });
        rows.collect()
    }
}

fn shown(cell: Option<Cell>, column: &Column) -> String {
    let digits = column.unit.digits();
    cell.map_or("never".to_owned(), |Cell { mean, spread }| format!("{mean:.digits$} ±{:.digits$}", spread / 2.0))
}

impl Cell {
    fn of(values: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        Some(Self { mean: values.iter().sum::<f64>() / values.len() as f64, spread: most - least })
    }
}

/// One run, of which is checked that nobody was lost in it.
pub fn run(row: &Row, load: &Load, seed: u64, effort: &Effort) -> Report {
    let report = (row.run)(&load.sim(effort.shorter).seed(seed), load.workers, seed);
    for (number, phase) in report.phases().iter().enumerate() {
        let all = phase.total();
        let ended = all.in_time + all.late + all.failed + all.refused + all.left;
        assert_eq!(all.offered, ended, "{}, phase {number} at {load:?}: clients of whom nothing is known", row.name);
    }
    report
}
