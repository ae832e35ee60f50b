//! The simulator: held against what queueing theory says, and driving real guards.

use crate::rig::{ms, secs};
use plimsoll::sim::{Answer, Arrivals, Call, Ended, Phase, Policy, Report, Service, Sim};
use plimsoll::{Breaker, Guard, Outcome, Plimsoll, Priority, Shed, Slo, State, Timestamp};
use std::time::Duration;

/// Lets everybody in, and works for those who left too.
struct Everybody;

impl Policy for Everybody {
    fn arrive(&mut self, _: &Call, _: Timestamp) -> Answer {
        Answer::Admit
    }

    fn start(&mut self, _: &Call, _: Timestamp) -> bool {
        true
    }
}

/// Lets in so many at once.
#[derive(Default)]
struct Limit {
    limit: u32,
    in_flight: u32,
}

impl Limit {
    fn of(limit: u32) -> Self {
        Self { limit, in_flight: 0 }
    }
}

impl Policy for Limit {
    fn arrive(&mut self, _: &Call, _: Timestamp) -> Answer {
        if self.in_flight == self.limit {
            return Answer::Refuse("full");
        }
        self.in_flight += 1;
        Answer::Admit
    }

    fn end(&mut self, _: &Call, _: Ended, _: Timestamp) {
        self.in_flight -= 1;
    }
}

/// The service of the experiment: 200 requests a second, clients that wait 100 ms.
fn service(workers: usize) -> Sim {
    Sim::new(workers, Service::exponential(ms(10))).deadline(ms(100))
}

/// A second of a worker that takes 10 ms, with requests at even intervals.
fn clockwork(load: f64) -> Sim {
    let sim = Sim::new(1, Service::constant(ms(10))).arrivals(Arrivals::Even).deadline(ms(100));
    sim.phase(Phase::new(secs(1), load))
}

fn try_policy(sim: &Sim, mut policy: impl Policy) -> Report {
    sim.run_policy(&mut policy).unwrap()
}

fn adaptive(plimsoll: &Plimsoll) -> Result<Guard, plimsoll::Error> {
    let slo = plimsoll.declare(Slo::new("checkout").success(99.9).latency(99.0, ms(100)))?;
    slo.guard().shed(Shed::adaptive()).build()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, where {expected} ± {tolerance} was expected");
}

#[test]
fn latencies_are_those_of_m_m_c() {
    // At ρ = 0.7 on two workers the chance to wait is C = 0.5765 (Erlang), and who waits, waits Exp(60 s⁻¹):
    // P(T > t) = C·(100·e^(−60t) − 60·e^(−100t)) ÷ 40 + (1 − C)·e^(−100t).
    let late = |t: f64| {
        let (waits, served) = ((-60.0 * t).exp(), (-100.0 * t).exp());
        0.5765 * (100.0 * waits - 60.0 * served) / 40.0 + (1.0 - 0.5765) * served
    };
    // Late calls come in bursts, so one course of chance of 300 s is off by some 0.002: the mean of twelve by 0.0006.
    let reports = (0..12).map(|seed| {
        let sim = service(2).seed(seed).settle(secs(20)).phase(Phase::new(secs(320), 0.7));
        try_policy(&sim, Everybody)
    });
    let reports: Vec<Report> = reports.collect();
    let mean = |of: &dyn Fn(&Report) -> f64| reports.iter().map(of).sum::<f64>() / reports.len() as f64;
    near(mean(&|report| report.phases()[0].total().in_time_ratio()), 1.0 - late(0.1), 0.001_5);
    for q in [0.5, 0.9, 0.99] {
        let late = mean(&|report| late(report.phases()[0].latency(q).unwrap().as_secs_f64()));
        near(late, 1.0 - q, 0.15 * (1.0 - q));
    }
    near(mean(&|report| report.phases()[0].goodput()), 0.7 * (1.0 - late(0.1)), 0.01);
}

#[test]
fn a_limit_refuses_as_many_as_m_m_c_k_does() {
    // In M/M/2 with room for 8 the states are likely as 1, 2ρ, 2ρ², 2ρ³ …
    for load in [0.7, 1.2, 2.0_f64] {
        let likely: Vec<f64> = (0..=8).map(|n| if n == 0 { 1.0 } else { 2.0 * load.powi(n) }).collect();
        let full = likely[8] / likely.iter().sum::<f64>();
        let report = try_policy(&service(2).phase(Phase::new(secs(300), load)), Limit::of(8));
        let phase = &report.phases()[0];
        let refused: Vec<_> = phase.refusals().collect();
        assert_eq!(refused, [("full", phase.total().refused)]);
        near(phase.total().refused as f64 / phase.total().offered as f64, full, 0.01);
        near(phase.completed() as f64 / 60_000.0, load * (1.0 - full), 0.02);
    }
}

#[test]
fn each_of_a_queue_waits_for_those_before_it() {
    // The k-th of 200 comes after 5k ms and is answered after 5 + 10k ms: the first 19 within 100 ms.
    let report = try_policy(&clockwork(2.0), Everybody);
    let (phase, total) = (&report.phases()[0], report.phases()[0].total());
    assert_eq!((total.offered, total.in_time, total.late), (199, 19, 180));
    assert_eq!(phase.completed(), 99, "in the second itself");
    assert_eq!(phase.latency(1.0).unwrap().as_millis(), 500);
    near(phase.goodput(), 0.19, 1e-9);
}

#[test]
fn who_left_is_not_worked_for_unless_the_policy_says_so() {
    // A limit far beyond what comes: only those are dropped who left before a worker turned to them.
    let total = try_policy(&clockwork(2.0), Limit::of(1_000)).phases()[0].total();
    assert_eq!(total.offered, total.in_time + total.late + total.left);
    assert!(total.left > 60 && total.in_time < 30, "{total:?}");
}

#[test]
fn requests_come_as_many_as_were_asked_for() {
    let count =
        |sim: Sim| try_policy(&sim, Everybody).phases().iter().map(|phase| phase.total().offered).collect::<Vec<_>>();
    let even = service(2).arrivals(Arrivals::Even);
    assert_eq!(count(even.clone().phase(Phase::per_second(secs(10), 100.0))), [999]);
    // A ramp from nothing to 399.9 a second, and what is owed at the end of a phase comes in the next.
    let ramp = even.clone().phase(Phase::per_second(secs(10), 0.0).to(399.9)).phase(Phase::per_second(secs(10), 0.1));
    assert_eq!(count(ramp), [1_999, 1]);
    assert_eq!(count(even.phase(Phase::new(secs(10), 0.0))), [0]);
    // Poisson: the variance of counts by second is their mean.
    let report = try_policy(&service(2).phase(Phase::new(secs(2_000), 0.5)), Everybody);
    let seconds: Vec<f64> = report.seconds().iter().map(|second| second.offered as f64).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let variance = seconds.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / seconds.len() as f64;
    near(mean, 100.0, 1.0);
    near(variance / mean, 1.0, 0.1);
}

#[test]
fn service_times_are_distributed_as_they_were_asked_for() {
    // So many workers that nobody waits: latencies are service times.
    let quantiles = |service: Service| {
        let sim = Sim::new(1_000, service).deadline(secs(10)).phase(Phase::per_second(secs(200), 200.0));
        let report = try_policy(&sim, Everybody);
        [0.5, 0.9, 0.99].map(|q| report.phases()[0].latency(q).unwrap().as_secs_f64() * 1e3)
    };
    assert_eq!(quantiles(Service::constant(ms(10))).map(f64::round), [10.0; 3]);
    for (found, expected) in quantiles(Service::exponential(ms(10))).into_iter().zip([6.93, 23.03, 46.05]) {
        near(found, expected, 0.05 * expected);
    }
    for (found, expected) in quantiles(Service::log_normal(ms(10), ms(100))).into_iter().zip([10.0, 35.5, 100.0]) {
        near(found, expected, 0.06 * expected);
    }
    let bimodal = Service::bimodal(0.2, ms(40), Duration::from_micros(2_500));
    assert_eq!(bimodal.mean(), ms(10));
    assert_eq!(quantiles(bimodal).map(f64::round), [3.0, 40.0, 40.0]);
    // exp(σ²/2) above the median, with σ = ln 10 ÷ 2.326.
    near(Service::log_normal(ms(10), ms(100)).mean().as_secs_f64() * 1e3, 16.32, 0.02);
}

#[test]
fn each_refusal_takes_its_share_of_the_workers() {
    // If the workers are never idle and nobody is late, (1 − r·m) ÷ (1 − r) is left.
    for (m, r) in [(2.0, 0.1), (3.0, 0.1), (3.0, 0.2)] {
        let sim = service(2).deadline(secs(1)).refusal_cost(r).phase(Phase::new(secs(200), m));
        near(try_policy(&sim, Limit::of(8)).phases()[0].goodput(), (1.0 - r * m) / (1.0 - r), 0.02);
    }
}

#[test]
fn who_is_refused_comes_back_as_often_as_was_said() {
    let sim = service(2).retries(3).phase(Phase::new(secs(10), 1.0));
    let phase = &try_policy(&sim, Limit::of(0)).phases()[0].clone();
    assert_eq!(phase.attempts(), 4 * phase.total().offered);
    assert_eq!(phase.refusals().collect::<Vec<_>>(), [("full", phase.attempts())]);
    assert_eq!(phase.total().refused, phase.total().offered);
}

#[test]
fn failures_and_capacity_change_by_phase() {
    let sim = service(2).phase(Phase::new(secs(100), 0.5).failing(0.25)).phase(Phase::new(secs(100), 1.5).workers(1));
    let sim = sim.phase(Phase::new(secs(100), 1.5).slower(2.0)).phase(Phase::new(secs(100), 1.5));
    let report = try_policy(&sim, Limit::of(6));
    let share = |n: u64, of: u64| n as f64 / of as f64;
    let [failing, one, slower, whole] = report.phases() else { panic!("four phases") };
    near(share(failing.total().failed, failing.total().offered), 0.25, 0.02);
    near(failing.completed() as f64, 75.0 * 100.0, 300.0);
    for half in [one, slower] {
        near(half.completed() as f64, 100.0 * 100.0, 300.0);
        assert!(half.goodput() > 0.8, "of what is left: {half}");
    }
    near(whole.completed() as f64, 200.0 * 100.0, 800.0);
}

#[test]
fn the_same_seed_is_the_same_course_and_another_is_another() {
    let sim = service(2).mix([(Priority::CRITICAL, 1.0), (Priority::SHEDDABLE, 2.0)]).phase(Phase::new(secs(60), 2.0));
    let run = |seed| sim.clone().seed(seed).run(adaptive).unwrap().to_string();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// The guard that `make` makes, tried; and what it counted.
fn tried(sim: &Sim, make: impl FnOnce(&Plimsoll) -> Result<Guard, plimsoll::Error>) -> (Report, Guard) {
    let mut made = None;
    let report = sim.run(|plimsoll| {
        let guard = make(plimsoll)?;
        made = Some(guard);
        Ok(guard)
    });
    (report.unwrap(), made.unwrap())
}

fn counted(guard: Guard, outcome: Outcome) -> u64 {
    guard.outcomes().find(|(known, _)| *known == outcome).unwrap().1
}

#[test]
fn a_guard_counts_what_was_simulated() {
    let sim = service(2).phase(Phase::new(secs(30), 0.7).failing(0.1)).phase(Phase::new(secs(30), 3.0));
    let (report, guard) = tried(&sim, adaptive);
    let sum = |of: fn(&plimsoll::sim::PhaseReport) -> u64| report.phases().iter().map(of).sum::<u64>();
    let (refused, attempts) = (sum(|phase| phase.refusals().map(|(_, n)| n).sum()), sum(|phase| phase.attempts()));
    // In the last tenth of a second, after the phases, some more are refused, answered or leave.
    let after = attempts - sum(|phase| phase.completed() + phase.total().failed) - refused;
    let all: u64 = guard.outcomes().map(|(_, n)| n).sum();
    assert_eq!(all, attempts, "each ended in one way");
    assert!((refused..=refused + after).contains(&counted(guard, Outcome::Shed)), "{refused} + {after}: {report}");
    assert_eq!(counted(guard, Outcome::FAILURE), sum(|phase| phase.total().failed));
    assert_eq!(guard.in_flight(), 0, "all permits were given back");
}

#[test]
fn a_breaker_opens_in_a_simulated_outage_and_closes_after_it() {
    let sim = service(2).phase(Phase::new(secs(30), 0.7)).phase(Phase::new(secs(30), 0.7).failing(1.0));
    let (report, guard) = tried(&sim.phase(Phase::new(secs(120), 0.7)), |plimsoll| {
        let slo = plimsoll.declare(Slo::new("payments").success(99.9))?;
        slo.guard().breaker(Breaker::default()).build()
    });
    let [before, outage, after] = report.phases() else { panic!("three phases") };
    assert_eq!(before.refusals().count(), 0);
    let open: u64 = outage.refusals().filter(|(reason, _)| *reason == "open").map(|(_, n)| n).sum();
    assert!(open as f64 > 0.95 * outage.attempts() as f64, "{report}");
    assert!(after.total().in_time_ratio() > 0.6 && guard.state() == State::Closed, "{report}");
}

#[test]
fn a_guard_that_adapts_keeps_the_goodput_and_recovers_at_once() {
    for (load, least) in [(0.9, 0.83), (1.2, 0.94), (2.0, 0.97), (4.0, 0.97), (10.0, 0.97)] {
        let sim = service(2).settle(secs(10)).phase(Phase::new(secs(40), 0.7)).phase(Phase::new(secs(60), load));
        let report = sim.phase(Phase::new(secs(40), 0.7)).run(adaptive).unwrap();
        assert!(report.phases()[1].goodput() >= least, "at {load} ×:\n{report}");
        assert!(report.recovery() <= Some(ms(1_500)), "at {load} ×: {:?}\n{report}", report.recovery());
    }
    let unprotected = service(2).phase(Phase::new(secs(40), 0.7)).phase(Phase::new(secs(60), 3.0));
    let unprotected = try_policy(&unprotected.settle(secs(10)).phase(Phase::new(secs(40), 0.7)), Everybody);
    assert_eq!((unprotected.phases()[1].goodput(), unprotected.recovery()), (0.0, None));
}

#[test]
fn the_important_are_answered_first() {
    let mix = [(Priority::CRITICAL, 0.2), (Priority::DEFAULT, 0.5), (Priority::SHEDDABLE, 0.3)];
    let sim = service(2).mix(mix).settle(secs(10)).phase(Phase::new(secs(100), 2.0));
    let report = sim.run(adaptive).unwrap();
    let answered = mix.map(|(priority, _)| report.phases()[0].of(priority).in_time_ratio());
    assert!(answered[0] > 0.98 && answered[1] > answered[2] + 0.3, "{report}");
    let offered = mix.map(|(priority, _)| report.phases()[0].of(priority).offered as f64);
    near(offered[0] / offered.iter().sum::<f64>(), 0.2, 0.01);
}

#[test]
fn a_guard_that_is_told_deadlines_does_not_let_retries_in_that_come_too_late() {
    let sim = service(2).retries(3).settle(secs(10)).phase(Phase::new(secs(60), 3.0));
    let told = sim.clone().tell_deadline().run(adaptive).unwrap().phases()[0].clone();
    let not_told = sim.run(adaptive).unwrap().phases()[0].clone();
    assert!(told.total().late < not_told.total().late, "{told}\n{not_told}");
}

#[test]
fn the_course_is_drawn() {
    let file = std::env::temp_dir().join(format!("plimsoll-sim-{}.svg", std::process::id()));
    let report = service(2).phase(Phase::new(secs(10), 0.7)).phase(Phase::new(secs(10), 3.0)).run(adaptive).unwrap();
    report.plot(&file).unwrap();
    let svg = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for part in ["<svg", "offered", "answered in time", "refused", "p99", "latency, ms", "</svg>"] {
        assert!(svg.contains(part), "no {part}");
    }
    assert!(svg.matches("<polyline").count() >= 5, "a line for each");
    assert!(report.plot("/no/such/directory/plot.svg").is_err());
    // Nothing came, nothing was answered: an empty picture is a picture.
    let silent = try_policy(&service(2).phase(Phase::new(ms(100), 0.0)), Everybody);
    silent.plot(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((silent.phases()[0].latency(0.5), silent.phases()[0].total().in_time_ratio()), (None, 1.0));
}

#[test]
fn what_cannot_be_simulated_is_refused_with_what_to_write() {
    let phase = || Phase::new(secs(1), 1.0);
    let sim = || service(2).phase(phase());
    let cases = [
        (service(2), "add one with `.phase("),
        (Sim::new(0, Service::constant(ms(1))).phase(phase()), "1 to 65,536"),
        (Sim::new(1, Service::constant(Duration::ZERO)).phase(phase()), "at least a nanosecond"),
        (Sim::new(1, Service::bimodal(1.5, ms(1), ms(2))).phase(phase()), "a share of 0 to 1"),
        (Sim::new(1, Service::log_normal(ms(2), ms(1))).phase(phase()), "not below it"),
        (sim().deadline(Duration::ZERO), "a deadline over zero"),
        (sim().settle(secs(1)), "a longer phase"),
        (sim().mix([]), "shares from 0 up"),
        (sim().mix([(Priority::DEFAULT, f64::NAN)]), "shares from 0 up"),
        (sim().mix([(Priority::DEFAULT, 0.0)]), "at least one of them over 0"),
        (sim().refusal_cost(-1.0), "a number from 0 up"),
        (sim().phase(Phase::new(Duration::ZERO, 1.0)), "phase 1 of a simulation takes no time"),
        (sim().phase(Phase::new(secs(1), f64::INFINITY)), "a number from 0 up"),
        (sim().phase(phase().to(-1.0)), "a number from 0 up"),
        (sim().phase(phase().failing(2.0)), "a share of 0 to 1"),
        (sim().phase(phase().slower(0.0)), "a number over 0"),
        (sim().phase(phase().workers(0)), "1 to 65,536"),
        (sim().phase(Phase::per_second(secs(1_000_000), 1e9)), "shorter phases or a lower load"),
    ];
    for (sim, says) in cases {
        let refused = sim.run_policy(&mut Everybody).unwrap_err();
        assert!(refused.is_invalid() && refused.to_string().contains(says), "{refused}, where {says:?} was expected");
        assert!(sim.run(adaptive).is_err());
    }
    let other = Plimsoll::new();
    let foreign = sim().run(|_| adaptive(&other)).unwrap_err();
    assert!(foreign.to_string().contains("another registry"), "{foreign}");
}

#[test]
fn the_limit_follows_a_service_that_becomes_slower_or_faster_for_good() {
    // One call in flight each: a worker. Half of them go, or four times as many are there.
    for (workers, then) in [(16, 8), (16, 4), (8, 32), (4, 1)] {
        let sim = service(workers)
            .settle(secs(20))
            .phase(Phase::new(secs(60), 1.5))
            .phase(Phase::per_second(secs(90), 150.0 * then as f64).workers(then));
        let (report, guard) = tried(&sim, adaptive);
        let [before, after] = report.phases() else { panic!("two phases") };
        assert!(before.goodput() > 0.95 && after.goodput() > 0.93, "{workers} → {then}:\n{report}");
        let limit = guard.limit().unwrap() as usize;
        assert!((then..=then * 2).contains(&limit), "{workers} → {then}: {limit}\n{report}");
    }
    // The same workers, each slower or faster: as many calls at once, and as little time to wait.
    for slower in [4.0, 0.25] {
        let sim = service(4).settle(secs(20)).phase(Phase::new(secs(60), 1.5));
        let sim = sim.phase(Phase::new(secs(120), 1.5 / slower).slower(slower));
        let (report, guard) = tried(&sim, adaptive);
        assert!(report.phases()[1].goodput() > 0.80, "{slower} times slower:\n{report}");
        assert!((4..=8).contains(&guard.limit().unwrap()), "{}", guard.explain());
    }
}

#[test]
fn the_limit_goes_down_to_one() {
    let sim = service(1).settle(secs(20)).phase(Phase::new(secs(100), 3.0));
    let (report, guard) = tried(&sim, adaptive);
    // From a cold start into overload: the budget is gone at once, and pressure refuses some that would fit.
    assert!(report.phases()[0].goodput() > 0.9, "{report}");
    assert!(guard.limit().unwrap() <= 2, "{}", guard.explain());
}
