//! Declarations that change while the process runs.

use plimsoll::{
    Accounting, AlertWindow, Breaker, BudgetPolicy, Error, EventKind, ManualClock, Objective, Outcome, Plimsoll,
    Severity, Slo, State, Verdict,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn checkout(percent: f64) -> Slo {
    Slo::new("checkout").success(percent).latency(99.0, Duration::from_millis(500))
}

fn running() -> (ManualClock, Plimsoll) {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    plimsoll.declare(checkout(99.9)).unwrap();
    (clock, plimsoll)
}

fn told(plimsoll: &Plimsoll) -> Vec<String> {
    plimsoll.events().iter().map(|event| event.kind.to_string()).collect()
}

#[test]
fn counts_and_budgets_are_kept_and_judged_anew() {
    let (clock, plimsoll) = running();
    let slo = plimsoll.slo("checkout").unwrap();
    let guard = slo.guard().build().unwrap();
    slo.count(9_990, 5);
    for _ in 0..5 {
        guard.admit().unwrap().failure();
    }
    clock.advance(MINUTE);
    let before = slo.declaration();
    assert_eq!(slo.budget().remaining, 0.0);

    let changes = plimsoll.reload([checkout(99.5)]).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].slo, "checkout");
    assert_eq!(changes[0].what, "target of \"success\" from 99.9 % to 99.5 %");
    assert_eq!(told(&plimsoll), ["SLO checkout reloaded: target of \"success\" from 99.9 % to 99.5 %"]);
    // The same 10 bad events of 10,000, by handles that were there before.
    assert_eq!(slo.objective("success").unwrap().target().as_percent(), 99.5);
    assert_eq!(slo.objective("success").unwrap().total().bad, 10);
    assert_eq!(slo.objective("success").unwrap().budget().remaining, 0.8);
    // What was handed out stays as it was.
    assert_eq!((before.objectives()[0].target().as_percent(), slo.declaration()), (99.9, &checkout(99.5)));
    guard.admit().unwrap().failure();
    assert_eq!(slo.objective("success").unwrap().total().bad, 11);

    assert!(plimsoll.reload([checkout(99.5)]).unwrap().is_empty());
    assert_eq!(told(&plimsoll).len(), 1, "nothing changed, and nothing is told");
}

#[test]
fn everything_that_may_change_is_told() {
    let (_, plimsoll) = running();
    let next = checkout(99.99)
        .service("shop")
        .owner("team")
        .runbook("https://runbooks.example")
        .severity(Severity::P1)
        .min_events(20)
        .scrape_interval(30 * SECOND)
        .budget_policy(BudgetPolicy::default().under(20.0, "freeze"));
    let what = &plimsoll.reload([next.clone()]).unwrap()[0].what;
    for words in [
        "service from \"checkout\" to \"shop\"",
        "owner from none to \"team\"",
        "runbook from none to \"https://runbooks.example\"",
        "highest severity from P0 to P1",
        "least events from 10 to 20",
        "scrape interval from 15s to 30s",
        "target of \"success\" from 99.9 % to 99.99 %",
        "alerts of \"latency\" from P0 1h/5m over 14.4, P1",
        "the budget policy",
    ] {
        assert!(what.contains(words), "no {words:?} in: {what}");
    }
    assert_eq!(plimsoll.slo("checkout").unwrap().declaration(), &next);
}

#[test]
fn new_ones_are_declared_and_others_left_alone() {
    let (_, plimsoll) = running();
    let changes = plimsoll.reload([Slo::new("payments").success(99.0)]).unwrap();
    assert_eq!(changes[0].to_string(), "payments: declared");
    let names: Vec<_> = plimsoll.slos().iter().map(|slo| slo.name()).collect();
    assert_eq!(names, ["checkout", "payments"]);
    assert_eq!(plimsoll.slo("checkout").unwrap().declaration(), &checkout(99.9));
}

#[test]
fn what_takes_a_restart_is_refused_and_nothing_changes() {
    let (_, plimsoll) = running();
    let base = || Slo::new("checkout");
    let latency = |millis| Objective::latency(99.0, Duration::from_millis(millis));
    let fine = AlertWindow::new(Severity::P0, MINUTE, 10 * SECOND, 2.0);
    let mut refused = 0;
    for (slo, words) in [
        (base().success(99.9), &["objectives", "\"success\", \"latency\" to \"success\""][..]),
        (base().latency(99.0, Duration::from_millis(500)).success(99.9), &["objectives"]),
        (base().success(99.9).objective(latency(400)), &["threshold of \"latency\"", "500ms to 400ms"]),
        (
            base().success(99.9).objective(latency(500).of_successes()),
            &["scope of \"latency\"", "all calls to successes"],
        ),
        (base().success(99.9).objective(latency(500).timeslices(MINUTE, 95.0)), &["timeslices", "none to 1m at 95 %"]),
        (checkout(99.9).accounting(Accounting::sli().with(Outcome::Degraded, Verdict::Bad)), &["accounting"]),
        (checkout(99.9).over_days(28), &["period", "30d to 28d", "restart"]),
        (checkout(99.9).alerts(vec![fine]).scrape_interval(2 * SECOND), &["shortest window"]),
    ] {
        let error = plimsoll.reload([Slo::new("new").success(99.0), slo]).unwrap_err();
        assert!(error.needs_restart(), "{error}");
        for word in words.iter().chain(&["SLO \"checkout\"", "cannot change while it runs"]) {
            assert!(error.to_string().contains(word), "no {word:?} in: {error}");
        }
        refused += 1;
        assert_eq!(told(&plimsoll).len(), refused);
        assert!(told(&plimsoll).last().unwrap().starts_with("reload refused, nothing changed: SLO \"checkout\""));
    }
    for (slos, kind) in [
        ([checkout(100.0), Slo::new("new").success(99.0)], Error::is_invalid as fn(&Error) -> bool),
        ([checkout(99.9), checkout(99.8)], Error::is_duplicate),
    ] {
        assert!(kind(&plimsoll.reload(slos).unwrap_err()));
    }
    assert_eq!((plimsoll.slos().len(), plimsoll.slo("checkout").unwrap().declaration()), (1, &checkout(99.9)));
}

#[test]
fn coarser_alerts_and_back_again() {
    let (_, plimsoll) = running();
    let coarse = AlertWindow::new(Severity::P1, 24 * HOUR, 2 * HOUR, 3.0);
    plimsoll.reload([checkout(99.9).alerts(vec![coarse])]).unwrap();
    assert_eq!(plimsoll.slo("checkout").unwrap().alerts().len(), 2);
    // What is remembered was laid out at first, and is as fine as it was.
    plimsoll.reload([checkout(99.9)]).unwrap();
    assert_eq!(plimsoll.slo("checkout").unwrap().alerts().len(), 8);
}

#[test]
fn an_alert_that_stays_keeps_firing_and_one_that_goes_ends() {
    let (clock, plimsoll) = running();
    let slo = plimsoll.slo("checkout").unwrap();
    slo.count(50, 50);
    clock.advance(SECOND);
    let firing = |plimsoll: &Plimsoll| {
        let alerts = plimsoll.slo("checkout").unwrap().alerts();
        alerts.iter().filter(|alert| alert.state.is_firing()).map(|alert| alert.severity).collect::<Vec<_>>()
    };
    assert_eq!(firing(&plimsoll).len(), 8);
    let before = told(&plimsoll).len();

    plimsoll.reload([checkout(99.8)]).unwrap();
    assert_eq!((firing(&plimsoll).len(), told(&plimsoll).len()), (8, before + 1), "no alert is told twice");

    let only = AlertWindow::new(Severity::P0, HOUR, 5 * MINUTE, 14.4);
    plimsoll.reload([checkout(99.8).alerts(vec![only])]).unwrap();
    assert_eq!(firing(&plimsoll), [Severity::P0; 2]);
    let since = told(&plimsoll).split_off(before + 1);
    assert_eq!(since.len(), 1 + 6, "{since:#?}");
    assert!(since[0].starts_with("SLO checkout reloaded: alerts of") && since[1].contains("resolved"), "{since:#?}");

    // Judged by the new factor and target from the next look on.
    plimsoll.reload([checkout(50.0).alerts(vec![AlertWindow::new(Severity::P0, HOUR, 5 * MINUTE, 1.5)])]).unwrap();
    let alerts = slo.alerts();
    assert!(!alerts[0].state.is_firing() && alerts[1].state.is_firing(), "{alerts:#?}");
    assert_eq!(alerts[0].long_burn.unwrap().value, 1.0);
}

#[test]
fn a_breaker_that_trips_by_burn_follows_the_target() {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let payments = |percent| Slo::new("payments").success(percent).reachable_alerts();
    let slo = plimsoll.declare(payments(90.0)).unwrap();
    let breaker = Breaker::default().slo_burn(5.0);
    let guard = slo.guard().breaker(breaker.clone()).build().unwrap();
    let keyed = slo.guard().named("by tenant").breaker(breaker).keyed::<String>(10).unwrap();
    let call = |bad: bool| {
        for permit in [guard.admit(), keyed.admit("acme")] {
            if bad { permit.unwrap().failure() } else { permit.unwrap().success() }
        }
        clock.advance(Duration::from_millis(20));
    };
    // 10 % bad burn at 1.
    let traffic = || {
        (0..600).take_while(|i| {
            if guard.state() == State::Closed {
                call(i % 10 == 9);
            }
            guard.state() == State::Closed
        })
    };
    assert_eq!(traffic().count(), 600);
    plimsoll.reload([payments(99.0)]).unwrap();
    assert!(traffic().count() < 600, "10 % bad burn at 10");
    assert_eq!((guard.state(), keyed.state("acme")), (State::Open, Some(State::Open)));

    let error = plimsoll.reload([payments(75.0)]).unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("\"payments\""), "{error}");
    assert_eq!(slo.objectives().next().unwrap().target().as_percent(), 99.0);
}

#[test]
fn whoever_is_told_may_reload() {
    let (_, plimsoll) = running();
    let seen = Arc::new(AtomicUsize::new(0));
    let (again, count) = (plimsoll.clone(), Arc::clone(&seen));
    plimsoll.subscribe(move |event| {
        if let EventKind::Reloaded { .. } = event.kind {
            count.fetch_add(1, Ordering::Relaxed);
            again.reload([checkout(99.99)]).unwrap();
            again.tick();
        }
    });
    plimsoll.reload([checkout(99.5)]).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    assert_eq!(plimsoll.slo("checkout").unwrap().declaration(), &checkout(99.99));
}

#[cfg(feature = "prometheus")]
#[test]
fn what_is_exported_follows() {
    let (_, plimsoll) = running();
    let before = plimsoll.render_own();
    let print = |slo: &Slo| format!("declaration=\"{}\"", slo.declaration());
    assert!(before.contains(&print(&checkout(99.9))) && before.contains("window=\"6h\""));
    let next = checkout(99.5).alerts(vec![AlertWindow::new(Severity::P0, 2 * HOUR, 10 * MINUTE, 14.4)]);
    plimsoll.reload([next.clone()]).unwrap();
    let after = plimsoll.render_own();
    assert!(after.contains(&print(&next)) && !after.contains(&print(&checkout(99.9))), "{after}");
    assert!(
        after.contains("target=\"99.5\"") && after.contains("window=\"10m\"") && !after.contains("window=\"6h\""),
        "{after}"
    );
    // Counters are the same series as before.
    let counters = |text: &str| text.lines().filter(|line| line.starts_with("plimsoll_events")).count();
    assert_eq!(counters(&before), counters(&after));
}

#[cfg(feature = "prometheus")]
#[test]
fn a_facade_is_told_that_the_old_declaration_is_none_anymore() {
    let (_, plimsoll) = running();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let publish = || metrics::with_local_recorder(&recorder, || plimsoll.publish());
    publish();
    plimsoll.reload([checkout(99.5)]).unwrap();
    publish();
    let text = recorder.handle().render();
    let info = |slo: &Slo| {
        let lines =
            text.lines().filter(|line| line.starts_with("plimsoll_slo_info") && line.contains(&slo.declaration()));
        lines.map(|line| line.split(' ').next_back().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((info(&checkout(99.9)), info(&checkout(99.5))), (vec!["0".to_owned(); 2], vec!["1".to_owned(); 2]));
}

#[cfg(feature = "artifacts")]
mod files {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("plimsoll-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// Its length tells each from the one before, whatever the file system's clock does.
        fn write(&self, target: &str) -> PathBuf {
            let path = self.0.join("slos.yaml");
            fs::write(&path, format!("slos:\n- name: checkout\n  objectives: [{{target: {target}}}]\n")).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn target(plimsoll: &Plimsoll) -> f64 {
        plimsoll.slo("checkout").unwrap().objectives().next().unwrap().target().as_percent()
    }

    #[test]
    fn a_file_is_loaded_and_loaded_again() {
        let (folder, plimsoll) = (Folder::new("reload"), Plimsoll::new());
        assert_eq!(plimsoll.reload_file(folder.write("99.9")).unwrap()[0].what, "declared");
        assert!(plimsoll.reload_file(folder.write("99.9")).unwrap().is_empty());
        plimsoll.reload_file(folder.write("99.95")).unwrap();
        assert_eq!(target(&plimsoll), 99.95);
        let path = folder.write("[]");
        let error = plimsoll.reload_file(&path).unwrap_err();
        assert!(
            error.is_unreadable() && error.to_string().contains("slos.yaml: line 3, slos[0].objectives[0].target"),
            "{error}"
        );
        assert_eq!(target(&plimsoll), 99.95);
        fs::remove_file(&path).unwrap();
        assert!(plimsoll.reload_file(&path).unwrap_err().is_unreadable());
        let told = told(&plimsoll);
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told[3].starts_with("reload refused, nothing changed: ") && told[3].contains("slos.yaml"), "{told:#?}");
        // What needs a restart is told with the file's name too.
        fs::write(&path, "slos: [{name: checkout, period: 7d, objectives: [{target: 99}]}]").unwrap();
        let error = plimsoll.reload_file(&path).unwrap_err();
        assert!(error.needs_restart() && error.to_string().contains("slos.yaml: SLO \"checkout\""), "{error}");
    }

    #[test]
    fn a_watched_file_is_read_when_it_changes_and_somebody_ticks() {
        let clock = ManualClock::new();
        let (folder, plimsoll) = (Folder::new("watch"), Plimsoll::with_clock(clock.clone()));
        plimsoll.watch_file(folder.write("99.9")).unwrap();
        let tick = || {
            clock.advance(SECOND);
            plimsoll.tick();
        };
        folder.write("99.95");
        plimsoll.tick();
        assert_eq!(target(&plimsoll), 99.9, "not within a second");
        tick();
        assert_eq!(target(&plimsoll), 99.95);
        folder.write("nonsense");
        tick();
        tick();
        let refusals = || told(&plimsoll).iter().filter(|told| told.contains("refused")).count();
        assert_eq!((target(&plimsoll), refusals()), (99.95, 1), "told once");
        fs::remove_file(folder.0.join("slos.yaml")).unwrap();
        tick();
        tick();
        assert_eq!((target(&plimsoll), refusals()), (99.95, 2), "told once");
        folder.write("99.5");
        tick();
        assert_eq!(target(&plimsoll), 99.5);
        folder.write("99");
        plimsoll.watch_file(folder.0.join("slos.yaml")).unwrap();
        assert!(plimsoll.watch_file(folder.0.join("none.yaml")).is_err());
        assert_eq!(target(&plimsoll), 99.0);
    }
}
