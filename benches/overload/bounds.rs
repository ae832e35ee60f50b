//! What no policy can do better than. Formulas for M/M/c: Kleinrock, *Queueing Systems*, vol. 1, ch. 3.

use super::columns::{DEADLINE, Load, MEAN};

/// The goodput that is left if each refusal costs a share `r` of a service: (1 − r·m) ÷ (1 − r).
pub fn goodput(load: &Load) -> f64 {
    let (m, r) = (load.times * load.slower, load.refusal_cost);
    if m <= 1.0 { m } else { (1.0 - r * m) / (1.0 - r) }
}

/// How many of the critical can be answered in time, in percent, if nobody else ever comes.
pub fn critical_alone(load: &Load) -> f64 {
    critical(load, erlang_c)
}

/// The same if all workers are always busy with somebody, and nobody is interrupted.
pub fn critical_not_interrupting(load: &Load) -> f64 {
    critical(load, |_, _| 1.0)
}

/// With `waits`, the chance to have to wait, by workers and offered load. Who waits, waits exponentially long with the rate at
/// which capacity exceeds demand.
fn critical(load: &Load, waits: impl Fn(f64, f64) -> f64) -> f64 {
    let (c, mean, within) = (load.workers as f64, MEAN.as_secs_f64(), DEADLINE.as_secs_f64());
    let offered = load.critical.unwrap_or(0.0) * load.times * c;
    if offered >= c {
        return 100.0 * c / offered;
    }
    let (served, spare) = (1.0 / mean, (c - offered) / mean);
    let served_late = (-served * within).exp();
    // Waiting and service, one after the other, take too long.
    let both_late = if (served - spare).abs() < 1e-9 * served {
        (1.0 + served * within) * served_late
    } else {
        (served * (-spare * within).exp() - spare * served_late) / (served - spare)
    };
    let waits = waits(c, offered);
    100.0 * (1.0 - waits * both_late - (1.0 - waits) * served_late)
}

/// The chance to have to wait in M/M/c.
fn erlang_c(c: f64, offered: f64) -> f64 {
    let blocked = (1..=c as u32).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    blocked / (1.0 - offered / c * (1.0 - blocked))
}
