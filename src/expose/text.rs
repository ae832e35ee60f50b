//! The text exposition format of Prometheus, version 0.0.4.

use super::catalogue::{Everything, Extent};
use super::durations::{Durations, Ladder};
use super::families::{ALL, Family, Kind, Label, Sink};
use std::fmt::Write;
use std::ops::Range;

/// How many numbers back one that is the same is looked for: to write it takes longer than to find it.
const ALIKE: usize = 8;
/// As long as a number and the end of its line are, or longer.
const LONGEST: usize = 32;

/// The text as it was last written, by [`place`](Family::place): of most lines nothing changes from one scrape to the next.
#[derive(Debug, Default)]
pub(super) struct Text {
    extent: Extent,
    families: [Lines; ALL.len()],
}

impl Text {
    /// Appends everything to `out`.
    pub(super) fn write(&mut self, everything: Everything<'_>, out: &mut String) {
        if everything.extent() != self.extent {
            *self = Self { extent: everything.extent(), ..Self::default() };
        }
        everything.show(self);
        out.reserve(self.families.iter().map(|lines| lines.text.len() + lines.changed.len() * LONGEST).sum());
        self.families.iter_mut().for_each(|lines| lines.write(out));
    }
}

/// The lines of a family.
#[derive(Debug, Default)]
struct Lines {
    /// As last written, with what comes before them.
    text: String,
    /// Of the number of each.
    bits: Vec<u64>,
    lengths: Vec<Lengths>,
    /// Which one comes next.
    next: usize,
    /// Ascending.
    changed: Vec<Change>,
    /// The numbers that lines changed to.
    numbers: String,
}

/// Of what comes before a line's number, and of that with the end of the line.
#[derive(Debug)]
struct Lengths {
    beginning: usize,
    number: usize,
}

/// A line of which the number is another, and where that is.
#[derive(Debug)]
struct Change {
    line: usize,
    number: Number,
    written: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(u64),
    Real(f64),
}

/// What a line begins with.
struct Beginning<'a> {
    family: &'static Family,
    suffix: &'static str,
    labels: &'a [Label<'a>],
    le: Option<&'a str>,
}

impl Lines {
    /// Takes the next line, which is new or has another number than it had.
    #[inline(never)] // see `Text::put`
    fn change(&mut self, beginning: &Beginning<'_>, number: Number) {
        let Some(bits) = self.bits.get_mut(self.next) else {
            let begun = self.text.len();
            beginning.write(&mut self.text);
            let begins = self.text.len();
            number.write(&mut self.text);
            self.bits.push(number.bits());
            return self.lengths.push(Lengths { beginning: begins - begun, number: self.text.len() - begins });
        };
        *bits = number.bits();
        // Objectives have their coverage in common, windows that nothing left yet their burn rates, and bounds that nothing
        // lies between their counts.
        let same = self.changed.iter().rev().take(ALIKE).find(|change| change.number == number);
        let written = same.map(|same| same.written.clone()).unwrap_or_else(|| {
            let begins = self.numbers.len();
            number.write(&mut self.numbers);
            begins..self.numbers.len()
        });
        self.changed.push(Change { line: self.next, number, written });
    }

    /// Appends all lines: what did not change in runs as long as there are, between numbers that did.
    fn write(&mut self, out: &mut String) {
        self.next = 0;
        if self.changed.is_empty() {
            return out.push_str(&self.text);
        }
        let start = out.len();
        let (mut copied, mut at, mut next) = (0, 0, 0);
        for Change { line, written, .. } in self.changed.drain(..) {
            at += self.lengths[next..line].iter().map(|lengths| lengths.beginning + lengths.number).sum::<usize>();
            let lengths = &mut self.lengths[line];
            at += lengths.beginning;
            out.push_str(&self.text[copied..at]);
            at += lengths.number;
            lengths.number = written.len();
            out.push_str(&self.numbers[written]);
            (copied, next) = (at, line + 1);
        }
        out.push_str(&self.text[copied..]);
        self.text.clear();
        self.text.push_str(&out[start..]);
        self.numbers.clear();
    }
}

impl Text {
    /// Takes the next line of a family.
    #[inline(always)] // most are as they were: to say what they are would cost more than to see it
    fn put<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        suffix: &'static str,
        labels: impl Fn() -> [Label<'a>; N],
        le: Option<&str>,
        number: Number,
    ) {
        let lines = &mut self.families[family.place];
        if lines.bits.get(lines.next) != Some(&number.bits()) {
            lines.change(&Beginning { family, suffix, labels: &labels(), le }, number);
        }
        lines.next += 1;
    }
}

impl Sink for Text {
    #[inline(always)] // see `Text::put`
    fn counter<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [Label<'a>; N],
        value: u64,
    ) {
        self.put(family, "", labels, None, Number::Whole(value));
    }

    #[inline(always)] // see `Text::put`
    fn gauge<'a, const N: usize>(&mut self, family: &'static Family, labels: impl Fn() -> [Label<'a>; N], value: f64) {
        self.put(family, "", labels, None, Number::Real(value));
    }

    fn histogram<'a, const N: usize>(
        &mut self,
        family: &'static Family,
        labels: impl Fn() -> [Label<'a>; N],
        _: usize,
        ladder: &Ladder,
        durations: &Durations,
    ) {
        let count = Number::Whole(durations.count());
        for (bound, n) in ladder.labels.iter().zip(durations.cumulative()) {
            self.put(family, "_bucket", &labels, Some(bound), Number::Whole(n));
        }
        self.put(family, "_bucket", &labels, Some("+Inf"), count);
        self.put(family, "_sum", &labels, None, Number::Real(durations.sum()));
        self.put(family, "_count", &labels, None, count);
    }
}

impl Beginning<'_> {
    /// Writes it, and what comes before the first line of a family.
    fn write(&self, out: &mut String) {
        let Self { family, suffix, labels, le } = *self;
        if out.is_empty() {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            out.extend(["# HELP ", family.name, " ", family.help, "\n# TYPE ", family.name, " ", kind, "\n"]);
        }
        out.extend([family.name, suffix]);
        for (index, (name, value)) in labels.iter().copied().chain(le.map(|le| ("le", le))).enumerate() {
            out.extend([if index == 0 { "{" } else { "," }, name, "=\""]);
            escape(value, out);
            out.push('"');
        }
        out.push_str("} ");
    }
}

impl Number {
    fn bits(self) -> u64 {
        match self {
            Self::Whole(value) => value,
            Self::Real(value) => value.to_bits(),
        }
    }

    /// Writes it, and the end of the line.
    fn write(self, out: &mut String) {
        match self {
            Self::Whole(value) => out.push_str(itoa::Buffer::new().format(value)),
            Self::Real(0.0) => out.push('0'),
            Self::Real(1.0) => out.push('1'),
            Self::Real(f64::INFINITY) => out.push_str("+Inf"),
            Self::Real(value) if value.is_finite() => out.push_str(zmij::Buffer::new().format_finite(value)),
            // Writing to a `String` cannot fail.
            Self::Real(value) => _ = write!(out, "{value}"),
        }
        out.push('\n');
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
