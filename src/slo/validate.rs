//! What cannot work is refused here, with the reason and what to write instead.

use super::text::{code, duration};
use super::{AlertWindow, Objective, Period, Slo};
use crate::error::Error;
use std::collections::BTreeSet;
use std::time::Duration;

const LONGEST_NAME: usize = 128;
const LONGEST_URL: usize = 2_048;
const PERIODS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(366 * 86_400));
/// What the latency histogram holds.
const THRESHOLDS: (Duration, Duration) = (Duration::from_micros(1), Duration::from_secs(60));
/// Distinct latency thresholds that are told apart, with room for a breaker's own.
pub(crate) const MOST_THRESHOLDS: usize = 50;
/// A window, or a slice, must be this many steps of the ring long, or its edges blur its content.
const STEPS: u32 = 4;
/// Prometheus needs two samples in a window at the very least; four survive a lost scrape and a late one.
const SCRAPES: u32 = 4;

pub(super) fn slo(slo: &Slo) -> Result<(), Error> {
    text("the SLO's name", slo.name(), LONGEST_NAME)?;
    let at = format!("SLO \"{}\"", slo.name());
    text(&format!("{at}: its service"), slo.service_name(), LONGEST_NAME)?;
    for (what, given, longest) in
        [("owner", slo.owner_name(), LONGEST_NAME), ("runbook", slo.runbook_url(), LONGEST_URL)]
    {
        given.map_or(Ok(()), |given| text(&format!("{at}: its {what}"), given, longest))?;
    }
    for (i, other) in slo.dependencies().enumerate() {
        text(&format!("{at}: what it depends on"), other, LONGEST_NAME)?;
        if other == slo.name() {
            return Err(Error::invalid(format!("{at} depends on itself: write the name of another SLO")));
        }
        if slo.dependencies().take(i).any(|earlier| earlier == other) {
            return Err(Error::duplicate(format!("{at} depends on \"{other}\" twice: write it once")));
        }
    }
    period(&at, slo.period())?;
    policy(&at, slo)?;
    if slo.least_events() == 0 {
        return Err(Error::invalid(format!("{at}: `.min_events(0)` would judge nothing at all: write at least 1")));
    }
    if slo.scraped_every().is_zero() {
        return Err(Error::invalid(format!("{at}: a scrape interval must be over zero: write what Prometheus uses")));
    }
    if slo.objectives().is_empty() {
        return Err(Error::invalid(format!(
            "{at} promises nothing: write an objective, such as `.success(99.9)` or \
             `.latency(99.0, Duration::from_millis(500))`"
        )));
    }
    for (i, objective) in slo.objectives().iter().enumerate() {
        one_objective(&at, slo, objective)?;
        distinct(&at, &slo.objectives()[..i], objective)?;
    }
    thresholds(&at, slo)?;
    let alerts = slo.alert_windows();
    for (i, alert) in alerts.iter().enumerate() {
        one_alert(&at, slo, alert)?;
        let same = |other: &&AlertWindow| {
            (other.severity(), other.long(), other.short()) == (alert.severity(), alert.long(), alert.short())
        };
        if alerts[..i].iter().any(|other| same(&other)) {
            return Err(Error::duplicate(format!(
                "{at}: there are two {} alerts over {}: keep the one with the lower factor",
                alert.severity(),
                windows(alert)
            )));
        }
    }
    slo.objectives().iter().try_for_each(|objective| reachable(&at, slo, objective))
}

fn text(what: &str, given: &str, longest: usize) -> Result<(), Error> {
    let length = given.chars().count();
    if given.trim().is_empty() {
        Err(Error::invalid(format!("{what} is empty: write 1 to {longest} characters")))
    } else if length > longest {
        Err(Error::invalid(format!("{what} has {length} characters: write at most {longest}")))
    } else if let Some(odd) = given.chars().find(|c| c.is_control()) {
        Err(Error::invalid(format!("{what} has the control character {odd:?} in it: leave it out")))
    } else {
        Ok(())
    }
}

fn period(at: &str, period: Period) -> Result<(), Error> {
    let (least, most) = PERIODS;
    if (least..=most).contains(&period.nominal()) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{at}: a period of {period} is out of range: write 1 minute to 366 days, such as `.over_days(30)`"
    )))
}

fn policy(at: &str, slo: &Slo) -> Result<(), Error> {
    let policy = slo.policy();
    for (percent, action) in policy.steps() {
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(Error::invalid(format!(
                "{at}: a policy step under {percent} % of the budget never holds or always does: write a percentage \
                 over 0 and up to 100 (for a spent budget, `.when_exhausted(…)`)"
            )));
        }
        text(&format!("{at}: the action under {percent} %"), action, LONGEST_URL)?;
    }
    if !(policy.postmortem() > 0.0 && policy.postmortem() <= 100.0) {
        return Err(Error::invalid(format!(
            "{at}: a post-mortem over {} % of the budget makes no sense: write a percentage over 0 and up to 100",
            policy.postmortem()
        )));
    }
    text(&format!("{at}: the action for a spent budget"), policy.exhausted(), LONGEST_URL)
}

fn one_objective(at: &str, slo: &Slo, objective: &Objective) -> Result<(), Error> {
    text(&format!("{at}: an objective's name"), objective.name(), LONGEST_NAME)?;
    let at = format!("{at}, objective \"{}\"", objective.name());
    if let Some(error) = objective.target_error() {
        return Err(Error::invalid(format!("{at}: {error}")));
    }
    match objective.threshold() {
        Some(threshold) if !(THRESHOLDS.0..=THRESHOLDS.1).contains(&threshold) => {
            return Err(Error::invalid(format!(
                "{at}: a latency threshold of {} is out of what is measured: write 1 us to 60 s",
                duration(threshold)
            )));
        }
        None if !objective.counts_failures() => {
            return Err(Error::invalid(format!(
                "{at}: `.of_successes()` leaves nothing to be bad in a success objective: it belongs to \
                 `Objective::latency(…)`"
            )));
        }
        _ => {}
    }
    objective.slices().map_or(Ok(()), |(slice, _)| slices(&at, slo, slice))
}

fn slices(at: &str, slo: &Slo, slice: Duration) -> Result<(), Error> {
    let (step, given) = (slo.finest_step(), duration(slice));
    if slice < step * STEPS {
        return Err(Error::too_fine(format!(
            "{at}: slices of {given} are finer than what is remembered: write at least {}",
            duration(step * STEPS)
        )));
    }
    if slice > slo.period().nominal() {
        return Err(Error::invalid(format!(
            "{at}: a slice of {given} is longer than the period of {}: write a shorter slice",
            slo.period()
        )));
    }
    for alert in slo.alert_windows() {
        let needed = u32::try_from(slo.least_events()).unwrap_or(u32::MAX);
        if alert.short() < slice || alert.long() < slice.saturating_mul(needed) {
            let room = alert.short().min(alert.long() / needed.max(1));
            return Err(Error::too_fine(format!(
                "{at}: the alert over {} has no room for slices of {given}, of which its short window needs one and \
                 its long one {needed}: write slices of at most {}, or longer windows with `.alerts(…)`",
                windows(&alert),
                duration(room)
            )));
        }
    }
    Ok(())
}

fn thresholds(at: &str, slo: &Slo) -> Result<(), Error> {
    let distinct: BTreeSet<Duration> = slo.objectives().iter().filter_map(Objective::threshold).collect();
    if distinct.len() <= MOST_THRESHOLDS {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{at}: {} latency thresholds are more than can be told apart: write at most {MOST_THRESHOLDS}",
        distinct.len()
    )))
}

fn distinct(at: &str, earlier: &[Objective], objective: &Objective) -> Result<(), Error> {
    if earlier.iter().all(|other| other.name().trim() != objective.name().trim()) {
        return Ok(());
    }
    let write = match objective.threshold() {
        Some(threshold) => {
            let percent = objective.target().as_percent();
            format!("`.objective(Objective::latency({percent:?}, {}).named(\"…\"))`", code(threshold))
        }
        None => format!("`.objective(Objective::success({:?}).named(\"…\"))`", objective.target().as_percent()),
    };
    let name = objective.name();
    Err(Error::duplicate(format!("{at} has two objectives named \"{name}\": name the second, {write}")))
}

fn one_alert(at: &str, slo: &Slo, alert: &AlertWindow) -> Result<(), Error> {
    let at = format!("{at}: the {} alert over {}", alert.severity(), windows(alert));
    let (long, short) = (alert.long(), alert.short());
    if alert.factor_micros() == 0 {
        return Err(Error::invalid(format!(
            "{at} needs a burn factor over 0 (at least 0.000001): write one, such as 14.4"
        )));
    }
    if let Some(odd) = [long, short].into_iter().find(|window| window.subsec_nanos() % 1_000_000 != 0) {
        return Err(Error::invalid(format!(
            "{at}: a window of {odd:?} is not a whole number of milliseconds: round it"
        )));
    }
    if long <= short {
        return Err(Error::invalid(format!(
            "{at} must have a long window that is longer than the short one: a twelfth is usual, {} and {}",
            duration(short.saturating_mul(12)),
            duration(short)
        )));
    }
    if long > slo.period().nominal() || alert.pending() > slo.period().nominal() {
        return Err(Error::invalid(format!(
            "{at} (held for {}) looks back further than the period of {}: write shorter ones",
            duration(alert.pending()),
            slo.period()
        )));
    }
    let step = slo.finest_step();
    if short < step * STEPS {
        return Err(Error::too_fine(format!(
            "{at} has a short window finer than what is remembered: write at least {}",
            duration(step * STEPS)
        )));
    }
    let scrape = slo.scraped_every();
    if short < scrape.saturating_mul(SCRAPES) {
        return Err(Error::too_fine(format!(
            "{at} has a short window under {SCRAPES} scrape intervals of {}: write at least {}, or \
             `.scrape_interval({})` if Prometheus scrapes that often",
            duration(scrape),
            duration(scrape.saturating_mul(SCRAPES)),
            code(short / SCRAPES)
        )));
    }
    Ok(())
}

/// Source: SRE Workbook, ch. 5: the burn rate of a total outage is 1 ÷ budget.
fn reachable(at: &str, slo: &Slo, objective: &Objective) -> Result<(), Error> {
    let target = objective.target();
    let Some(alert) = slo.alert_windows_of(objective).into_iter().find(|alert| !alert.can_fire(target)) else {
        return Ok(());
    };
    // Somebody meant a share, rather than one good call in a hundred.
    let share = match target.as_percent() {
        share if share <= 1.0 => {
            format!(" (a target is a percentage: write {} if so much of one was meant)", share * 100.0)
        }
        _ => String::new(),
    };
    Err(Error::unreachable(format!(
        "{at}, objective \"{}\": the {} alert over {} at {} can never fire, for at a target of {target}{share} a total \
         outage burns at {}: write `.reachable_alerts()` to lower such factors, or `.alerts(…)` with factors of at most {}",
        objective.name(),
        alert.severity(),
        windows(&alert),
        alert.factor(),
        (target.largest_burn() * 1e4).round() / 1e4,
        largest_factor(target)
    )))
}

/// The largest factor of six decimals that a total outage exceeds: under 1 ÷ budget.
fn largest_factor(target: super::Target) -> f64 {
    let micros = (1_000_000 * u128::from(super::Target::WHOLE) - 1) / u128::from(target.budget_parts());
    micros as f64 / 1e6
}

fn windows(alert: &AlertWindow) -> String {
    format!("{}/{}", duration(alert.long()), duration(alert.short()))
}
