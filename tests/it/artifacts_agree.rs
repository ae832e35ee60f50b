//! Two processes and a real Prometheus with the rules that their declaration writes, through one incident.
//!
//! Time is real, for Prometheus has no other clock: two minutes and a half, of which one is for the alert on an instance that is
//! down.

use crate::promtool::yaml;
use crate::support::prometheus::Prometheus;
use plimsoll::artifacts::Kit;
use plimsoll::{AlertWindow, EventKind, Guard, Plimsoll, Severity, Slo, SloHandle, Window, ops};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

const SCRAPE: f64 = 1.0;
const BUDGET: f64 = 0.01;
/// Long and short, in seconds.
const PAGE: [u64; 2] = [60, 20];
const TICKET: [u64; 2] = [120, 30];
/// Calls every ten milliseconds, to each process.
const CALLS: u64 = 2;

fn declaration() -> Slo {
    let pair = |severity, [long, short]: [u64; 2], factor| {
        AlertWindow::new(severity, Duration::from_secs(long), Duration::from_secs(short), factor)
    };
    Slo::new("shop")
        .success(99.0)
        .over_minutes(10)
        .scrape_interval(Duration::from_secs_f64(SCRAPE))
        .alerts(vec![pair(Severity::P0, PAGE, 10.0), pair(Severity::P1, TICKET, 6.0).held_for(Duration::from_secs(3))])
}

/// A process of its own, but for the memory that they share.
struct Process {
    plimsoll: Plimsoll,
    shop: SloHandle,
    guard: Guard,
    address: SocketAddr,
    serves: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Process {
    async fn start() -> Self {
        let plimsoll = Plimsoll::new();
        let shop = plimsoll.declare(declaration()).unwrap();
        let guard = shop.guard().build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = ops::router(&plimsoll);
        let serves = tokio::spawn(async { axum::serve(listener, app).await });
        Self { plimsoll, shop, guard, address, serves }
    }

    /// Bad and valid events of a window.
    fn read(&self, window: u64) -> (f64, f64) {
        let tally = self.shop.objective("success").unwrap().reading(Window::seconds(window)).tally;
        (tally.bad as f64, tally.valid() as f64)
    }

    /// When its alerts changed, in seconds since 1970: severity, state, time.
    fn edges(&self) -> Vec<(&'static str, &'static str, f64)> {
        let alerts = self.plimsoll.events().into_iter().filter_map(|event| match event.kind {
            EventKind::Alert { severity, state, .. } => Some((severity, state, seconds(event.wall))),
            _ => None,
        });
        alerts.collect()
    }
}

struct Incident {
    /// One call in so many fails; none if 0.
    fails: AtomicU64,
    done: AtomicBool,
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// What both processes said of a window at a time.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: f64,
    window: u64,
    each: [(f64, f64); 2],
}

/// Calls both at an even rate, and writes down what they say.
async fn calls(processes: Arc<[Process; 2]>, incident: Arc<Incident>) -> Vec<Said> {
    let mut said = Vec::new();
    let mut pulse = tokio::time::interval(Duration::from_millis(10));
    for turn in 0_u64.. {
        pulse.tick().await;
        if incident.done.load(Ordering::Relaxed) {
            break;
        }
        let fails = incident.fails.load(Ordering::Relaxed);
        for process in processes.iter() {
            for n in 0..CALLS {
                let permit = process.guard.admit().unwrap();
                if fails > 0 && (turn * CALLS + n).is_multiple_of(fails) {
                    permit.failure()
                } else {
                    permit.success()
                };
            }
        }
        if turn.is_multiple_of(5) {
            for window in [PAGE, TICKET].concat() {
                let at = seconds(processes[0].plimsoll.clock().wall());
                said.push(Said { at, window, each: [processes[0].read(window), processes[1].read(window)] });
            }
        }
    }
    said
}

/// A kit's Prometheus, with all that it needs but an Alertmanager.
async fn prometheus(addresses: &[SocketAddr]) -> (Prometheus, Kit) {
    let kit = Kit::new([declaration()]).unwrap();
    let kit = addresses.iter().fold(kit, |kit, address| kit.address("shop", address.to_string()));
    let folder = std::env::temp_dir().join(format!("plimsoll-agree-{}", std::process::id()));
    kit.write_to(&folder).unwrap();
    let path = folder.join("prometheus/prometheus.yml");
    let mut config = yaml(&fs::read_to_string(&path).unwrap());
    config.as_object_mut().unwrap().shift_remove("alerting").unwrap();
    fs::write(&path, config.to_string()).unwrap();
    (Prometheus::started(folder, &path, &[]).await, kit)
}

/// The rule that records how a window burns, of all instances or of one.
fn burn(kit: &Kit, window: u64, instance: Option<SocketAddr>) -> String {
    let files = kit.files();
    let file = files.iter().find(|file| file.path == "prometheus/rules/shop.yml").unwrap();
    let rules = crate::promtool::rules(&file.text);
    let window = Window::seconds(window).to_string();
    let of = |record: &str| {
        let mut found = rules.iter().filter(|rule| rule["record"] == record && rule["labels"]["window"] == window);
        found.next().unwrap()["expr"].as_str().unwrap().to_owned()
    };
    let (bad, valid) = (of("plimsoll:bad_events:increase"), of("plimsoll:valid_events:increase"));
    let both = format!("({bad}) / (({valid}) > 0) / {BUDGET}");
    let own = instance.map_or(String::new(), |instance| format!(",instance=\"{instance}\""));
    both.replace("slo=\"shop\"", &format!("slo=\"shop\"{own}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_and_two_processes_agree_through_an_incident() {
    let processes = Arc::new([Process::start().await, Process::start().await]);
    let addresses = [processes[0].address, processes[1].address];
    let (prometheus, kit) = prometheus(&addresses).await;
    let now = || seconds(processes[0].plimsoll.clock().wall());
    // Everything is there from zero.
    while prometheus.values("plimsoll_events_total{verdict=\"bad\"}", now()).await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await; // until another process's next scrape
    }
    let incident = Arc::new(Incident { fails: AtomicU64::new(0), done: AtomicBool::new(false) });
    let begun = now();
    let called = tokio::spawn(calls(Arc::clone(&processes), Arc::clone(&incident)));
    let mut phases = vec![begun];
    for (fails, lasts) in [(0, 20), (2, 15), (0, 34), (2, 12)] {
        incident.fails.store(fails, Ordering::Relaxed);
        // Prometheus scrapes by real time, so the incident takes real time.
        tokio::time::sleep(Duration::from_secs(lasts)).await;
        phases.push(now());
    }
    // Both die in the second outage.
    let ended = now();
    processes.iter().for_each(|process| process.serves.abort());
    incident.done.store(true, Ordering::Relaxed);
    let said = called.await.unwrap();

    burns_agree(&prometheus, &kit, &said, &phases, addresses).await;
    edges_agree(&prometheus, &processes, begun, ended).await;
    // Nobody says that it is over: the page goes on until its long window is empty, and it is told who is down. What was so
    // then is asked afterwards.
    let empty = ended + PAGE[0] as f64 + 4.0 * SCRAPE;
    let down_for = ended + 60.0 + 3.0 * SCRAPE;
    // What is waited for is another process's work, by its own clock.
    tokio::time::sleep(Duration::from_secs_f64((empty.max(down_for) + SCRAPE - now()).max(0.0))).await;
    let page = "ALERTS{alertname=\"ErrorBudgetBurn\",alertstate=\"firing\",severity=\"P0\"}";
    let down = |state| format!("ALERTS{{alertname=\"InstanceDown\",alertstate=\"{state}\"}}");
    for wait in [5.0, 20.0, 40.0, PAGE[0] as f64 - 5.0] {
        let at = ended + wait;
        assert_eq!(prometheus.values(page, at).await, [1.0], "{wait} s after its processes died");
        assert_eq!(prometheus.values(&down("pending"), at).await, [1.0, 1.0], "{wait} s after they died");
    }
    assert_eq!(prometheus.values(&down("firing"), down_for).await, [1.0, 1.0]);
    assert_eq!(prometheus.values(page, empty).await, Vec::<f64>::new(), "its long window is empty");
}

async fn burns_agree(prometheus: &Prometheus, kit: &Kit, said: &[Said], phases: &[f64], addresses: [SocketAddr; 2]) {
    let (begun, ended) = (phases[0], phases[phases.len() - 1]);
    let (mut all, mut strict) = (0, 0);
    for window in [PAGE, TICKET].concat() {
        let within = 2.0 * SCRAPE / window as f64;
        let of: Vec<&Said> = said.iter().filter(|said| said.window == window).collect();
        let mut at = begun + 5.0;
        while at < ended - 1.0 {
            let said = of.iter().min_by(|a, b| (a.at - at).abs().total_cmp(&(b.at - at).abs())).unwrap();
            let sum = (said.each[0].0 + said.each[1].0, said.each[0].1 + said.each[1].1);
            let recorded = format!(
                "plimsoll:burn_rate:ratio{{slo=\"shop\",objective=\"success\",window=\"{}\"}}",
                Window::seconds(window)
            );
            for (what, expr, (bad, valid)) in [
                ("one instance", burn(kit, window, Some(addresses[0])), said.each[0]),
                ("the sum, as recorded", recorded, sum),
            ] {
                let (process, seen) = (bad / valid / BUDGET, prometheus.value(&expr, at).await);
                let apart = (process - seen).abs();
                let when = format!("{what}, {window} s, {:.1} s in: {process} and {seen}", at - begun);
                // In terms of all that there was, at every moment; while a process is young, of what there is of it.
                let young = (window as f64 / (at - begun)).max(1.0);
                assert!(apart <= within * young / BUDGET, "{when}");
                // And in terms of itself, where no edge of the window lies where the incident changes.
                let plain = |edge: f64| phases.iter().all(|change| (edge - change).abs() > 2.0 * SCRAPE);
                let begins = at - window as f64;
                if begins > begun && bad > 0.0 && plain(begins) && plain(at) && bad / valid > 0.25 {
                    strict += 1;
                    assert!(apart <= within * process, "{when}");
                }
                all += 1;
            }
            at += SCRAPE;
        }
    }
    assert!(all > 400 && strict > 10, "{all} moments compared, {strict} of them strictly");
}

async fn edges_agree(prometheus: &Prometheus, processes: &[Process; 2], begun: f64, ended: f64) {
    for severity in ["P0", "P1"] {
        let mut seen = Vec::new();
        let mut before = "inactive";
        // Alerts are written down once a second; looked at more often, their beginning and end are found.
        for tick in 0..((ended - begun) / 0.1) as u32 {
            let at = begun + 0.1 * f64::from(tick);
            let alerts = format!("ALERTS{{alertname=\"ErrorBudgetBurn\",severity=\"{severity}\"}}");
            let series = prometheus.series(&alerts, at).await;
            let state = match series.first().map(|alert| alert["metric"]["alertstate"].as_str().unwrap().to_owned()) {
                Some(state) if state == "firing" => "firing",
                Some(_) => "pending",
                None if before == "firing" || before == "resolved" => "resolved",
                None => "inactive",
            };
            if state != before {
                seen.push((state, at));
                before = state;
            }
        }
        let wanted: &[&str] = if severity == "P0" {
            &["firing", "resolved", "firing"]
        } else {
            &["pending", "firing", "resolved", "pending", "firing"]
        };
        assert_eq!(seen.iter().map(|(state, _)| *state).collect::<Vec<_>>(), wanted, "{severity}: {seen:?}");
        for process in processes {
            let edges = process.edges();
            let own: Vec<_> = edges.iter().filter(|(of, ..)| *of == severity).collect();
            assert_eq!(own.iter().map(|(_, state, _)| *state).collect::<Vec<_>>(), wanted, "{own:?}");
            for ((_, state, at), (_, seen)) in own.iter().zip(&seen) {
                // One scrape and one evaluation.
                let apart = (at - seen).abs();
                assert!(apart <= 2.0 * SCRAPE, "{severity} {state} at {at} in process, at {seen} in Prometheus");
            }
        }
    }
}
