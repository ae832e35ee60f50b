//! Sentences with numbers that Prometheus fills in: as the template that it fills, and as what it makes of it.

use crate::artifacts::text::{duration, template};
use crate::names::recorded;
use std::time::Duration;

/// A part of a sentence about a burning budget.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    /// The burn rate that the alert saw: `21.0`.
    Burn,
    /// How long a whole budget of this period lasts at that rate: `34 hours`.
    Lasts(Duration),
    /// The share of the window's events that was bad.
    Bad(Duration),
    /// The share of the budget that is left.
    Left,
}

/// The numbers of a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) burn: f64,
    pub(super) bad: f64,
    pub(super) left: Option<f64>,
}

/// Units of time in seconds, the largest first: down to how many of them one is used, and with how many decimals.
const UNITS: [(&str, f64, f64, usize); 4] =
    [("days", 86_400.0, 3.0, 0), ("hours", 3_600.0, 2.0, 0), ("minutes", 60.0, 2.0, 0), ("seconds", 1.0, 0.0, 1)];
const UNKNOWN_LEFT: &str = "An unknown share";

/// As a template.
pub(super) fn as_template(parts: &[Part]) -> String {
    let one = |part: &Part| match part {
        Part::Text(text) => template(text),
        Part::Burn => "{{ $value | printf \"%.1f\" }}".to_owned(),
        Part::Lasts(period) => lasts(*period),
        Part::Bad(window) => {
            let window = format!(",window=\"{}\"", duration(*window));
            value_of(recorded::BAD_RATIO, &window, "humanizePercentage", "Too many")
        }
        Part::Left => value_of(recorded::BUDGET_REMAINING, "", "humanizePercentage", UNKNOWN_LEFT),
    };
    parts.iter().map(one).collect()
}

/// What Prometheus makes of the template.
pub(super) fn filled(parts: &[Part], numbers: &Numbers) -> String {
    let one = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Burn => format!("{:.1}", numbers.burn),
        Part::Lasts(period) => {
            let lasts = |unit: f64| period.as_secs_f64() / unit / numbers.burn;
            let fits = UNITS.iter().find(|(_, unit, least, _)| lasts(*unit) > *least).unwrap_or(&UNITS[3]);
            let (name, unit, _, decimals) = *fits;
            format!("{:.decimals$} {name}", lasts(unit))
        }
        Part::Bad(_) => percentage(numbers.bad),
        Part::Left => numbers.left.map_or_else(|| UNKNOWN_LEFT.to_owned(), percentage),
    };
    parts.iter().map(one).collect()
}

/// The value of a recorded series with the alert's own SLO and objective, through `form`; `nothing` if there is none.
pub(super) fn value_of(record: &str, more: &str, form: &str, nothing: &str) -> String {
    format!(
        "{{{{ with printf `{record}{{slo=%q,objective=%q{more}}}` $labels.slo $labels.objective | query }}}}\
         {{{{ . | first | value | {form} }}}}{{{{ else }}}}{nothing}{{{{ end }}}}"
    )
}

/// Templates cannot divide, but they can ask Prometheus to.
fn lasts(period: Duration) -> String {
    let mut text = String::new();
    for (i, (name, unit, least, decimals)) in UNITS.iter().enumerate() {
        let whole = period.as_secs_f64() / unit;
        let divided = format!("printf \"{whole} / %g\" $value | query | first | value");
        let form = format!("{{{{ {divided} | printf \"%.{decimals}f {name}\" }}}}");
        text += &match i {
            0 => format!("{{{{ if gt ({divided}) {least:.1} }}}}{form}"),
            3 => format!("{{{{ else }}}}{form}{{{{ end }}}}"),
            _ => format!("{{{{ else if gt ({divided}) {least:.1} }}}}{form}"),
        };
    }
    text
}

/// Prometheus' `humanizePercentage`: four significant digits, as Go's `%.4g` writes them.
fn percentage(ratio: f64) -> String {
    const DIGITS: i32 = 4;
    let percent = ratio * 100.0;
    if percent == 0.0 {
        return "0%".to_owned();
    }
    // Rounded first, for 9999.9 has one more digit than it seems.
    let scientific = format!("{percent:.*e}", (DIGITS - 1) as usize);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return format!("{}%", trimmed(&format!("{percent:.decimals$}")));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}%", trimmed(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn percentages_as_go_writes_them() {
        for (ratio, text) in [
            (0.0, "0%"),
            (0.25, "25%"),
            (1.0 / 3.0, "33.33%"),
            (-65.3, "-6530%"),
            (99.99996, "1e+04%"),
            (-1234.5, "-1.234e+05%"),
            (0.000_000_123_4, "1.234e-05%"),
            (0.000_123_46, "0.01235%"),
        ] {
            assert_eq!(percentage(ratio), text);
        }
    }
}
