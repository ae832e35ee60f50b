//! Thirty days of very uneven traffic, back-filled into a Prometheus: the period's ratio and budget are exact.

use crate::promtool::{promtool, rules};
use crate::support::prometheus::Prometheus;
use plimsoll::Slo;
use plimsoll::artifacts::Kit;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::time::Duration;

const STEP: u64 = 300;
const DAY: u64 = 86_400;
/// Where the period begins: a Monday.
const BEGIN: u64 = 1_704_067_200;
/// Blocks of two hours would be 360.
const LARGE_BLOCKS: &str = "--max-block-duration=768h";
const TARGET: f64 = 99.9;
const ALLOWED: f64 = 0.001;

/// What one instance counted, scrape by scrape.
#[derive(Debug)]
struct Instance {
    name: &'static str,
    good: Vec<Option<u64>>,
    bad: Vec<Option<u64>>,
}

/// A small generator of numbers, the same in every run (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Three instances over thirty days: nights of almost nothing, and an evening of 37 times the traffic in which nearly all errors
/// are. One is restarted, in the middle of that evening too; one dies in it; one comes new, under another name. Gives what they
/// exported, and all valid and bad events that there were.
fn traffic(scrapes: u64) -> (Vec<Instance>, u64, u64) {
    let mut numbers = Numbers(7);
    let (mut all, mut all_bad) = (0, 0);
    let mut instances = Vec::new();
    let evening = scrapes / 2..scrapes / 2 + 60;
    for name in ["a:3000", "b:3000", "c:3000"] {
        let (mut good, mut bad) = (0, 0);
        let mut one = Instance { name, good: Vec::new(), bad: Vec::new() };
        for scrape in 0..scrapes {
            let lives = match name {
                "b:3000" => scrape < scrapes / 2 + 31,
                "c:3000" => scrape > scrapes / 2 + 40,
                _ => true,
            };
            // It is gone for a while, and comes back as another process; or misses a scrape, and comes back as it was.
            let begins = match name {
                "a:3000" => [1_000, scrapes / 2 + 10, scrapes / 2 + 17].contains(&scrape),
                "c:3000" => scrape == scrapes / 2 + 41,
                _ => scrape == 0,
            };
            let missed = name == "a:3000" && (scrape % 977 == 5 || (1_990..1_999).contains(&scrape));
            if !lives {
                one.good.push(None);
                one.bad.push(None);
                continue;
            }
            if begins {
                (good, bad) = (0, 0);
            }
            // All series are there at zero before anything is counted.
            let first = scrape == 0 || (name == "c:3000" && begins);
            if !first {
                let night = (scrape * STEP % DAY) < DAY / 4;
                let busy = evening.contains(&scrape);
                let valid = numbers.below(if busy {
                    3_700
                } else if night {
                    3
                } else {
                    100
                });
                let failed = if busy { valid / 20 } else { u64::from(valid > 98) };
                good += valid - failed;
                bad += failed;
                all += valid;
                all_bad += failed;
            }
            one.good.push((!missed).then_some(good));
            one.bad.push((!missed).then_some(bad));
        }
        instances.push(one);
    }
    (instances, all, all_bad)
}

fn open_metrics(instances: &[Instance]) -> String {
    let mut text = String::from("# TYPE plimsoll_events counter\n");
    for one in instances {
        for (verdict, values) in [("good", &one.good), ("bad", &one.bad)] {
            for (scrape, value) in values.iter().enumerate().filter_map(|(n, value)| Some((n as u64, (*value)?))) {
                // A moment before each evaluation of the rules.
                let at = BEGIN + scrape * STEP - 1;
                _ = writeln!(
                    text,
                    "plimsoll_events_total{{slo=\"shop\",objective=\"success\",verdict=\"{verdict}\",instance=\"{}\",job=\"shop\"}} \
                     {value} {at}",
                    one.name
                );
            }
        }
    }
    text + "# EOF\n"
}

/// The rule that records a series.
fn rule(kit: &Kit, record: &str) -> Value {
    let files = kit.files();
    let file = files.iter().find(|file| file.path == "prometheus/rules/shop.yml").unwrap();
    rules(&file.text).into_iter().find(|rule| rule["record"] == record).unwrap()
}

#[tokio::test]
async fn the_budget_of_thirty_uneven_days_is_exact() {
    let slo = Slo::new("shop").success(TARGET).alerts(Vec::new()).scrape_interval(Duration::from_secs(STEP));
    let kit = Kit::new([slo]).unwrap();
    let steps = 30 * DAY / STEP;
    let (instances, valid, bad) = traffic(steps + 1);
    let (valid, bad) = (valid as f64, bad as f64);
    let folder = std::env::temp_dir().join(format!("plimsoll-backfill-{}", std::process::id()));
    let prometheus = Prometheus::configured(folder, "global: {scrape_interval: 1m}\n", &[]).await;
    let folder = prometheus.folder().to_owned();
    fs::write(folder.join("raw.txt"), open_metrics(&instances)).unwrap();
    promtool(&folder, &["tsdb", "create-blocks-from", LARGE_BLOCKS, "openmetrics", "--quiet"], &["raw.txt", "data"])
        .unwrap();
    let prometheus = prometheus.restarted().await;

    // The steps, recorded as if the rules had been evaluated all the time.
    let end = BEGIN + 30 * DAY;
    let recorded: Vec<Value> =
        ["plimsoll:bad_events:step", "plimsoll:valid_events:step"].iter().map(|name| rule(&kit, name)).collect();
    let file = json!({"groups": [{"name": "steps", "interval": "5m", "rules": recorded}]});
    fs::write(folder.join("steps.yml"), file.to_string()).unwrap();
    let (url, start, stop) = (prometheus.url().to_owned(), BEGIN.to_string(), (end + STEP).to_string());
    let args = ["tsdb", "create-blocks-from", LARGE_BLOCKS, "rules", "--url", &url, "--start", &start, "--end", &stop];
    promtool(&folder, &args, &["--output-dir=data", "steps.yml"]).unwrap();
    let prometheus = prometheus.restarted().await;

    // A group is evaluated at a moment of its own in each step: by now the last one is, too.
    let at = (end + STEP - 1) as f64;
    let of = |record: &str| rule(&kit, record)["expr"].as_str().unwrap().to_owned();
    let inside = |mut expr: String| {
        for record in ["plimsoll:period_bad_events:sum", "plimsoll:period_valid_events:sum"] {
            expr = expr.replace(&format!("{record}{{slo=\"shop\"}}"), &format!("({})", of(record)));
        }
        expr
    };
    // Whole numbers below 2^53: exact, not nearly so.
    assert_eq!(prometheus.value(&of("plimsoll:period_bad_events:sum"), at).await, bad);
    assert_eq!(prometheus.value(&of("plimsoll:period_valid_events:sum"), at).await, valid);
    let ratio = inside(of("plimsoll:period_bad_events:ratio"));
    assert_eq!(prometheus.value(&ratio, at).await, bad / valid);
    let left = of("plimsoll:error_budget_remaining:ratio")
        .replace("plimsoll:period_bad_events:ratio{slo=\"shop\",objective=\"success\"}", &format!("({ratio})"));
    let left = prometheus.value(&left, at).await;
    let exact = 1.0 - bad / (ALLOWED * valid);
    assert!((left - exact).abs() < 1e-9 * exact.abs(), "{left} of the budget is left, and {exact} should be");

    // What others do: the mean of ratios, and `increase` over the whole period.
    let mean = "avg_over_time((plimsoll:bad_events:step / (plimsoll:valid_events:step > 0))[30d:5m])";
    let mean = prometheus.value(mean, at).await;
    assert!(mean < bad / valid / 5.0, "the mean of ratios is {mean}, the ratio {bad} / {valid}");
    let increase = "sum(increase(plimsoll_events_total{verdict=\"bad\"}[30d]))";
    let apart = (prometheus.value(increase, at).await / bad - 1.0).abs();
    assert!(apart > 1e-6, "increase is {apart} apart");
}
