//! What goes where.

use super::super::page::Page;
use super::super::runbooks::frame::owner;
use super::super::text::{link, markdown};
use super::super::{Alarm, Kit};

/// What there is, which program reads it, and how it gets there.
const FILES: [[&str; 3]; 11] = [
    [
        "`prometheus/prometheus.yml`",
        "Prometheus",
        "as `/etc/prometheus/prometheus.yml`; choose one way of discovery in it",
    ],
    ["`prometheus/rules/`", "Prometheus", "beside it, as `rules/`; then `/-/reload`"],
    ["`prometheus/tests/`", "promtool, in CI", "nowhere: they test the rules"],
    [
        "`alertmanager/alertmanager.yml`, `alertmanager/templates/`",
        "Alertmanager",
        "as `/etc/alertmanager/`; then `/-/reload`",
    ],
    ["`alertmanager/tests.sh`", "CI", "nowhere: it tests the routes"],
    ["`grafana/`", "Grafana", "a directory that a provider of dashboards reads, or import by hand"],
    ["`runbooks/`, `oncall.md`, `policy/`", "people", "where the links in alerts lead (`Kit::runbooks_at`)"],
    ["`postmortem.md`", "people", "copy it for each incident"],
    ["`kubernetes/`", "kustomize", "a component of the kustomization that has the Deployments"],
    ["`openslo/`", "other SLO tools", "as they like it: OpenSLO v1"],
    ["`plimsoll-files.txt`", "plimsoll", "stays here: what an earlier kit wrote and this one does not, is taken away"],
];

pub(super) fn page(kit: &Kit) -> String {
    let mut page = Page::new("What is written from the declared SLOs");
    page.block(
        "Everything here follows from the SLOs that the code declares. Do not edit these files: change the declaration, and write them \
         anew. Files of your own beside them are left alone.",
    );
    page.section("What goes where");
    page.table(["Path", "Who reads it", "Where it goes"], &FILES.map(|row| row.map(str::to_owned)));
    page.section("SLOs");
    let rows: Vec<[String; 4]> = kit
        .subjects()
        .iter()
        .map(|subject| {
            [
                markdown(subject.slo.name()),
                owner(subject.slo),
                format!("[what to do]({})", Alarm::BudgetBurn.runbook(subject)),
                format!("[dashboard]({})", link(&kit.dashboard_url(subject))),
            ]
        })
        .collect();
    page.table(["SLO", "Owner", "When it burns", "How it does"], &rows);

    page.section("Check it");
    page.block("In this directory, before each deploy. All of it fails on what the tools would refuse:");
    page.sh(&[
        "promtool check config --syntax-only prometheus/prometheus.yml",
        "promtool check rules prometheus/rules/*.yml",
        "promtool test rules prometheus/tests/*.yml",
        "sh alertmanager/tests.sh",
        "kubectl kustomize kubernetes >/dev/null",
    ]
    .map(str::to_owned));
    page.section("Deploy it");
    page.steps(&[
        "Secrets first (below), then Prometheus' and Alertmanager's files. Both keep what they have if a reload fails: look at the answer."
            .to_owned(),
        "Dashboards, then pages: alerts link to both.".to_owned(),
        "Kubernetes: name `kubernetes/` under `components:` in the kustomization that has the Deployments, look at what would change, \
         then apply."
            .to_owned(),
        "The service itself, with the same declaration. If what runs and what is deployed differ for long, an alert says so.".to_owned(),
    ]);
    page.sh(&[
        "PROMETHEUS=${PROMETHEUS:-http://prometheus:9090} ALERTMANAGER=${ALERTMANAGER:-http://alertmanager:9093}",
        "curl -sS -X POST \"$PROMETHEUS/-/reload\"      # needs --web.enable-lifecycle; or send SIGHUP",
        "curl -sS -X POST \"$ALERTMANAGER/-/reload\"",
        "kubectl diff -k .                            # where your kustomization is",
        "kubectl apply -k .",
    ]
    .map(str::to_owned));
    page.section("Secrets");
    page.block(
        "No secret is in these files: Alertmanager reads each from a file of its own, in a directory for each team. The head of \
         `alertmanager/alertmanager.yml` lists them. Mount them read-only, for Alertmanager's user alone; it reads them anew for each \
         message, so a new key needs no restart.",
    );
    page.section("Change it");
    page.block("Change the declaration, write the files anew, read what differs, and commit both together:");
    page.sh(&["PLIMSOLL_UPDATE=1 cargo test    # the test that calls Kit::assert_in_sync", "git diff --stat"]
        .map(str::to_owned));
    page.block(
        "What belongs to you and not to the SLOs (limits of pods, another receiver, a panel more) goes into an overlay, a file beside, or \
         a method of `Kit`. Without the variable, the same test fails while files and declaration differ: keep it in CI.",
    );
    page.section("Ports");
    page.block(
        "`ops::router` shows (metrics, status, probes), `ops::control` changes (breakers, shedding): serve the second where only operators \
         reach it. Runbooks expect it on port 9000 of the same hosts; `CONTROL` in the environment says otherwise.",
    );
    page.finish()
}
