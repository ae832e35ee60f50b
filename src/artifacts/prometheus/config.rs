//! Prometheus' own configuration, in three variants: instances by address, by file, and by Kubernetes.

use super::pace;
use crate::artifacts::text::{duration, in_words, slug_unlike};
use crate::artifacts::{Artifact, Kit, Subject, yaml};
use serde_json::{Value, json};
use std::time::Duration;

/// How instances are found.
#[derive(Clone, Copy, Debug)]
enum Discovery {
    Static,
    File,
    Kubernetes,
}

/// Unless a service's SLOs ask for more.
const SCRAPE: Duration = Duration::from_secs(15);
/// How long Prometheus waits for an answer, at most.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long Prometheus keeps samples unless it is told.
const KEPT: Duration = Duration::from_secs(15 * 86_400);

pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let mut files = Vec::new();
    for (path, discovery, words) in [
        ("prometheus/prometheus.yml", Discovery::Static, "instances are listed here, by address"),
        (
            "prometheus/prometheus-file-discovery.yml",
            Discovery::File,
            "instances are listed in targets/, which is read again whenever it changes",
        ),
        ("prometheus/prometheus-kubernetes.yml", Discovery::Kubernetes, "instances are found in Kubernetes"),
    ] {
        let comment = format!("Prometheus' configuration; {words}.\n{}", retention(kit));
        files.push(Artifact::new(path, yaml::documents(&comment, &[config(kit, discovery)])));
    }
    for (service, slug) in services(kit) {
        let comment =
            format!("The instances of {service}, for prometheus-file-discovery.yml: whoever starts one adds it here.");
        let targets = json!([{"targets": kit.addresses_of(service)}]);
        files.push(Artifact::new(format!("prometheus/targets/{slug}.yml"), yaml::documents(&comment, &[targets])));
    }
    files
}

/// Each service with the name of its file.
fn services(kit: &Kit) -> Vec<(&str, String)> {
    let mut taken = Vec::new();
    kit.services().into_iter().map(|service| (service, slug_unlike(service, &mut taken))).collect()
}

fn config(kit: &Kit, discovery: Discovery) -> Value {
    let jobs: Vec<Value> = services(kit).iter().map(|(service, slug)| job(kit, service, slug, discovery)).collect();
    json!({
        "global": {"scrape_interval": duration(SCRAPE), "evaluation_interval": duration(SCRAPE)},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": jobs,
    })
}

fn job(kit: &Kit, service: &str, slug: &str, discovery: Discovery) -> Value {
    let subjects = kit.subjects();
    let of_service = subjects.iter().filter(|subject| subject.slo.service_name() == service);
    let every = of_service.map(pace::scrape).min().unwrap_or(SCRAPE);
    let mut job = json!({
        "job_name": service,
        "scrape_interval": duration(every),
        "scrape_timeout": duration(every.min(TIMEOUT)),
        "metrics_path": "/metrics",
    });
    match discovery {
        Discovery::Static => job["static_configs"] = json!([{"targets": kit.addresses_of(service)}]),
        Discovery::File => job["file_sd_configs"] = json!([{"files": [format!("targets/{slug}.yml")]}]),
        Discovery::Kubernetes => {
            job["kubernetes_sd_configs"] = json!([{"role": "pod", "namespaces": {"names": [kit.in_namespace()]}}]);
            job["relabel_configs"] = relabeling(slug);
        }
    }
    job
}

/// The pods of a service, at the port that is named `http`; each is an instance by its name.
fn relabeling(slug: &str) -> Value {
    json!([
        {
            "source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"],
            "regex": slug,
            "action": "keep",
        },
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "http", "action": "keep"},
        // Pods that have ended keep their address for a while.
        {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Succeeded|Failed", "action": "drop"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "instance"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    ])
}

/// The budget is a sum over the period, so that long samples must be kept; by default they are for 15 days.
fn retention(kit: &Kit) -> String {
    let subjects = kit.subjects();
    let longest = subjects.iter().map(longest_look).max().unwrap_or_default();
    if longest < KEPT {
        return "Samples need not be kept for longer than Prometheus does by default.".to_owned();
    }
    let days = longest.as_secs().div_ceil(86_400) + 1;
    format!(
        "Start it with --storage.tsdb.retention.time={days}d: budgets are sums over up to {}, and by default samples are\n\
         kept for 15 days.",
        in_words(longest)
    )
}

fn longest_look(subject: &Subject<'_>) -> Duration {
    match subject.slo.period() {
        crate::slo::Period::Rolling(length) => length,
        crate::slo::Period::CalendarMonth => Duration::from_secs(31 * 86_400),
    }
}
