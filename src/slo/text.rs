//! Durations and factors in the words of error messages.

use std::time::Duration;

/// `30d`, `5m`, `417ms`, `1us`: the largest unit that divides it.
pub(super) fn duration(d: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let nanos = d.as_nanos();
    match UNITS.iter().find(|(unit, _)| nanos > 0 && nanos.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", nanos / unit),
        None => "0s".to_owned(),
    }
}

/// As it would be typed in code: `Duration::from_millis(500)`.
pub(super) fn code(d: Duration) -> String {
    let nanos = d.as_nanos();
    for (unit, name) in [(1_000_000_000, "secs"), (1_000_000, "millis"), (1_000, "micros")] {
        if nanos.is_multiple_of(unit) {
            return format!("Duration::from_{name}({})", nanos / unit);
        }
    }
    format!("Duration::from_nanos({nanos})")
}
