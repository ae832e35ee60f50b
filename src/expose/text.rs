//! The text exposition format of Prometheus, version 0.0.4.

use super::catalogue::{Extent, Shown};
use super::durations::{Durations, Ladder};
use super::families::{Family, Kind, Labels, Sink, walk};
use std::fmt::Write;

/// The beginnings of all lines, written once: a scrape then only copies them and writes numbers.
#[derive(Debug, Default)]
pub(super) struct Text {
    extent: Extent,
    beginnings: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// How long the last text was.
    length: usize,
}

impl Text {
    /// Appends everything to `out`.
    pub(super) fn write(&mut self, shown: &Shown<'_>, out: &mut String) {
        if shown.extent() != self.extent {
            *self = Self { extent: shown.extent(), ..Self::default() };
        }
        let before = out.len();
        out.reserve(self.length + self.length / 16);
        let mut writer = Writer { text: self, line: 0, family: None, headed: false, out };
        walk(shown, &mut writer);
        self.length = out.len() - before;
    }
}

struct Writer<'a> {
    text: &'a mut Text,
    line: usize,
    family: Option<&'static Family>,
    headed: bool,
    out: &'a mut String,
}

impl Writer<'_> {
    fn begin(&mut self, suffix: &str, labels: Labels<'_>, le: Option<&str>) {
        if self.line == self.text.ends.len() {
            self.note(suffix, labels, le);
        }
        let start = self.line.checked_sub(1).map_or(0, |before| self.text.ends[before]);
        self.out.push_str(&self.text.beginnings[start..self.text.ends[self.line]]);
        self.line += 1;
    }

    /// Writes the beginning of a line that was never written before, and what comes before it.
    #[cold]
    fn note(&mut self, suffix: &str, labels: Labels<'_>, le: Option<&str>) {
        let Some(family) = self.family else { return };
        let text = &mut self.text.beginnings;
        if !self.headed {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            text.extend(["# HELP ", family.name, " ", family.help, "\n# TYPE ", family.name, " ", kind, "\n"]);
            self.headed = true;
        }
        text.extend([family.name, suffix]);
        for (index, (name, value)) in labels.iter().copied().chain(le.map(|le| ("le", le))).enumerate() {
            text.extend([if index == 0 { "{" } else { "," }, name, "=\""]);
            escape(value, text);
            text.push('"');
        }
        text.push_str("} ");
        self.text.ends.push(text.len());
    }

    fn whole(&mut self, value: u64) {
        match value {
            // Most series stand at zero, and formatting is most of the work.
            0 => self.out.push_str("0\n"),
            _ => {
                self.out.push_str(itoa::Buffer::new().format(value));
                self.out.push('\n');
            }
        }
    }

    fn real(&mut self, value: f64) {
        match value {
            0.0 => self.out.push_str("0\n"),
            1.0 => self.out.push_str("1\n"),
            f64::INFINITY => self.out.push_str("+Inf\n"),
            _ if value.is_finite() => {
                let mut buffer = zmij::Buffer::new();
                self.out.push_str(buffer.format_finite(value));
                self.out.push('\n');
            }
            // Writing to a `String` cannot fail.
            _ => _ = writeln!(self.out, "{value}"),
        }
    }
}

impl Sink for Writer<'_> {
    fn family(&mut self, family: &'static Family) {
        (self.family, self.headed) = (Some(family), false);
    }

    fn counter(&mut self, labels: Labels<'_>, value: u64) {
        self.begin("", labels, None);
        self.whole(value);
    }

    fn gauge(&mut self, labels: Labels<'_>, value: f64) {
        self.begin("", labels, None);
        self.real(value);
    }

    fn histogram(&mut self, labels: Labels<'_>, _: usize, ladder: &Ladder, durations: &Durations) {
        for (bound, n) in ladder.labels.iter().zip(durations.cumulative()) {
            self.begin("_bucket", labels, Some(bound));
            self.whole(n);
        }
        self.begin("_bucket", labels, Some("+Inf"));
        self.whole(durations.count());
        self.begin("_sum", labels, None);
        self.real(durations.sum());
        self.begin("_count", labels, None);
        self.whole(durations.count());
    }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
