//! Latency by window, against a sorted list.

use crate::rig::{Rig, ms, rig, rig_after, secs};
use plimsoll::{Breaker, Outcome, Window};
use std::time::Duration;

/// Pseudo-random numbers over 0..1. Source: Marsaglia, xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const LEAST: f64 = 1e3;
const MOST: f64 = 60e9;

fn record(rig: &Rig, latency: f64) -> u64 {
    let nanos = latency.clamp(LEAST, MOST) as u64;
    rig.slo.record(Outcome::Success, Duration::from_nanos(nanos));
    nanos
}

#[track_caller]
fn held_against(rig: &Rig, window: Window, mut exact: Vec<u64>) {
    exact.sort_unstable();
    let seen = rig.slo.latency(window);
    assert_eq!(seen.count(), exact.len() as u64);
    for q in [0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0] {
        let rank = ((q * exact.len() as f64).ceil() as usize).clamp(1, exact.len());
        let (exact, seen) = (exact[rank - 1] as f64, seen.quantile(q).unwrap().as_nanos() as f64);
        assert!((seen / exact - 1.0).abs() <= 0.04, "q {q}: {seen} where {exact} is");
    }
    let mean = exact.iter().map(|n| *n as f64).sum::<f64>() / exact.len() as f64;
    let seen = seen.mean().unwrap().as_nanos() as f64;
    assert!((seen / mean - 1.0).abs() <= 0.04, "mean {seen} where {mean} is");
}

#[test]
fn quantiles_are_within_4_percent_whatever_the_distribution() {
    type Draw = fn(&mut Dice) -> f64;
    let distributions: [(&str, Draw); 7] = [
        ("uniform", |dice| LEAST + dice.roll() * MOST),
        ("log-uniform", |dice| LEAST * (MOST / LEAST).powf(dice.roll())),
        ("exponential", |dice| -(1.0 - dice.roll()).ln() * 20e6),
        ("heavy tail", |dice| 1e6 / (1.0 - dice.roll()).powf(1.5)),
        ("two humps", |dice| if dice.roll() < 0.7 { 2e6 + dice.roll() * 1e5 } else { 9e9 + dice.roll() * 1e9 }),
        ("all but alike", |dice| 1_000.0 + dice.roll() * 30.0),
        ("constant", |_| MOST),
    ];
    for (name, draw) in distributions {
        let (rig, mut dice) = (rig(Breaker::never()), Dice(0x5eed));
        let exact = (0..20_000).map(|_| record(&rig, draw(&mut dice))).collect();
        println!("{name}");
        held_against(&rig, Window::minutes(1), exact);
    }
}

#[test]
fn quantiles_are_those_of_the_window_that_was_asked_for() {
    let rig = rig(Breaker::never());
    let mut dice = Dice(7);
    let mut minutes = Vec::new();
    // Each minute is twice as slow as the one before; snapshots are five seconds apart.
    for minute in 0..20 {
        let exact: Vec<u64> = (0..600)
            .map(|_| {
                rig.wait(ms(50));
                let latency = record(&rig, 1e5 * f64::from(1 << minute) * (1.0 + dice.roll()));
                rig.wait(ms(50));
                latency
            })
            .collect();
        minutes.push(exact);
        for back in [1, 2] {
            if let Some(first) = minutes.len().checked_sub(back) {
                held_against(&rig, Window::minutes(back as u64), minutes[first..].concat());
            }
        }
    }
    assert_eq!(rig.slo.latency(Window::minutes(20)).count(), 12_000);
    rig.wait(secs(3_600));
    let silent = rig.slo.latency(Window::minutes(1));
    assert_eq!((silent.count(), silent.quantile(0.5), silent.mean()), (0, None, None));
}

#[test]
fn a_window_older_than_all_calls_holds_every_latency() {
    // Snapshots are aligned with the clock, not with the declaration.
    for since in [0, 1, 17, 100, 170, 1_000] {
        let rig = rig_after(secs(since));
        let mut dice = Dice(since + 1);
        let mut exact = Vec::new();
        for _ in 0..300 {
            exact.push(record(&rig, 1e6 * (1.0 + 50.0 * dice.roll())));
            rig.wait(secs(1));
        }
        held_against(&rig, Window::days(30), exact);
    }
}

#[test]
fn a_window_between_two_snapshots_holds_what_happened_in_it() {
    let rig = rig(Breaker::never());
    // Ten minutes slow, then fast: after five minutes the last five know nothing of the slow ones.
    let calls = |seconds: u32, latency| {
        for _ in 0..seconds {
            rig.slo.record(Outcome::Success, latency);
            rig.wait(secs(1));
        }
    };
    calls(600, ms(900));
    for (after, slow) in [(100_u32, 200.0), (200, 100.0), (430, 0.0)] {
        let so_far = rig.slo.latency(Window::minutes(60)).count() as u32 - 600;
        calls(after - so_far, ms(10));
        let latency = rig.slo.latency(Window::minutes(5));
        let (n, over) = (latency.count() as f64, f64::from(after.min(300)));
        let share = 1.0 - over / 300.0;
        // Within the step in which the window begins, calls are taken to have come evenly: it is not the step in which
        // slow became fast.
        assert!((n - 300.0).abs() <= 3.0, "{n} calls in 300 s, {after} s after");
        assert!((share * 300.0 - slow).abs() < 1e-9);
        let p = latency.quantile((1.0 - share - 0.02).max(0.0)).unwrap();
        assert!(p < ms(20), "{p:?} at {after} s");
        if slow > 10.0 {
            assert!(latency.quantile(1.0 - share + 0.02).unwrap() > ms(800), "{after} s");
        }
    }
}
