//! What people agreed to do as the budget goes down.

/// What is done as the error budget goes down: agreed once, in calm weather.
///
/// The default is the Workbook's (appendix B): an incident that spends more than 20 % of the budget gets a
/// post-mortem, and a spent budget freezes everything but P0 fixes and security fixes.
///
/// ```
/// use plimsoll::BudgetPolicy;
///
/// let policy = BudgetPolicy::default().under(20.0, "freeze feature releases");
/// assert_eq!(policy.action(0.5), None);
/// assert_eq!(policy.action(0.1), Some("freeze feature releases"));
/// assert!(policy.calls_for_postmortem(0.25));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetPolicy {
    steps: Vec<(f64, String)>,
    postmortem: f64,
    exhausted: String,
}

impl BudgetPolicy {
    /// The same with one more step: while less than `percent` of the budget is left, `action` holds.
    #[must_use]
    pub fn under(mut self, percent: f64, action: impl Into<String>) -> Self {
        self.steps.push((percent, action.into()));
        // The strictest last; an equal or senseless one stays where it is, and validation speaks of it.
        self.steps.sort_by(|a, b| b.0.total_cmp(&a.0));
        self
    }

    /// The same with another limit: one incident that spends more than `percent` of the budget gets a post-mortem.
    #[must_use]
    pub fn postmortem_over(mut self, percent: f64) -> Self {
        self.postmortem = percent;
        self
    }

    /// The same with another action for a spent budget.
    #[must_use]
    pub fn when_exhausted(mut self, action: impl Into<String>) -> Self {
        self.exhausted = action.into();
        self
    }

    /// The steps before the budget is spent, the mildest first: percent left, action.
    pub fn steps(&self) -> impl Iterator<Item = (f64, &str)> {
        self.steps.iter().map(|(percent, action)| (*percent, action.as_str()))
    }

    /// How much of the budget, in percent, one incident may spend without a post-mortem.
    pub fn postmortem(&self) -> f64 {
        self.postmortem
    }

    /// What is done once the budget is spent.
    pub fn exhausted(&self) -> &str {
        &self.exhausted
    }

    /// What holds with `remaining` of the budget left (a ratio, negative when overspent).
    pub fn action(&self, remaining: f64) -> Option<&str> {
        if remaining <= 0.0 {
            return Some(&self.exhausted);
        }
        self.steps().filter(|(percent, _)| remaining < percent / 100.0).last().map(|(_, action)| action)
    }

    /// Whether an incident that spent `spent` of the budget (a ratio) gets a post-mortem.
    pub fn calls_for_postmortem(&self, spent: f64) -> bool {
        spent > self.postmortem / 100.0
    }
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            postmortem: 20.0,
            exhausted: "freeze everything but P0 fixes and security fixes".to_owned(),
        }
    }
}
