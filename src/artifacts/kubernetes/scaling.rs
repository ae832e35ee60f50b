//! More pods when the doors are full, fewer when they long have not been.

use super::super::Kit;
use super::super::text::selector;
use super::WARM;
use crate::names::{self, label};
use serde_json::{Value, json};

/// How full a pod shall be on average.
const FULL: &str = "0.7";
/// The same, as Kubernetes writes quantities.
const FULL_MILLI: &str = "700m";
/// One may fail while another is drained.
const FEWEST: u32 = 3;
const MOST: u32 = 30;
/// How long it must be so full.
const FOR: u32 = 300;
/// How long it must be empty.
const EMPTY_FOR: u32 = 1_800;

/// The pods of a service.
#[derive(Debug)]
pub(super) struct Pods<'a> {
    /// What the Deployment is called, and all objects beside it.
    pub(super) name: String,
    namespace: String,
    doors: Vec<&'a str>,
}

impl<'a> Pods<'a> {
    pub(super) fn of(kit: &'a Kit, service: &str) -> Self {
        Self { name: kit.slug_of(service), namespace: kit.namespace_slug(), doors: kit.inbound(service) }
    }

    pub(super) fn labels(&self) -> Value {
        json!({ "app.kubernetes.io/name": self.name, "app.kubernetes.io/managed-by": "plimsoll" })
    }

    pub(super) fn autoscaler(&self) -> Value {
        json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": self.name, "labels": self.labels() },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name },
                "minReplicas": FEWEST,
                "maxReplicas": MOST,
                "metrics": [{
                    "type": "Pods",
                    "pods": {
                        "metric": { "name": names::SATURATION },
                        "target": { "type": "AverageValue", "averageValue": FULL_MILLI },
                    },
                }],
                "behavior": behaviour(),
            },
        })
    }

    pub(super) fn scaled_object(&self) -> Value {
        // A query has one number: the sum, of which KEDA takes the average over pods.
        let query = format!(
            "sum(max by (namespace, instance) ({}))",
            saturation(&self.doors, &format!("namespace=\"{}\"", self.namespace))
        );
        json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": { "name": self.name, "labels": self.labels() },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name },
                "minReplicaCount": FEWEST,
                "maxReplicaCount": MOST,
                "pollingInterval": 15,
                // While Prometheus does not answer, nothing is taken away.
                "fallback": { "failureThreshold": 3, "replicas": FEWEST, "behavior": "currentReplicasIfHigher" },
                "advanced": { "horizontalPodAutoscalerConfig": { "behavior": behaviour() } },
                "triggers": [{
                    "type": "prometheus",
                    "metricType": "AverageValue",
                    "metadata": {
                        "serverAddress": "http://prometheus:9090",
                        "query": query,
                        "threshold": FULL,
                        "ignoreNullValues": "false",
                    },
                }],
            },
        })
    }
}

/// The lowest wish of the last five minutes is granted on the way up, the highest of the last half an hour on the way down.
fn behaviour() -> Value {
    json!({
        "scaleUp": {
            "stabilizationWindowSeconds": FOR,
            "selectPolicy": "Max",
            "policies": [{ "type": "Pods", "value": 2, "periodSeconds": WARM }],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": EMPTY_FOR,
            "selectPolicy": "Max",
            "policies": [{ "type": "Pods", "value": 1, "periodSeconds": 300 }],
        },
    })
}

/// How full the guards of these SLOs are; `more` are further matchers.
fn saturation(doors: &[&str], more: &str) -> String {
    let infos: Vec<String> = doors.iter().map(|slo| selector(names::GUARD_INFO, &[(label::SLO, slo)])).collect();
    format!(
        "{}{{{more}}} * on (instance, {}) group_left ({}) ({})",
        names::SATURATION,
        label::GUARD,
        label::SLO,
        infos.join(" or ")
    )
}

/// Values of prometheus-adapter's Helm chart. Services share one metric: a pod has the doors of its own service alone.
pub(super) fn adapter(kit: &Kit) -> Value {
    let mut doors: Vec<&str> = Vec::new();
    for service in kit.services() {
        doors.extend(kit.inbound(service));
    }
    json!({
        "rules": {
            "custom": [{
                "seriesQuery": format!("{}{{namespace!=\"\",instance!=\"\"}}", names::SATURATION),
                "resources": { "overrides": { "namespace": { "resource": "namespace" }, "instance": { "resource": "pod" } } },
                "name": { "as": names::SATURATION },
                "metricsQuery": format!("max by (<<.GroupBy>>) ({})", saturation(&doors, "<<.LabelMatchers>>")),
            }],
        },
    })
}
