//! What they are tried at.

use plimsoll::Priority;
use plimsoll::sim::{Phase, PhaseReport, Report, Service, Sim};
use std::time::Duration;

/// What clients wait, and what the SLO promises.
pub const DEADLINE: Duration = Duration::from_millis(100);
/// The mean service time.
pub const MEAN: Duration = Duration::from_millis(10);

/// An experiment, and what is read off it.
pub struct Column {
    pub name: &'static str,
    /// Of the experiment: columns of the same one share its runs.
    pub of: Load,
    pub read: fn(&Report) -> Option<f64>,
    pub unit: Unit,
}

/// What a column is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share of the capacity.
    Capacity,
    /// Of the critical clients, in percent.
    Critical,
    Milliseconds,
    Seconds,
}

impl Unit {
    pub fn digits(self) -> usize {
        match self {
            Self::Capacity => 3,
            Self::Critical => 2,
            Self::Milliseconds => 0,
            Self::Seconds => 1,
        }
    }
}

/// An experiment: 60 s at 0.7 × capacity, 120 s at `times`, 60 s at 0.7 again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub times: f64,
    pub workers: usize,
    pub refusal_cost: f64,
    pub bimodal: bool,
    pub slower: f64,
    pub retries: u32,
    /// The share of critical requests, if there are any; of the others five eighths are default.
    pub critical: Option<f64>,
}

pub const fn at(times: f64) -> Load {
    Load { times, workers: 2, refusal_cost: 0.0, bimodal: false, slower: 1.0, retries: 0, critical: None }
}

const fn mixed(times: f64, critical: f64, workers: usize) -> Load {
    Load { critical: Some(critical), workers, ..at(times) }
}

impl Load {
    /// `scale` shortens it.
    pub fn sim(&self, scale: u32) -> Sim {
        let service = match self.bimodal {
            true => Service::bimodal(0.2, Duration::from_millis(40), Duration::from_micros(2_500)),
            false => Service::exponential(MEAN),
        };
        let seconds = |n: u64| Duration::from_secs(n) / scale;
        let sim = Sim::new(self.workers, service)
            .deadline(DEADLINE)
            .settle(seconds(10))
            .retries(self.retries)
            .refusal_cost(self.refusal_cost)
            .phase(Phase::new(seconds(60), 0.7))
            .phase(Phase::new(seconds(120), self.times).slower(self.slower))
            .phase(Phase::new(seconds(60), 0.7));
        match self.critical {
            None => sim,
            Some(share) => sim.mix([
                (Priority::CRITICAL, share),
                (Priority::DEFAULT, (1.0 - share) * 0.625),
                (Priority::SHEDDABLE, (1.0 - share) * 0.375),
            ]),
        }
    }
}

/// The overload.
fn over(report: &Report) -> &PhaseReport {
    &report.phases()[1]
}

fn goodput(report: &Report) -> Option<f64> {
    Some(over(report).goodput())
}

fn p99(report: &Report) -> Option<f64> {
    over(report).latency(0.99).map(|time| time.as_secs_f64() * 1e3)
}

fn recovery(report: &Report) -> Option<f64> {
    report.recovery().map(|time| time.as_secs_f64())
}

/// In percent.
fn critical(report: &Report) -> Option<f64> {
    Some(over(report).of(Priority::CRITICAL).in_time_ratio() * 100.0)
}

const fn column(name: &'static str, of: Load, read: fn(&Report) -> Option<f64>, unit: Unit) -> Column {
    Column { name, of, read, unit }
}

/// The table of OVERLOAD.
pub const FIRST: &[Column] = &[
    column("1.2×", at(1.2), goodput, Unit::Capacity),
    column("2×", at(2.0), goodput, Unit::Capacity),
    column("3×", at(3.0), goodput, Unit::Capacity),
    column("4×", at(4.0), goodput, Unit::Capacity),
    column("3×, r = 0.1", Load { refusal_cost: 0.1, ..at(3.0) }, goodput, Unit::Capacity),
    column("p99 ms of completed at 3×", at(3.0), p99, Unit::Milliseconds),
    column("recovery s", at(3.0), recovery, Unit::Seconds),
];

/// Other loads and services.
pub const OTHERS: &[Column] = &[
    column("0.9×", at(0.9), goodput, Unit::Capacity),
    column("10×", at(10.0), goodput, Unit::Capacity),
    column("3×, bimodal", Load { bimodal: true, ..at(3.0) }, goodput, Unit::Capacity),
    column("3×, 1 worker", Load { workers: 1, ..at(3.0) }, goodput, Unit::Capacity),
    column("3×, 8 workers", Load { workers: 8, ..at(3.0) }, goodput, Unit::Capacity),
    column("3×, 64 workers", Load { workers: 64, ..at(3.0) }, goodput, Unit::Capacity),
    column("1.2×, 64 workers", Load { workers: 64, ..at(1.2) }, goodput, Unit::Capacity),
    column("0.7×, half the capacity", Load { slower: 2.0, ..at(0.7) }, goodput, Unit::Capacity),
    column("3×, 3 retries", Load { retries: 3, ..at(3.0) }, goodput, Unit::Capacity),
];

/// Of the critical clients, how many were answered in time, in percent.
pub const CRITICAL: &[Column] = &[
    column("1.2×", mixed(1.2, 0.2, 2), critical, Unit::Critical),
    column("2×", mixed(2.0, 0.2, 2), critical, Unit::Critical),
    column("3×", mixed(3.0, 0.2, 2), critical, Unit::Critical),
    column("4×", mixed(4.0, 0.2, 2), critical, Unit::Critical),
    column("10×", mixed(10.0, 0.2, 2), critical, Unit::Critical),
    column("10×, 5 % critical", mixed(10.0, 0.05, 2), critical, Unit::Critical),
    column("4×, 64 workers", mixed(4.0, 0.2, 64), critical, Unit::Critical),
    column("goodput at 4×", mixed(4.0, 0.2, 2), goodput, Unit::Capacity),
];
