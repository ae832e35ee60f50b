//! Which series there are, and what they stand at.

use super::durations::{Durations, Ladder, Placement};
use crate::breaker::{State, Transitions};
use crate::budget::{Budget, burn_rate};
use crate::guard::{Guard, KeyedShown, Meter, SheddingShown};
use crate::outcome::{Outcome, Tally};
use crate::record::{NOTES, Recorder};
use crate::registry::Plimsoll;
use crate::slo::{Objective, Slo};
use crate::time::{Timestamp, nanos};
use crate::window::Window;
use std::collections::HashMap;

/// Every SLO and guard that has been shown, with what does not change about them.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) slos: Vec<SloSeries>,
    /// How often an SLO was found to be declared anew.
    revision: u64,
}

/// What does not change about one SLO, unless it is declared anew.
#[derive(Debug)]
pub(super) struct SloSeries {
    pub(super) meter: &'static Meter,
    slo: &'static Slo,
    pub(super) ladder: Ladder,
    pub(super) first_ladder: Ladder,
    pub(super) targets: Vec<String>,
    pub(super) period: String,
    pub(super) declaration: String,
    /// The alerts' windows, long and short, each once, as labels too.
    pub(super) windows: Vec<(Window, String)>,
    /// The window that says how fast the budget goes: the shortest long one of the alerts.
    recent: Option<usize>,
    placements: Vec<Placement>,
    first_placement: Option<Placement>,
    counted: Counted,
}

/// What was counted when it was last read.
#[derive(Debug)]
struct Counted {
    /// By recorder.
    cells: Vec<Vec<u64>>,
    outcomes: [u64; Outcome::COUNT],
    /// By objective.
    tallies: Vec<Tally>,
    durations: Durations,
}

/// Everything at one moment.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) slos: Vec<SloShown<'a>>,
    pub(super) guards: Vec<GuardShown>,
    pub(super) keyed: Vec<KeyedShown>,
    revision: u64,
}

/// One SLO at one moment.
#[derive(Debug)]
pub(super) struct SloShown<'a> {
    pub(super) series: &'a SloSeries,
    pub(super) outcomes: [u64; Outcome::COUNT],
    pub(super) objectives: Vec<ObjectiveShown>,
    pub(super) durations: &'a Durations,
    pub(super) first_bytes: Option<Durations>,
}

/// One objective at one moment.
#[derive(Debug)]
pub(super) struct ObjectiveShown {
    pub(super) name: &'static str,
    pub(super) tally: Tally,
    pub(super) budget_remaining: f64,
    /// Seconds; infinite if it will last.
    pub(super) exhaustion: f64,
    /// Burn rate and coverage, by window.
    pub(super) windows: Vec<(f64, f64)>,
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

/// How many series there are of what; while it is the same, so are the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    slos: usize,
    guards: usize,
    keyed: usize,
    first_bytes: usize,
    revision: u64,
}

impl Catalogue {
    /// Reads everything there is at this moment. What time alone does is to be done first, before anything is locked: it
    /// tells subscribers, who may ask for an exposition themselves.
    pub(super) fn read<'a>(&'a mut self, plimsoll: &Plimsoll) -> Shown<'a> {
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
        let read = |series: &'a mut SloSeries| {
            let first_bytes = first_bytes.get(&std::ptr::from_ref(series.meter));
            SloShown::read(series, first_bytes.map_or(&[], Vec::as_slice), now)
        };
        Shown {
            slos: self.slos.iter_mut().map(read).collect(),
            guards: guards.iter().map(GuardShown::read).collect(),
            keyed: plimsoll.keyed_guards().into_iter().map(|keyed| keyed.show()).collect(),
            revision: self.revision,
        }
    }
}

impl Shown<'_> {
    pub(super) fn extent(&self) -> Extent {
        let first_bytes = self.slos.iter().filter(|slo| slo.first_bytes.is_some()).count();
        let (slos, guards, keyed) = (self.slos.len(), self.guards.len(), self.keyed.len());
        Extent { slos, guards, keyed, first_bytes, revision: self.revision }
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
        Self {
            counted: Counted {
                cells: Vec::new(),
                outcomes: [0; Outcome::COUNT],
                tallies: vec![Tally::default(); slo.objectives().len()],
                durations: ladder.empty(),
            },
            recent: recent.and_then(|recent| windows.iter().position(|window| *window == recent)),
            meter,
            slo,
            ladder,
            first_ladder: Ladder::new(Vec::new()),
            targets: slo.objectives().iter().map(|objective| objective.target().as_percent().to_string()).collect(),
            period: slo.period().to_string(),
            declaration: slo.declaration(),
            windows: windows.into_iter().map(|window| (window, window.to_string())).collect(),
            placements: Vec::new(),
            first_placement: None,
        }
    }
}

/// An SLO's latency thresholds in nanoseconds.
pub(super) fn thresholds(meter: &Meter) -> impl Iterator<Item = u64> {
    meter.slo().objectives().iter().filter_map(Objective::threshold).map(nanos)
}

impl<'a> SloShown<'a> {
    fn read(series: &'a mut SloSeries, first_bytes: &[&Recorder], now: Timestamp) -> Self {
        series.count();
        let first_bytes = series.first_bytes(first_bytes);
        let series = &*series;
        let Counted { outcomes, tallies, durations, .. } = &series.counted;
        Self { series, outcomes: *outcomes, objectives: series.objectives(tallies, now), durations, first_bytes }
    }
}

impl SloSeries {
    /// Brings what was counted up to date. Of most SLOs nothing was since the last time, and a histogram is long: each call
    /// that ends is in a cell, so while these are the same all else is.
    fn count(&mut self) {
        let counted = &mut self.counted;
        let (mut index, mut is_same) = (0, true);
        let mut cells = Vec::new();
        self.meter.each_source(|recorder, _| {
            recorder.cells_into(&mut cells);
            is_same &= counted.cells.get(index) == Some(&cells);
            index += 1;
        });
        if !is_same {
            self.count_anew();
        }
    }

    fn count_anew(&mut self) {
        let Self { counted, ladder, placements, .. } = self;
        counted.cells.clear();
        counted.outcomes = [0; Outcome::COUNT];
        counted.tallies.fill(Tally::default());
        counted.durations = ladder.empty();
        let mut index = 0;
        self.meter.each_source(|recorder, mappings| {
            // One snapshot for outcomes, verdicts and durations: that is why they agree.
            let snapshot = recorder.snapshot();
            if index == placements.len() {
                placements.push(ladder.place(recorder));
            }
            counted.durations.add(&snapshot, &placements[index]);
            for (tally, mapping) in counted.tallies.iter_mut().zip(mappings) {
                *tally += mapping.tally(&snapshot.cells);
            }
            let classes = snapshot.cells.len() / Outcome::COUNT;
            for (sum, row) in counted.outcomes.iter_mut().zip(snapshot.cells.chunks(classes.max(1))) {
                *sum += row.iter().sum::<u64>();
            }
            counted.cells.push(snapshot.cells);
            index += 1;
        });
    }

    /// The latencies to the first byte, of all guards that expect one.
    fn first_bytes(&mut self, recorders: &[&Recorder]) -> Option<Durations> {
        let first = recorders.first()?;
        let ladder = &self.first_ladder;
        let placement = self.first_placement.get_or_insert_with(|| ladder.place(first));
        let mut durations = ladder.empty();
        recorders.iter().for_each(|recorder| durations.add(&recorder.snapshot(), placement));
        Some(durations)
    }

    fn objectives(&self, tallies: &[Tally], now: Timestamp) -> Vec<ObjectiveShown> {
        let (slo, period) = (self.slo, self.meter.period());
        let windows = || self.windows.iter().map(|(window, _)| *window).chain([period]);
        let wanted = (0..tallies.len()).flat_map(|objective| windows().map(move |window| (objective, window)));
        let readings = self.meter.readings(wanted, now);
        let rows = readings.chunks(self.windows.len() + 1);
        let each = slo.objectives().iter().zip(tallies).zip(rows).map(|((objective, tally), row)| {
            let target = objective.target();
            let (of_windows, of_period) = row.split_at(self.windows.len());
            let rate = |reading| burn_rate(target, reading, slo.least_events()).ok();
            let burn = |reading| rate(reading).map_or(0.0, |burn| burn.value);
            let recent = self.recent.and_then(|window| rate(of_windows.get(window)?));
            let budget = of_period.first().map(|reading| Budget::new(target, slo.period(), reading, recent));
            let exhaustion = budget.and_then(|budget| budget.time_to_exhaustion);
            ObjectiveShown {
                name: objective.name(),
                tally: *tally,
                budget_remaining: budget.map_or(1.0, |budget| budget.remaining),
                exhaustion: exhaustion.map_or(f64::INFINITY, |left| left.as_secs_f64()),
                windows: of_windows.iter().map(|reading| (burn(reading), reading.coverage)).collect(),
            }
        });
        each.collect()
    }
}

impl GuardShown {
    fn read(guard: &Guard) -> Self {
        let in_flight = guard.in_flight();
        Self {
            name: guard.name(),
            state: guard.core.gate.as_ref().map_or(State::Closed, |gate| gate.peek()),
            transitions: guard.core.gate.as_ref().map(|gate| gate.transitions()),
            slo: guard.slo(),
            refusals: guard.core.recorder.notes(),
            in_flight,
            shedding: guard.core.shedding().map(|shedding| shedding.shown(in_flight)),
        }
    }
}
