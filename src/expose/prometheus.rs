//! The endpoint of `metrics-exporter-prometheus`, with our families on it.

use super::Kept;
use super::catalogue::thresholds;
use super::durations::Ladder;
use super::families::{ALL, Kind};
use crate::registry::Plimsoll;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

impl Plimsoll {
    /// Everything that the user's own metrics hold, as the exporter renders it, followed by everything here, read at
    /// this moment: the body of a `/metrics` answer, in the text exposition format 0.0.4.
    ///
    /// Nothing is pushed into the exporter, so nothing is sampled, drained or lost. If [`publish`](Self::publish) was
    /// called too, what the exporter holds of these families is left out: they are in the text once. Labels that the
    /// exporter adds to all of its series are not added to these.
    pub fn render(&self, handle: &PrometheusHandle) -> String {
        let mut text = without_ours(handle.render());
        self.append(&mut text);
        text
    }

    /// Everything here, without any of the user's own metrics: see [`render`](Self::render).
    pub fn render_own(&self) -> String {
        let mut text = String::new();
        self.append(&mut text);
        text
    }

    fn append(&self, out: &mut String) {
        // An idle service resolves its alerts and half-opens its breakers here too.
        self.tick();
        let kept = self.kept::<Kept>();
        let mut text = kept.text.lock();
        let mut catalogue = kept.catalogue.lock();
        text.write(catalogue.everything(self), out);
    }

    /// A builder for those who keep to the exporter's own endpoint, or push gateway, and [`publish`](Self::publish):
    /// it knows the buckets of our histograms, the thresholds of all SLOs declared so far among them.
    ///
    /// Declare first, then build. The exporter has one set of buckets to a name; so a histogram is exact at the
    /// thresholds of its own SLO, and may be off by a bucket at those of others.
    pub fn prometheus_builder(&self) -> PrometheusBuilder {
        let ladder = Ladder::new(self.slos().iter().flat_map(|slo| thresholds(slo.meter)).collect());
        let plain = Ladder::new(Vec::new());
        let histograms = ALL.iter().filter(|family| family.kind == Kind::Histogram);
        histograms.fold(PrometheusBuilder::new(), |builder, family| {
            let bounds = if family.name == crate::names::DURATION { ladder.seconds() } else { plain.seconds() };
            // The only thing it refuses is an empty list of bounds.
            builder
                .set_buckets_for_metric(Matcher::Full(family.name.to_owned()), &bounds)
                .unwrap_or_else(|_| PrometheusBuilder::new())
        })
    }
}

/// `text` without our families.
fn without_ours(text: String) -> String {
    if !ALL.iter().any(|family| text.contains(family.name)) {
        return text;
    }
    text.split_inclusive('\n').filter(|line| !is_ours(line)).collect()
}

fn is_ours(line: &str) -> bool {
    let line = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
    let name = line.split(['{', ' ']).next().unwrap_or_default();
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    ALL.iter().any(|family| family.name == name || (family.kind == Kind::Histogram && base == Some(family.name)))
}
