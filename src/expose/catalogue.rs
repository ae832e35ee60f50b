//! Which series there are, and what they stand at.

use super::durations::{Durations, Ladder, Placement};
use super::families::{self, Sink};
use crate::breaker::{State, Transitions};
use crate::budget::{Budget, BurnRate, burn_rate};
use crate::guard::{Guard, KeyedView, Meter, SheddingShown};
use crate::outcome::{Outcome, Tally};
use crate::record::{NOTES, Recorder};
use crate::registry::Plimsoll;
use crate::slo::{Objective, Period, Slo, Target};
use crate::time::{Timestamp, nanos};
use crate::window::{Source, View, Window};
use std::collections::HashMap;

/// Every SLO that has been shown, with what does not change about it.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    slos: Vec<SloSeries>,
    /// How often an SLO was found to be declared anew.
    revision: u64,
}

/// Everything there is, to be read and shown.
pub(super) struct Everything<'a> {
    slos: &'a mut [SloSeries],
    guards: Vec<Guard>,
    keyed: Vec<&'static dyn KeyedView>,
    /// By SLO, of all guards that expect first bytes.
    first_bytes: HashMap<*const Meter, Vec<&'static Recorder>>,
    revision: u64,
    now: Timestamp,
}

/// How many series there are of what; while it is the same, so are the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    slos: usize,
    guards: usize,
    keyed: usize,
    first_bytes: usize,
    revision: u64,
}

/// One SLO: what does not change about it, unless it is declared anew, and what it stood at when it was last read.
#[derive(Debug)]
pub(super) struct SloSeries {
    pub(super) meter: &'static Meter,
    slo: &'static Slo,
    pub(super) ladder: Ladder,
    pub(super) first_ladder: Ladder,
    pub(super) objectives: Vec<ObjectiveSeries>,
    least_events: u64,
    budget_over: Period,
    pub(super) period: String,
    pub(super) declaration: String,
    /// The alerts' windows, long and short, each once, as labels too.
    pub(super) windows: Vec<(Window, String)>,
    /// The window that says how fast the budget goes: the shortest long one of the alerts.
    recent: Option<usize>,
    placements: Vec<Placement>,
    first_placement: Option<Placement>,
    pub(super) counted: Counted,
    /// By objective.
    pub(super) judged: Vec<Judged>,
    pub(super) first_bytes: Option<Durations>,
}

/// What does not change about one objective.
#[derive(Debug)]
pub(super) struct ObjectiveSeries {
    pub(super) name: &'static str,
    promised: Target,
    pub(super) target: String,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) outcomes: [u64; Outcome::COUNT],
    /// By objective.
    pub(super) tallies: Vec<Tally>,
    pub(super) durations: Durations,
    /// How many calls, and the sum of their latencies.
    as_of: (u64, u64),
}

/// How one objective stands.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) budget_remaining: f64,
    /// Seconds; infinite if it will last.
    pub(super) exhaustion: f64,
    /// Burn rate and coverage, by window.
    pub(super) windows: Vec<(f64, f64)>,
    /// How fast it burnt of late.
    recent: Option<BurnRate>,
}

/// One guard at one moment.
#[derive(Debug)]
pub(super) struct GuardShown {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// None without a breaker: then nothing can change.
    pub(super) transitions: Option<Transitions>,
    pub(super) slo: &'static str,
    pub(super) refusals: [u64; NOTES],
    pub(super) in_flight: u64,
    /// None without a limiter.
    pub(super) shedding: Option<SheddingShown>,
}

impl Catalogue {
    /// Finds everything there is at this moment. What time alone does is to be done first, before anything is locked: it
    /// tells subscribers, who may ask for an exposition themselves.
    pub(super) fn everything(&mut self, plimsoll: &Plimsoll) -> Everything<'_> {
        let now = plimsoll.clock().now();
        let (slos, guards) = (plimsoll.slos(), plimsoll.guards());
        self.slos.extend(slos.iter().skip(self.slos.len()).map(|slo| SloSeries::new(slo.meter)));
        for series in self.slos.iter_mut().filter(|series| !std::ptr::eq(series.slo, series.meter.slo())) {
            // How recorders lie on its ladder stays: thresholds never change.
            let (placements, first_placement) = (std::mem::take(&mut series.placements), series.first_placement.take());
            *series = SloSeries { placements, first_placement, ..SloSeries::new(series.meter) };
            self.revision += 1;
        }
        let mut first_bytes: HashMap<*const Meter, Vec<&Recorder>> = HashMap::new();
        for core in guards.iter().map(|guard| guard.core) {
            if let Some(recorder) = core.first_bytes() {
                first_bytes.entry(core.meter).or_default().push(recorder);
            }
        }
        let keyed = plimsoll.keyed_guards();
        Everything { slos: &mut self.slos, guards, keyed, first_bytes, revision: self.revision, now }
    }
}

impl Everything<'_> {
    pub(super) fn extent(&self) -> Extent {
        let (slos, guards, keyed) = (self.slos.len(), self.guards.len(), self.keyed.len());
        Extent { slos, guards, keyed, first_bytes: self.first_bytes.len(), revision: self.revision }
    }

    /// Reads it, and shows each as soon as it is read: what was just read is in a cache.
    pub(super) fn show(self, sink: &mut impl Sink) {
        for (index, series) in self.slos.iter_mut().enumerate() {
            let first_bytes = self.first_bytes.get(&std::ptr::from_ref(series.meter));
            series.read(first_bytes.map_or(&[], Vec::as_slice), self.now);
            families::slo(series, index, sink);
        }
        for guard in self.guards {
            families::guard(&GuardShown::read(guard), sink);
        }
        for keyed in self.keyed {
            families::keyed(&keyed.show(), sink);
        }
    }
}

impl SloSeries {
    fn new(meter: &'static Meter) -> Self {
        let slo = meter.slo();
        let mut windows: Vec<Window> =
            slo.alert_windows().iter().flat_map(|alert| [alert.short(), alert.long()]).map(Window::of).collect();
        windows.sort_unstable();
        windows.dedup();
        let recent = slo.alert_windows().iter().map(|alert| Window::of(alert.long())).min();
        let ladder = Ladder::new(thresholds(meter).collect());
        let series = |objective: &'static Objective| ObjectiveSeries {
            name: objective.name(),
            promised: objective.target(),
            target: objective.target().as_percent().to_string(),
        };
        Self {
            counted: Counted {
                outcomes: [0; Outcome::COUNT],
                tallies: vec![Tally::default(); slo.objectives().len()],
                durations: ladder.empty(),
                as_of: (0, 0),
            },
            judged: slo.objectives().iter().map(|_| Judged::default()).collect(),
            first_bytes: None,
            recent: recent.and_then(|recent| windows.iter().position(|window| *window == recent)),
            meter,
            slo,
            ladder,
            first_ladder: Ladder::new(Vec::new()),
            objectives: slo.objectives().iter().map(series).collect(),
            least_events: slo.least_events(),
            budget_over: slo.period(),
            period: slo.period().to_string(),
            declaration: slo.declaration(),
            windows: windows.into_iter().map(|window| (window, window.to_string())).collect(),
            placements: Vec::new(),
            first_placement: None,
        }
    }

    fn read(&mut self, first_bytes: &[&Recorder], now: Timestamp) {
        let period = match self.budget_over {
            Period::Rolling(length) => Window::of(length),
            Period::CalendarMonth => self.meter.period(),
        };
        // In one look, so that all is of one moment.
        self.meter.look(now, |view| {
            self.judge(view, period);
            // Of most SLOs nothing was counted since the last time, and a histogram is long. Each call that ends is in a cell,
            // and no cell goes down: so while their sum is the same, all else is, but for a latency that came too late to be added.
            let sums = view.sources().iter().map(|source| source.latencies.sum);
            let as_of = (view.total(0).total(), sums.fold(0, u64::wrapping_add));
            if as_of != self.counted.as_of {
                self.count(view);
                self.counted.as_of = as_of;
            }
        });
        self.read_first_bytes(first_bytes);
    }

    /// Counts anew.
    fn count(&mut self, view: &View<'_>) {
        let Self { ladder, placements, counted: Counted { outcomes, tallies, durations, .. }, .. } = self;
        *outcomes = [0; Outcome::COUNT];
        durations.clear();
        for (index, tally) in tallies.iter_mut().enumerate() {
            *tally = view.total(index);
        }
        for (index, Source { recorder, cells, latencies, .. }) in view.sources().iter().enumerate() {
            if index == placements.len() {
                placements.push(ladder.place(recorder));
            }
            durations.add(recorder, cells, latencies, &placements[index]);
            let classes = cells.len() / Outcome::COUNT;
            for (sum, row) in outcomes.iter_mut().zip(cells.chunks(classes.max(1))) {
                *sum += row.iter().sum::<u64>();
            }
        }
    }

    /// The latencies to the first byte, of all guards that expect one.
    fn read_first_bytes(&mut self, recorders: &[&Recorder]) {
        let Some(first) = recorders.first() else { return };
        let Self { first_bytes, first_ladder, first_placement, .. } = self;
        let durations = first_bytes.get_or_insert_with(|| first_ladder.empty());
        let calls = recorders.iter().flat_map(|recorder| recorder.outcomes());
        if calls.sum::<u64>() == durations.count() {
            return;
        }
        let placement = first_placement.get_or_insert_with(|| first_ladder.place(first));
        durations.clear();
        let mut cells = Vec::new();
        for recorder in recorders {
            let latencies = recorder.cells_into(&mut cells);
            durations.add(recorder, &cells, &latencies, placement);
        }
    }

    /// Judges the objectives.
    fn judge(&mut self, view: &mut View<'_>, period: Window) {
        let Self { windows, recent, objectives, judged, least_events, budget_over, .. } = self;
        judged.iter_mut().for_each(|judged| judged.windows.clear());
        for (index, (window, _)) in windows.iter().enumerate() {
            let mut of = judged.iter_mut().zip(&*objectives);
            view.read_all(*window, |reading| {
                let Some((judged, objective)) = of.next() else { return };
                let burn = burn_rate(objective.promised, &reading, *least_events).ok();
                judged.windows.push((burn.map_or(0.0, |burn| burn.value), reading.coverage));
                if *recent == Some(index) {
                    judged.recent = burn;
                }
            });
        }
        let mut of = judged.iter_mut().zip(&*objectives);
        view.read_all(period, |reading| {
            let Some((judged, objective)) = of.next() else { return };
            let budget = Budget::new(objective.promised, *budget_over, &reading, judged.recent);
            judged.budget_remaining = budget.remaining;
            judged.exhaustion = budget.time_to_exhaustion.map_or(f64::INFINITY, |left| left.as_secs_f64());
        });
    }
}

/// An SLO's latency thresholds in nanoseconds.
pub(super) fn thresholds(meter: &Meter) -> impl Iterator<Item = u64> {
    meter.slo().objectives().iter().filter_map(Objective::threshold).map(nanos)
}

impl GuardShown {
    fn read(guard: Guard) -> Self {
        Self {
            name: guard.name(),
            state: guard.core.gate.as_ref().map_or(State::Closed, |gate| gate.peek()),
            transitions: guard.core.gate.as_ref().map(|gate| gate.transitions()),
            slo: guard.slo(),
            refusals: guard.core.recorder.notes(),
            in_flight: guard.in_flight(),
            shedding: guard.core.shedding().map(|shedding| shedding.shown()),
        }
    }
}
