//! Durations and percentages as they are written in files.

use super::super::{Period, Severity, Target, text};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A duration, written `500ms` or `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) Duration);

/// `500ms`, `5m`, `30d`: a whole number and a unit.
fn parse_length(given: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u128); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let digits = given.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = given.split_at(digits);
    let nanos = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).and_then(|(_, nanos)| {
        let all = number.parse::<u64>().ok().map(|number| u128::from(number) * nanos)?;
        // The remainder of a division by 10⁹ fits.
        Some(Duration::new(u64::try_from(all / 1_000_000_000).ok()?, (all % 1_000_000_000) as u32))
    });
    nanos.ok_or_else(|| {
        let given: String = given.chars().take(40).collect();
        format!(
            "{given:?} is no duration: write a whole number and a unit, d, h, m, s, ms, us or ns, such as \"500ms\" or \
             \"30d\""
        )
    })
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text::duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = deserializer.deserialize_str(Words("a duration, such as \"500ms\""))?;
        parse_length(&given).map(Self).map_err(de::Error::custom)
    }
}

/// `30d`, or `calendar month`.
impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = deserializer.deserialize_str(Words("a period, such as \"30d\" or \"calendar month\""))?;
        if given == Self::CalendarMonth.to_string() {
            return Ok(Self::CalendarMonth);
        }
        let or = |error| de::Error::custom(format!("{error}, or \"calendar month\""));
        parse_length(&given).map(Self::Rolling).map_err(or)
    }
}

/// `P0`, `P1` or `P2`.
impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = deserializer.deserialize_str(Words("a severity: \"P0\", \"P1\" or \"P2\""))?;
        let known = Self::ALL.into_iter().find(|severity| severity.as_str() == given);
        known.ok_or_else(|| de::Error::custom(format!("{given:?} is no severity: write \"P0\", \"P1\" or \"P2\"")))
    }
}

/// The number of percent; a string of its digits is read as well.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_percent())
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Percent)
    }
}

/// A share as a ratio, 0..=1, in percent, without the error of a floating-point multiplication; `None` if it has more
/// digits than a [`Target`] keeps.
pub(crate) fn percent_of_ratio(ratio: f64) -> Option<f64> {
    let parts = (ratio * Target::WHOLE as f64).round();
    (parts / Target::WHOLE as f64 == ratio).then(|| parts / (Target::WHOLE / 100) as f64)
}

/// Takes a string, owned.
struct Words(&'static str);

impl Visitor<'_> for Words {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, given: &str) -> Result<String, E> {
        Ok(given.to_owned())
    }
}

struct Percent;

impl Visitor<'_> for Percent {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target in percent, such as 99.9")
    }

    fn visit_f64<E: de::Error>(self, percent: f64) -> Result<Target, E> {
        Target::percent(percent).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, percent: i64) -> Result<Target, E> {
        self.visit_f64(percent as f64)
    }

    fn visit_u64<E: de::Error>(self, percent: u64) -> Result<Target, E> {
        self.visit_f64(percent as f64)
    }

    fn visit_str<E: de::Error>(self, given: &str) -> Result<Target, E> {
        let digits = given.trim_end_matches('%').trim();
        let percent =
            digits.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| digits.parse::<f64>().ok()).flatten();
        let percent = percent.ok_or_else(|| {
            let given: String = given.chars().take(40).collect();
            E::custom(format!("{given:?} is no target: write a percentage over 0 and under 100, such as 99.9"))
        })?;
        let target = self.visit_f64(percent)?;
        // More digits than a float holds would be dropped without a word.
        let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
        if fraction.len() > 7 {
            return Err(E::custom(format!(
                "a target of {digits} % has more digits than are kept: write at most 7 decimals"
            )));
        }
        Ok(target)
    }
}
