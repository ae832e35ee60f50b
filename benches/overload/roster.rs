//! Who takes part.

use super::gates::{Dagor, DelayGate, SuccessRatio, Throttle};
use super::limits::{Aimd, Envoy, Fixed, Gradient2, Limited, Vegas};
use super::queues::{Codel, DeadlineDrop, Fifo, Strict};
use plimsoll::sim::{Policy, Report, Sim};
use plimsoll::{Error, Guard, Plimsoll, Shed, Slo};
use std::sync::LazyLock;
use std::time::Duration;

/// A policy under a name.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// Tries it on a service with so many workers, by a course of chance of its own.
    pub run: fn(&Sim, usize, u64) -> Report,
}

/// Those who were asked for by a part of their names, or all. Ours is the last.
pub static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |row: &&Row| wanted.is_empty() || wanted.iter().any(|part| row.name.contains(part));
    ALL.iter().filter(is_wanted).copied().collect()
});

const ALL: &[Row] = &[
    Row { name: "none, FIFO", run: |sim, _, _| run(sim, Fifo) },
    Row { name: "deadline drop at dequeue only", run: |sim, _, _| run(sim, DeadlineDrop) },
    Row { name: "static limit 20", run: |sim, _, _| run(sim, Limited::by(Fixed(20))) },
    Row { name: "static limit 8", run: |sim, _, _| run(sim, Limited::by(Fixed(8))) },
    Row { name: "CoDel + adaptive LIFO", run: |sim, _, _| run(sim, Codel::new()) },
    Row { name: "Vegas", run: |sim, _, seed| run(sim, Limited::by(Vegas::new(seed))) },
    Row { name: "Gradient2, min 1", run: |sim, _, _| run(sim, Limited::by(Gradient2::new())) },
    Row { name: "Envoy adaptive concurrency", run: |sim, _, seed| run(sim, Limited::by(Envoy::new(seed))) },
    Row { name: "AIMD", run: |sim, _, _| run(sim, Limited::by(Aimd::new())) },
    Row { name: "DAGOR", run: |sim, _, _| run(sim, Dagor::new()) },
    Row { name: "queue-delay gate at 0.4 × SLO", run: |sim, workers, _| run(sim, DelayGate::new(workers)) },
    Row { name: "SRE client throttle + static 20", run: |sim, _, seed| run(sim, Throttle::new(seed)) },
    Row { name: "success-ratio admission", run: |sim, _, seed| run(sim, SuccessRatio::new(seed)) },
    Row { name: "strict priority, no shedding", run: |sim, _, _| run(sim, Strict::new()) },
    Row { name: "plimsoll, refusing at once", run: |sim, _, _| guarded(sim, Shed::adaptive().queue(0)) },
    Row { name: "plimsoll", run: |sim, _, _| guarded(sim, Shed::adaptive()) },
];

fn run(sim: &Sim, mut policy: impl Policy) -> Report {
    sim.run_policy(&mut policy).expect("a simulation that works")
}

fn guarded(sim: &Sim, shed: Shed) -> Report {
    sim.run(|plimsoll| guard(plimsoll, shed)).expect("a simulation and a guard that work")
}

/// The guard as anybody would write it: the SLO is what the clients want, and no number is tuned.
fn guard(plimsoll: &Plimsoll, shed: Shed) -> Result<Guard, Error> {
    let slo = Slo::new("checkout").success(99.9).latency(99.0, Duration::from_millis(100));
    plimsoll.declare(slo)?.guard().shed(shed).build()
}
