//! Any declaration that works: what properties of files are tried on.

use plimsoll::{Accounting, AlertWindow, BudgetPolicy, Objective, Outcome, Severity, Slo, Verdict};
use proptest::prelude::*;
use std::time::Duration;

/// A text that could end a quotation, a document or a line in some format, or that a format takes for something else.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "no",
        "null",
        "~",
        "12",
        "1e3",
        "0x1f",
        ".nan",
        "true",
        "2024-01-01",
        "- a",
        "a: b",
        "#",
        "{{ a }}",
        "\"",
        "'",
        "a'b\"c",
        "\\",
        "|",
        "> x",
        "*a",
        "&a",
        "!a",
        "%",
        "@",
        "`",
        "[",
        "]]",
        "{",
        "}",
        ",",
        "---",
        "...",
        "?",
        "=",
        "<<",
        "a #b",
        "Kasse – 1",
        "✓",
        "\u{200b}x",
        "\u{1F600}",
        "\\u0041",
        "é",
        "a\u{2028}b",
        "\u{feff}x",
    ]);
    let free = "[ -~äß€]{1,24}";
    prop_oneof![2 => "[a-z][a-z0-9-]{0,12}", 1 => odd.prop_map(str::to_owned), 1 => free]
        .prop_filter("names are no blanks", |text| !text.trim().is_empty())
}

fn percent() -> impl Strategy<Value = f64> {
    let usual = prop::sample::select(vec![99.9, 99.95, 99.99, 99.999, 99.0, 95.0, 90.0, 99.9999999, 33.3333333]);
    let any = (1_u64..1_000_000_000).prop_map(|parts| parts as f64 / 1e7);
    prop_oneof![usual, any]
}

fn threshold() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1_u64..60_000).prop_map(Duration::from_millis),
        (1_000_u64..60_000_000_000).prop_map(Duration::from_nanos)
    ]
}

fn objective() -> impl Strategy<Value = Objective> {
    let parts =
        (percent(), any_text(), prop::option::of(threshold()), any::<bool>(), prop::option::of((1_u64..6, percent())));
    parts.prop_map(|(percent, name, threshold, alone, slices)| {
        let mut objective = match threshold {
            Some(threshold) if alone => Objective::latency(percent, threshold).of_successes(),
            Some(threshold) => Objective::latency(percent, threshold),
            None => Objective::success(percent),
        };
        if let Some((half_minutes, good)) = slices {
            objective = objective.timeslices(Duration::from_secs(30 * half_minutes), good);
        }
        objective.named(name)
    })
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(Severity::ALL.to_vec())
}

fn alert() -> impl Strategy<Value = AlertWindow> {
    (severity(), 1_u64..2_880, 2_u64..48, 1_u64..30_000_000, 0_u64..7_200).prop_map(
        |(severity, short, times, micros, held)| {
            let short = Duration::from_secs(60 * short);
            let window = AlertWindow::new(severity, short * u32::try_from(times).unwrap(), short, micros as f64 / 1e6);
            window.held_for(Duration::from_secs(held))
        },
    )
}

fn accounting() -> impl Strategy<Value = Accounting> {
    let verdict = || prop::sample::select(Verdict::ALL.to_vec());
    let changes = prop::collection::vec((prop::sample::select(Outcome::ALL.to_vec()), verdict()), 0..4);
    (changes, prop::option::of(verdict())).prop_map(|(changes, late)| {
        let all = changes.into_iter().fold(Accounting::sli(), |all, (outcome, verdict)| all.with(outcome, verdict));
        late.map_or(all, |verdict| all.with_late_abandoned(verdict))
    })
}

fn policy() -> impl Strategy<Value = BudgetPolicy> {
    let percent = || (1_u32..=10_000).prop_map(|n| f64::from(n) / 100.0);
    let parts = (
        prop::collection::vec((percent(), any_text()), 0..3),
        prop::option::of(percent()),
        prop::option::of(any_text()),
    );
    parts.prop_map(|(steps, postmortem, exhausted)| {
        let policy =
            steps.into_iter().fold(BudgetPolicy::default(), |policy, (percent, action)| policy.under(percent, action));
        let policy = postmortem.into_iter().fold(policy, BudgetPolicy::postmortem_over);
        exhausted.into_iter().fold(policy, BudgetPolicy::when_exhausted)
    })
}

/// Any declaration that is accepted.
pub(crate) fn any_slo() -> impl Strategy<Value = Slo> {
    let optional = || prop::option::of(any_text());
    let names = (any_text(), optional(), optional(), optional(), optional());
    let period = prop_oneof![
        3 => (1_u64..366).prop_map(|days| Some(Duration::from_secs(days * 86_400))),
        1 => (60_u64..10_000_000).prop_map(|seconds| Some(Duration::from_secs(seconds))),
        1 => Just(None),
    ];
    let rest = (severity(), 1_u64..1_000, prop::option::weighted(0.2, 1_u64..120_000), prop::bool::weighted(0.7));
    let alerts =
        (prop::option::weighted(0.4, prop::collection::vec(alert(), 0..4)), prop::collection::vec(alert(), 0..2));
    (
        names,
        period,
        rest,
        prop::collection::vec(objective(), 1..4),
        alerts,
        prop::option::of(accounting()),
        prop::option::of(policy()),
    )
        .prop_map(|(names, period, rest, objectives, alerts, accounting, policy)| {
            let (name, service, owner, runbook, dependency) = names;
            let (severity, least, scrape, reachable) = rest;
            let mut slo = Slo::new(name).severity(severity).min_events(least);
            slo = match period {
                Some(period) => slo.over(period),
                None => slo.over_calendar_month(),
            };
            slo = service.into_iter().fold(slo, Slo::service);
            slo = owner.into_iter().fold(slo, Slo::owner);
            slo = runbook.into_iter().fold(slo, Slo::runbook);
            slo = dependency.into_iter().fold(slo, Slo::depends_on);
            slo = scrape.map(Duration::from_millis).into_iter().fold(slo, Slo::scrape_interval);
            slo = objectives.into_iter().fold(slo, Slo::objective);
            slo = alerts.0.into_iter().fold(slo, Slo::alerts);
            slo = alerts.1.into_iter().fold(slo, Slo::alert);
            slo = accounting.into_iter().fold(slo, Slo::accounting);
            slo = policy.into_iter().fold(slo, Slo::budget_policy);
            if reachable { slo.reachable_alerts() } else { slo }
        })
        .prop_filter("refused", |slo| slo.validate().is_ok())
}
