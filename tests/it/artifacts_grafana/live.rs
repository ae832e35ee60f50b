//! Every expression of every dashboard, asked of a real Prometheus that has the data of real processes and runs the
//! kit's rules.

use super::life::lived;
use super::{dashboards, hostile, queries, sent};
use crate::artifacts::{Folder, messaging, storefront};
use crate::support::prometheus::Prometheus;
use plimsoll::artifacts::Kit;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

fn seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
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

async fn all_answer(name: &str, kit: &Kit) {
    let folder = Folder::new(name);
    let end = seconds() as u64;
    let prometheus = prometheus(&folder, kit, end).await;
    let mut asked = 0;
    // Rules are judged at moments of Prometheus' own choosing: there is nothing to wait for but time.
    let patience = Instant::now() + Duration::from_secs(30);
    for (path, dashboard) in dashboards(kit) {
        for (place, expr) in queries(&dashboard) {
            let sent = sent(&expr);
            loop {
                // Rates over a minute end with what was scraped; what rules say is of now.
                let at = if expr.contains("$__rate_interval") { end as f64 } else { seconds() };
                if says_something(&prometheus.series(&sent, at).await) {
                    break;
                }
                assert!(Instant::now() < patience, "{path}, {place}: no answer to {sent}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            asked += 1;
        }
    }
    println!("{name}: {asked} expressions answered");
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn every_expression_of_the_storefront_is_answered() {
    all_answer("grafana-storefront", &storefront()).await;
}

#[tokio::test]
async fn every_expression_of_the_messaging_platform_is_answered() {
    all_answer("grafana-messaging", &messaging()).await;
}

#[tokio::test]
async fn every_expression_is_answered_whatever_the_names() {
    all_answer("grafana-hostile", &hostile()).await;
}
