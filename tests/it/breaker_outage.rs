//! A whole outage, from the first bad answer to full traffic: 200 requests a second, the default breaker.

use crate::rig::{Rig, ms, rig, secs, steady};
use plimsoll::{Breaker, State};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(5);

/// One request; whether it was let through.
fn request(rig: &Rig, up: bool) -> bool {
    let permit = rig.guard.admit();
    rig.wait(EVERY);
    match permit {
        Ok(permit) if up => permit.success(),
        Ok(permit) => permit.failure(),
        Err(_) => return false,
    }
    true
}

fn requests(rig: &Rig, over: Duration, up: bool) -> u64 {
    (0..over.as_millis() / EVERY.as_millis()).map(|_| u64::from(request(rig, up))).sum()
}

#[test]
fn it_opens_within_150_ms_of_the_first_bad_answer() {
    for healthy in [0, 1, 60, 3_600] {
        let rig = rig(Breaker::default());
        assert_eq!(requests(&rig, secs(healthy), true), healthy * 200);
        let permit = rig.admit();
        rig.wait(EVERY);
        permit.failure();
        let first_bad = rig.clock.now();
        while request(&rig, false) {}
        let opened = rig.plimsoll.events().last().unwrap().at.since(first_bad);
        assert!(opened <= ms(150), "{opened:?} after {healthy} healthy seconds");
    }
}

#[test]
fn full_traffic_flows_within_open_time_probes_and_ramp() {
    for outage in [1, 20, 600] {
        let rig = rig(Breaker::default());
        requests(&rig, secs(60), true);
        requests(&rig, secs(outage), false);
        let healed = rig.clock.now();
        // The longest it can still be open, three probes at one a request, the ramp, and the request that ends it.
        let open_max = [5, 10, 20, 40, 60].into_iter().find(|open| open * 2 > outage).unwrap_or(60);
        let bound = secs(open_max) + EVERY * 3 + secs(10) + EVERY;
        while rig.guard.state() != State::Closed {
            request(&rig, true);
            let gone = rig.clock.now().since(healed);
            assert!(gone <= bound, "{gone:?} after an outage of {outage} s: {}", rig.guard.explain());
        }
        let trips = rig.trips();
        assert_eq!(requests(&rig, secs(3_600), true), 720_000, "all of it");
        assert_eq!(rig.trips(), trips, "it oscillates: {}", rig.guard.explain());
    }
}

#[test]
fn it_opens_no_more_than_once_for_one_outage_that_ends_while_it_is_open() {
    let rig = rig(steady());
    requests(&rig, secs(60), true);
    requests(&rig, secs(3), false);
    requests(&rig, secs(3_600), true);
    let path: Vec<_> = rig.changes().into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(path, ["open", "half_open", "ramping", "closed"]);
}

#[test]
fn a_service_that_fails_one_call_in_a_thousand_never_trips() {
    let rig = rig(steady());
    for call in 0..720_000_u64 {
        request(&rig, call % 1_000 != 0);
    }
    assert_eq!(rig.changes(), []);
}

#[test]
fn an_outage_seen_only_by_outer_timeouts_opens_the_circuit() {
    let rig = rig(steady());
    for _ in 0..20 {
        let call = rig.guard.run(async {
            rig.clock.advance(ms(501));
            std::future::pending::<Result<(), ()>>().await
        });
        assert!(pin!(call).as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending);
    }
    rig.expect(State::Open);
}
