//! Every expression of every dashboard, asked of a real Prometheus that has the data of real processes and runs the
//! kit's rules.

use super::life::lived;
use super::{dashboards, hostile, list, panels, queries, sent, text};
use crate::artifacts::{Folder, messaging, storefront};
use crate::support::prometheus::Prometheus;
use plimsoll::Clock;
use plimsoll::artifacts::Kit;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

fn seconds() -> f64 {
    Clock::new().wall().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A Prometheus that has scraped an hour of the kit's processes up to now, and evaluates the kit's rules every second.
async fn prometheus(folder: &Folder, kit: &Kit, end: u64) -> Prometheus {
    let path = folder.path();
    fs::write(path.join("scraped.txt"), lived(kit, end)).unwrap();
    let filled = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args([path.join("scraped.txt"), path.join("data")])
        .output()
        .unwrap();
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    for file in kit.files().into_iter().filter(|file| file.path.starts_with("prometheus/rules/")) {
        // As they are, but for how often: a group that is judged every five minutes would have to be waited for.
        let rules =
            file.text.lines().map(|line| if line.starts_with("  interval: ") { "  interval: 1s" } else { line });
        let name = format!("rules-{}", file.path.rsplit('/').next().unwrap());
        fs::write(path.join(name), rules.collect::<Vec<_>>().join("\n")).unwrap();
    }
    // What was scraped ends where the processes did; while questions are asked it shall still be found.
    Prometheus::configured(path.to_owned(), "rule_files: ['rules-*.yml']\n", &["--query.lookback-delta=15m"]).await
}

/// Something that is a number: not no sample, and not what is no number.
fn says_something(series: &[Value]) -> bool {
    series.iter().any(|series| series["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

async fn all_answer(name: &str, kit: &Kit) -> (Folder, Prometheus, f64) {
    let folder = Folder::new(name);
    let end = seconds() as u64;
    let prometheus = prometheus(&folder, kit, end).await;
    let mut asked = 0;
    // Rules are judged at moments of Prometheus' own choosing: there is nothing to wait for but time.
    let patience = seconds() + 40.0;
    for (path, dashboard) in dashboards(kit) {
        for (place, expr) in queries(&dashboard) {
            let sent = sent(&expr);
            loop {
                // Rates over a minute end with what was scraped; what rules say is of now.
                let at = if expr.contains("$__rate_interval") { end as f64 } else { seconds() };
                if says_something(&prometheus.series(&sent, at).await) {
                    break;
                }
                assert!(seconds() < patience, "{path}, {place}: no answer to {sent}");
                tokio::time::sleep(Duration::from_millis(200)).await; // until another process judges its rules
            }
            asked += 1;
        }
    }
    println!("{name}: {asked} expressions answered");
    assert!(asked > 100, "{asked}");
    (folder, prometheus, end as f64)
}

/// The expression of a panel's target.
fn expr_of(dashboards: &[(String, Value)], path: &str, title: &str, target: usize) -> String {
    let (_, dashboard) = dashboards.iter().find(|(found, _)| found == path).unwrap();
    let panel = panels(dashboard).find(|panel| panel["title"] == title).unwrap();
    sent(text(&panel["targets"][target]["expr"]))
}

#[tokio::test]
async fn every_expression_of_the_messaging_platform_is_answered_and_adds_up() {
    let kit = messaging();
    let dashboards = dashboards(&kit);
    let (_folder, prometheus, end) = all_answer("grafana-messaging", &kit).await;
    let of = |path, title, target| expr_of(&dashboards, path, title, target);
    let objectives: usize = kit.slos().iter().map(|slo| slo.objectives().len()).sum();
    let columns = dashboards.iter().find(|(path, _)| path == "grafana/overview.json").unwrap();
    for column in 0..list(&panels(&columns.1).next().unwrap()["targets"]).len() {
        let rows = prometheus.values(&of("grafana/overview.json", "SLOs", column), seconds()).await;
        assert_eq!(rows.len(), objectives, "one row for each objective");
        if column == 1 {
            assert_eq!(rows, vec![3.0; objectives], "every SLO is in an outage");
        }
    }
    // What each service takes for itself is, together, what a call takes.
    let mean = "sum(rate(plimsoll_request_duration_seconds_sum{slo=\"message-delivery\"}[1m])) \
                / sum(rate(plimsoll_request_duration_seconds_count{slo=\"message-delivery\"}[1m]))";
    let mut together = 0.0;
    for service in 0..3 {
        let own = of("grafana/dependencies.json", "Where the time of a call goes", service);
        together += prometheus.value(&own, end).await;
    }
    let mean = prometheus.value(mean, end).await;
    assert!((together - mean).abs() < 1e-9 && mean > 0.0, "{together} {mean}");
    // Three at once in each of two instances; one guard of the three has a limiter, and one is for each tenant.
    let detail = "grafana/message-store.json";
    assert_eq!(prometheus.values(&of(detail, "In flight, and the limit", 1), end).await, [6.0]);
    assert_eq!(prometheus.values(&of(detail, "In flight, and the limit", 0), end).await, [0.0; 3]);
    // Two guards with one breaker, in each of two instances: closed in good times, and half-open by now.
    let breakers = of(detail, "Breakers", 0);
    assert_eq!(prometheus.values(&breakers, end - 2_400.0).await, [0.0; 4]);
    assert_eq!(prometheus.values(&breakers, end).await, [2.0; 4]);
}

#[tokio::test]
async fn every_expression_of_the_storefront_is_answered() {
    drop(all_answer("grafana-storefront", &storefront()).await);
}

#[tokio::test]
async fn every_expression_is_answered_whatever_the_names() {
    drop(all_answer("grafana-hostile", &hostile()).await);
}
