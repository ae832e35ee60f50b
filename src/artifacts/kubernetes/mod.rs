//! Kubernetes: probes, scaling on saturation, and a budget for disruptions, for each service.
//!
//! Together they are a kustomize *component*: a team's own kustomization brings the Deployment and names this directory.
//!
//! | file | what it is | what it needs |
//! |---|---|---|
//! | `kustomization.yaml` | the component | kustomize 4 or newer (`kubectl -k`) |
//! | `<service>-probes.yaml` | probes and pace of a rollout, a patch of the service's Deployment | - |
//! | `<service>-hpa.yaml` | a HorizontalPodAutoscaler on saturation; the one that is active | prometheus-adapter |
//! | `<service>-keda.yaml` | the same as a KEDA ScaledObject; instead of the other, never beside it | KEDA 2 |
//! | `<service>-pdb.yaml` | how many pods may be taken away at once | Kubernetes 1.27 |
//! | `prometheus-adapter.yaml` | Helm values that make the saturation a metric of pods | prometheus-adapter |
//!
//! Decided here, and why:
//!
//! - **Saturation, not CPU.** It is what the limiter knows: calls under way, waiting and shed, over what there is room for. A
//!   service that waits for a database is full at 10 % CPU.
//! - **Up: 70 % for 5 minutes, two pods at a time; down: one pod every 5 minutes, after half an hour.** Each step is looked at
//!   before the next one. Capacity that is taken away too early is the next incident.
//! - **Only guards at the door count**, see `Kit::inbound`: a full guard in front of a dependency is not relieved by more pods.
//! - **Readiness does not wait for the ramp.** A limiter that warms up (`Shed::warm_up`) lets in few calls and more by and by;
//!   it can only warm up on calls, so the pod is ready at once. What waits is the rollout: `minReadySeconds` outlasts the ramp.

mod names;
mod scaling;

use super::{Artifact, Kit, yaml};
use scaling::Pods;
use serde_json::{Value, json};

/// How long a new pod takes to be warm, in seconds: the next one of a rollout, and the next step of scaling, wait as long.
const WARM: u32 = 60;

/// All files.
pub(super) fn files(kit: &Kit) -> Vec<Artifact> {
    let mut files = Vec::new();
    let (mut resources, mut patches) = (Vec::new(), Vec::new());
    for service in kit.services() {
        let pods = Pods::of(kit, service);
        let file = |kind: &str| format!("{}-{kind}.yaml", pods.name);
        resources.extend([file("hpa"), file("pdb")]);
        patches.push(json!({
            "path": file("probes"),
            "target": { "group": "apps", "version": "v1", "kind": "Deployment", "name": pods.name },
        }));
        for (kind, head, object) in [
            ("probes", PROBES, probes(&pods, kit.port_of(service))),
            ("hpa", HPA, pods.autoscaler()),
            ("keda", KEDA, pods.scaled_object()),
            ("pdb", PDB, disruptions(&pods)),
        ] {
            files.push(file_of(&file(kind), head, service, &object));
        }
    }
    let component = json!({
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": resources,
        "patches": patches,
    });
    files.push(file_of("kustomization.yaml", COMPONENT, "", &component));
    files.push(file_of("prometheus-adapter.yaml", ADAPTER, "", &scaling::adapter(kit)));
    files
}

fn file_of(name: &str, head: &str, service: &str, object: &Value) -> Artifact {
    let head = head.replace("SERVICE", service) + WRITTEN;
    Artifact::new(format!("kubernetes/{name}"), yaml::documents(&head, std::slice::from_ref(object)))
}

const WRITTEN: &str =
    "\nWritten by plimsoll from declared SLOs: change those, or patch this in an overlay of your own.";

const PROBES: &str = "Probes of SERVICE, and the pace of its rollouts: a patch of its Deployment. Its container is called as the Deployment.\n\
     livez answers while the process can answer at all; it looks at no dependency: restarting this for that one's sake helps nobody.\n\
     readyz stays 200 while breakers are open and while a limiter warms up: it says so, and takes no traffic away.\n\
     A pod counts as available after minReadySeconds: until then `Shed::warm_up` ramps, and the rollout waits.";

const HPA: &str = "Scales SERVICE on the saturation of its inbound guards: up at 70 % for 5 minutes, two pods at a time; down slowly.\n\
     Needs prometheus-adapter with prometheus-adapter.yaml. Without it, use KEDA: never both: they would fight over one Deployment.\n\
     The guard needs a limiter (`Shed::adaptive()`): without one saturation is always 0, and this stays at the minimum.";

const KEDA: &str = "The same as SERVICE's HorizontalPodAutoscaler, for clusters with KEDA. kustomization.yaml does not name it: \
     in an overlay\nof your own take it instead of the other, never beside it: KEDA makes an autoscaler itself. Set serverAddress to your \
     Prometheus.";

const PDB: &str =
    "Draining nodes evicts one pod of SERVICE at a time; pods that are not ready may be evicted at any time.";

const COMPONENT: &str = "A kustomize component. In the kustomization that has the Deployments:\n\
     \x20 components: [../ops/kubernetes]\n\
     It sets no namespace: that kustomization does.";

const ADAPTER: &str = "Helm values for prometheus-adapter: the saturation of a pod's most saturated inbound guard, as a metric of that pod.\n\
     The series need the labels `namespace` and `instance`, the pod's name: prometheus-kubernetes.yml sets both.";

/// A strategic merge patch.
fn probes(pods: &Pods<'_>, port: u16) -> Value {
    let get = |path: &str| json!({ "path": path, "port": port });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": pods.name },
        "spec": {
            "minReadySeconds": WARM,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 2, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/name": pods.name } },
                "spec": {
                    "terminationGracePeriodSeconds": 60,
                    "containers": [{
                        "name": pods.name,
                        // Prometheus finds pods by the name of this port.
                        "ports": [{ "name": "http", "containerPort": port }],
                        // Two minutes to start; until then the others are not asked.
                        "startupProbe": { "httpGet": get("/livez"), "periodSeconds": 2, "failureThreshold": 60 },
                        "livenessProbe": {
                            "httpGet": get("/livez"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6,
                        },
                        "readinessProbe": {
                            "httpGet": get("/readyz"), "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3,
                        },
                    }],
                },
            },
        },
    })
}

fn disruptions(pods: &Pods<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": { "name": pods.name, "labels": pods.labels() },
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": { "matchLabels": { "app.kubernetes.io/name": pods.name } },
        },
    })
}
