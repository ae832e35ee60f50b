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
//! | an HTTP client that is a Tower service | `slo.guard().breaker(…).http_client()?.layer(client)` |
//! | any other Tower service | `slo.guard().breaker(…).layer()?.layer(service)`, with `.classify(…)` to say what failed |
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
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
