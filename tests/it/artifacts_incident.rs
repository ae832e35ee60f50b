//! An incident from end to end: two services that are processes, a real Prometheus and a real Alertmanager, all with what
//! the kit says, and the people who are told.
//!
//! Time is real, for none of them has another clock: about two minutes, of which one is how long an instance must be gone
//! before that is an alert. What the people wait for (the first message, the next one) is shortened; nothing else is.

use crate::support::alertmanager::{Alertmanager, Message, People, set_all};
use crate::support::prometheus::Prometheus;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use plimsoll::artifacts::Kit;
use plimsoll::{AlertWindow, Plimsoll, Severity, Slo, ops};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What the child process is to be.
const ROLE: &str = "PLIMSOLL_TEST_SERVICE";
/// Where payments are, for the child that needs them.
const PAYMENTS: &str = "PLIMSOLL_TEST_PAYMENTS";
const PAGED: &str = "pager team-payments/pager-key trigger";
const OVER: &str = "pager team-payments/pager-key resolve";
const CHAT: &str = "chat team-payments";
const HELD: Duration = Duration::from_secs(6);
const TICKET: &str = "ticket team-payments/ticket-token firing";

/// A checkout that cannot do without payments, in one case of three: no page of its own, but a slower alert.
fn promises() -> [Slo; 2] {
    let pair = |severity, long, short, factor| {
        AlertWindow::new(severity, Duration::from_secs(long), Duration::from_secs(short), factor)
    };
    let promise = |slo: Slo| slo.over_minutes(10).scrape_interval(Duration::from_secs(1));
    let payments = Slo::new("payments").success(99.0).owner("team-payments").alerts(vec![
        // The slower alerts begin after the page and end before it, so that whatever is told of them is wrong.
        pair(Severity::P0, 300, 10, 14.4),
        pair(Severity::P1, 60, 4, 6.0).held_for(HELD),
        pair(Severity::P2, 50, 4, 3.0).held_for(HELD),
    ]);
    let checkout = Slo::new("checkout")
        .success(95.0)
        .owner("team-checkout")
        .depends_on("payments")
        .alerts(vec![pair(Severity::P0, 20, 5, 14.4), pair(Severity::P1, 20, 5, 2.0)]);
    [promise(payments), promise(checkout)]
}

/// A service of this test as a process of its own: this binary, once more.
#[derive(Debug)]
struct Service {
    child: Child,
    address: SocketAddr,
    /// Held, or its next word would be its last.
    stdout: BufReader<ChildStdout>,
}

impl Service {
    fn start(role: &str, payments: Option<SocketAddr>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "artifacts_incident::a_service", "--ignored", "--nocapture"]).env(ROLE, role);
        payments.iter().for_each(|address| _ = command.env(PAYMENTS, address.to_string()));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // From here on it is ended if anything fails.
        let mut service = Self { child, address: ([127, 0, 0, 1], 0).into(), stdout };
        let mut lines = service.stdout.by_ref().lines().map(Result::unwrap);
        let said = lines.find_map(|line| Some(line.split_once("serves at ")?.1.to_owned()));
        service.address = said.expect("a service that starts says where it serves").parse().unwrap();
        service
    }

    /// As the kernel does it when memory is out: no farewell.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // By its handle, so by its own process id.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// No test: what [`Service`] runs.
#[tokio::test]
#[ignore = "is run by the incident, as a process of its own"]
async fn a_service() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let plimsoll = Plimsoll::new();
    let slo = promises().into_iter().find(|slo| slo.name() == role).unwrap();
    let guard = plimsoll.declare(slo).unwrap().guard().http().unwrap();
    let routes = if role == "payments" { payments() } else { checkout() };
    let app: Router = routes.route_layer(guard).merge(break_and_repair()).merge(ops::router(&plimsoll));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nserves at {}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

static BROKEN: AtomicBool = AtomicBool::new(false);

fn break_and_repair() -> Router {
    let set = |broken| move || async move { BROKEN.store(broken, Ordering::Relaxed) };
    Router::new().route("/break", post(set(true))).route("/repair", post(set(false)))
}

fn payments() -> Router {
    let pay =
        || async { if BROKEN.load(Ordering::Relaxed) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK } };
    Router::new().route("/work", get(pay))
}

fn checkout() -> Router {
    let url = format!("http://{}/work", std::env::var(PAYMENTS).unwrap());
    let (client, made) = (reqwest::Client::new(), Arc::new(AtomicU64::new(0)));
    let check_out = move || {
        let (asked, n) = (client.get(&url).send(), made.fetch_add(1, Ordering::Relaxed));
        async move {
            let paid = asked.await.is_ok_and(|answer| answer.status().is_success());
            if paid || !n.is_multiple_of(3) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        }
    };
    Router::new().route("/work", get(check_out))
}

/// People wait for seconds here. What may be muted waits longer than what may mute it, as it does in the kit.
fn soon(config: &mut Value) {
    set_all(config, "group_wait", "8s");
    set_all(config, "group_interval", "1s");
    for team in config["route"]["routes"].as_array_mut().unwrap() {
        for route in team["routes"].as_array_mut().into_iter().flatten() {
            if route["receiver"].as_str().unwrap().ends_with("pager-and-chat") {
                route["group_wait"] = json!("0s");
            }
        }
    }
}

/// The kit's configuration with other working hours, on every day.
fn in_hours(config: &mut Value, [start, end]: [&str; 2]) {
    soon(config);
    let working = &mut config["time_intervals"][0]["time_intervals"][0];
    *working = json!({ "times": [{ "start_time": start, "end_time": end }], "location": working["location"] });
}

/// Hours that begin and end long from now.
fn other_hours(now: f64) -> [String; 2] {
    let hour = (now / 3_600.0) as u64 % 24;
    let start = (hour + 6) % 22;
    [format!("{start:02}:00"), format!("{:02}:00", start + 2)]
}

async fn prometheus(kit: &Kit, alertmanager: &Alertmanager) -> Prometheus {
    let folder: PathBuf = std::env::temp_dir().join(format!("plimsoll-incident-{}", std::process::id()));
    kit.write_to(&folder).unwrap();
    let config = std::fs::read_to_string(folder.join("prometheus/prometheus.yml")).unwrap();
    let config = config.replace("alertmanager:9093", &alertmanager.address());
    let config = config.replace("rules/*.yml", folder.join("prometheus/rules/*.yml").to_str().unwrap());
    Prometheus::configured(folder, &config, &[]).await
}

/// Whether an alert is there; if so, whether it is muted.
async fn muted(alertmanager: &Alertmanager, name: &str, severity: &str, slo: &str) -> Option<bool> {
    let alerts = alertmanager.alerts().await;
    let is = |alert: &&Value| {
        [("alertname", name), ("severity", severity), ("slo", slo)]
            .iter()
            .all(|(label, value)| alert["labels"][label] == *value)
    };
    alerts.iter().find(is).map(|alert| !alert["status"]["inhibitedBy"].as_array().unwrap().is_empty())
}

fn count(told: &[Message], to: &str) -> usize {
    told.iter().filter(|message| message.to == to).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_people_are_told_of_an_incident_and_that_it_is_over() {
    let mut payments = Service::start("payments", None);
    let checkout = Service::start("checkout", Some(payments.address));
    let people = People::at_work().await;
    let kit = Kit::new(promises()).unwrap().tickets_at(people.tickets());
    let kit = kit.address("payments", payments.address.to_string()).address("checkout", checkout.address.to_string());
    let clock = Plimsoll::new();
    let now = || clock.clock().wall().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let closed = other_hours(now());
    let closed = |config: &mut Value| in_hours(config, [&closed[0], &closed[1]]);
    let alertmanager = Alertmanager::telling(&people, "incident", &kit, closed).await;
    let prometheus = prometheus(&kit, &alertmanager).await;
    let client = reqwest::Client::new();
    let tell = |service: SocketAddr, what: &str| client.post(format!("http://{service}/{what}")).send();

    // Customers, fifty a second; what they get is the services' affair.
    let (url, customer) = (format!("http://{}/work", checkout.address), client.clone());
    let customers = tokio::spawn(async move {
        let mut pulse = tokio::time::interval(Duration::from_millis(20));
        loop {
            pulse.tick().await;
            tokio::spawn(customer.get(&url).send());
        }
    });
    // Calm weather, for as long as Prometheus needs to see it.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(people.recipients(), Vec::<String>::new(), "nobody is told of nothing");

    // Payments breaks: pager and chat, and the slower alerts of both SLOs are there, and muted.
    tell(payments.address, "break").await.unwrap();
    people.until("payments pages", 30, |told| count(told, PAGED) == 1 && count(told, CHAT) == 1).await;
    let slower = [("P1", "payments"), ("P2", "payments"), ("P1", "checkout")];
    for (severity, slo) in slower {
        let mut tries = 0;
        while muted(&alertmanager, "ErrorBudgetBurn", severity, slo).await.is_none() {
            tries += 1;
            assert!(tries < 300, "no {severity} of {slo}: {:?}", alertmanager.alerts().await);
            tokio::time::sleep(Duration::from_millis(100)).await; // until another process evaluates its rules
        }
        assert_eq!(muted(&alertmanager, "ErrorBudgetBurn", severity, slo).await, Some(true), "{severity} of {slo}");
    }
    // Long enough for what is muted to have been told otherwise.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(people.recipients().len(), 2, "{:?}", people.recipients());

    // It is repaired: both are told that it is over. What the budget has left is for working hours.
    tell(payments.address, "repair").await.unwrap();
    people.until("it is over", 40, |told| count(told, OVER) == 1 && count(told, CHAT) == 2).await;
    let chat = people.to(CHAT);
    assert!(chat[0].title().starts_with("P0: payments spends its"), "{}", chat[0].title());
    assert!(chat[1].title().starts_with("Resolved (P0): payments spends its"), "{}", chat[1].title());
    let mut tries = 0;
    while muted(&alertmanager, "ErrorBudgetLow", "P2", "payments").await != Some(false) {
        tries += 1;
        assert!(tries < 300, "the budget is not low: {:?}", alertmanager.alerts().await);
        tokio::time::sleep(Duration::from_millis(100)).await; // until another process evaluates its rules
    }
    tokio::time::sleep(Duration::from_secs(9)).await; // as long as such a message waits, and then some
    assert_eq!(people.recipients().len(), 4, "{:?}", people.recipients());
    alertmanager.reload(&people, &kit, |config| in_hours(config, ["00:00", "24:00"])).await;
    people.until("working hours begin", 30, |told| count(told, CHAT) > 2).await;
    assert!(people.to(CHAT)[2..].iter().all(|message| message.title().starts_with("P2: payments has")));

    // It breaks again, and then the process is killed: that is no recovery, and it is news.
    tell(payments.address, "break").await.unwrap();
    people.until("payments pages again", 30, |told| count(told, PAGED) == 2).await;
    payments.kill();
    let of_instance = |message: &Message| message.to == CHAT && message.title().starts_with("P1: ");
    let told_of = |told: &[Message]| count(told, TICKET) == 1 && told.iter().any(of_instance);
    people.until("somebody is told of the dead instance", 100, told_of).await;
    let dead = people.told().into_iter().find(of_instance).unwrap();
    let where_it_is =
        format!("InstanceDown, severity P1, SLO payments, service payments, instance {}", payments.address);
    assert!(dead.attachment("text").contains(&where_it_is), "{dead:?}");
    let firing = "ALERTS{alertname=\"ErrorBudgetBurn\",alertstate=\"firing\",severity=\"P0\",slo=\"payments\"}";
    assert_eq!(prometheus.value(firing, now()).await, 1.0, "nobody answers, and that is no good answer");
    assert_eq!(muted(&alertmanager, "ErrorBudgetBurn", "P1", "checkout").await, Some(true));

    // Nothing else was told to anybody.
    customers.abort();
    let told = people.told();
    assert_eq!((count(&told, PAGED), count(&told, OVER), count(&told, TICKET)), (2, 1, 1));
    for message in &told {
        let expected = match message.to.as_str() {
            PAGED | OVER | TICKET => true,
            CHAT => ["P0: payments spends", "Resolved (P0): payments spends", "P2: payments has", "P1: "]
                .iter()
                .any(|start| message.title().starts_with(start)),
            // Its budget suffered too, and that is for working hours.
            "chat team-checkout" => message.title().starts_with("P2: checkout has"),
            _ => false,
        };
        assert!(expected, "{}: {}", message.to, message.title());
    }
}
