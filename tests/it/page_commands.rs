//! Every command of every page, run as it stands: curl against a service's own routes, other tools against stand-ins that
//! look at what they are given.

use crate::artifacts::{Folder, messaging, storefront};
use crate::pages::{accepted_by_promtool, blocks, odd, pages, rules, timeline};
use plimsoll::artifacts::Kit;
use plimsoll::{Breaker, Guard, Plimsoll, Shed, ops};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What was run already, word for word, is not run again: pages have much in common.
const ONCE: &str = "seen=$SEEN/$(printf '%s ' \"$@\" | cksum | tr ' ' -); [ ! -e \"$seen\" ] || exit 0; : >\"$seen\"; ";

/// `promtool` keeps the query, `amtool` is the real one that must only fail to connect, `curl` is the real one that fails on
/// a refusal, and the rest is taken as given.
const STAND_INS: [(&str, &str); 7] = [
    ("promtool", "[ \"$1 $2 $#\" = 'query instant 4' ] || exit 1; printf '%s\\n' \"$4\" >>\"$QUERIES\""),
    (
        "amtool",
        "shift; said=$(\"$REAL_AMTOOL\" --alertmanager.url=http://127.0.0.1:1 \"$@\" 2>&1) || case $said in *'connection refused'*) ;; *) echo \"$said\" >&2; exit 1;; esac",
    ),
    ("curl", "exec \"$REAL_CURL\" --fail-with-body \"$@\""),
    ("kubectl", "for word; do [ -n \"$word\" ] || exit 1; done; echo 10.0.0.1 10.0.0.2"),
    ("openssl", "cat >/dev/null"),
    ("cargo", "exit 0"),
    ("git", "exit 0"),
];

/// A service that has every SLO of a kit, each with a guard that can be forced and can shed.
fn service(kit: &Kit) -> (Plimsoll, Vec<Guard>) {
    let plimsoll = Plimsoll::new();
    let guards = kit.slos().iter().map(|slo| {
        let slo = plimsoll.declare(slo.clone()).unwrap();
        slo.guard().breaker(Breaker::default()).shed(Shed::fixed(8)).build().unwrap()
    });
    let mut guards: Vec<Guard> = guards.collect();
    for elsewhere in kit.slos().iter().flat_map(|slo| slo.dependencies()) {
        if kit.slos().iter().all(|slo| slo.name() != elsewhere) {
            let slo = plimsoll.declare(plimsoll::Slo::new(elsewhere).success(99.0)).unwrap();
            guards.push(slo.guard().breaker(Breaker::default()).build().unwrap());
        }
    }
    (plimsoll, guards)
}

async fn served(plimsoll: &Plimsoll) -> SocketAddr {
    let reload = axum::routing::post(|| async { "" });
    let app = axum::Router::new().merge(ops::router(plimsoll)).merge(ops::control(plimsoll)).route("/-/reload", reload);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn which(program: &str) -> String {
    let found = Command::new("bash").args(["-c", &format!("type -P {program}")]).output().unwrap();
    assert!(found.status.success(), "{program} is missing: tests/run.sh installs it");
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

fn stand_ins(folder: &Path) {
    for (name, does) in STAND_INS {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/bash\n{ONCE}{does}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs all commands of a kit; what they asked of Prometheus.
async fn run(kit: &Kit) -> Vec<String> {
    let (plimsoll, guards) = service(kit);
    let address = served(&plimsoll).await;
    let folder = Folder::new(&format!("commands-{}", address.port()));
    stand_ins(folder.path());
    let (queries, seen) = (folder.path().join("queries"), folder.path().join("seen"));
    std::fs::create_dir(&seen).unwrap();
    let mut script = String::from("set -eEu\n");
    let mut posts = 0;
    for page in pages(kit) {
        // What the README checks are the kit's own files, with the real tools.
        for block in blocks(&page.text, "sh").iter().filter(|block| !block.contains("promtool check")) {
            posts += block.matches("-X POST \"http://$at/control/").count();
            // Where everything is, is said once a page; what else a block sets is its own.
            let block = if block.starts_with("PROMETHEUS=") { block.clone() } else { format!("(\n{block})\n") };
            _ = write!(script, "where='{}'\n{block}", page.path);
        }
    }
    let both = format!("{address} {address}");
    // Each service's addresses are in variables of its own.
    let word = |c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let addresses: BTreeSet<&str> =
        script.split(word).filter(|word| word.starts_with("STATUS_OF_") || word.starts_with("CONTROL_OF_")).collect();
    assert!(addresses.len() >= 2, "{addresses:?}");
    let addresses: Vec<String> = addresses.into_iter().map(str::to_owned).collect();
    let child = Command::new("bash")
        .args(["-c", &format!("trap 'echo \"at $where: $BASH_COMMAND\" >&2' ERR\n{script}")])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .envs(addresses.iter().map(|variable| (variable, &both)))
        .envs([("PROMETHEUS", format!("http://{address}")), ("ALERTMANAGER", format!("http://{address}"))])
        .envs([("USER", "ann"), ("POD", "shop-1"), ("NODE", "node-1")])
        .envs([("REAL_CURL", which("curl")), ("REAL_AMTOOL", which("amtool"))])
        .envs([("QUERIES", &queries), ("SEEN", &seen)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ran = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    // Nothing was refused, and what was to be done was done.
    let acts =
        plimsoll.events().iter().filter(|event| matches!(event.kind, plimsoll::EventKind::Operator { .. })).count();
    assert!(posts > 0 && acts > 0 && !guards.is_empty(), "{posts} lines, {acts} acts");
    std::fs::read_to_string(queries).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_storefronts_commands_work() {
    accepted_by_promtool(&rules(run(&storefront()).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messaging_platforms_commands_work() {
    accepted_by_promtool(&rules(run(&messaging()).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_work_whatever_names_hold() {
    accepted_by_promtool(&rules(run(&odd()).await));
    accepted_by_promtool(&rules(run(&timeline()).await));
}

/// The README's checks, by the real tools, on what was written: of a small kit, for rules are tested elsewhere.
#[test]
fn the_readmes_checks_pass() {
    let kit = timeline();
    let folder = Folder::with("readme", &kit);
    let readme = pages(&kit).into_iter().find(|file| file.path == "README.md").unwrap();
    let checks = blocks(&readme.text, "sh").into_iter().find(|block| block.contains("promtool check")).unwrap();
    // There is no kustomization of a team's own here.
    let ours: Vec<&str> = checks.lines().filter(|line| !line.starts_with("kubectl")).collect();
    assert!(ours.len() >= 4, "{checks}");
    let checked = Command::new("bash").args(["-ec", &ours.join("\n")]).current_dir(folder.path()).output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
}
