//! Kubernetes' objects: held against the schemas of its API, and against each other.

use crate::artifacts::{Folder, messaging, storefront};
use crate::pages::{files, odd};
use plimsoll::artifacts::{Artifact, Kit};
use plimsoll::{Objective, Slo};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The oldest Kubernetes that the files are for, and a current one.
const VERSIONS: [&str; 2] = ["1.27", "1.37"];

/// The objects of a kit by path.
fn objects(kit: &Kit) -> BTreeMap<String, Value> {
    let files = files(kit).into_iter().filter(|file| file.path.starts_with("kubernetes/"));
    let parsed = files.map(|Artifact { path, text }| {
        let object = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"));
        (path, object)
    });
    parsed.collect()
}

fn done(command: &mut Command, what: &str) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let (said, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {said}{erred}");
}

/// The validator, in an environment of its own below the target directory; made once for each list of versions.
fn validator() -> &'static Path {
    static VALIDATOR: OnceLock<PathBuf> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes.txt");
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-validate");
        let (list, program) = (home.join("installed.txt"), home.join("bin/kubernetes-validate"));
        let current = || std::fs::read(&list).ok() == std::fs::read(&wanted).ok();
        if !current() {
            _ = std::fs::remove_dir_all(&home);
            done(Command::new("python3").args(["-m", "venv"]).arg(&home), "python3 -m venv (Debian: python3-venv)");
            let mut install = Command::new(home.join("bin/pip"));
            done(install.args(["install", "--quiet", "--no-deps", "--requirement"]).arg(&wanted), "pip install");
            std::fs::copy(&wanted, &list).unwrap();
        }
        program
    })
}

#[test]
fn objects_are_what_kubernetes_takes() {
    for (name, kit) in [("shop", storefront()), ("messages", messaging()), ("odd", odd())] {
        let folder = Folder::new(&format!("kubernetes-{name}"));
        let mut paths = Vec::new();
        for (path, mut object) in objects(&kit) {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            if kind == "Deployment" {
                // A patch: what it leaves to the team's own Deployment is put in.
                object["spec"]["selector"] =
                    json!({ "matchLabels": { "app.kubernetes.io/name": object["metadata"]["name"] } });
                object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop:1");
            }
            if ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"].contains(&kind.as_str()) {
                let file = folder.path().join(path.replace('/', "-"));
                std::fs::write(&file, object.to_string()).unwrap();
                paths.push(file);
            }
        }
        assert!(paths.len() >= 3, "{paths:?}");
        for version in VERSIONS {
            let mut check = Command::new(validator());
            done(
                check.args(["--strict", "--quiet", "-k", version]).args(&paths),
                &format!("{name}, Kubernetes {version}"),
            );
        }
    }
}

#[test]
fn the_validator_refuses_what_is_wrong() {
    let folder = Folder::new("kubernetes-wrong");
    let mut object = objects(&storefront())["kubernetes/storefront-hpa.yaml"].clone();
    object["spec"]["maxReplica"] = json!(3);
    let file = folder.path().join("wrong.yaml");
    std::fs::write(&file, object.to_string()).unwrap();
    let refused = Command::new(validator()).args(["--strict", "-k", "1.37"]).arg(&file).output().unwrap();
    assert!(!refused.status.success());
}

/// Runs KEDA's schema on objects; what it says, if it refuses one. It is installed once for each list of versions.
fn refused_by_keda(objects: &[&Value]) -> Option<String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keda");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keda");
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let (wanted, list) = (from.join("package-lock.json"), home.join("installed.json"));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::copy(from.join("check.mjs"), home.join("check.mjs")).unwrap();
        if std::fs::read(&list).ok() != std::fs::read(&wanted).ok() {
            for name in ["package.json", "package-lock.json"] {
                std::fs::copy(from.join(name), home.join(name)).unwrap();
            }
            let mut install = Command::new("npm");
            done(install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home), "npm ci");
            std::fs::copy(&wanted, &list).unwrap();
        }
    });
    let folder = Folder::new(&format!("keda-{:?}", std::thread::current().id()));
    let paths = objects.iter().enumerate().map(|(n, object)| {
        let path = folder.path().join(format!("{n}.json"));
        std::fs::write(&path, object.to_string()).unwrap();
        path
    });
    let checked = Command::new("node").arg(home.join("check.mjs")).args(paths).output().unwrap();
    (!checked.status.success()).then(|| String::from_utf8_lossy(&checked.stderr).into_owned())
}

#[test]
fn scaled_objects_are_what_keda_takes() {
    for kit in [storefront(), messaging(), odd()] {
        let objects = objects(&kit);
        let scaled: Vec<&Value> = objects.values().filter(|object| object["kind"] == "ScaledObject").collect();
        assert!(!scaled.is_empty());
        assert_eq!(refused_by_keda(&scaled), None);
        let mut wrong = scaled[0].clone();
        wrong["spec"]["fallback"]["replicas"] = json!("3");
        assert!(refused_by_keda(&[&wrong]).is_some_and(|words| words.contains("replicas")));
    }
}

/// What KEDA's ScaledObject has, of the fields that are written: its schema says nothing against others, nor of a scaler's metadata.
const KEDA: [(&str, &[&str]); 5] = [
    (
        "/spec",
        &[
            "scaleTargetRef",
            "minReplicaCount",
            "maxReplicaCount",
            "pollingInterval",
            "fallback",
            "advanced",
            "triggers",
        ],
    ),
    ("/spec/scaleTargetRef", &["apiVersion", "kind", "name"]),
    ("/spec/fallback", &["failureThreshold", "replicas", "behavior"]),
    ("/spec/triggers/0", &["type", "metricType", "metadata"]),
    ("/spec/triggers/0/metadata", &["serverAddress", "query", "threshold", "ignoreNullValues"]),
];

#[test]
fn both_autoscalers_say_the_same() {
    for kit in [storefront(), messaging(), odd()] {
        let objects = objects(&kit);
        let scaled = objects.iter().filter(|(_, object)| object["kind"] == "ScaledObject");
        let mut queries = Vec::new();
        for (path, object) in scaled {
            for (at, known) in KEDA {
                for key in object.pointer(at).unwrap().as_object().unwrap().keys() {
                    assert!(known.contains(&key.as_str()), "{path}: {at}/{key}");
                }
            }
            // The scaler's metadata are strings, all of them.
            let metadata = object.pointer("/spec/triggers/0/metadata").unwrap().as_object().unwrap();
            assert!(metadata.values().all(Value::is_string), "{metadata:?}");
            queries.push(metadata["query"].as_str().unwrap().to_owned());

            let other = &objects[&path.replace("-keda", "-hpa")];
            let behaviour = object.pointer("/spec/advanced/horizontalPodAutoscalerConfig/behavior").unwrap();
            assert_eq!(*behaviour, other["spec"]["behavior"]);
            assert_eq!(object["spec"]["scaleTargetRef"], other["spec"]["scaleTargetRef"]);
            assert_eq!(object["spec"]["maxReplicaCount"], other["spec"]["maxReplicas"]);
            // 70 % for 5 minutes, two pods at a time.
            assert_eq!(other.pointer("/spec/metrics/0/pods/target/averageValue").unwrap(), "700m");
            assert_eq!(metadata["threshold"], "0.7");
            assert_eq!(behaviour["scaleUp"]["stabilizationWindowSeconds"], 300);
            assert_eq!(behaviour["scaleUp"]["policies"], json!([{"type": "Pods", "value": 2, "periodSeconds": 60}]));
        }
        // What prometheus-adapter makes of its template.
        let rule = &objects["kubernetes/prometheus-adapter.yaml"]["rules"]["custom"][0];
        queries.push(rule["seriesQuery"].as_str().unwrap().to_owned());
        let query = rule["metricsQuery"].as_str().unwrap().replace("<<.GroupBy>>", "instance");
        queries.push(query.replace("<<.LabelMatchers>>", "namespace=\"a\",instance=~\"a|b\""));
        crate::pages::accepted_by_promtool(&crate::pages::rules(queries));
    }
}

#[test]
fn the_component_has_each_service_once_and_one_autoscaler_each() {
    for kit in [storefront(), messaging(), odd()] {
        let objects = objects(&kit);
        let component = &objects["kubernetes/kustomization.yaml"];
        let listed = |value: &Value| value.as_array().unwrap().clone();
        let resources: Vec<Value> = listed(&component["resources"]);
        for path in &resources {
            assert!(objects.contains_key(&format!("kubernetes/{}", path.as_str().unwrap())), "{path}");
            assert!(!path.as_str().unwrap().contains("keda"), "both autoscalers at once");
        }
        for patch in listed(&component["patches"]) {
            let object = &objects[&format!("kubernetes/{}", patch["path"].as_str().unwrap())];
            assert_eq!(object["metadata"]["name"], patch["target"]["name"]);
            assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["name"], patch["target"]["name"]);
        }
        assert_eq!(resources.len(), 2 * listed(&component["patches"]).len());
    }
}

#[test]
fn only_doors_are_scaled_on_and_names_are_told_apart() {
    let slo = |name: &str, service: &str| Slo::new(name).service(service).objective(Objective::success(99.9));
    let kit = Kit::new([slo("in", "Shop").depends_on("out"), slo("out", "Shop"), slo("other", "shop!")]).unwrap();
    let objects = objects(&kit.address("Shop", "shop:8080").namespace("Team A"));
    let query = &objects["kubernetes/shop-keda.yaml"]["spec"]["triggers"][0]["metadata"]["query"];
    let query = query.as_str().unwrap();
    assert!(query.contains("slo=\"in\"") && !query.contains("slo=\"out\"") && query.contains("\"team-a\""), "{query}");
    // Two services of one slug are two.
    assert!(objects.contains_key("kubernetes/shop-2-hpa.yaml"), "{:?}", objects.keys());
    let probe = &objects["kubernetes/shop-probes.yaml"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(probe["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": 8080}));
}
