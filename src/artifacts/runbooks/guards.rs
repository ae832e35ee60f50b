//! A guard refuses calls: its breaker is open, or its limiter sheds.

use super::super::Alarm;
use super::super::commands as run;
use super::super::page::Page;
use super::super::text::markdown;
use super::causes;
use super::frame::{About, SHED_OVER};

/// Lines of a table of causes.
pub(super) fn row(seen: &str, is: &str, act: &str) -> [String; 3] {
    [seen.to_owned(), is.to_owned(), act.to_owned()]
}

/// The heads of a table of causes.
pub(super) const CAUSES: [&str; 3] = ["What you see", "It is", "Do"];

pub(super) fn breaker(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(
        page,
        Alarm::BreakerOpen,
        &format!(
            "A breaker whose calls count for {} was open, or held open by hand, for at least half of the last {}: the alert's \
             label `guard` names it. Its calls are refused; if there is a fallback, that answers. The trouble is not the breaker but what \
             it guards. It closes by itself once its probes succeed.",
            about.name(),
            about.lasting(Alarm::BreakerOpen)
        ),
    );
    about.first(
        page,
        &[
            ("Which breaker, and on which instances", run::ask(&run::open_breakers(slo.name()))),
            ("What it saw when it decided, in words", run::status(slo.name())),
            ("Whether it trips again and again, and who forced what", run::timeline("2h")),
            ("Every guard, and the lines that change it", run::guards()),
        ],
    );
    page.table(
        CAUSES,
        &[
            row(
                "all instances, failures; probes fail",
                &format!("down: {}", causes::dependency_row(about)),
                "call its owner; see that fallbacks answer; leave the breaker as it is",
            ),
            row(
                "all instances, slow ratio or age in flight in the explanation",
                "a slow dependency",
                "the same; retries off",
            ),
            row(
                "it closes, ramps, and opens again",
                "an overloaded dependency",
                "hold it open for 15 minutes, so that it can recover",
            ),
            row("since a rollout, of either side", "bad deploy", "roll back that side"),
            row(
                "`failure_transport` alone; logs speak of names or handshakes",
                "certificate or DNS",
                "renew it; fix the zone; restart",
            ),
            row("one instance alone", "a bad node, or its network", "delete that pod"),
            row(
                "only some keys of a keyed guard",
                "noisy or broken tenant",
                "limit that tenant; others are not affected",
            ),
            row(
                "everybody else reaches the dependency",
                "false alarm",
                "`close` it for 15 minutes, watch, then `auto`",
            ),
            row("`forced_open`", "somebody holds it", "the timeline says who and why; `auto` ends it"),
        ],
    );
    page.section("Look closer");
    page.block("Why calls are refused, and how they end instead; `degraded` is what fallbacks answer:");
    page.promql(&run::refusals(slo.name()));
    page.promql(&run::outcomes(slo.name()));
    page.section("Change it");
    page.block(&format!(
        "Set `GUARD` to the alert's label `guard` if it is not {}. Each instance decides for itself, so all are told; after `for` the breaker decides again.",
        markdown(slo.name())
    ));
    let guard = slo.name();
    page.choices(&[
        (
            "Refuse every call, so that what is behind it can recover (fallbacks answer, if there are any):",
            run::control(guard, "open?for=15m&why=let+it+recover"),
        ),
        ("Let every call through, whatever happens:", run::control(guard, "close?for=15m&why=dependency+is+well")),
        ("Give the decision back to the breaker:", run::control(guard, "auto")),
        ("Roll this service back:", vec![causes::undo(about)]),
    ]);
    about.escalate(page, Alarm::BreakerOpen, "nothing answers in its place");
    about.over(
        page,
        Alarm::BreakerOpen,
        "The state is `closed` on every instance: after `open` come `half_open` (probes), then `ramping`",
    );
    about.afterwards(page);
}

pub(super) fn shedding(page: &mut Page, about: &About<'_>) {
    let slo = about.slo();
    about.lead(
        page,
        Alarm::Shedding,
        &format!(
            "For {}, over {} of the calls of {} have been shed at one guard: refused early, so that the rest are answered in time. The \
             least important go first. This protects the service, but users see refusals: there is too little capacity, or too \
             much demand.",
            about.lasting(Alarm::Shedding),
            SHED_OVER,
            about.name()
        ),
    );
    about.first(
        page,
        &[
            (
                "Saturation of each guard: over 1, more is asked than it can let in",
                run::ask(&run::saturation(slo.name())),
            ),
            ("Who is shed: critical calls are the ones that hurt", run::ask(&run::sheds(slo.name()))),
            ("Calls now over calls a week ago: 1 is as many", run::ask(&run::traffic(slo.name()))),
            (
                "Pods: number, restarts, readiness",
                run::kubectl(about.kit, &format!("get pods,hpa -l app.kubernetes.io/name={}", about.deployment())),
            ),
            ("What the limiter does, and whether one is forced", run::status(slo.name())),
        ],
    );
    page.table(
        CAUSES,
        &[
            row("many more calls than a week ago", "overload", "add pods; shed what can wait"),
            row(
                "as many calls, but they take longer",
                &format!("slow: the service, or {}", causes::dependency_row(about)),
                "find what is slow; hold its breaker open",
            ),
            row(
                "fewer pods than usual, or none can be placed",
                "too little capacity",
                "events of the pods; a quota; a node that is full",
            ),
            row("since a rollout", "bad deploy: slower code", "roll back"),
            row("retries of callers after an outage", "a storm of retries", "shed below critical until it is through"),
            row("one caller has most of it", "noisy tenant", "limit it at the edge; mark its calls sheddable"),
            row("calls wait for a name or a connection", "certificate or DNS", "see the logs; renew; fix the zone"),
            row(
                "saturation under 1, latencies fine",
                "false alarm: a fixed limit that is too low, or a warm-up",
                "`/readyz` says whether it warms up; raise the limit",
            ),
            row("status says it is forced", "somebody sheds by hand", "the timeline says who; `below=none` ends it"),
        ],
    );
    page.section("Look closer");
    page.block("How long calls take, by instance, and why calls are refused:");
    page.promql(&run::quantile(slo.name(), 0.99));
    page.promql(&run::refusals(slo.name()));
    page.section("Change it");
    page.choices(&[
        (causes::ADD_PODS, vec![causes::scale(about)]),
        (
            "Shed calls below default priority, so that the rest are quick (`below=critical` lets only critical calls in):",
            run::control(slo.name(), "shed?below=default&for=15m&why=overload"),
        ),
        ("Stop shedding by hand:", run::control(slo.name(), "shed?below=none")),
        ("Roll back:", vec![causes::undo(about)]),
    ]);
    about.escalate(page, Alarm::Shedding, "critical calls are shed");
    about.over(page, Alarm::Shedding, "Saturation is under 1 and nothing is shed by hand");
    about.afterwards(page);
}
