//! A first SLO: declare it, measure calls, and ask how it stands.
//!
//! ```sh
//! cargo run --example 01_first_slo
//! ```
//!
//! Time is moved by hand here, so that ten minutes take no time; a service writes `Plimsoll::new()` and moves nothing.

use plimsoll::{ManualClock, Plimsoll, Slo, Window};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());

    // The promise: 99.9 % of logins succeed, 99 % of them in under 300 ms, over any 30 days.
    let login = plimsoll.declare(
        Slo::new("login").success(99.9).latency(99.0, Duration::from_millis(300)).over_days(30).owner("team-accounts"),
    )?;

    // What cannot work is refused at once, with what to write instead.
    if let Err(error) = plimsoll.declare(Slo::new("cart").success(100.0)) {
        println!("refused:  {error}\n");
    }

    // A guard measures every call that goes through it. This one has no breaker: it only measures.
    let guard = login.guard().build()?;
    for second in 0..600 {
        for call in 0..20 {
            let answer = guard.call(|| {
                clock.advance(Duration::from_millis(50));
                // In the last minute every tenth login fails.
                if second >= 540 && call % 10 == 0 { Err("the directory is down") } else { Ok(()) }
            });
            _ = answer;
        }
    }

    for objective in login.objectives() {
        let budget = objective.budget();
        println!("{}, target {}", objective.name(), objective.target());
        println!("  so far   {:?}", objective.total());
        for window in [Window::minutes(1), Window::minutes(5), Window::hours(1)] {
            match objective.burn_rate(window) {
                Ok(burn) => println!("  {window:<8} burns {:.1} times as fast as allowed", burn.value),
                Err(too_few) => println!("  {window:<8} {too_few}"),
            }
        }
        println!(
            "  budget   {:.0} % spent, {} more may fail\n",
            100.0 - budget.remaining * 100.0,
            budget.bad_events_left
        );
    }

    for alert in login.alerts().iter().filter(|alert| alert.state.is_firing()) {
        println!("firing:   {} for {}, over {} and {}", alert.severity, alert.name, alert.long, alert.short);
    }
    if let Some(p99) = login.latency(Window::minutes(5)).quantile(0.99) {
        println!("latency:  99 % of calls took at most {p99:.0?}");
    }

    // Not every indicator is a request: a job can count what it finds.
    let push = plimsoll.declare(Slo::new("push_delivery").success(99.0).over_days(30))?;
    push.count(9_970, 30);
    println!("pushes:   {:.0} % of the budget left", push.budget().remaining * 100.0);
    Ok(())
}
