//! What goes where.

use super::super::page::Page;
use super::super::runbooks::frame::owner;
use super::super::text::{link, markdown};
use super::super::{Alarm, Kit};

/// What there is, which program reads it, and how it gets there.
const FILES: [[&str; 3]; 12] = [
    [
        "`prometheus/prometheus.yml`, or `-file-discovery.yml`, or `-kubernetes.yml`",
        "Prometheus",
        "one of them, as `/etc/prometheus/prometheus.yml`: they differ in how instances are found",
    ],
    ["`prometheus/rules/`, `prometheus/targets/`", "Prometheus", "beside it; targets are for file discovery alone"],
    ["`prometheus/tests/`", "promtool, in CI", "nowhere: they test the rules"],
    [
        "`alertmanager/alertmanager.yml`, `alertmanager/templates/`",
        "Alertmanager",
        "side by side, in `/etc/alertmanager/`",
    ],
    ["`alertmanager/tests.sh`", "amtool, in CI", "nowhere: it tests the routes"],
    ["`grafana/`", "Grafana", "provision it, or import the dashboards by hand"],
    ["`runbooks/`, `oncall.md`, `policy/`", "people", "where links in alerts lead: `Kit::runbooks_at`"],
    ["`postmortem.md`", "people", "copy it for each incident"],
    ["`kubernetes/`", "kustomize", "a component of the kustomization that has the Deployments"],
    [
        "`kubernetes/prometheus-adapter.yaml`",
        "Helm",
        "values of the chart prometheus-adapter, if the autoscaler is used",
    ],
    ["`openslo/`", "other SLO tools", "OpenSLO v1"],
    ["`plimsoll-files.txt`", "plimsoll", "stays here: the list of what it wrote"],
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
    page.table(["SLO", "Owner", "When it burns", "How it stands"], &rows);

    page.section("Check it");
    page.block("In this directory, in CI and before each deploy. Each command fails on what its tool would refuse:");
    page.sh(&[
        "promtool check config --syntax-only prometheus/prometheus.yml",
        "promtool check rules prometheus/rules/*.yml",
        "promtool test rules prometheus/tests/*.yml",
        "sh alertmanager/tests.sh",
        "kubectl kustomize \"${OVERLAY:-.}\" >/dev/null    # the directory of your own kustomization",
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
        "kubectl diff -k \"${OVERLAY:-.}\"             # the directory of your own kustomization",
        "kubectl apply -k \"${OVERLAY:-.}\"",
    ]
    .map(str::to_owned));
    page.section("Secrets");
    page.block(
        "No secret is in these files. Alertmanager reads each from a file, at each message: a new key needs no restart. Each team (each \
         owner, in lower-case letters, digits and dashes) has a directory `/etc/alertmanager/secrets/<team>/`; `on-call` is for alerts \
         that nobody owns. The head of `alertmanager/alertmanager.yml` lists them. In each:",
    );
    page.table(
        ["File", "What", "Who has it"],
        &[
            ["`pager-key`", "integration key (Events API v2) of the PagerDuty service of the first line", "the team"],
            ["`second-line-key`", "the same, of the second line", "whoever runs the second line"],
            ["`chat-url`", "URL of an incoming webhook of Slack: it decides the channel", "the team"],
            [
                "`ticket-token`",
                "bearer token for the ticket system's webhook (`Kit::tickets_at`)",
                "whoever runs the ticket system",
            ],
        ]
        .map(|row| row.map(str::to_owned)),
    );
    page.block(
        "`chmod 400`, for Alertmanager's user. In Kubernetes: a Secret for each team with these four keys, mounted at that path. A missing file \
         does not stop Alertmanager from starting: alert on `alertmanager_notifications_failed_total`. Start Alertmanager with \
         `--web.external-url`: the links \"Acknowledge\" and \"Silence\" in messages lead there.",
    );
    page.section("Change it");
    page.block("Change the declaration, write the files anew, read what differs, and commit both together:");
    page.sh(&["PLIMSOLL_UPDATE=1 cargo test    # the test that calls Kit::assert_in_sync", "git diff --stat"]
        .map(str::to_owned));
    page.block(
        "What is yours and not the SLOs' (pod limits, another receiver, one more panel) goes into an overlay, a file beside these, or \
         a method of `Kit`. Without the variable, the same test fails while files and declaration differ: run it in CI.",
    );
    page.section("Ports");
    page.block(
        "`ops::router` shows (metrics, status, probes), `ops::control` changes (breakers, shedding): serve the second where only operators \
         reach it. Runbooks expect it on port 9000 of the same hosts; `CONTROL_OF_<SERVICE>` in the environment says otherwise.",
    );
    page.finish()
}
