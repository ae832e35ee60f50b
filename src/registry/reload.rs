//! Declarations that change while the process runs.

#[cfg(feature = "artifacts")]
mod watch;

use super::{Plimsoll, SloHandle};
use crate::error::Error;
use crate::events::EventKind;
use crate::slo::Slo;
use std::fmt;

#[cfg(feature = "artifacts")]
pub(super) use watch::Watch;

/// What a reload changed about one SLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The SLO.
    pub slo: &'static str,
    /// What changed, in words.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.slo, self.what)
    }
}

impl Plimsoll {
    /// Brings what runs in line with these declarations, all of them or none: declares SLOs that are new, and declares
    /// those that changed anew. Tells what changed, here and as events; where nothing did, nothing is told.
    ///
    /// SLOs that are not among them stay as they are: what is measured cannot be taken back. Handles, guards, counts,
    /// budgets, breakers and the state of alerts stay too.
    ///
    /// | changes while it runs | takes a restart |
    /// |---|---|
    /// | targets; breakers that trip by burn rate follow | which objectives there are, their names and order |
    /// | alerts, if no window is longer or much shorter than was remembered from the start | thresholds, timeslices |
    /// | owner, service, runbook, budget policy, severity | accounting |
    /// | least events, scrape interval | the period |
    ///
    /// A budget is what the new target allows over the whole period, the part before the change included. Breakers,
    /// fallbacks and layers are no part of a declaration, and stay as they were wired. Each SLO that changes costs the
    /// memory of its former declaration (about a kilobyte), for what was handed out stays as it was.
    ///
    /// ```
    /// use plimsoll::{Plimsoll, Slo};
    ///
    /// let plimsoll = Plimsoll::new();
    /// let checkout = plimsoll.declare(Slo::new("checkout").success(99.9))?;
    /// checkout.count(999, 1);
    /// let changes = plimsoll.reload([Slo::new("checkout").success(99.5)])?;
    /// assert!(changes[0].to_string().starts_with("checkout: target of \"success\" from 99.9 % to 99.5 %"));
    /// assert_eq!(checkout.budget().remaining, 0.8); // the same events, judged anew
    ///
    /// let error = plimsoll.reload([Slo::new("checkout").success(99.5).over_days(7)]).unwrap_err();
    /// assert!(error.needs_restart());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`declare`](Self::declare) refuses, [`Error::needs_restart`], and targets by which a guard's breaker could no
    /// longer trip. Then nothing has changed, and an event says so.
    pub fn reload(&self, slos: impl IntoIterator<Item = Slo>) -> Result<Vec<Change>, Error> {
        self.take_over(slos.into_iter().collect()).inspect_err(|error| self.refused(error))
    }

    /// Says that a reload was refused.
    fn refused(&self, error: &Error) {
        let hub = &self.inner.hub;
        hub.events.emit(hub.clock.now(), EventKind::ReloadRefused { why: error.to_string() });
    }

    fn take_over(&self, slos: Vec<Slo>) -> Result<Vec<Change>, Error> {
        let now = self.inner.hub.clock.now();
        // Held throughout, so that what was found to fit still fits when it is done.
        let mut running = self.inner.slos.lock();
        let known = |running: &[SloHandle], slo: &Slo| running.iter().copied().find(|known| known.name() == slo.name());
        for (i, slo) in slos.iter().enumerate() {
            slo.validate()?;
            if slos[..i].iter().any(|other| other.name() == slo.name()) {
                let name = slo.name();
                return Err(Error::duplicate(format!("two of the SLOs are named {name:?}: give each its own name")));
            }
            known(&running, slo).map_or(Ok(()), |known| known.meter.can_become(slo))?;
        }
        let (mut changes, mut ended) = (Vec::new(), Vec::new());
        for slo in slos {
            if let Some(SloHandle { meter }) = known(&running, &slo) {
                let differences = meter.slo().difference(&slo);
                if !differences.is_empty() {
                    ended.push((meter, meter.redeclare(slo, now)));
                    changes.push(Change { slo: meter.name, what: differences.join("; ") });
                }
            } else {
                changes.push(Change { slo: self.add(&mut running, slo).name(), what: "declared".to_owned() });
            }
        }
        drop(running);
        for Change { slo, what } in &changes {
            self.inner.hub.events.emit(now, EventKind::Reloaded { slo, what: what.clone() });
        }
        ended.into_iter().for_each(|(meter, alerts)| meter.alerts_ended(alerts, now));
        Ok(changes)
    }
}
