//! Nobody measures, or nobody answers: a dead target, no series, another declaration, a page that nobody took.

use super::super::Alarm;
use super::super::commands as run;
use super::super::page::Page;
use super::super::text::shell;
use super::causes;
use super::frame::{About, owner};
use super::guards::{CAUSES, row};

pub(super) fn down(page: &mut Page, about: &About<'_>) {
    let (kit, name) = (about.kit, about.deployment());
    let pods = format!("-l app.kubernetes.io/name={name}");
    about.lead(
        page,
        Alarm::InstanceDown,
        &format!(
            "An instance of {} has not answered Prometheus for {}: the label `instance` names it (in Kubernetes, the pod). It may be dead, stuck, or only out \
             of Prometheus' reach. What it has done since is in no burn rate, so {}'s other alerts may look better than things are.",
            about.service(),
            about.lasting(Alarm::InstanceDown),
            about.name()
        ),
    );
    about.first(
        page,
        &[
            ("Which instances are down: 0 is", run::ask(&format!("{} == 0", run::up(about.slo().service_name())))),
            (
                "Whether it answers from here",
                "for at in $STATUS; do curl -sS --max-time 5 \"http://$at/livez\"; done".to_owned(),
            ),
            ("Pods: restarts, and why they ended", run::kubectl(kit, &format!("get pods {pods} -o wide"))),
            ("What the cluster says about them", run::kubectl(kit, "get events --sort-by=.lastTimestamp")),
            (
                "What it said last; set POD to the alert's label `instance`",
                run::kubectl(kit, "logs \"${POD:?which pod?}\" --previous --tail=100"),
            ),
        ],
    );
    page.table(
        CAUSES,
        &[
            row("`CrashLoopBackOff`, since a rollout", "bad deploy", "roll back"),
            row("`OOMKilled`, or evicted", "overload, or a leak", "more memory or pods; see whether it grows again"),
            row(
                "it runs, `/livez` hangs",
                "a deadlock, or all threads blocked",
                "take a stack dump, then delete the pod",
            ),
            row(
                "`/livez` answers from here",
                "network, DNS or certificate between Prometheus and it",
                "Prometheus' page of targets has the error",
            ),
            row("several services on one node", "the node", "cordon and drain it"),
            row("it waits for a dependency at start", "dependency down", "follow the runbook of that dependency"),
            row("one tenant's requests kill it", "noisy tenant", "refuse them at the edge"),
            row(
                "the pod is gone on purpose",
                "false alarm: scaled in, discovery is late",
                "nothing, if it ends within minutes",
            ),
        ],
    );
    page.section("Change it");
    page.choices(&[
        ("Roll back:", vec![causes::undo(about)]),
        ("Replace one pod; set `POD` to its name:", vec![run::kubectl(kit, "delete pod \"${POD:?which pod?}\"")]),
        (
            "Keep pods off a broken node; set `NODE` to its name:",
            vec!["kubectl cordon \"${NODE:?which node?}\"".to_owned()],
        ),
    ]);
    about.escalate(page, Alarm::InstanceDown, "fewer than half of the instances are left");
    about.over(page, Alarm::InstanceDown, "Every instance answers again, or the dead one is no longer a target");
    about.afterwards(page);
}

pub(super) fn absent(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(
        page,
        Alarm::Absent,
        &format!(
            "For {}, no instance has exported {}: either the whole service is down, or it is not measured. While this lasts, no \
             new burn alert of this SLO can begin. Treat it as an outage until you have seen that users are served.",
            about.lasting(Alarm::Absent),
            about.name()
        ),
    );
    about.first(
        page,
        &[
            (
                "Is the service there at all?",
                "for at in $STATUS; do curl -sS --max-time 5 \"http://$at/readyz\"; done".to_owned(),
            ),
            ("Does it know this SLO? 404 lists those that it knows", run::status(slo.name())),
            (
                "Does Prometheus see its instances? 1 is up, nothing is no target",
                run::ask(&run::up(slo.service_name())),
            ),
            ("Who exports it, if anybody", run::ask(&run::info(slo.name()))),
            ("Pods", run::kubectl(about.kit, &format!("get pods -l app.kubernetes.io/name={}", about.deployment()))),
        ],
    );
    page.table(
        CAUSES,
        &[
            row(
                "no instance answers",
                "the service is down: overload, a bad deploy, or a dependency that it needs to start",
                "[InstanceDown's runbook]({down}), now",
            ),
            row(
                "it answers; `/slo/…` is 404",
                "bad deploy: the SLO was renamed, or is not declared",
                "roll back, or write the kit anew and deploy it",
            ),
            row(
                "it answers; no `up` at all",
                "Prometheus lost its targets",
                "discovery, labels of the pods, prometheus.yml",
            ),
            row(
                "`up` is 0",
                "`/metrics` does not answer: certificate, DNS, network policy, another port",
                "the error is on Prometheus' page of targets",
            ),
            row(
                "`up` is 1; `/metrics` has its series, Prometheus has not",
                "relabelling drops them, or Prometheus is behind",
                "metric_relabel_configs; Prometheus' own alerts",
            ),
            row(
                "one instance was all there was, and a tenant killed it",
                "noisy tenant",
                "refuse it at the edge; more instances",
            ),
            row(
                "the service was switched off on purpose",
                "false alarm",
                "take the SLO out of the declaration, and deploy the kit",
            ),
        ]
        .map(|row| {
            row.map(|cell| {
                cell.replace("{down}", Alarm::InstanceDown.runbook(about.subject).trim_start_matches("runbooks/"))
            })
        }),
    );
    page.section("Change it");
    page.choices(&[
        ("Roll back:", vec![causes::undo(about)]),
        (
            "Start all pods anew, one by one:",
            vec![run::kubectl(about.kit, &format!("rollout restart deployment/{}", about.deployment()))],
        ),
        (
            "Load Prometheus' configuration anew (needs `--web.enable-lifecycle`):",
            vec!["curl -sS -X POST \"$PROMETHEUS/-/reload\"".to_owned()],
        ),
    ]);

    about.escalate(page, Alarm::Absent, "users are not served");
    about.over(page, Alarm::Absent, "Series of the SLO are there again, from as many instances as run");
    about.afterwards(page);
}

pub(super) fn drift(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    let print = slo.declaration();
    about.lead(
        page,
        Alarm::Drift,
        &format!(
            "For {}, what runs has declared {} otherwise than what is deployed here: alerts, dashboards and this page may name wrong \
             targets. Users notice nothing. These files were written from declaration `{print}`.",
            about.lasting(Alarm::Drift),
            about.name()
        ),
    );
    about.first(
        page,
        &[
            ("Which declarations run, and on how many instances", run::ask(&run::declarations(slo.name()))),
            ("Target and period as each instance has them", run::ask(&run::info(slo.name()))),
            ("Whether a declaration was loaded anew of late", run::timeline("3d")),
            (
                "Whether a rollout is under way",
                run::kubectl(about.kit, &format!("rollout status deployment/{} --timeout=5s", about.deployment())),
            ),
        ],
    );
    page.table(
        CAUSES,
        &[
            row("two declarations, a rollout is under way", "a deploy, half done", "wait until it is through"),
            row(
                "one declaration, not this one, since a release",
                "the kit was not deployed with the code",
                "write it anew and deploy it",
            ),
            row(
                "one declaration, not this one, and no release",
                "a file of SLOs was edited and reloaded",
                "see that it was meant, then write the kit anew",
            ),
            row(
                "some instances alone, for long",
                "bad deploy, or a file that did not reach all",
                "finish the rollout, or roll back",
            ),
            row("this kit is newer than what runs", "the code was rolled back", "deploy the kit of that version"),
        ],
    );
    page.section("Change it");
    page.block("In the repository that declares the SLO; then review what differs, and deploy it (see [README](../README.md)):");
    page.sh(&["PLIMSOLL_UPDATE=1 cargo test".to_owned(), "git diff --stat".to_owned()]);
    about.escalate(page, Alarm::Drift, "the target that runs is weaker than what was agreed");
    about.over(
        page,
        Alarm::Drift,
        &format!("Every instance declares `{print}`, or the files that are deployed say what instances do"),
    );
    page.section("Afterwards");
    page.block("Let the test that calls `Kit::assert_in_sync` run in CI, and deploy the kit with the code: then neither is ahead for long.");
}

pub(super) fn unacknowledged(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(
        page,
        Alarm::Unacknowledged,
        &format!(
            "Somebody was paged about {} {} ago. The alert goes on, and nobody has said that they have it. You are next in line: \
             take it now, then find out why the first was not there.",
            about.name(),
            about.lasting(Alarm::Unacknowledged)
        ),
    );
    about.first(
        page,
        &[
            ("Say that you have it: this page stops", run::silence(Alarm::Unacknowledged, slo.name(), "1h")),
            ("What fires", run::firing(Some(slo.name()))),
            ("Whether somebody has it after all", run::silences(slo.name())),
            ("What the service itself sees", run::status(slo.name())),
        ],
    );
    page.block(&format!(
        "Then go on with the runbook of what fires; of a burning budget it is [this one]({}). Write into the incident's channel that you \
         have it.",
        Alarm::BudgetBurn.runbook(about.subject).trim_start_matches("runbooks/")
    ));
    page.table(
        CAUSES,
        &[
            row(
                "a silence of somebody else is there",
                "they have it, and the silence came late",
                "ask them; go back to bed if they say so",
            ),
            row(
                "they are at it, but no silence is there",
                "false alarm: not acknowledged as [on call](../oncall.md) says",
                "write the silence for them",
            ),
            row(
                "no answer from the first in line",
                "asleep, no network, or the rotation is wrong",
                "call once; then it is yours",
            ),
            row(
                "the page never arrived",
                "the pager's route, key or certificate is broken",
                "check Alertmanager's log; use the phone from now on",
            ),
            row(
                "several SLOs at once",
                "one cause: a shared dependency, DNS, a certificate, a deploy, overload, a tenant",
                "call somebody for each service; one of you leads",
            ),
        ],
    );
    page.section("Was the page sent?");
    page.block("Over 0: notifications fail. The second shows which receiver an alert of this SLO goes to.");
    page.promql("sum by (integration) (increase(alertmanager_notifications_failed_total[1h])) > 0");
    page.sh(&[format!(
        "amtool --alertmanager.url=\"$ALERTMANAGER\" config routes test severity={} {}",
        Alarm::BudgetBurn.severity(about.subject),
        shell(&run::matcher("slo", slo.name()))
    )]);
    about.escalate(page, Alarm::Unacknowledged, "you cannot take it either");
    page.block(&format!(
        "If you are the last in line, call the owner: {}. Whoever was called last leads until somebody takes over, in words.",
        owner(slo)
    ));
    about.over(
        page,
        Alarm::Unacknowledged,
        "Somebody has said that they have it, or what they were paged for has ended",
    );
    about.afterwards(page);
}
