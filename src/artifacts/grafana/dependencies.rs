//! Whose fault it is: which guard refuses, and which service in a chain is slow.

use super::model::{Dashboard, Panel, jobs_and_instances, shown};
use super::objective::recent;
use super::query::{INSTANCE, JOB, Of, RATE, guard, is, is_not};
use super::{annotations, links, number, uid};
use crate::artifacts::Subject;
use crate::artifacts::text::duration;
use crate::names::{self, label, recorded as series};
use crate::slo::{Objective, Slo};
use serde_json::json;

pub(super) fn dashboard(subjects: &[Subject<'_>]) -> Dashboard {
    let of = Of::any(subjects.iter().map(|subject| subject.slo.name()));
    let mut panels = vec![Panel::row("Guards: which of them costs the budget"), refused(&of)];
    panels.extend(cost(subjects));
    panels.push(failed(&of));
    for chain in chains(subjects) {
        panels.extend(chain.panels());
    }
    Dashboard {
        uid: uid(Subject::DEPENDENCIES),
        title: "SLOs: dependencies".to_owned(),
        description: "Which outbound guard costs the budget, and which service in a chain is slow.".to_owned(),
        variables: jobs_and_instances(|more| of.choice(more)),
        annotations: annotations(&of),
        links: links(Subject::DEPENDENCIES),
        panels,
    }
}

/// A guard's series with the name of the SLO that it counts for.
fn with_slo(expr: &str, of: &Of) -> String {
    format!("{expr} * on ({JOB}, {INSTANCE}, {}) group_left (slo) {}", label::GUARD, of.series(names::GUARD_INFO, &[]))
}

fn refused(of: &Of) -> Panel {
    let increase = format!("increase({}[$__range])", guard(names::REJECTIONS, &[]));
    let by = [label::SLO, label::GUARD, label::REASON].join(", ");
    let description = "Calls refused in the time range of the dashboard, most first. Open, probing, ramping: by a \
                       breaker, because what is behind the guard fails. Limit, queue, pressure, deadline: by a \
                       limiter, because more is asked than can be done.";
    Panel::table("Calls refused", description)
        .size(8, 9)
        .now(format!("sum by ({by}) ({}) > 0", with_slo(&increase, of)), "")
        .transformed(json!([{"id": "organize", "options": {
            "excludeByName": {"Time": true},
            "indexByName": {"slo": 0, "guard": 1, "reason": 2, "Value": 3},
            "renameByName": {"slo": "SLO", "guard": "Guard", "reason": "Reason", "Value": "Calls"},
        }}]))
        .option("sortBy", json!([{"displayName": "Calls", "desc": true}]))
        .unit("short")
        .decimals(0)
}

/// The objective whose budget a refused call takes most of.
fn strictest(slo: &Slo) -> Option<&Objective> {
    let failing = slo.objectives().iter().filter(|objective| objective.counts_failures());
    failing.min_by_key(|objective| objective.target().budget_parts())
}

/// None where no objective minds a failure.
fn cost(subjects: &[Subject<'_>]) -> Option<Panel> {
    let description = "What the refusals of each guard alone do to the burn rate of its SLO, by the strictest \
                       objective: 1 spends the budget exactly over the period. Where a fallback answers instead, \
                       the budget is spared; the panel to the right says what really ended badly. Start with what \
                       is behind the largest.";
    let mut panel =
        Panel::graph("Burn rate by refusals", description).size(8, 9).unit("none").min(0.0).stacked().quiet();
    let minding: Vec<_> = subjects.iter().filter_map(|subject| Some((subject, strictest(subject.slo)?))).collect();
    for (subject, objective) in &minding {
        let of = Of::slo(subject.slo.name());
        // What fallbacks were not asked is counted beside the refusal itself.
        let refused =
            format!("rate({}[{RATE}])", guard(names::REJECTIONS, &[is_not(label::REASON, &["fallback_limit"])]));
        let refused = format!("sum by (slo, {}) ({})", label::GUARD, with_slo(&refused, &of));
        let all = format!("sum by (slo) ({})", of.rate(names::OUTCOMES, &[]));
        let expr = format!("{refused} / on (slo) group_left () {all} / {}", number(objective.target().budget()));
        panel = panel.query(expr, format!("{{{{slo}}}} by {{{{{}}}}}", label::GUARD));
    }
    (!minding.is_empty()).then_some(panel)
}

fn failed(of: &Of) -> Panel {
    let (slo, outcome) = (label::SLO, label::OUTCOME);
    let some = of.rate(names::OUTCOMES, &[is_not(outcome, &["success", "slow"])]);
    let all = of.rate(names::OUTCOMES, &[]);
    let description = "The share of each SLO's calls that did not succeed, by outcome. Transport failures and \
                       time-outs: the network, or nobody is listening. Failures: the other side answers with \
                       errors. Rejected and shed: refused by its own guards.";
    Panel::graph("Calls that did not succeed", description)
        .size(8, 9)
        .query(
            format!("sum by ({slo}, {outcome}) ({some}) / on ({slo}) group_left () sum by ({slo}) ({all}) > 0"),
            format!("{{{{{slo}}}}}: {{{{{outcome}}}}}"),
        )
        .unit("percentunit")
        .min(0.0)
        .max(1.0)
        .custom("fillOpacity", json!(0))
}

/// An SLO that depends on others, and all that it depends on in turn.
#[derive(Debug)]
struct Chain<'a> {
    root: &'a Slo,
    /// By name, from the root down, with what each of them calls in turn; what is declared elsewhere is taken to call
    /// nothing.
    links: Vec<(&'a str, Vec<&'a str>)>,
}

/// A chain for each SLO that depends on others and that no other depends on; where they go round in a circle, from the
/// first of it.
fn chains<'a>(subjects: &'a [Subject<'a>]) -> Vec<Chain<'a>> {
    let slos: Vec<&Slo> = subjects.iter().map(|subject| subject.slo).collect();
    let called =
        |name: &str| slos.iter().any(|slo| slo.name() != name && slo.dependencies().any(|other| other == name));
    let (tops, rest): (Vec<&Slo>, Vec<&Slo>) = slos.iter().partition(|slo| !called(slo.name()));
    let mut chains: Vec<Chain<'_>> = Vec::new();
    for root in tops.into_iter().chain(rest) {
        let is_shown = chains.iter().any(|chain| chain.names().any(|name| name == root.name()));
        if !is_shown && root.dependencies().any(|name| name != root.name()) {
            chains.push(Chain::from(root, &slos));
        }
    }
    chains
}

impl<'a> Chain<'a> {
    fn from(root: &'a Slo, slos: &[&'a Slo]) -> Self {
        let mut links: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut next = vec![root.name()];
        while let Some(name) = next.pop() {
            if links.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let slo = slos.iter().find(|slo| slo.name() == name);
            let mut calls: Vec<&str> = slo.into_iter().flat_map(|slo| slo.dependencies()).collect();
            calls.retain(|other| *other != name);
            calls.dedup();
            next.extend(calls.iter().rev());
            links.push((name, calls));
        }
        Self { root, links }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.links.iter().map(|(name, _)| *name)
    }

    fn panels(&self) -> Vec<Panel> {
        let path: Vec<&str> = self.names().collect();
        let mut panels = vec![
            Panel::row(format!("Which is slow: {}", shown(&path.join(" → ")))),
            self.latency(),
            self.own_time(),
            self.share(),
        ];
        panels.extend(self.burn());
        panels
    }

    fn latency(&self) -> Panel {
        let buckets = Of::any(self.names()).rate(&format!("{}_bucket", names::DURATION), &[]);
        let description = "The latency that 99 % of calls stay within, for each service in the chain. The lowest \
                           service that rose is the slow one; those above it wait for it.";
        Panel::graph("p99 of each", description)
            .size(6, 9)
            .query(format!("histogram_quantile(0.99, sum by (slo, le) ({buckets}))"), "{{slo}}")
            .unit("s")
            .min(0.0)
            .custom("fillOpacity", json!(0))
    }

    fn own_time(&self) -> Panel {
        let spent = |name: &str| format!("sum({})", Of::slo(name).rate(&format!("{}_sum", names::DURATION), &[]));
        let calls = format!("sum({})", Of::slo(self.root.name()).rate(&format!("{}_count", names::DURATION), &[]));
        let description = "The mean time of a call at the top of the chain, by where it is spent: what each service \
                           takes itself, without what it waits for. The thickest band is the one to make faster. It \
                           adds up if calls run one after the other and come from this chain alone.";
        let panel = Panel::graph("Where the time of a call goes", description).size(6, 9).unit("s").min(0.0).stacked();
        self.links.iter().fold(panel, |panel, (name, calls_on)| {
            let own: Vec<String> = [*name].iter().chain(calls_on).map(|name| spent(name)).collect();
            panel.query(format!("clamp_min({}, 0) / {calls}", own.join(" - ")), shown(name))
        })
    }

    fn share(&self) -> Panel {
        let spent = |name: &str| format!("sum({})", Of::slo(name).rate(&format!("{}_sum", names::DURATION), &[]));
        let description = "How much of the caller's time is spent in what it calls. Near 100 %, the caller only \
                           waits: it is not the one to make faster. Over 100 %: it calls side by side, or others \
                           call as well.";
        let panel = Panel::graph("Share of the caller's time", description).size(6, 9).unit("percentunit").min(0.0);
        let panel = panel.custom("axisSoftMax", json!(1.0)).custom("fillOpacity", json!(0));
        let edges = self.links.iter().flat_map(|(caller, calls)| calls.iter().map(move |callee| (caller, callee)));
        edges.fold(panel, |panel, (caller, callee)| {
            panel.query(
                format!("{} / {}", spent(callee), spent(caller)),
                format!("{} → {}", shown(caller), shown(callee)),
            )
        })
    }

    /// Over the window of the one at the top.
    fn burn(&self) -> Option<Panel> {
        let window = duration(recent(self.root)?);
        let expr = Of::any(self.names()).series(series::BURN_RATE, &[is(label::WINDOW, &window)]);
        let description = "How fast each budget goes. If the lowest service in the chain burns together with those \
                           above it, start there: the alerts of those that depend on it are muted while it pages.";
        let panel = Panel::graph(format!("Burn rate over {window}"), description)
            .size(6, 9)
            .query(format!("max by (slo) ({expr})"), "{{slo}}")
            .unit("none")
            .min(0.0)
            .custom("fillOpacity", json!(0))
            .lines(&[(1.0, "yellow")]);
        Some(panel)
    }
}
