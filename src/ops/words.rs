//! Numbers, durations and states in the words of people.

use crate::breaker::State;
use crate::time::nanos;
use std::time::Duration;

/// `2 d 3 h`, `4 min 10 s`, `350 ms`: two units at most.
pub(super) fn duration(d: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = d.as_secs();
    if seconds == 0 {
        return match nanos(d) {
            0 => "0 s".to_owned(),
            n if n < 1_000 => format!("{n} ns"),
            n if n < 1_000_000 => format!("{} us", n / 1_000),
            n => format!("{} ms", n / 1_000_000),
        };
    }
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let (unit, name) = UNITS[first];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((finer, name)) = UNITS.get(first + 1)
        && seconds % unit / finer > 0
    {
        text.push_str(&format!(" {} {name}", seconds % unit / finer));
    }
    text
}

/// `12 345 678`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// How much is left, as a bar of 20: `[##############------]`.
pub(super) fn bar(ratio: f64) -> String {
    const WIDTH: usize = 20;
    // Anything left is shown as such, and so is anything spent.
    let full = (ratio.clamp(0.0, 1.0) * WIDTH as f64).floor() as usize;
    let full = if ratio > 0.0 { full.max(1) } else { 0 };
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

/// A share of events in percent, never rounded up to 100: `99.953 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let thousandths = u128::from(part) * 100_000 / u128::from(whole);
    format!("{}.{:03} %", thousandths / 1_000, thousandths % 1_000)
}

/// What a breaker's state means.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Closed => "closed (calls pass)",
        State::Open => "OPEN (calls are refused)",
        State::HalfOpen => "HALF-OPEN (a few calls are tried)",
        State::Ramping => "RAMPING (a growing share of calls passes)",
        State::ForcedOpen => "FORCED OPEN by an operator (calls are refused)",
        State::ForcedClosed => "FORCED CLOSED by an operator (calls pass, whatever happens)",
        State::WouldBeOpen => "would be open, but only observes (calls pass)",
    }
}

/// The names there are, if they are not too many.
#[cfg(feature = "axum")]
pub(super) fn known(names: &[&str]) -> String {
    const SHOWN: usize = 50;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => "there are none yet".to_owned(),
        0 => format!("there are {}", shown.join(", ")),
        more => format!("there are {}, and {more} more", shown.join(", ")),
    }
}
