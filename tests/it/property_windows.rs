//! Windows against a list of everything that ever happened.

use crate::rig::{ms, secs};
use plimsoll::{AlertWindow, ManualClock, ObjectiveHandle, Outcome, Plimsoll, Severity, Slo, Window};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::time::Duration;

/// As many cases as `PROPTEST_CASES` says, or 128, some 10⁵ steps; by the seed of `PROPTEST_RNG_SEED`, or always the same.
pub(crate) fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 128;
    }
    if matches!(config.rng_seed, RngSeed::Random) {
        config.rng_seed = RngSeed::Fixed(0x5105);
    }
    config
}

/// How long nothing happens: mostly short, sometimes idle days, now and then a jump of years.
pub(crate) fn idle() -> impl Strategy<Value = Duration> {
    prop_oneof![
        10 => Just(Duration::ZERO),
        30 => (1_u64..2_000_000_000).prop_map(Duration::from_nanos),
        20 => (1_u64..500).prop_map(|n| ms(n * 10)),
        6 => (1_u64..600).prop_map(secs),
        2 => (1_u64..86_400 * 4).prop_map(secs),
        1 => (1_u64..3_000).prop_map(|days| secs(days * 86_400)),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    Count(u64, u64),
    Tick,
    /// A share of the period, as a power of ten below it.
    Read(f64),
    ReadAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => idle().prop_map(Step::Wait),
        8 => (0_u64..50, 0_u64..5).prop_map(|(good, bad)| Step::Count(good, bad)),
        1 => Just(Step::Tick),
        3 => (-6.0..0.0_f64).prop_map(Step::Read),
        1 => Just(Step::ReadAll),
    ]
}

/// All events, and what is known of the ring that remembers them: steps of growing length, 128 of each.
struct Naive {
    events: Vec<(u64, u64, u64)>,
    created: u64,
    steps: Vec<u64>,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

impl Naive {
    fn new(slo: &Slo, created: u64) -> Self {
        let alerts = slo.alert_windows();
        let shortest = alerts.iter().map(|alert| alert.short()).min().unwrap() / 60;
        let mut steps = vec![nanos(shortest.clamp(ms(10), secs(1)))];
        while steps[steps.len() - 1] * 126 < nanos(slo.period().nominal()) {
            steps.push(steps[steps.len() - 1] * 6);
        }
        Self { events: Vec::new(), created, steps }
    }

    fn since(&self, time: u64) -> (u64, u64) {
        let recent = self.events.iter().filter(|(at, ..)| *at >= time);
        recent.fold((0, 0), |sum, (_, good, bad)| (sum.0 + good, sum.1 + bad))
    }

    /// The least and the most that a window may hold: all but, and all of, the one step in which it begins, which is
    /// of the finest length that surely reaches back so far.
    fn bounds(&self, now: u64, window: Duration) -> ((u64, u64), (u64, u64)) {
        let wanted = now.saturating_sub(nanos(window));
        if wanted <= self.created {
            return (self.since(0), self.since(0));
        }
        let reaches = |step: &&u64| (now / **step).saturating_sub(127) * **step <= wanted;
        let step = self.steps.iter().find(reaches).unwrap();
        let begin = wanted / step * step;
        (self.since((begin + step).min(now + 1)), self.since(begin))
    }
}

fn check(objective: ObjectiveHandle, naive: &Naive, now: u64, window: Duration) -> Result<(), TestCaseError> {
    let (least, most) = naive.bounds(now, window);
    let reading = objective.reading(Window::of(window));
    let (good, bad) = (reading.tally.good, reading.tally.bad);
    prop_assert!(least.0 <= good && good <= most.0, "{good} good in {window:?}, not {least:?} … {most:?}");
    prop_assert!(least.1 <= bad && bad <= most.1, "{bad} bad in {window:?}, not {least:?} … {most:?}");
    let seen = now - now.saturating_sub(nanos(window)).max(naive.created);
    let coverage = if window.is_zero() { 1.0 } else { seen as f64 / window.as_nanos() as f64 };
    prop_assert!((reading.coverage - coverage).abs() < 1e-9, "{} covered, not {coverage}", reading.coverage);
    Ok(())
}

fn play(period: Duration, since: Duration, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    clock.advance(since);
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let declared = Slo::new("windows").success(99.0).over(period).scrape_interval(ms(10));
    let slo = plimsoll.declare(declared).unwrap();
    let objective = slo.objective("success").unwrap();
    let mut naive = Naive::new(slo.declaration(), clock.now().as_nanos());
    for step in steps {
        match step {
            Step::Wait(time) => clock.advance(time),
            Step::Count(good, bad) => {
                slo.count(good, bad);
                naive.events.push((clock.now().as_nanos(), good, bad));
            }
            Step::Tick => plimsoll.tick(),
            Step::Read(power) => {
                check(objective, &naive, clock.now().as_nanos(), period.mul_f64(10_f64.powf(power)))?;
            }
            Step::ReadAll => {
                let total = objective.total();
                prop_assert_eq!((total.good, total.bad), naive.since(0));
                let now = clock.now().as_nanos();
                check(objective, &naive, now, period)?;
                check(objective, &naive, now, Duration::ZERO)?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_window_holds_what_happened_in_it_but_for_the_step_it_begins_in(
        period in prop_oneof![Just(secs(600)), Just(secs(3_600)), Just(secs(86_400)), Just(secs(30 * 86_400))],
        since in idle(),
        steps in prop::collection::vec(step(), 900..1_100),
    ) {
        play(period, since, steps)?;
    }
}

#[test]
fn what_came_in_the_first_step_of_a_young_ring_is_not_shared_out() {
    // Declared in the middle of a coarse step: the finer ones have forgotten it when the window still reaches back.
    let steps = [Step::Count(1_000, 100)]
        .into_iter()
        .chain((0..400).flat_map(|_| [Step::Wait(secs(1)), Step::Count(1, 0)]))
        .chain([Step::ReadAll]);
    play(secs(30 * 86_400), secs(100), steps.collect()).unwrap();
}

#[test]
fn a_year_in_the_finest_steps_there_are_is_remembered_however_long_the_process_runs() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let finest = AlertWindow::new(Severity::P1, secs(60), ms(600), 1.0);
    let declared = Slo::new("year").success(99.0).over_days(366).alerts(vec![finest]).scrape_interval(ms(10));
    let slo = plimsoll.declare(declared).unwrap();
    let objective = slo.objective("success").unwrap();
    for day in 1..=1_200 {
        slo.count(1, 0);
        clock.advance(secs(86_400));
        let reading = objective.reading(Window::days(366));
        assert_eq!(reading.tally.good, day.min(366), "after {day} days");
        assert!((reading.coverage - day.min(366) as f64 / 366.0).abs() < 1e-9, "{} after {day} days", reading.coverage);
    }
}

/// What a window of latencies may hold: like [`Naive::bounds`], in coarser steps, of which six reach back. None if it may be
/// forgotten.
fn latency_bounds(naive: &Naive, now: u64, window: Duration) -> Option<(u64, u64)> {
    let wanted = now.saturating_sub(nanos(window));
    if wanted <= naive.created {
        return (now - naive.created <= naive.steps[0] * 5 * 1_000).then(|| (naive.since(0).0, naive.since(0).0));
    }
    let mut steps = (0..4).map(|level| naive.steps[0] * 5 * 6_u64.pow(level));
    let step = steps.find(|step| (now / step).saturating_sub(5) * step <= wanted)?;
    let begin = wanted / step * step;
    Some((naive.since((begin + step).min(now + 1)).0, naive.since(begin).0))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_window_of_latencies_holds_what_happened_in_it_but_for_the_step_it_begins_in(
        since in idle(),
        steps in prop::collection::vec((idle(), 0_u64..20, prop_oneof![1.0..20.0_f64, 1.0..5_000.0_f64]), 150..200),
    ) {
        let clock = ManualClock::new();
        clock.advance(since);
        let plimsoll = Plimsoll::with_clock(clock.clone());
        let slo = plimsoll.declare(Slo::new("windows").success(99.0).over_days(30)).unwrap();
        let mut naive = Naive::new(slo.declaration(), clock.now().as_nanos());
        for (idle, calls, seconds) in steps {
            clock.advance(idle);
            // All alike: what is shared out is rounded but once.
            (0..calls).for_each(|_| slo.record(Outcome::Success, ms(1)));
            let now = clock.now().as_nanos();
            naive.events.push((now, calls, 0));
            let window = Duration::from_secs_f64(seconds);
            let Some((least, most)) = latency_bounds(&naive, now, window) else { continue };
            let seen = slo.latency(Window::of(window)).count();
            prop_assert!(least <= seen && seen <= most, "{seen} in {window:?}, not {least} … {most}");
        }
    }
}
