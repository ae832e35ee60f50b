//! Why an SLO burns: how each cause looks in its data, and what to do about it.

use super::super::commands as run;
use super::super::page::Page;
use super::super::text::{in_words, markdown};
use super::frame::{About, dependencies};
use crate::slo::Objective;
use std::time::Duration;

/// From how calls end to the likely cause.
pub(super) fn table(page: &mut Page, about: &About<'_>) {
    let slow = about.slo().objectives().iter().filter(|objective| objective.threshold().is_some());
    let slow: Vec<String> = slow.map(|objective| markdown(objective.name())).collect();
    let slow = if slow.is_empty() {
        "`timed_out`".to_owned()
    } else {
        format!("`timed_out`, `slow`; or {} burns and nothing fails", slow.join(", "))
    };
    let row =
        |seen: &str, title: &str| [seen.to_owned(), format!("[{title}](#{})", title.to_lowercase().replace(' ', "-"))];
    page.table(
        ["Most bad calls are", "Likely"],
        &[
            row("`failure`, `rejected` or `degraded`, and a breaker is open", "Dependency down"),
            row(&slow, "Dependency or service slow"),
            row("`shed`", "Overload"),
            row("`failure`, `panicked` or `body_error`, on new pods or since a rollout", "Bad deploy"),
            row("`failure_transport`, on every instance from one moment on", "Certificate or DNS"),
            row("of one caller, one key or one instance", "Noisy tenant"),
            row("a handful, and users notice nothing", "False alarm"),
        ],
    );
}

/// A section for each cause.
pub(super) fn sections(page: &mut Page, about: &About<'_>) {
    down(page, about);
    slow(page, about);
    overload(page, about);
    deploy(page, about);
    names(page, about);
    tenant(page, about);
    false_alarm(page, about);
}

/// The dependencies, for a cell of a table.
pub(super) fn dependency_row(about: &About<'_>) -> String {
    dependencies(about)
        .map_or_else(|| "a dependency (none is declared)".to_owned(), |all| format!("a dependency: {all}"))
}

fn down(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    page.subsection("Dependency down");
    match dependencies(about) {
        Some(all) => {
            let names: Vec<String> = slo.dependencies().map(str::to_owned).collect();
            page.block(&format!("Declared: {all}. It burns at the same time, or its breaker is open:"));
            page.promql(&run::burn_of(&names));
        }
        None => {
            page.block("None is declared. A breaker that is not closed names the call that fails:");
            page.promql(&run::open_breakers(slo.name()));
        }
    }
    let Some(guard) = slo.dependencies().next() else {
        page.block("Then go on with the runbook of that breaker.");
        return;
    };
    page.choices(&[
        (
            "It is down, and its breaker closes and opens again: hold it open, so that fallbacks answer and it can recover. (The answer \
             says how to undo it. If the guard has another name, a 404 lists all guards.)",
            run::control(guard, "open?for=15m&why=dependency+down"),
        ),
        ("It works, and the breaker is wrong: let calls through.", run::control(guard, "close?for=15m&why=dependency+is+well")),
    ]);
}

fn slow(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    page.subsection("Dependency or service slow");
    let slowest =
        slo.objectives().iter().filter(|objective| objective.threshold().is_some()).max_by_key(|o| o.threshold());
    let promised = slowest.map_or_else(
        || "Nothing is promised about time here, so slow calls are bad only once they time out.".to_owned(),
        |objective| {
            let threshold = objective.threshold().unwrap_or(Duration::ZERO);
            format!("Calls may take {} ({}).", in_words(threshold), markdown(objective.name()))
        },
    );
    page.block(&format!(
        "{promised} If one instance is slow: a bad node. If all are: a dependency, a lock, or too much to do."
    ));
    page.promql(&run::quantile(slo.name(), slowest.map_or(0.99, quantile)));
    page.block(
        "One instance: delete its pod. All, and a dependency is slow, too: hold its breaker open, as above. All, and the CPU is at its \
         limit (`kubectl top pods`): [Overload](#overload).",
    );
}

/// The quantile that the target is about.
fn quantile(objective: &Objective) -> f64 {
    objective.slices().map_or(objective.target(), |(_, each)| each).as_ratio()
}

fn overload(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    page.subsection("Overload");
    page.block(
        "First saturation: over 1, a guard is asked for more than it can let in. Then calls now over calls a week ago: 1 is as many.",
    );
    page.sh(&[run::ask(&run::saturation(slo.name())), run::ask(&run::traffic(slo.name()))]);
    page.choices(&[
        (
            "Shed what can wait (`below=critical` sheds more):",
            run::control(slo.name(), "shed?below=default&for=15m&why=overload"),
        ),
        (ADD_PODS, vec![scale(about)]),
    ]);
}

/// What is said of [`scale`].
pub(super) const ADD_PODS: &str = "Add pods: more than run now, in place of `8`, and set it back when it is over (with KEDA, \
    `minReplicaCount` of the ScaledObject instead). Each takes a while to start and to warm up:";

/// More pods, with the autoscaler: it would take them away again otherwise.
pub(super) fn scale(about: &About<'_>) -> String {
    run::kubectl(
        about.kit,
        &format!("patch hpa {} --type=merge -p '{{\"spec\":{{\"minReplicas\":8}}}}'", about.deployment()),
    )
}

/// Back to what ran before.
pub(super) fn undo(about: &About<'_>) -> String {
    run::kubectl(about.kit, &format!("rollout undo deployment/{}", about.deployment()))
}

fn deploy(page: &mut Page, about: &About<'_>) {
    let (kit, deployment) = (about.kit, about.deployment());
    page.subsection("Bad deploy");
    page.block(
        "It began within minutes of a rollout, and new pods are worse than old ones. Configuration and flags are deploys, too. Roll \
         back first, ask why afterwards.",
    );
    page.promql(&run::bad_by_instance(about.slo().name()));
    page.sh(&[undo(about), run::kubectl(kit, &format!("rollout status deployment/{deployment} --timeout=5m"))]);
}

fn names(page: &mut Page, about: &About<'_>) {
    page.subsection("Certificate or DNS");
    page.block(
        "No answer came at all, and logs speak of resolving, handshakes or expiry. Set `HOST` to the host that is called. An \
         expired certificate: renew it, then restart what loads it at start only. A name that does not resolve: the cluster's DNS, \
         or a change of the zone; hold the breaker open, so that callers need not wait.",
    );
    page.sh(&[
        run::kubectl(about.kit, &format!("logs deployment/{} --since=15m --tail=200", about.deployment())),
        "HOST=${HOST:-localhost}".to_owned(),
        "getent hosts \"$HOST\"".to_owned(),
        "echo | openssl s_client -connect \"$HOST:443\" -servername \"$HOST\" 2>&1 | openssl x509 -noout -dates"
            .to_owned(),
    ]);
}

fn tenant(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    page.subsection("Noisy tenant");
    page.block(
        "Only one tenant calls more than usual: the access log says which. With a keyed guard, the status page names the keys whose \
         breaker is open. Limit that tenant at the edge, or mark its calls `sheddable` where they come in.",
    );
    page.promql(&run::unwell_keys(slo.name()));
}

fn false_alarm(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    page.subsection("False alarm");
    let window =
        about.subject.windows().last().copied().unwrap_or(Duration::from_secs(3_600)).min(Duration::from_secs(3_600));
    page.block(&format!(
        "Very few events (an alert here needs {}), or bad ones that harm nobody: a probe, a load test, a client's \
         own mistakes. Silence {} for hours, not days, and write down what to change: target, accounting or `min_events`.",
        slo.least_events(),
        super::Alarm::BudgetBurn.name()
    ));
    page.promql(&run::events(slo.name(), window));
}
