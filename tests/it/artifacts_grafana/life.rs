//! An hour in the life of a process with a kit's SLOs, as Prometheus would have scraped it.

use crate::harness::now;
use plimsoll::artifacts::Kit;
use plimsoll::{
    Breaker, CallContext, FallbackValue, Guard, GuardLayer, KeyedGuard, ManualClock, Outcome, Plimsoll, Priority, Shed,
    SloHandle,
};
use std::fmt::Write;
use std::future::ready;
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// Between two scrapes.
const STEP: Duration = Duration::from_secs(15);
const STEPS: u64 = 240;
/// From here on it goes wrong.
const TROUBLE: u64 = 120;
const INSTANCES: [&str; 2] = ["app-1:3000", "app-2:3000"];

/// What stands around one SLO: a guard that refuses and sheds, one that falls back, and one for each tenant.
struct Service {
    slo: SloHandle,
    guard: Guard,
    falls_back: GuardLayer<FallbackValue<&'static str>>,
    tenants: KeyedGuard<String>,
}

impl Service {
    fn new(slo: SloHandle) -> Self {
        let breaker = || Breaker::never().consecutive(2).open_for(Duration::from_secs(20), Duration::from_secs(20));
        let named = |what: &str| slo.guard().named(format!("{} {what}", slo.name())).breaker(breaker());
        Self {
            slo,
            guard: slo.guard().breaker(breaker()).shed(Shed::fixed(3)).build().unwrap(),
            falls_back: named("with a fallback").fallback_value("remembered").layer().unwrap(),
            tenants: named("by tenant").keyed(10).unwrap(),
        }
    }

    /// What is no part of the chain: a peak, a call that a cache answers in the end, and a tenant in trouble.
    fn live(&self, in_trouble: bool) {
        let held: Vec<_> = (0..3).filter_map(|_| self.guard.admit().ok()).collect();
        for priority in [Priority::CRITICAL, Priority::DEFAULT, Priority::SHEDDABLE] {
            if let Ok(permit) = CallContext::new().priority(priority).sync_scope(|| self.guard.admit()) {
                permit.success();
            }
        }
        held.into_iter().for_each(|permit| permit.success());
        let service =
            self.falls_back.layer(service_fn(|failing: bool| ready(if failing { Err("down") } else { Ok("fresh") })));
        _ = now(service.oneshot(in_trouble));
        for tenant in ["acme", "globex"] {
            if let Ok(permit) = self.tenants.admit(tenant) {
                permit.finish(if in_trouble && tenant == "acme" { Outcome::TimedOut } else { Outcome::Success });
            }
        }
    }
}

/// A call, and the calls that it makes in turn; whether it succeeded.
fn call(services: &[Service], name: &str, clock: &ManualClock, is_bad: bool) -> bool {
    let Some(service) = services.iter().find(|service| service.slo.name() == name) else { return true };
    let Ok(permit) = service.guard.admit() else { return false };
    clock.advance(Duration::from_millis(if is_bad { 400 } else { 40 }));
    let mut dependencies = service.slo.declaration().dependencies().peekable();
    let is_last = dependencies.peek().is_none();
    let succeeded = dependencies.all(|dependency| call(services, dependency, clock, is_bad)) && !(is_last && is_bad);
    clock.advance(Duration::from_millis(20));
    permit.finish(if succeeded { Outcome::Success } else { Outcome::FAILURE });
    succeeded
}

/// The samples of all scrapes, the last at `end` (seconds since 1970), in OpenMetrics.
pub(crate) fn lived(kit: &Kit, end: u64) -> String {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let services: Vec<Service> =
        kit.slos().iter().map(|slo| Service::new(plimsoll.declare(slo.clone()).unwrap())).collect();
    let called = |name: &str| kit.slos().iter().any(|slo| slo.dependencies().any(|other| other == name));
    let mut text = String::new();
    let begin = clock.now();
    for step in 1..=STEPS {
        let in_trouble = step > TROUBLE;
        for service in services.iter().filter(|service| !called(service.slo.name())) {
            for n in 0..4 {
                _ = call(&services, service.slo.name(), &clock, in_trouble && n > 0);
            }
        }
        services.iter().for_each(|service| service.live(in_trouble));
        let left =
            (STEP * u32::try_from(step).unwrap()).checked_sub(clock.now().since(begin)).expect("calls fit a step");
        clock.advance(left);
        scraped(&plimsoll.render_own(), end - (STEPS - step) * STEP.as_secs(), &mut text);
    }
    text + "# EOF\n"
}

/// With the labels that Prometheus adds, and the time.
fn scraped(exposition: &str, at: u64, text: &mut String) {
    for line in exposition.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, rest) = line.split_once('{').unwrap();
        for instance in INSTANCES {
            writeln!(text, "{name}{{job=\"app\",instance=\"{instance}\",{rest} {at}").unwrap();
        }
    }
}
