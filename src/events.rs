//! What happened, in order: one bounded log that feeds subscribers, status pages and the story told afterwards.

use crate::time::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many events are kept.
const CAPACITY: usize = 1_024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number: one more than the event before it.
    pub number: u64,
    /// When, on the clock that everything is decided by.
    pub at: Timestamp,
    /// When, for people.
    pub wall: SystemTime,
    /// What.
    pub kind: EventKind,
}

/// What happened, in words.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A breaker changed its state.
    Breaker {
        /// The guard it belongs to.
        guard: &'static str,
        /// The key it belongs to, as it is shown, in a guard per key.
        key: Option<String>,
        /// The state it left, as exported.
        from: &'static str,
        /// The state it is in.
        to: &'static str,
        /// What it saw.
        why: String,
    },
    /// An alert became pending, began to fire, or was resolved.
    Alert {
        /// The SLO it is about.
        slo: &'static str,
        /// The objective.
        objective: String,
        /// `P0`, `P1` or `P2`.
        severity: &'static str,
        /// `pending`, `withdrawn`, `firing` or `resolved`.
        state: &'static str,
        /// The long window of the pair that it is about: an SLO may have several pairs of one severity.
        long: Duration,
        /// How much of the objective's error budget was left, as a ratio: negative when overspent.
        budget_left: f64,
        /// What it saw.
        why: String,
    },
    /// A guard per key forgot keys, those idle for longest, to make room for others. Told at most once a second.
    Evicted {
        /// The guard.
        guard: &'static str,
        /// The last of the keys, as it is shown.
        key: String,
        /// How many it forgot since it last told.
        keys: u64,
    },
    /// An SLO was declared anew while it runs, or declared by a file.
    Reloaded {
        /// The SLO.
        slo: &'static str,
        /// What changed.
        what: String,
    },
    /// Declarations were to be reloaded, and were refused: nothing changed.
    ReloadRefused {
        /// Why.
        why: String,
    },
    /// Somebody took a decision out of the library's hands, or gave it back.
    Operator {
        /// What was done to what.
        what: String,
        /// Who did it, if that was said.
        by: Option<String>,
        /// Why, if that was said.
        why: Option<String>,
    },
    /// What somebody had decided for a while ended by itself. A breaker says so as it changes its state.
    OperatorOver {
        /// What ended.
        what: String,
    },
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker { guard, key: None, from, to, why } => write!(f, "breaker {guard}: {from} → {to}: {why}"),
            Self::Breaker { guard, key: Some(key), from, to, why } => {
                write!(f, "breaker {guard}/{key}: {from} → {to}: {why}")
            }
            Self::Evicted { guard, key, keys: 1 } => write!(f, "guard {guard} forgot the key {key} to make room"),
            Self::Evicted { guard, key, keys } => {
                write!(f, "guard {guard} forgot {keys} keys to make room, {key} the last of them")
            }
            Self::Alert { slo, objective, severity, state, why, .. } => {
                write!(f, "alert {severity} {slo}/{objective} {state}: {why}")
            }
            Self::Reloaded { slo, what } => write!(f, "SLO {slo} reloaded: {what}"),
            Self::ReloadRefused { why } => write!(f, "reload refused, nothing changed: {why}"),
            Self::Operator { what, by, why } => {
                f.write_str("operator")?;
                by.iter().try_for_each(|by| write!(f, " {by}"))?;
                write!(f, ": {what}")?;
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Self::OperatorOver { what } => write!(f, "{what}, for the time that an operator had set is over"),
        }
    }
}

type Subscriber = Arc<dyn Fn(&Event) + Send + Sync>;

/// The log. Subscribers are called on the thread that caused the event, after every lock has been let go of.
#[derive(Clone)]
pub(crate) struct EventLog {
    clock: Clock,
    inner: Arc<Inner>,
}

struct Inner {
    kept: Mutex<(u64, VecDeque<Event>)>,
    subscribers: RwLock<Vec<Subscriber>>,
}

impl EventLog {
    pub(crate) fn new(clock: Clock) -> Self {
        let kept = Mutex::new((0, VecDeque::with_capacity(CAPACITY)));
        Self { clock, inner: Arc::new(Inner { kept, subscribers: RwLock::default() }) }
    }

    pub(crate) fn subscribe(&self, subscriber: Subscriber) {
        self.inner.subscribers.write().push(subscriber);
    }

    pub(crate) fn emit(&self, at: Timestamp, kind: EventKind) {
        let event = {
            let mut kept = self.inner.kept.lock();
            kept.0 += 1;
            let event = Event { number: kept.0, at, wall: self.clock.wall(), kind };
            if kept.1.len() == CAPACITY {
                kept.1.pop_front();
            }
            kept.1.push_back(event.clone());
            event
        };
        // Cloned, so that a subscriber may subscribe, or cause events of its own.
        let subscribers = self.inner.subscribers.read().clone();
        for subscriber in subscribers {
            // Somebody's call is between being let in and being counted out, here: it is not to be lost with it.
            _ = catch_unwind(AssertUnwindSafe(|| subscriber(&event)));
        }
    }

    /// What is kept, oldest first.
    pub(crate) fn recent(&self) -> Vec<Event> {
        self.inner.kept.lock().1.iter().cloned().collect()
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("subscribers", &self.inner.subscribers.read().len()).finish_non_exhaustive()
    }
}
