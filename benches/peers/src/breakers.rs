//! What breaks and what limits, without recording.

use crate::common::call;
use crate::row::Row;
use crate::stacks::{Echo, failsafe_breaker, limited, open, recloser_breaker, resilience_breaker, seatbelt_breaker};
use failsafe::CircuitBreaker;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tower::{Layer, Service};

const CLOSED: &str = "Breakers, closed";
const OPEN: &str = "Breakers, open";
const LIMITERS: &str = "Limiters";

/// A row in which each thread calls its own clone of a service.
pub fn of_service<S>(group: &'static str, name: &str, service: S, refused: bool) -> Row
where
    S: Service<u64> + Clone + Send + 'static,
{
    let service = std::sync::Mutex::new(service);
    Row::new(group, name, move |_| {
        let mut service = service.lock().expect("no thread panics").clone();
        move || assert_eq!(black_box(call(&mut service, black_box(0))).is_err(), refused)
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (group, refused) in [(CLOSED, false), (OPEN, true)] {
        let breaker = Arc::new(recloser_breaker());
        if refused {
            open(|fail| breaker.call(|| if fail { Err(()) } else { Ok(()) }).is_err());
        }
        rows.push(Row::new(group, "recloser", move |_| {
            let breaker = Arc::clone(&breaker);
            move || assert_eq!(breaker.call(|| Ok::<u64, ()>(black_box(0))).is_err(), refused)
        }));
        let breaker = Arc::new(failsafe_breaker());
        if refused {
            open(|fail| breaker.call(|| if fail { Err(()) } else { Ok(()) }).is_err());
        }
        rows.push(Row::new(group, "failsafe", move |_| {
            let breaker = Arc::clone(&breaker);
            move || assert_eq!(breaker.call(|| Ok::<u64, ()>(black_box(0))).is_err(), refused)
        }));
        let mut breaker = seatbelt_breaker(Echo);
        if refused {
            open(|fail| call(&mut breaker, u64::from(fail)).is_err());
        }
        rows.push(of_service(group, "seatbelt", breaker, refused));
        let mut breaker = resilience_breaker().layer(Echo);
        if refused {
            open(|fail| call(&mut breaker, u64::from(fail)).is_err());
        }
        rows.push(of_service(group, "tower-resilience", breaker, refused));
    }
    rows.push(of_service(LIMITERS, "tower load_shed + concurrency limit", limited(), false));
    let aimd = tower_resilience_adaptive::Aimd::builder().initial_limit(100).min_limit(10).max_limit(1_000).build();
    let aimd = tower_resilience_adaptive::AdaptiveLimiterLayer::new(aimd.expect("limits that work"));
    rows.push(of_service(LIMITERS, "tower-resilience, adaptive (AIMD)", aimd.layer(Echo), false));
    // It puts as many calls in its queue as the target allows, and refuses the others.
    let little = little_loadshedder::LoadShedLayer::new(0.01, Duration::from_millis(100)).layer(Echo);
    let little = std::sync::Mutex::new(little);
    rows.push(Row::new(LIMITERS, "little-loadshedder", move |_| {
        let mut service = little.lock().expect("no thread panics").clone();
        move || _ = black_box(call(&mut service, black_box(0)))
    }));
    rows
}
