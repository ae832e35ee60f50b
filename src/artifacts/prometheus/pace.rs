//! How often rules are evaluated.

use crate::artifacts::Subject;
use crate::slo::{AlertWindow, Objective};
use std::time::Duration;

/// Intervals that divide minutes, hours and days, in milliseconds.
const ROUND: [u64; 18] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 240_000];
/// How many evaluations there are in a short window, at least.
const IN_SHORT_WINDOW: u32 = 20;
/// How many steps a period is summed from, at least.
const IN_PERIOD: u32 = 288;
/// Prometheus forgets a sample after five minutes: what reads a series of the evaluation before must come sooner.
pub(super) const LONGEST: Duration = Duration::from_secs(240);
/// The step of a period of days.
const LONGEST_STEP: Duration = Duration::from_secs(300);
/// For how long a series that went away is still the same one when it comes back.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// How often an alert is judged: a twentieth of its short window, and no more often than there are new samples.
pub(super) fn of_pair(subject: &Subject<'_>, pair: &AlertWindow) -> Duration {
    round(pair.short() / IN_SHORT_WINDOW).max(scrape(subject)).min(LONGEST)
}

/// How often what concerns no window is looked at.
pub(super) fn of_watch(subject: &Subject<'_>) -> Duration {
    scrape(subject).clamp(Duration::from_secs(1), LONGEST)
}

/// The step that the period is summed from: 5 minutes for a day and longer.
pub(super) fn of_period(subject: &Subject<'_>) -> Duration {
    let step = subject.slo.period().nominal() / IN_PERIOD;
    if step >= LONGEST_STEP { LONGEST_STEP } else { round(step).max(scrape(subject)).min(LONGEST_STEP) }
}

/// The step of one objective: a slice of time where it judges those.
pub(super) fn of_objective(subject: &Subject<'_>, objective: &Objective) -> Duration {
    objective.slices().map_or_else(|| of_period(subject), |(slice, _)| whole(slice))
}

/// How finely counters are looked at within a step: at every scrape. Prometheus looks at whole multiples of it since 1970, each
/// of which is in one step, whatever the step is.
pub(super) fn within(subject: &Subject<'_>, step: Duration) -> Duration {
    scrape(subject).min(step)
}

/// How far back the sample before is looked for.
pub(super) fn remembered(subject: &Subject<'_>) -> Duration {
    REMEMBERED.max(scrape(subject).saturating_mul(10))
}

/// For how long something must be so that it is no accident: `usual`, or some scrapes.
pub(super) fn at_least(subject: &Subject<'_>, scrapes: u32, usual: Duration) -> Duration {
    usual.max(scrape(subject).saturating_mul(scrapes))
}

/// How often it is scraped, in whole milliseconds.
pub(super) fn scrape(subject: &Subject<'_>) -> Duration {
    whole(subject.slo.scraped_every())
}

fn whole(d: Duration) -> Duration {
    Duration::from_millis(millis(d))
}

pub(super) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The longest round interval that is no longer than `d`.
pub(super) fn round(d: Duration) -> Duration {
    let fits = ROUND.iter().rev().find(|round| **round <= millis(d));
    Duration::from_millis(*fits.unwrap_or(&1))
}
