//! The promise as a whole: a service, its objectives, a period, and who answers for it.

use super::{AlertWindow, BudgetPolicy, Objective, Period, Severity};
use crate::error::Error;
use crate::outcome::Accounting;
use std::time::Duration;

/// How often Prometheus scrapes unless it is said otherwise.
const SCRAPE: Duration = Duration::from_secs(15);

/// A declared promise: pure data, from which everything else is derived.
///
/// Nothing fails while it is written down; [`Slo::validate`] (and declaring it) says what is wrong. The methods that
/// write take their field's name; those that read back a field which is also written are `service_name`,
/// `owner_name`, `runbook_url`, `highest_severity`, `policy`, `sli_accounting`, `least_events`, `scraped_every`.
///
/// ```
/// use plimsoll::Slo;
/// use std::time::Duration;
///
/// let slo = Slo::new("checkout")
///     .success(99.95)
///     .latency(99.0, Duration::from_millis(500))
///     .over_days(30)
///     .owner("team-checkout");
/// slo.validate()?;
/// assert_eq!(slo.objectives().len(), 2);
/// assert_eq!(slo.alert_windows()[0].factor(), 14.4);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    pub(super) name: String,
    pub(super) service: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) runbook: Option<String>,
    pub(super) dependencies: Vec<String>,
    pub(super) severity: Severity,
    pub(super) objectives: Vec<Objective>,
    pub(super) period: Period,
    pub(super) policy: BudgetPolicy,
    pub(super) accounting: Accounting,
    pub(super) min_events: u64,
    pub(super) scrape_interval: Option<Duration>,
    pub(super) alerts: Option<Vec<AlertWindow>>,
    pub(super) more_alerts: Vec<AlertWindow>,
    pub(super) reachable: bool,
}

impl Slo {
    /// A promise by name, without objectives yet, over rolling 30 days.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            service: None,
            owner: None,
            runbook: None,
            dependencies: Vec::new(),
            severity: Severity::P0,
            objectives: Vec::new(),
            period: Period::default(),
            policy: BudgetPolicy::default(),
            accounting: Accounting::sli(),
            min_events: 10,
            scrape_interval: None,
            alerts: None,
            more_alerts: Vec::new(),
            reachable: false,
        }
    }

    /// `percent` of the events are good: an objective named `success`.
    #[must_use]
    pub fn success(self, percent: f64) -> Self {
        self.objective(Objective::success(percent))
    }

    /// `percent` of the events are good and took at most `threshold` (1 us ..= 60 s): an objective named `latency`.
    #[must_use]
    pub fn latency(self, percent: f64, threshold: Duration) -> Self {
        self.objective(Objective::latency(percent, threshold))
    }

    /// Any other objective.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objectives.push(objective);
        self
    }

    /// Over a rolling period, 1 minute ..= 366 days. The default is 30 days.
    #[must_use]
    pub fn over(mut self, period: Duration) -> Self {
        self.period = Period::Rolling(period);
        self
    }

    /// Over a rolling period of `days`.
    #[must_use]
    pub fn over_days(self, days: u64) -> Self {
        self.over(Duration::from_secs(days.saturating_mul(86_400)))
    }

    /// Over a rolling period of `minutes`: for demonstrations and tests.
    #[must_use]
    pub fn over_minutes(self, minutes: u64) -> Self {
        self.over(Duration::from_secs(minutes.saturating_mul(60)))
    }

    /// Over the calendar month, in UTC.
    #[must_use]
    pub fn over_calendar_month(mut self) -> Self {
        self.period = Period::CalendarMonth;
        self
    }

    /// The service that makes the promise; unless said, it is called as the SLO is.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// The highest severity its alerts may have: with `P1`, what would have been a `P0` alert is a `P1`.
    #[must_use]
    pub fn severity(mut self, highest: Severity) -> Self {
        self.severity = highest;
        self
    }

    /// Where to read what to do.
    #[must_use]
    pub fn runbook(mut self, url: impl Into<String>) -> Self {
        self.runbook = Some(url.into());
        self
    }

    /// The SLO of something it cannot do without, by name: while that one pages, what this one's alerts would say is known,
    /// and all but its own P0 are held back. Call it once for each; whether the other is declared here or by another team
    /// does not matter.
    #[must_use]
    pub fn depends_on(mut self, slo: impl Into<String>) -> Self {
        self.dependencies.push(slo.into());
        self
    }

    /// What is done as the budget goes down.
    #[must_use]
    pub fn budget_policy(mut self, policy: BudgetPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Which outcomes are good, bad or excluded; the default is [`Accounting::sli`].
    #[must_use]
    pub fn accounting(mut self, accounting: Accounting) -> Self {
        self.accounting = accounting;
        self
    }

    /// These alerts in place of those that belong to the period; none, if empty.
    #[must_use]
    pub fn alerts(mut self, alerts: Vec<AlertWindow>) -> Self {
        self.alerts = Some(alerts);
        self
    }

    /// One more alert.
    #[must_use]
    pub fn alert(mut self, alert: AlertWindow) -> Self {
        self.more_alerts.push(alert);
        self
    }

    /// Lowers each factor, objective by objective, to what 80 % of bad events reach (but never under 1).
    ///
    /// A total outage of an objective of 90 % burns at 10, so an alert at 14.4 would never fire; this makes it fire
    /// over 8. Without it such an alert is refused.
    #[must_use]
    pub fn reachable_alerts(mut self) -> Self {
        self.reachable = true;
        self
    }

    /// How often it is scraped. The default is 15 s, or a quarter of the shortest window where the alerts are those
    /// of a period so short that 15 s would be too slow for them.
    #[must_use]
    pub fn scrape_interval(mut self, interval: Duration) -> Self {
        self.scrape_interval = Some(interval);
        self
    }

    /// How many valid events the long window of an alert must hold before it may fire (default 10, at least 1).
    #[must_use]
    pub fn min_events(mut self, events: u64) -> Self {
        self.min_events = events;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The service that makes the promise.
    pub fn service_name(&self) -> &str {
        self.service.as_deref().unwrap_or(&self.name)
    }

    /// Who answers for it.
    pub fn owner_name(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Where to read what to do.
    pub fn runbook_url(&self) -> Option<&str> {
        self.runbook.as_deref()
    }

    /// The SLOs that it depends on, in the order they were written.
    pub fn dependencies(&self) -> impl ExactSizeIterator<Item = &str> {
        self.dependencies.iter().map(String::as_str)
    }

    /// The highest severity its alerts may have.
    pub fn highest_severity(&self) -> Severity {
        self.severity
    }

    /// Its objectives, in the order they were written.
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    /// How long its budget lasts.
    pub fn period(&self) -> Period {
        self.period
    }

    /// What is done as the budget goes down.
    pub fn policy(&self) -> &BudgetPolicy {
        &self.policy
    }

    /// Which outcomes are good, bad or excluded.
    pub fn sli_accounting(&self) -> Accounting {
        self.accounting
    }

    /// How many valid events the long window of an alert must hold before it may fire.
    pub fn least_events(&self) -> u64 {
        self.min_events
    }

    /// How often it is scraped.
    pub fn scraped_every(&self) -> Duration {
        match (self.scrape_interval, self.shortest_window()) {
            (Some(interval), _) => interval,
            (None, Some(short)) if self.alerts_are_derived() => SCRAPE.min(short / 4),
            (None, _) => SCRAPE,
        }
    }

    /// Its alerts: those of the period or those written, none over the highest severity.
    ///
    /// What holds for one objective is [`Slo::alert_windows_of`]: the same pairs in the same order.
    pub fn alert_windows(&self) -> Vec<AlertWindow> {
        let mut alerts = self.alerts.clone().unwrap_or_else(|| AlertWindow::for_period(self.period));
        alerts.extend_from_slice(&self.more_alerts);
        alerts.into_iter().map(|alert| alert.at_most(self.severity)).collect()
    }

    /// The alerts of one objective, with factors lowered if [`reachable_alerts`](Slo::reachable_alerts) says so.
    pub fn alert_windows_of(&self, objective: &Objective) -> Vec<AlertWindow> {
        let cap = |alert: AlertWindow| {
            if self.reachable { alert.capped(objective.target()) } else { alert }
        };
        self.alert_windows().into_iter().map(cap).collect()
    }

    /// Refuses what cannot work, saying what to write instead.
    ///
    /// # Errors
    ///
    /// The first thing found to be out of range, taken twice, beyond reach, or too fine to be measured.
    pub fn validate(&self) -> Result<(), Error> {
        super::validate::slo(self)
    }

    /// The finest step at which its windows must be remembered: a 60th of the shortest, 10 ms ..= 1 s.
    pub(crate) fn finest_step(&self) -> Duration {
        let (finest, coarsest) = (Duration::from_millis(10), Duration::from_secs(1));
        let shortest = self.shortest_window().unwrap_or(Duration::MAX) / 60;
        // A slice is short of a window, and has edges of its own to meet.
        let slice = self.objectives.iter().filter_map(Objective::slices).map(|(slice, _)| slice / 4).min();
        shortest.min(slice.unwrap_or(Duration::MAX)).clamp(finest, coarsest)
    }

    /// Whether the alerts are those that belong to the period, and nobody wrote any.
    pub(super) fn alerts_are_derived(&self) -> bool {
        self.alerts.is_none() && self.more_alerts.is_empty()
    }

    fn shortest_window(&self) -> Option<Duration> {
        self.alert_windows().iter().map(AlertWindow::short).min()
    }
}
