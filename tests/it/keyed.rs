//! A guard per key: isolation, bounded memory, and nothing lost when keys come and go.

use crate::rig::{ms, secs, steady};
use plimsoll::{Breaker, EventKind, KeyedGuard, ManualClock, Outcome, Plimsoll, Reason, Slo, SloHandle, State, Window};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

struct Rig {
    clock: ManualClock,
    plimsoll: Plimsoll,
    slo: SloHandle,
}

fn rig() -> Rig {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("payments").success(99.9).latency(99.0, ms(500))).unwrap();
    Rig { clock, plimsoll, slo }
}

impl Rig {
    /// Breakers that trip on the third bad call in a row.
    fn keyed(&self, capacity: usize) -> KeyedGuard<String> {
        let breaker = Breaker::never().consecutive(3).jitter(0.0).open_for(secs(10), secs(10));
        self.slo.guard().breaker(breaker).keyed(capacity).unwrap()
    }

    /// Good, bad and excluded of the SLO, checked to be the same for all objectives that see every call.
    fn total(&self) -> u64 {
        let totals: Vec<u64> = self.slo.objectives().map(|objective| objective.total().total()).collect();
        assert!(totals.iter().all(|total| *total == totals[0]), "{totals:?}");
        assert_eq!(self.slo.outcomes().map(|(_, n)| n).sum::<u64>(), totals[0]);
        totals[0]
    }

    fn evictions(&self) -> Vec<(String, u64)> {
        let evicted = |kind| match kind {
            EventKind::Evicted { key, keys, .. } => Some((key, keys)),
            _ => None,
        };
        self.plimsoll.events().into_iter().filter_map(|event| evicted(event.kind)).collect()
    }
}

fn trip(guard: KeyedGuard<String>, key: &str) {
    for _ in 0..3 {
        guard.admit(key).unwrap().failure();
    }
    assert_eq!(guard.state(key), Some(State::Open), "{}", guard.explain(key));
}

fn succeed(guard: KeyedGuard<String>, key: &str) {
    guard.admit(key).unwrap_or_else(|no| panic!("{no}: {}", guard.explain(key))).success();
}

#[test]
fn the_outage_of_one_tenant_refuses_no_other() {
    let rig = rig();
    let guard = rig.keyed(10);
    succeed(guard, "globex");
    trip(guard, "acme");
    let refused = guard.admit("acme").unwrap_err();
    assert_eq!((refused.guard(), refused.reason(), refused.retry_after()), ("payments", Reason::Open, Some(secs(10))));
    for _ in 0..100 {
        succeed(guard, "globex");
        assert!(guard.admit("acme").is_err());
    }
    assert_eq!(guard.state("globex"), Some(State::Closed));
    assert_eq!((guard.state("initech"), guard.len(), guard.is_empty()), (None, 2, false));
    assert!(guard.explain("acme").contains("payments/acme is open"), "{}", guard.explain("acme"));
    assert!(guard.explain("initech").contains("does not hold the key initech"));
    // The SLO sees all of them.
    let tally = rig.slo.objectives().next().unwrap().total();
    assert_eq!((tally.good, tally.bad, rig.total()), (101, 3 + 101, 205));
    let said = rig.plimsoll.events().last().unwrap().kind.to_string();
    assert_eq!(said, "breaker payments/acme: closed → open: 3 calls in a row failed");
}

#[test]
fn a_key_heals_by_its_own_probes() {
    let rig = rig();
    let guard = rig.keyed(4);
    trip(guard, "acme");
    trip(guard, "globex");
    rig.clock.advance(secs(10));
    for _ in 0..3 {
        succeed(guard, "acme");
    }
    assert_eq!(guard.state("acme"), Some(State::Ramping));
    assert_eq!(guard.state("globex"), Some(State::HalfOpen));
    rig.clock.advance(secs(10));
    rig.plimsoll.tick();
    assert_eq!(guard.state("acme"), Some(State::Closed));
}

#[test]
fn a_ratio_trips_a_key_by_its_own_calls_alone() {
    let rig = rig();
    let guard = rig.slo.guard().breaker(steady().consecutive(1_000)).keyed::<u32>(10).unwrap();
    for n in 0..40 {
        guard.admit(&1).unwrap().success();
        let permit = guard.admit(&2);
        assert_eq!(permit.is_ok(), n < 20, "{}", guard.explain(&2));
        if let Ok(permit) = permit {
            permit.failure();
        }
        rig.clock.advance(ms(1));
    }
    assert_eq!((guard.state(&1), guard.state(&2)), (Some(State::Closed), Some(State::Open)));
}

#[test]
fn run_and_call_count_towards_the_key_and_the_slo() {
    let rig = rig();
    let guard = rig.keyed(4);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let ready = std::pin::pin!(guard.run("acme", async { Err::<(), _>("no") })).poll(&mut cx);
    assert!(ready.is_ready());
    assert_eq!(guard.call("acme", || Ok::<_, ()>(1)).unwrap(), 1);
    let pending = guard.run("acme", std::future::pending::<Result<(), ()>>());
    {
        let mut pending = std::pin::pin!(pending);
        assert!(pending.as_mut().poll(&mut cx).is_pending());
        assert_eq!((guard.in_flight_of("acme"), guard.in_flight()), (Some(1), 1));
    }
    assert_eq!((guard.in_flight_of("acme"), guard.in_flight()), (Some(0), 0));
    let ended = |kind| guard.outcomes().find(|(outcome, _)| *outcome == kind).map(|(_, n)| n);
    assert_eq!([Outcome::Success, Outcome::FAILURE, Outcome::Abandoned].map(ended), [Some(1); 3]);
    assert_eq!(rig.total(), 3);
    assert_eq!(rig.slo.latency(Window::minutes(1)).count(), 3);
}

#[test]
fn the_key_idle_for_longest_makes_room_and_starts_closed_when_it_comes_back() {
    let rig = rig();
    let guard = rig.keyed(3);
    trip(guard, "a");
    for key in ["b", "c"] {
        rig.clock.advance(secs(1));
        succeed(guard, key);
    }
    // Used again, and so no longer the one that was idle for longest, though it was refused.
    rig.clock.advance(secs(1));
    assert!(guard.admit("a").is_err());
    rig.clock.advance(secs(1));
    succeed(guard, "d");
    let states = ["a", "b", "c", "d"].map(|key| guard.state(key));
    assert_eq!(states, [Some(State::Open), None, Some(State::Closed), Some(State::Closed)]);
    assert_eq!((guard.len(), guard.evicted()), (3, 1));
    for key in ["c", "d", "e"] {
        rig.clock.advance(secs(1));
        succeed(guard, key);
    }
    assert_eq!(guard.state("a"), None);
    rig.clock.advance(secs(1));
    // Nothing is left of what was held against it: it was open, and two failures do not trip it.
    for _ in 0..2 {
        guard.admit("a").unwrap().failure();
    }
    assert_eq!(guard.state("a"), Some(State::Closed), "{}", guard.explain("a"));
    assert!(guard.explain("a").contains("it has never changed its state"), "{}", guard.explain("a"));
    assert_eq!(rig.evictions(), [("b".into(), 1), ("a".into(), 1), ("c".into(), 1)]);
}

#[test]
fn a_ratio_forgets_the_calls_of_the_key_before() {
    let rig = rig();
    let breaker = Breaker::never().failure_ratio(0.5, 10, secs(10));
    let guard = rig.slo.guard().breaker(breaker).keyed::<&'static str>(1).unwrap();
    for _ in 0..9 {
        guard.admit(&"a").unwrap().failure();
    }
    for n in 0..10 {
        assert_eq!(guard.state(&"b"), if n == 0 { None } else { Some(State::Closed) });
        guard.admit(&"b").unwrap().failure();
    }
    assert_eq!(guard.state(&"b"), Some(State::Open));
    assert!(guard.explain(&"b").contains("10 of 10 calls failed"), "{}", guard.explain(&"b"));
}

#[test]
fn no_key_with_a_call_under_way_is_put_out() {
    let rig = rig();
    let guard = rig.keyed(2);
    let (first, second) = (guard.admit("a").unwrap(), guard.admit("b").unwrap());
    rig.clock.advance(secs(1));
    for n in 0..50 {
        succeed(guard, &format!("new {n}"));
    }
    // They shared one breaker, for there was no room.
    assert_eq!((guard.len(), guard.evicted(), guard.overflowed()), (2, 0, 50));
    assert_eq!(guard.state("new 0"), None);
    let shared = guard.admit("new").unwrap();
    assert_eq!((guard.in_flight(), guard.in_flight_of("a")), (3, Some(1)));
    second.success();
    rig.clock.advance(ms(100));
    succeed(guard, "c");
    assert_eq!(["a", "b", "c"].map(|key| guard.state(key).is_some()), [true, false, true]);
    first.failure();
    shared.success();
    assert_eq!((guard.in_flight(), rig.total()), (0, 54));
}

#[test]
fn keys_without_room_share_a_breaker_that_protects_too() {
    let rig = rig();
    let guard = rig.keyed(1);
    let held = guard.admit("a").unwrap();
    rig.clock.advance(secs(1));
    for key in ["x", "y", "z"] {
        guard.admit(key).unwrap().failure();
    }
    assert_eq!(guard.admit("w").unwrap_err().reason(), Reason::Open);
    succeed(guard, "a");
    let status = plimsoll::ops::status(&rig.plimsoll);
    assert!(status.contains("payments/(others): OPEN"), "{status}");
    held.success();
    rig.clock.advance(ms(100));
    // There is room again: a core of its own, which knows of nothing.
    succeed(guard, "w");
    assert_eq!(guard.state("w"), Some(State::Closed));
}

#[test]
fn a_hundred_thousand_keys_through_room_for_a_hundred() {
    const KEYS: u64 = 100_000;
    let rig = rig();
    let guard = rig.keyed(100);
    let footprint = guard.memory_footprint();
    for n in 0..100 {
        guard.admit(&format!("tenant {n}")).unwrap().failure();
    }
    let resident = resident();
    for n in 100..KEYS {
        let permit = guard.admit(&format!("tenant {n}")).unwrap();
        if n % 10 == 0 {
            permit.failure()
        } else {
            permit.success()
        }
        rig.clock.advance(ms(1));
    }
    assert_eq!((guard.len(), guard.capacity(), guard.memory_footprint()), (100, 100, footprint));
    assert_eq!((guard.evicted(), guard.overflowed()), (KEYS - 100, 0));
    // 100,000 cores would be a gigabyte. Other tests of this binary run meanwhile, and take some.
    if let (Some(before), Some(after)) = (resident, self::resident()) {
        assert!(after < before + 300_000_000, "from {before} to {after} bytes");
    }
    let tally = rig.slo.objectives().next().unwrap().total();
    assert_eq!((tally.bad, tally.good), (100 + (KEYS - 100) / 10, (KEYS - 100) * 9 / 10));
    assert_eq!(rig.total(), KEYS);
    // 100 seconds of thrashing: an event a second, and together they tell of every key.
    rig.clock.advance(secs(1));
    rig.plimsoll.tick();
    let events = rig.evictions();
    assert!((90..=102).contains(&events.len()), "{} events", events.len());
    assert_eq!(events.iter().map(|(_, keys)| keys).sum::<u64>(), KEYS - 100);
}

/// Bytes that this process has in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

#[test]
fn a_key_takes_at_most_16_kib() {
    let bytes = |breaker: Breaker| {
        let rig = rig();
        let of = |name: &str, capacity| {
            let guard = rig.slo.guard().named(name).breaker(breaker.clone()).keyed::<String>(capacity);
            guard.map(|guard| guard.memory_footprint())
        };
        let (one, many) = (of("one", 1)?, of("many", 1_001)?);
        Ok::<_, plimsoll::Error>((many - one) / 1_000)
    };
    let plain = bytes(Breaker::default()).unwrap();
    assert!((4_096..=12_288).contains(&plain), "{plain} bytes");
    let long = Breaker::never().failure_ratio(0.5, 20, secs(86_400)).slow_ratio(0.5, ms(20));
    for breaker in [long, Breaker::default().slo_burn(14.4), Breaker::default().age_in_flight(secs(5), 10)] {
        let bytes = bytes(breaker.clone()).unwrap();
        assert!(bytes <= 16_384, "{bytes} bytes: {breaker:?}");
    }
    let refused = bytes(Breaker::default().probes(1_000, secs(30))).unwrap_err();
    assert!(refused.is_invalid() && refused.to_string().contains("may take 16384; write fewer probes"), "{refused}");
}

#[test]
fn churn_on_many_threads_loses_no_call() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 20_000;
    let rig = rig();
    let guard = rig.slo.guard().breaker(Breaker::never().consecutive(3).jitter(0.0)).keyed::<u64>(16).unwrap();
    let (barrier, refused) = (Arc::new(Barrier::new(THREADS as usize)), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (barrier, clock, refused) = (Arc::clone(&barrier), rig.clock.clone(), &refused);
            scope.spawn(move || {
                barrier.wait();
                let mut random = thread + 1;
                for n in 0..CALLS {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // A few keys that everybody asks for, and many more than there is room for.
                    let key = if n % 2 == 0 { random >> 62 } else { random >> 58 };
                    match guard.admit(&key) {
                        Ok(permit) if n % 16 == 0 => drop(permit),
                        Ok(permit) if n % 3 == 0 => permit.failure(),
                        Ok(permit) => permit.success(),
                        Err(_) => _ = refused.fetch_add(1, Ordering::Relaxed),
                    }
                    if n % 64 == 0 {
                        clock.advance(ms(5));
                    }
                }
            });
        }
    });
    assert_eq!(rig.total(), THREADS * CALLS);
    assert_eq!(guard.in_flight(), 0);
    assert!(guard.evicted() > 1_000, "{}", guard.evicted());
    assert!(guard.len() == 16);
    let rejected = guard.outcomes().find(|(outcome, _)| *outcome == Outcome::Rejected).map(|(_, n)| n);
    assert_eq!(rejected, Some(refused.into_inner()));
}

#[test]
fn no_core_is_given_away_under_a_call_that_begins() {
    // Room for one, and two keys that fight for it: each puts the other out whenever that is idle.
    const CALLS: u64 = 30_000;
    let rig = rig();
    let guard = rig.slo.guard().breaker(Breaker::never()).keyed::<u64>(1).unwrap();
    let checked = AtomicU64::new(0);
    thread::scope(|scope| {
        for key in 0..2 {
            let (clock, checked) = (rig.clock.clone(), &checked);
            scope.spawn(move || {
                for _ in 0..CALLS {
                    // One of them now and then, so that the other mostly finds its core, and may lose it just then.
                    (0..key * 1_000).for_each(|_| std::hint::spin_loop());
                    let before = guard.overflowed();
                    let permit = guard.admit(&key).unwrap();
                    let held = guard.in_flight_of(&key);
                    // Else one of the two found no room, and its call is not its key's.
                    if guard.overflowed() == before {
                        assert!(held.is_some_and(|n| n > 0), "{key} was put out under its call");
                        checked.fetch_add(1, Ordering::Relaxed);
                    }
                    permit.success();
                    clock.advance(ms(100));
                }
            });
        }
    });
    assert_eq!(rig.total(), 2 * CALLS);
    assert!(checked.into_inner() > CALLS / 10 && guard.evicted() > 0, "{}", guard.evicted());
}

#[test]
fn a_subscriber_may_call_back_and_may_panic() {
    let rig = rig();
    let guard = rig.keyed(1);
    rig.plimsoll.subscribe(move |event| {
        if let EventKind::Evicted { .. } = event.kind {
            // A call of its own, which puts out the next.
            guard.admit("from the subscriber").unwrap().success();
            panic!("as it likes");
        }
    });
    succeed(guard, "a");
    rig.clock.advance(secs(2));
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guard.admit("b").map(drop)));
    assert!(told.unwrap().is_ok());
    // The call that told of it has nothing to do with that, and holds its core no longer.
    assert_eq!((guard.in_flight(), guard.len()), (0, 1));
    succeed(guard, "a");
}

#[test]
fn what_cannot_work_is_refused_with_what_to_write() {
    let rig = rig();
    let refused = |made: Result<KeyedGuard<String>, plimsoll::Error>| made.unwrap_err();
    let guard = || rig.slo.guard().breaker(steady());
    let none = refused(guard().keyed(0));
    assert!(none.is_invalid() && none.to_string().contains("room for 0 keys; write 1 to 100000"), "{none}");
    assert!(refused(guard().keyed(100_001)).is_invalid());
    let bare = refused(rig.slo.guard().keyed(10));
    assert!(bare.is_invalid() && bare.to_string().contains(".breaker(Breaker::default())"), "{bare}");
    assert!(refused(rig.slo.guard().breaker(steady().jitter(7.0)).keyed(10)).is_invalid());
    // Names are shared with plain guards, both ways.
    guard().build().unwrap();
    assert!(refused(guard().keyed(10)).is_duplicate());
    guard().named("tenants").keyed::<u8>(10).unwrap();
    assert!(guard().named("tenants").build().unwrap_err().is_duplicate());
    assert!(refused(guard().named("tenants").keyed(10)).is_duplicate());
}

#[test]
fn keys_are_shown_short_and_on_one_line() {
    let rig = rig();
    let guard = rig.keyed(1);
    let long = "ü".repeat(1_000);
    succeed(guard, &long);
    rig.clock.advance(secs(2));
    succeed(guard, "a\nb");
    rig.clock.advance(secs(2));
    succeed(guard, "c");
    let shown: Vec<String> = rig.evictions().into_iter().map(|(key, _)| key).collect();
    assert_eq!(shown, [format!("{}…", "ü".repeat(64)), "a\u{fffd}b".to_owned()]);
}

#[test]
fn the_status_page_names_ten_keys_that_are_not_closed() {
    let rig = rig();
    let guard = rig.keyed(20);
    let status = || plimsoll::ops::status(&rig.plimsoll);
    succeed(guard, "well");
    assert!(status().contains("a breaker for each of 1 keys, room for 20\n  every breaker is closed"), "{}", status());
    for n in 0..13 {
        trip(guard, &format!("tenant {n}"));
    }
    let page = status();
    assert!(page.contains("!! breakers of guard payments that are not closed: 13"), "{page}");
    assert_eq!(page.matches("  payments/tenant ").count(), 10, "{page}");
    assert!(page.contains("  and 3 more that are not closed"), "{page}");
    assert!(!page.contains("payments/well"), "{page}");
}

#[cfg(feature = "prometheus")]
#[test]
fn the_exposition_sums_over_keys_and_agrees() {
    use crate::support::exposition::{Exposition, promtool};
    let rig = rig();
    let guard = rig.keyed(3);
    let read = || {
        let text = rig.plimsoll.render_own();
        promtool(&text);
        assert!(!text.contains("acme"), "a key is no label");
        Exposition::read(&text)
    };
    // Everything is there from the declaration on.
    let before = read();
    let of = [("guard", "payments")];
    for name in ["plimsoll_keys", "plimsoll_keys_evicted_total", "plimsoll_keys_overflowed_total", "plimsoll_in_flight"]
    {
        assert_eq!(before.value(name, &of), 0.0);
    }
    trip(guard, "acme");
    assert!(guard.admit("acme").is_err());
    rig.clock.advance(secs(1));
    let under_way = ["b", "c", "d"].map(|key| guard.admit(key).unwrap());
    let after = read();
    let states = |state| after.value("plimsoll_keyed_breakers", &[("guard", "payments"), ("state", state)]);
    // The one that was open was put out.
    assert_eq!((states("closed"), states("open")), (3.0, 0.0));
    assert_eq!(after.value("plimsoll_keys", &of), 3.0);
    assert_eq!(after.value("plimsoll_keys_evicted_total", &of), 1.0);
    assert_eq!(after.value("plimsoll_in_flight", &of), 3.0);
    let refused = [("guard", "payments"), ("reason", "open")];
    assert_eq!(after.value("plimsoll_rejections_total", &refused), 1.0);
    for (from, to) in [("closed", "open"), ("open", "closed")] {
        let labels = [("guard", "payments"), ("from", from), ("to", to)];
        assert_eq!(after.value("plimsoll_breaker_transitions_total", &labels), 1.0, "{from} to {to}");
    }
    under_way.into_iter().for_each(plimsoll::Permit::success);
    let count = read().value("plimsoll_request_duration_seconds_count", &[("slo", "payments")]);
    assert_eq!(count, rig.total() as f64);
}
