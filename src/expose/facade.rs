//! Publishing through the `metrics` facade.

use super::Kept;
use super::catalogue::{Everything, Extent};
use super::durations::{Durations, Given, Ladder};
use super::families::{self, ALL, Family, Kind, Sink};
use crate::registry::Plimsoll;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};

static METADATA: Metadata<'static> = Metadata::new("plimsoll", Level::INFO, Some("plimsoll"));

impl Plimsoll {
    /// Publishes everything through the [`metrics`] facade: to whichever recorder is installed, local to the thread or
    /// global. Call it before each scrape, or every few seconds; requests never do.
    ///
    /// Counters are set to their absolute values and histograms get what came since the last time. Several calls at
    /// once wait for each other. Handles are kept from one time to the next, and made anew when SLOs or guards were
    /// added, or when the recorder is another one: a recorder that is installed late gets the whole story. Recorders
    /// are told apart by their address; where one is dropped and the next put in its place, as with local recorders in
    /// tests, use a `Plimsoll` of its own for each.
    ///
    /// The facade carries single samples, so the sum of a histogram is only as good as its buckets; counts are exact. Most
    /// recorders take samples one by one, so a publication takes as long as there were calls since the last (and the first
    /// one to a new recorder, since the declaration): publish often.
    /// For an endpoint of one's own `render`, of the feature `prometheus`, is cheaper and pushes no samples at all.
    pub fn publish(&self) {
        // An idle service resolves its alerts and half-opens its breakers here too.
        self.tick();
        let kept = self.kept::<Kept>();
        // In this order: what is published last was read last.
        let mut facade = kept.facade.lock();
        let mut catalogue = kept.catalogue.lock();
        let everything = catalogue.everything(self);
        metrics::with_recorder(|recorder| facade.publish(everything, recorder));
    }
}

/// What was published where.
#[derive(Debug, Default)]
pub(super) struct Facade {
    recorder: Option<usize>,
    extent: Extent,
    handles: Vec<Handle>,
    /// By family of histograms and SLO: the calls that the recorder has been given, by bucket.
    given: Vec<(&'static str, Vec<Vec<Given>>)>,
}

#[derive(Debug)]
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Facade {
    fn publish(&mut self, everything: Everything<'_>, recorder: &dyn Recorder) {
        let address = std::ptr::from_ref(recorder).cast::<()>().addr();
        if self.recorder != Some(address) {
            *self = Self { recorder: Some(address), ..Self::default() };
            describe(recorder);
        }
        if everything.extent() != self.extent {
            self.extent = everything.extent();
            // A facade cannot take a series back: what is no longer declared shall not stand as it was.
            for handle in self.handles.drain(..) {
                if let Handle::Gauge(gauge) = handle {
                    gauge.set(0.0);
                }
            }
        }
        everything.show(&mut Publisher { facade: self, recorder, next: 0 });
    }

    fn given(&mut self, family: &'static str, slo: usize) -> &mut Vec<Given> {
        let index = self.given.iter().position(|(name, _)| *name == family).unwrap_or_else(|| {
            self.given.push((family, Vec::new()));
            self.given.len() - 1
        });
        let by_slo = &mut self.given[index].1;
        if by_slo.len() <= slo {
            by_slo.resize_with(slo + 1, Vec::new);
        }
        &mut by_slo[slo]
    }
}

fn describe(recorder: &dyn Recorder) {
    for family in ALL {
        let name = KeyName::from_const_str(family.name);
        match family.kind {
            Kind::Counter => recorder.describe_counter(name, Some(Unit::Count), family.help.into()),
            Kind::Gauge => recorder.describe_gauge(name, None, family.help.into()),
            Kind::Histogram => recorder.describe_histogram(name, Some(Unit::Seconds), family.help.into()),
        }
    }
}

struct Publisher<'a> {
    facade: &'a mut Facade,
    recorder: &'a dyn Recorder,
    next: usize,
}

impl Publisher<'_> {
    /// The handle of the next series.
    fn handle<'a, const N: usize>(
        &mut self,
        family: &Family,
        labels: impl Fn() -> [families::Label<'a>; N],
    ) -> &Handle {
        if self.next == self.facade.handles.len() {
            let labels: Vec<Label> = labels().map(|(name, value)| Label::new(name, value.to_owned())).into();
            let key = Key::from_parts(family.name, labels);
            self.facade.handles.push(match family.kind {
                Kind::Counter => Handle::Counter(self.recorder.register_counter(&key, &METADATA)),
                Kind::Gauge => Handle::Gauge(self.recorder.register_gauge(&key, &METADATA)),
                Kind::Histogram => Handle::Histogram(self.recorder.register_histogram(&key, &METADATA)),
            });
        }
        self.next += 1;
        &self.facade.handles[self.next - 1]
    }
}

impl Sink for Publisher<'_> {
    fn counter<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [families::Label<'a>; N],
        value: u64,
    ) {
        if let Handle::Counter(counter) = self.handle(family, labels) {
            counter.absolute(value);
        }
    }

    fn gauge<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [families::Label<'a>; N],
        value: f64,
    ) {
        if let Handle::Gauge(gauge) = self.handle(family, labels) {
            gauge.set(value);
        }
    }

    fn histogram<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [families::Label<'a>; N],
        slo: usize,
        ladder: &Ladder,
        durations: &Durations,
    ) {
        let Handle::Histogram(histogram) = self.handle(family, labels) else { return };
        let histogram = histogram.clone();
        let given = self.facade.given(family.name, slo);
        durations.publish(ladder, given, |seconds, n| {
            histogram.record_many(seconds, usize::try_from(n).unwrap_or(usize::MAX));
        });
    }
}
