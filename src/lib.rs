//! In-process SLOs and circuit breaking: declare an SLO once; the process measures it, judges it, acts on it, and shows it.
//!
//! This page is the guide. `README.md` shows the first use, `ARCHITECTURE.md` the plan of the house, `examples/` a tour.
//!
//! # Declare
//!
//! An [`Slo`] is what is promised: one or more [`Objective`]s over a [`Period`]. A declaration that cannot work is refused
//! by [`Plimsoll::declare`], with what to write instead.
//!
//! ```
//! use plimsoll::{Objective, Plimsoll, Slo};
//! use std::time::Duration;
//!
//! let plimsoll = Plimsoll::new();
//! let login = plimsoll.declare(
//!     Slo::new("login")
//!         .latency(99.9, Duration::from_millis(500)) // 99.9 % of logins succeed in under 500 ms
//!         .over_days(30)
//!         .owner("team-identity")
//!         .runbook("https://runbooks.example/login"),
//! )?;
//! // No request at all: a job counts by hand.
//! let presence = plimsoll.declare(
//!     Slo::new("presence").objective(Objective::success(99.9).named("correct")).over_calendar_month(),
//! )?;
//! presence.count(998, 2);
//!
//! let refused = plimsoll.declare(Slo::new("best effort").success(90.0)).unwrap_err();
//! println!("{refused}"); // what is wrong, and what to write
//! # Ok::<(), plimsoll::Error>(())
//! ```
//!
//! # Guard
//!
//! A [`Guard`] is what calls pass through: it counts them towards its SLO and, if it has a [`Breaker`], refuses them while
//! there is no point in trying. Every call ends in exactly one [`Outcome`], however it ends.
//!
//! | around | write |
//! |---|---|
//! | an axum or hyper server | `.layer(slo.guard().http()?)`: `Error` stays `Infallible`, refusals are 503 with `Retry-After` |
//! | an HTTP client that is a Tower service and answers with `http::Response`, as hyper-util's does | `slo.guard().breaker(…).http_client()?.layer(client)` |
//! | any other Tower service, such as reqwest's client | `slo.guard().breaker(…).layer()?.layer(service)`, with `.classify(…)` to say what failed |
//! | a future | [`Guard::run`], [`Guard::run_classified`] |
//! | a function | [`Guard::call`] |
//! | anything that begins and ends | [`Guard::admit`], then [`Permit::finish`] |
//!
//! Guards live as long as the process: make them at start-up, not per request. They are handles: copy them.
//!
//! # Guard each tenant, route or endpoint
//!
//! One breaker for all tenants lets the outage of one refuse the calls of all. A [`KeyedGuard`] has a breaker for each key,
//! made when the key is first met, and counts all of them towards one SLO:
//!
//! ```
//! use plimsoll::{Breaker, EventKind, Plimsoll, Slo, State};
//!
//! let plimsoll = Plimsoll::new();
//! let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
//! let tenants = payments.guard().breaker(Breaker::default()).keyed::<String>(1_000)?;
//! plimsoll.subscribe(|event| {
//!     if let EventKind::Evicted { guard, keys, .. } = &event.kind {
//!         println!("{guard} forgot {keys} keys: give it more capacity");
//!     }
//! });
//! for _ in 0..20 {
//!     tenants.admit("acme")?.failure();
//! }
//! assert_eq!(tenants.state("acme"), Some(State::Open));
//! assert!(tenants.call("globex", || Ok::<_, std::io::Error>("paid")).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Memory does not grow with the number of keys that come by: it holds as many as it was told to, forgets the one that has
//! been idle for longest when another comes, and says so. A key with calls under way is never forgotten. The exposition has
//! sums over keys; which keys are not closed is on the status page and in the events.
//!
//! # Fall back
//!
//! With the `tower` feature a guard can answer while its breaker refuses: by a handler
//! ([`fallback`](GuardBuilder::fallback)), by a value ([`fallback_value`](GuardBuilder::fallback_value)), or by the last good
//! answer to the same key ([`stale`](GuardBuilder::stale)); and on failure too, with `also_on_failure()`. Such answers are
//! *degraded*: good for the SLI, and counted apart. For the SLO of a dependency say that they are not, if it shall stay
//! honest while a cache answers: `.accounting(Accounting::sli().with(Outcome::Degraded, Verdict::Bad))`.
//!
//! # Shed
//!
//! A service that is asked for more than it can do answers nobody in time, unless it refuses some at once. A guard with
//! [`Shed::adaptive`] does, and nothing is to be tuned: it learns from latencies how many calls the service works on at once,
//! lets in no more, has the others wait as long as they can still be answered within the SLO's latency objective, and refuses
//! the rest. Who is refused is *shed*, with the reason and when to come back. It engages when a call takes a quarter of the
//! objective; until then a call costs one load more. [`Shed::fixed`] is for those who know their limit.
//!
//! ```
//! use plimsoll::{CallContext, Plimsoll, Priority, Shed, Slo};
//! use std::time::Duration;
//!
//! let plimsoll = Plimsoll::new();
//! let shop = plimsoll.declare(Slo::new("shop").success(99.9).latency(99.0, Duration::from_millis(300)))?;
//! let guard = shop.guard().shed(Shed::adaptive().warm_up(Duration::from_secs(30))).build()?;
//! let context = CallContext::new()
//!     .priority(Priority::CRITICAL) // refused last
//!     .within(Duration::from_millis(200)) // of no use later
//!     .tenant("acme"); // each tenant gets its share among calls of one priority
//! guard.admit_in(context)?.success();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * **Priorities.** [`Priority::CRITICAL`], [`DEFAULT`](Priority::DEFAULT), [`SHEDDABLE`](Priority::SHEDDABLE), or any of
//!   256 levels. The lowest goes first; as the error budget burns, the lower are refused without waiting, at most nine in ten.
//!   A layer takes them from the request by a closure (`.context(|request: &_| …)`). For HTTP `HttpContext` reads headers,
//!   but believes only those that it is told to: a caller cannot promote itself.
//! * **What a call brings along travels.** Guards asked within a guarded call see its [`CallContext`]: what a handler calls is
//!   as important as what it is made for, and ends by the same deadline. What it spawns is told by
//!   [`sync_scope`](CallContext::sync_scope).
//! * **Deadlines.** Every guard refuses a call whose deadline has passed. One with a limiter also refuses, but for one in ten
//!   by which it learns, what would have to be quicker than nine in ten calls are.
//! * **Waiting.** Layers, [`Guard::run`] and [`Guard::acquire`] can wait; [`Guard::admit`] and [`Guard::call`] cannot: for
//!   guards that are only asked by these, write `.queue(0)`. The limit then has the places in it that the line would have had.
//! * **Retries** multiply an outage. `RetryBudget` (feature `retry`) allows a fifth of the calls and three more, none while
//!   the breaker refuses; its `policy()` is one for `tower::retry`; hedges ask it with `try_spend()`.
//! * **Warm-up.** With [`Shed::warm_up`] admission ramps after the start, after the breaker has closed again, and after a
//!   long time without calls. `/readyz` says how far it is, and stays 200: who is taken from the load balancer stays cold, and
//!   after an outage all would be taken at once.
//! * **Autoscaling.** Scale out on `plimsoll_saturation_ratio` over 0.7: calls under way, waiting and shed, over the limit,
//!   on average of ten seconds or so. `plimsoll_limit_utilisation_ratio`, `plimsoll_shed_ratio` and
//!   `plimsoll_budget_exhaustion_seconds` go with it. An adaptive limit is not known before calls were slow for the first
//!   time, and until then saturation is 0.
//! * **By hand.** [`Guard::shed_below`] refuses a class of calls at once, with a limiter or without.
//! * **Try it first**: `plimsoll::sim` (feature `sim`) is a service under simulated load before a real guard.
//!
//! `benches/OVERLOAD.md` has what it comes to, beside the algorithms of others.
//!
//! # What counts as what
//!
//! | outcome | when | the SLI says | the breaker says |
//! |---|---|---|---|
//! | success, slow | it succeeded; slow: over the breaker's slow threshold | good, if under the objective's threshold | good; slow ones count for the slow ratio |
//! | failure | `Err`, 5xx, no connection | bad | bad (the caller's own mistakes: not counted) |
//! | timed out, panicked, body error | | bad | bad |
//! | abandoned | dropped before it ended | not counted; bad once it outlived the latency threshold | the same |
//! | rejected, shed | refused | bad | not counted |
//! | degraded | a fallback answered; 429 | good | not counted |
//!
//! [`Accounting`] changes any of it, for the SLI ([`Slo::accounting`]) and for the breaker ([`Breaker::accounting`]) apart.
//!
//! # Read
//!
//! ```
//! use plimsoll::{Plimsoll, Slo, Window};
//! use std::time::Duration;
//!
//! let plimsoll = Plimsoll::new();
//! let checkout = plimsoll.declare(Slo::new("checkout").success(99.9))?;
//! checkout.count(9_970, 30);
//! let burn = checkout.burn_rate(Window::hours(1))?; // 1 would spend the budget exactly over the period
//! assert_eq!((burn.value, burn.events), (3.0, 10_000));
//! assert_eq!(checkout.budget().bad_events_left, -20);
//! assert_eq!(checkout.latency(Window::minutes(5)).quantile(0.99), None); // nothing that took time was counted yet
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every burn rate says how much of its window was observed (`coverage`) and how many events it rests on; too few are
//! [`InsufficientData`], never a wild number. Alerts are judged in process as well: [`SloHandle::alerts`], and
//! [`Plimsoll::subscribe`] for the edges. Requests and readings drive all of it; no task runs in the background. Call
//! [`Plimsoll::tick`] about once a second if alerts must be noticed while there are neither.
//!
//! # Show
//!
//! [`ops::status`] is a page for people. With the `prometheus` feature, `Plimsoll::render` gives the exposition text, always
//! current and exact; with `metrics`, `Plimsoll::publish` pushes the same through the `metrics` facade; with `axum`,
//! `ops::router` serves `/metrics`, `/slo`, `/livez` and `/readyz`; `/slo/{name}` has one SLO in full, and `?format=json` the
//! same for scripts.
//!
//! # Operate
//!
//! [`Guard::explain`] says in words what the breaker saw when it last decided. [`Guard::force_open`],
//! [`Guard::force_closed`] and [`Guard::observe_only`] take the decision out of its hands, [`Guard::auto`] gives it back.
//! [`Breaker::observe_only`] is how to bring a breaker into production: it decides, refuses nothing, and says what it would
//! have done. [`Guard::shed_below`] sheds a class of calls by hand.
//!
//! With `axum`, `ops::control` puts the same on routes, for runbooks: on a port of their own, for they change something.
//! `GET /control` lists every guard with the lines to copy, and says what they do.
//!
//! ```sh
//! curl -sS "http://127.0.0.1:9000/control"
//! curl -sS -X POST "http://127.0.0.1:9000/control/guards/payments/open?for=15m&by=$USER&why=migration"
//! curl -sS -X POST "http://127.0.0.1:9000/control/guards/checkout/shed?below=critical&for=15m&by=$USER"
//! ```
//!
//! What is decided there ends by itself, after an hour if no time is given: a breaker that is forced and forgotten is the next
//! outage. Who did it and why is in the events, on the status page, and in [`ops::timeline`] (`/slo/timeline?since=2h`): the
//! story of an incident in Markdown, with what it cost each error budget, to be pasted into the post-mortem.
//!
//! # Write
//!
//! With `artifacts`, `artifacts::Kit` writes from the declarations what people and machines around the service need: Prometheus'
//! rules and their tests, Alertmanager's routes, dashboards, runbooks, an on-call page, an error-budget policy and more.
//! `assert_in_sync` in a test keeps what is deployed from drifting from the code. `file` reads declarations from TOML, YAML or
//! JSON, `Plimsoll::watch_file` loads them anew when they change, and `artifacts::openslo` takes what a team has already.
//!
//! # Try a policy
//!
//! All time comes from one [`Clock`], so a test can be an hour long and take no time.
//!
//! ```
//! use plimsoll::{Breaker, ManualClock, Plimsoll, Slo, State};
//! use std::time::Duration;
//!
//! let clock = ManualClock::new();
//! let plimsoll = Plimsoll::with_clock(clock.clone());
//! let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
//! let guard = payments.guard().breaker(Breaker::default()).build()?;
//! let mut refused = 0;
//! for _ in 0..200 {
//!     match guard.admit() {
//!         Ok(permit) => permit.failure(),
//!         Err(_) => refused += 1,
//!     }
//!     clock.advance(Duration::from_millis(5)); // 200 requests a second
//! }
//! assert_eq!((guard.state(), refused), (State::Open, 180));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//!
//! A successful call takes no lock and allocates nothing: two readings of the clock and a handful of plain stores on cache
//! lines that its thread owns. `benches/README.md` has the figures. Memory is fixed when an SLO is declared and a guard is
//! made ([`SloHandle::memory_footprint`], [`Guard::memory_footprint`]), whatever the traffic.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod alert;
#[cfg(feature = "artifacts")]
pub mod artifacts;
mod breaker;
mod budget;
mod error;
mod events;
#[cfg(feature = "metrics")]
mod expose;
mod guard;
#[cfg(feature = "tower")]
mod layer;
#[cfg(any(feature = "metrics", feature = "artifacts"))]
mod names;
pub mod ops;
mod outcome;
mod record;
mod registry;
mod shed;
#[cfg(feature = "sim")]
pub mod sim;
mod slo;
mod sync;
mod time;
mod window;

#[cfg(plimsoll_loom)]
#[doc(hidden)]
pub mod __loom;

pub use alert::{AlertState, AlertStatus, Alerts, Edge, Transition};
pub use breaker::{Breaker, Reason, Rejection, State, Why};
pub use budget::{Budget, BurnRate, InsufficientData, burn_rate, exceeds};
pub use error::Error;
pub use events::{Event, EventKind};
pub use guard::{Acquire, Guard, GuardBuilder, GuardError, Key, KeyedGuard, Permit};
#[cfg(feature = "tower")]
pub use layer::*;
pub use outcome::*;
pub use registry::{Change, ObjectiveHandle, Plimsoll, SloHandle};
pub use shed::{CallContext, Priority, Shed};
#[cfg(feature = "artifacts")]
pub use slo::file;
pub use slo::{AlertWindow, BudgetPolicy, Objective, Period, Severity, Slo, Target, formulas};
pub use time::{Clock, ManualClock, Timestamp};
pub use window::{Latency, Reading, Window};

/// Compiles the README's examples.
#[cfg(all(doctest, feature = "axum", feature = "artifacts"))]
#[doc = include_str!("../README.md")]
struct Readme;
