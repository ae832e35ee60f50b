//! What the storefront promises, and what it is promised: the one declaration that everything else follows from.

use plimsoll::{Accounting, BudgetPolicy, Outcome, Slo, Verdict};
use std::time::Duration;

/// What a shop promises its customers.
pub fn checkout(name: &str) -> Slo {
    Slo::new(name)
        .success(99.5)
        .latency(95.0, Duration::from_millis(500))
        .over_days(30)
        .service("storefront")
        .owner("team-storefront")
        .depends_on("payments")
        .budget_policy(BudgetPolicy::default().under(20.0, "freeze feature releases"))
}

/// What payments promises the shop. A remembered answer is good enough for the customer, but it is not payments' doing:
/// here it is bad.
pub fn payments() -> Slo {
    Slo::new("payments")
        .success(99.9)
        .over_days(30)
        .service("storefront")
        .owner("team-payments")
        .accounting(Accounting::sli().with(Outcome::Degraded, Verdict::Bad))
}
