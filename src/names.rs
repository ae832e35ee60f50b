//! Every exported metric, recorded series, label and alert name, once.
#![allow(dead_code)] // each feature uses some of them

/// Events by objective and verdict.
pub(crate) const EVENTS: &str = "plimsoll_events_total";
/// Calls by outcome.
pub(crate) const OUTCOMES: &str = "plimsoll_outcomes_total";
/// How long calls took, to the last byte.
pub(crate) const DURATION: &str = "plimsoll_request_duration_seconds";
/// How long the first byte of streamed answers took.
pub(crate) const FIRST_BYTE: &str = "plimsoll_first_byte_seconds";
/// Burn rate by objective and window.
pub(crate) const BURN_RATE: &str = "plimsoll_burn_rate";
/// Error budget left, as a ratio of the period's.
pub(crate) const BUDGET_REMAINING: &str = "plimsoll_error_budget_remaining_ratio";
/// How much of a window has been observed.
pub(crate) const COVERAGE: &str = "plimsoll_window_coverage_ratio";
/// Which state a breaker is in: exactly one is 1.
pub(crate) const BREAKER_STATE: &str = "plimsoll_breaker_state";
/// A breaker's changes of state.
pub(crate) const BREAKER_TRANSITIONS: &str = "plimsoll_breaker_transitions_total";
/// How many keys a guard per key holds.
pub(crate) const KEYS: &str = "plimsoll_keys";
/// Keys that it forgot.
pub(crate) const KEYS_EVICTED: &str = "plimsoll_keys_evicted_total";
/// Calls that found no room for their key.
pub(crate) const KEYS_OVERFLOWED: &str = "plimsoll_keys_overflowed_total";
/// Keys by the state of their breaker.
pub(crate) const KEYED_BREAKERS: &str = "plimsoll_keyed_breakers";
/// Calls refused, by reason.
pub(crate) const REJECTIONS: &str = "plimsoll_rejections_total";
/// Calls under way.
pub(crate) const IN_FLIGHT: &str = "plimsoll_in_flight";
/// Calls that may be under way at once.
pub(crate) const CONCURRENCY_LIMIT: &str = "plimsoll_concurrency_limit";
/// Demand over the limit: calls under way, waiting and lately shed; over 1, more is wanted than there is room for.
pub(crate) const SATURATION: &str = "plimsoll_saturation_ratio";
/// The share of the limit that was in use in the last ten seconds or so.
pub(crate) const UTILISATION: &str = "plimsoll_limit_utilisation_ratio";
/// The share of the calls of the last ten seconds that were shed.
pub(crate) const SHED_RATIO: &str = "plimsoll_shed_ratio";
/// Calls shed, by priority.
pub(crate) const SHEDS: &str = "plimsoll_sheds_total";
/// The priority below which calls are shed by hand, 0 to 255; 0 if none are.
pub(crate) const SHED_BELOW: &str = "plimsoll_shed_below";
/// Calls that wait to be let in.
pub(crate) const QUEUED: &str = "plimsoll_queued";
/// Seconds until the error budget is spent at the present rate; `+Inf` if it will not be.
pub(crate) const EXHAUSTION: &str = "plimsoll_budget_exhaustion_seconds";
/// Which SLO a guard's calls count for; always 1.
pub(crate) const GUARD_INFO: &str = "plimsoll_guard_info";
/// What is declared, as labels; always 1.
pub(crate) const INFO: &str = "plimsoll_slo_info";

/// Label names.
pub(crate) mod label {
    pub(crate) const SLO: &str = "slo";
    pub(crate) const OBJECTIVE: &str = "objective";
    pub(crate) const VERDICT: &str = "verdict";
    pub(crate) const OUTCOME: &str = "outcome";
    pub(crate) const WINDOW: &str = "window";
    /// Of a burn alert: its short window, beside the long one.
    pub(crate) const SHORT_WINDOW: &str = "short_window";
    pub(crate) const GUARD: &str = "guard";
    pub(crate) const STATE: &str = "state";
    pub(crate) const FROM: &str = "from";
    pub(crate) const TO: &str = "to";
    pub(crate) const REASON: &str = "reason";
    pub(crate) const PRIORITY: &str = "priority";
    pub(crate) const TARGET: &str = "target";
    pub(crate) const PERIOD: &str = "period";
    pub(crate) const DECLARATION: &str = "declaration";
    pub(crate) const SEVERITY: &str = "severity";
    pub(crate) const SERVICE: &str = "service";
    /// The month modulo 3.
    pub(crate) const THIRD: &str = "third";
    /// Of an alert on the budget left: the percentage under which it fires.
    pub(crate) const THRESHOLD: &str = "threshold";
}

/// Series that Prometheus' rules record, named level:metric:operation. All have the labels `slo` and `objective`. Where an
/// objective judges slices of time, its events are slices.
pub(crate) mod recorded {
    /// Bad events of a window, by `window`; summed over instances, as are all that follow.
    pub(crate) const BAD: &str = "plimsoll:bad_events:increase";
    /// Good and bad events of a window, by `window`.
    pub(crate) const VALID: &str = "plimsoll:valid_events:increase";
    /// Bad ÷ valid events of a window, by `window`; no sample while there are no events.
    pub(crate) const BAD_RATIO: &str = "plimsoll:bad_events:ratio";
    /// How many times as fast as allowed the budget goes, by `window`; no sample while there are no events.
    pub(crate) const BURN_RATE: &str = "plimsoll:burn_rate:ratio";
    /// Bad events of one step of the period's sum.
    pub(crate) const BAD_STEP: &str = "plimsoll:bad_events:step";
    /// Good and bad events of one step of the period's sum.
    pub(crate) const VALID_STEP: &str = "plimsoll:valid_events:step";
    /// Bad events of one slice of an objective that judges slices of time.
    pub(crate) const BAD_SLICE: &str = "plimsoll:bad_events:slice";
    /// Good and bad events of one slice.
    pub(crate) const VALID_SLICE: &str = "plimsoll:valid_events:slice";
    /// Bad events of one step, by `third`: the month modulo 3. Of calendar months alone.
    pub(crate) const BAD_MONTH: &str = "plimsoll:bad_events:step_by_third";
    /// Good and bad events of one step, by `third`.
    pub(crate) const VALID_MONTH: &str = "plimsoll:valid_events:step_by_third";
    /// Bad events of the whole period.
    pub(crate) const PERIOD_BAD: &str = "plimsoll:period_bad_events:sum";
    /// Good and bad events of the whole period.
    pub(crate) const PERIOD_VALID: &str = "plimsoll:period_valid_events:sum";
    /// Bad ÷ valid events of the whole period; no sample while there are no events.
    pub(crate) const PERIOD_BAD_RATIO: &str = "plimsoll:period_bad_events:ratio";
    /// The share of the period's error budget that is left: below 0 it is overspent.
    pub(crate) const BUDGET_REMAINING: &str = "plimsoll:error_budget_remaining:ratio";
}

/// Alert names.
pub(crate) mod alert {
    pub(crate) const BUDGET_BURN: &str = "ErrorBudgetBurn";
    pub(crate) const BUDGET_LOW: &str = "ErrorBudgetLow";
    pub(crate) const BREAKER_OPEN: &str = "CircuitBreakerOpen";
    pub(crate) const SHEDDING: &str = "LoadShedding";
    pub(crate) const INSTANCE_DOWN: &str = "InstanceDown";
    pub(crate) const ABSENT: &str = "SloMetricsAbsent";
    pub(crate) const DRIFT: &str = "SloDeclarationDrift";
    pub(crate) const UNACKNOWLEDGED: &str = "PageUnacknowledged";
}
