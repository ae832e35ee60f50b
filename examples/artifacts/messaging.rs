//! The promises of a messaging platform. A message passes a gateway, a router and a store: three services in a chain, each
//! with a promise of its own that leaves room for the one before it, so that it is seen which of them is slow.

use plimsoll::{BudgetPolicy, Objective, Slo};
use std::time::Duration;

/// All of them.
pub fn promises() -> Vec<Slo> {
    let policy =
        || BudgetPolicy::default().under(50.0, "no risky changes on Fridays").under(20.0, "freeze feature releases");
    let promise = |name: &str, service: &str| Slo::new(name).service(service).over_days(30).budget_policy(policy());
    vec![
        promise("message-delivery", "gateway")
            .success(99.95)
            .latency(99.0, Duration::from_millis(500))
            .owner("team-messaging")
            .depends_on("message-routing"),
        promise("message-routing", "router")
            .success(99.97)
            .latency(99.0, Duration::from_millis(250))
            .owner("team-messaging")
            .depends_on("message-store"),
        promise("message-store", "store")
            .success(99.99)
            .latency(99.5, Duration::from_millis(100))
            .owner("team-storage"),
        // No request at all: a comparison of what was shown with what was so.
        promise("presence", "presence").objective(Objective::success(99.9).named("correct")).owner("team-presence"),
        promise("push", "push")
            .objective(Objective::latency(99.0, Duration::from_secs(30)).named("delivered"))
            .owner("team-push"),
    ]
}
