//! The story of an incident, as it is pasted into a post-mortem.

use plimsoll::{Breaker, BudgetPolicy, Guard, ManualClock, Plimsoll, Slo, ops};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn payments(target: f64) -> Slo {
    let policy = BudgetPolicy::default().under(50.0, "freeze *feature* releases").postmortem_over(2.0);
    Slo::new("payments").success(target).over_days(30).budget_policy(policy)
}

struct Rig {
    clock: ManualClock,
    plimsoll: Plimsoll,
    guard: Guard,
}

fn rig(slo: Slo) -> Rig {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(slo).unwrap();
    let guard = slo.guard().breaker(Breaker::default().jitter(0.0)).build().unwrap();
    Rig { clock, plimsoll, guard }
}

impl Rig {
    /// So many seconds of ten calls each, good or bad.
    fn calls(&self, seconds: u64, good: bool) {
        for _ in 0..seconds {
            for _ in 0..10 {
                if let Ok(permit) = self.guard.admit() {
                    if good { permit.success() } else { permit.failure() }
                }
                self.clock.advance(Duration::from_millis(100));
            }
            self.plimsoll.tick();
        }
    }

    fn timeline(&self, since: Duration) -> String {
        ops::timeline(&self.plimsoll, since)
    }
}

#[track_caller]
fn says(page: &str, words: &str) {
    assert!(page.contains(words), "no {words:?} in\n{page}");
}

/// Two minutes of outage, from the first sign to the last alert that pages, with an operator who helps.
#[test]
fn an_incident_is_told_from_its_first_sign_to_its_end() {
    let rig = rig(payments(99.9));
    rig.calls(2 * 3_600, true);
    rig.calls(120, false);
    rig.guard.force_open();
    rig.calls(180, true);
    rig.guard.auto();
    rig.calls(3_600, true);
    rig.plimsoll.reload([payments(99.5)]).unwrap();
    assert_eq!(rig.timeline(2 * HOUR), include_str!("golden/timeline.md"));
    // Without what came before it.
    says(&rig.timeline(10 * HOUR), "2025-12-31 17:05 to 2026-01-01 03:05 UTC");
    assert_eq!(rig.timeline(HOUR / 2).lines().filter(|line| line.starts_with("| 2026")).count(), 2);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn what_ends_by_itself_is_no_act_of_an_operator() {
    use crate::ops::routes::ask;
    use axum::http::{Method, StatusCode};
    let rig = rig(payments(99.9));
    let path = "/control/guards/payments/shed?below=default&for=4m";
    let answer = ask(&ops::control(&rig.plimsoll), Method::POST, path, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    rig.calls(200, true);
    rig.calls(120, false);
    let page = rig.timeline(HOUR);
    says(&page, "time that an operator had set is over");
    let mitigated: Vec<&str> = page.lines().filter(|line| line.contains("**Mitigated**")).collect();
    assert_eq!(mitigated.len(), 1, "a breaker opened, and nobody acted: {page}");
}

#[test]
fn an_incident_that_began_before_is_told_from_its_beginning() {
    let rig = rig(payments(99.9));
    rig.calls(600, true);
    rig.calls(60, false);
    let whole = rig.timeline(HOUR);
    says(&whole, "- **Ended**: not yet\n- **Not over**: alert P0 payments/success over 1 h (firing), alert");
    rig.calls(300, true);
    // From the middle of it: it is the same incident, and the table is shorter.
    let page = rig.timeline(Duration::from_secs(310));
    let list =
        |page: &str, n| page.lines().filter(|line| line.starts_with("- ")).take(n).collect::<Vec<_>>().join("\n");
    assert_eq!(list(&page, 3), list(&whole, 3));
    says(&page, "- **Began**: 2026-01-01 00:10:01 UTC, by the first sign");
    assert!(!page.contains("\n| 2026-01-01 00:10:0"), "{page}");
    // When all that pages is over, what happened before is another incident, though a ticket is open still.
    rig.calls(7_200, true);
    let calm = rig.timeline(Duration::from_secs(600));
    assert!(!calm.contains("Began"), "{calm}");
    rig.calls(60, false);
    says(&rig.timeline(Duration::from_secs(600)), "- **Began**: 2026-01-01 02:16:01 UTC");
}

/// Where the log was too short to hold its beginning.
#[test]
fn an_incident_whose_beginning_was_dropped_began_before() {
    let rig = rig(payments(99.9));
    rig.calls(10, true);
    rig.calls(30, false);
    let number = rig.plimsoll.events().last().unwrap().number;
    let tenants = rig.plimsoll.slo("payments").unwrap().guard().named("other").breaker(Breaker::default());
    let other = tenants.build().unwrap();
    for _ in number..1_024 {
        other.auto();
    }
    while rig.guard.state() != plimsoll::State::Closed {
        rig.calls(1, true);
    }
    rig.calls(3_600, true);
    let page = rig.timeline(2 * HOUR);
    says(&page, "**Older events were dropped**");
    says(&page, "- **Began**: before 2026-01-01 00:0");
    says(&page, "- **Lasted**: over ");
}

#[test]
fn where_nothing_went_wrong_nothing_is_made_up() {
    let rig = rig(Slo::new("payments").success(90.0).reachable_alerts());
    rig.calls(60, true);
    assert_eq!(
        rig.timeline(HOUR),
        "# What happened, 2025-12-31 23:01 to 2026-01-01 00:01 UTC\n\n\
         As one process saw it; other instances have a log of their own.\n\n\
         No objective spent any of its error budget.\n\n\
         Nothing happened: no alert, no breaker, no operator.\n"
    );
    // Somebody who tries the switches out makes no incident.
    rig.guard.force_open();
    rig.guard.auto();
    rig.calls(60, true);
    let page = rig.timeline(HOUR);
    assert!(!page.contains("Began"), "{page}");
    says(&page, "| 2026-01-01 00:01:00 | 0 s | operator: breaker payments was forced open |");
    // All the time there is.
    says(&rig.timeline(Duration::MAX), "forced open");
}

#[test]
fn a_log_that_does_not_reach_back_says_so() {
    let rig = rig(payments(99.9));
    for _ in 0..600 {
        rig.guard.force_open();
        rig.guard.force_closed();
        rig.clock.advance(Duration::from_secs(1));
    }
    says(&rig.timeline(HOUR), "\n**Older events were dropped**: the log begins at 2026-01-01 00:05:44 UTC.\n");
    let page = rig.timeline(Duration::from_secs(60));
    assert!(!page.contains("dropped") && page.contains("forced closed"), "{page}");
}

/// What a reader sees: the text of each cell, and whether anything but a list and tables is there.
fn rendered(page: &str) -> (Vec<String>, Vec<String>) {
    let (mut cells, mut odd, mut cell) = (Vec::new(), Vec::new(), None::<String>);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH;
    for event in Parser::new_ext(page, options) {
        match event {
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => cells.extend(cell.take()),
            Event::Text(text) => cell.iter_mut().for_each(|cell| cell.push_str(&text)),
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::List(_)
                | Tag::Item
                | Tag::Strong
                | Tag::Table(_)
                | Tag::TableHead
                | Tag::TableRow,
            )
            | Event::End(_)
            | Event::SoftBreak => {}
            other => odd.push(format!("{other:?}")),
        }
    }
    (cells, odd)
}

#[test]
fn no_name_breaks_out_of_its_cell() {
    for name in [
        "a | b | c",
        "\"quoted\" 'twice' \\| back\\slash\\",
        "<script>alert(1)</script> &lt;b&gt; &#124;",
        "`code` **bold** *it* _it_ __b__ ~~gone~~ snake_case _",
        "[a](http://x) ![i](u) [r]: http://x {{ 7*7 }} {% x %} $x^2$",
        "# - + 1. > Zürich 東京 \u{202e}rtl\u{2028}next\u{2029}end\u{a0}x",
    ] {
        let slo = Slo::new(name).success(99.9).owner(name);
        let rig = rig(slo.budget_policy(BudgetPolicy::default().when_exhausted(name)));
        rig.calls(10, true);
        rig.calls(30, false);
        rig.plimsoll.reload([Slo::new(name).success(99.0).owner("x|y\\")]).unwrap();
        rig.plimsoll.reload([Slo::new(name).success(99.0).over_days(1).owner(name)]).unwrap_err();
        let (cells, odd) = rendered(&rig.timeline(HOUR));
        assert!(odd.is_empty(), "{name}: {odd:?}");
        let plain = name.replace(['\u{2028}', '\u{2029}'], " ");
        for begins in [
            format!("breaker {plain}: closed → open: "),
            format!("alert P0 {plain}/success firing: "),
            format!("{plain} / success"),
            format!("SLO {plain} reloaded: "),
            "reload refused, nothing changed: ".to_owned(),
        ] {
            assert!(cells.iter().any(|cell| cell.starts_with(&begins)), "no cell begins with {begins:?}: {cells:#?}");
        }
        // Three to a row in the one table, five in the other.
        let events = rig.plimsoll.events().len();
        assert_eq!(cells.len(), 2 * 5 + (1 + events) * 3, "{cells:#?}");
    }
}
