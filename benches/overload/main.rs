//! The experiment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops
#![allow(unreachable_pub, missing_debug_implementations)]

mod gates;
mod limits;
mod queues;

use plimsoll::sim::{Phase, Policy, Service, Sim};
use std::time::Duration;

pub const GONE: &str = "gone";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn sim(m: f64) -> Sim {
    Sim::new(2, Service::exponential(ms(10)))
        .deadline(ms(100))
        .settle(secs(10))
        .phase(Phase::new(secs(60), 0.7))
        .phase(Phase::new(secs(120), m))
        .phase(Phase::new(secs(60), 0.7))
}

fn ours() {
    print!("{:24}", "plimsoll");
    let mut last = String::new();
    for (m, r) in [(1.2, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0), (3.0, 0.1), (0.9, 0.0)] {
        let (mut goodput, mut p99, mut recovery) = (0.0, 0.0, Vec::new());
        for seed in 0..5 {
            let report = sim(m)
                .refusal_cost(r)
                .seed(seed)
                .run(|plimsoll| {
                    let slo = plimsoll.declare(plimsoll::Slo::new("checkout").success(99.9).latency(99.0, ms(100)))?;
                    slo.guard().shed(plimsoll::Shed::adaptive()).build()
                })
                .unwrap();
            if seed == 0 {
                eprintln!("{report}");
            }
            goodput += report.phases()[1].goodput() / 5.0;
            p99 += report.phases()[1].latency(0.99).unwrap().as_secs_f64() * 200.0;
            recovery.push(report.recovery().map(|time| time.as_secs_f64()));
        }
        print!(" {goodput:.2}");
        if m == 3.0 && r == 0.0 {
            last = format!(" {p99:.0} {recovery:?}");
        }
    }
    println!("{last}");
}

fn row<P: Policy>(name: &str, make: impl Fn() -> P) {
    print!("{name:24}");
    let mut last = String::new();
    for (m, r) in [(1.2, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0), (3.0, 0.1)] {
        let (mut goodput, mut p99, mut recovery) = (0.0, 0.0, Vec::new());
        for seed in 0..5 {
            let report = sim(m).refusal_cost(r).seed(seed).run_policy(&mut make()).unwrap();
            goodput += report.phases()[1].goodput() / 5.0;
            p99 += report.phases()[1].latency(0.99).unwrap().as_secs_f64() * 200.0;
            recovery.push(report.recovery().map(|time| time.as_secs_f64()));
        }
        print!(" {goodput:.2}");
        if m == 3.0 && r == 0.0 {
            last = format!(" {p99:.0} {recovery:?}");
        }
    }
    println!("{last}");
}

fn main() {
    ours();
    use limits::Limited;
    row("none", || queues::Fifo);
    row("deadline drop", || queues::DeadlineDrop);
    row("static 20", || Limited::by(limits::Fixed(20)));
    row("static 8", || Limited::by(limits::Fixed(8)));
    row("codel", queues::Codel::new);
    row("vegas", || Limited::by(limits::Vegas::new(1)));
    row("gradient2", || Limited::by(limits::Gradient2::at_least(1.0)));
    row("envoy", || Limited::by(limits::Envoy::new(1)));
    row("aimd", || Limited::by(limits::Aimd::new()));
    row("dagor", gates::Dagor::new);
    row("gate", || gates::DelayGate::new(2));
    row("throttle", || gates::Throttle::new(1));
    row("ratio", || gates::SuccessRatio::new(1));
}
