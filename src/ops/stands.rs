//! How SLOs stand: what the status page reads of them, each figure once.

use crate::alert::AlertStatus;
use crate::budget::{Budget, burn_rate};
use crate::guard::Brief;
use crate::registry::{Plimsoll, SloHandle};
use crate::time::Timestamp;
use crate::window::{Reading, Window};

/// How one SLO stands.
#[derive(Debug)]
pub(super) struct SloStands {
    pub(super) slo: SloHandle,
    pub(super) brief: Brief,
    /// If there is something to be said of it.
    pub(super) full: Option<Full>,
}

/// Everything there is to say of an SLO.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) alerts: Vec<AlertStatus>,
    pub(super) objectives: Vec<ObjectiveStands>,
}

#[derive(Debug)]
pub(super) struct ObjectiveStands {
    pub(super) budget: Budget,
    /// Of its alerts' windows and of the period, the shortest first.
    pub(super) readings: Vec<Reading>,
}

impl SloStands {
    /// All of them, in full if they are unwell, or `few`. What time alone does is done.
    pub(super) fn read(plimsoll: &Plimsoll, few: usize, now: Timestamp) -> Vec<Self> {
        let slos = plimsoll.slos();
        let all = slos.len() <= few;
        let read = |slo: SloHandle| {
            let brief = slo.meter.brief();
            Self { slo, brief, full: (all || !brief.is_well).then(|| Full::read(slo, now)) }
        };
        slos.into_iter().map(read).collect()
    }
}

impl Full {
    /// From one look, so that all of it is of one moment.
    pub(super) fn read(slo: SloHandle, now: Timestamp) -> Self {
        let (meter, declared) = (slo.meter, slo.declaration());
        let (alerts, period) = (meter.alerts(now), meter.period());
        let windows = alerts.iter().flat_map(|alert| [alert.short, alert.long]).chain([period]);
        let mut windows: Vec<Window> = windows.collect();
        windows.sort_unstable();
        windows.dedup();
        let recent = declared.alert_windows().iter().map(|alert| Window::of(alert.long())).min();
        let readings = meter.readings(windows, now);
        let count = declared.objectives().len();
        let objectives = declared.objectives().iter().enumerate().map(|(index, objective)| {
            let all = || readings.iter().skip(index).step_by(count.max(1));
            let of = |window: Window| all().find(|reading| reading.window == window);
            let recent =
                recent.and_then(of).and_then(|read| burn_rate(objective.target(), read, declared.least_events()).ok());
            let nothing = Reading { window: period, tally: Default::default(), coverage: 0.0 };
            let budget = Budget::new(objective.target(), declared.period(), of(period).unwrap_or(&nothing), recent);
            ObjectiveStands { budget, readings: all().copied().collect() }
        });
        let objectives = objectives.collect();
        Self { alerts, objectives }
    }
}
