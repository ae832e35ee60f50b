//! What a request asks for, read strictly: what is unknown, senseless or said twice is refused with what is allowed.

use std::time::Duration;

/// The values of the `known` keys; one that is empty was not given.
pub(super) fn read<const N: usize>(query: Option<&str>, known: [&str; N]) -> Result<[Option<String>; N], String> {
    let mut values = [const { None }; N];
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(index) = known.iter().position(|known| *known == key) else {
            return Err(match known.len() {
                0 => format!("{key:?} is not known here: write no query"),
                _ => format!("{key:?} is not known here: write {}", known.join(", ")),
            });
        };
        if values[index].replace(value.into_owned()).is_some() {
            return Err(format!("`{key}` is given twice: write it once"));
        }
    }
    Ok(values.map(|value| value.filter(|value| !value.trim().is_empty())))
}

/// A time such as `15m`.
pub(super) fn duration(key: &str, given: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let span = given.trim().parse::<jiff::Span>().and_then(|span| span.to_duration(days));
    let parsed = span.ok().and_then(|span| Duration::try_from(span).ok());
    parsed.filter(|given| (least..=most).contains(given)).ok_or_else(|| {
        let (least, most) = (super::words::duration(least), super::words::duration(most));
        format!("`{key}={given:?}` is no time that can be: write {least} to {most}, such as 90s, 15m, 2h or 1d")
    })
}

/// A few words to be recorded.
pub(super) fn words(key: &str, given: Option<String>, longest: usize) -> Result<Option<String>, String> {
    let Some(given) = given else { return Ok(None) };
    let given = given.trim();
    let length = given.chars().count();
    if length > longest {
        return Err(format!("`{key}` has {length} characters: write at most {longest}"));
    }
    match given.chars().find(|c| c.is_control()) {
        Some(odd) => Err(format!("`{key}` has the control character {odd:?} in it: leave it out")),
        None => Ok(Some(given.to_owned())),
    }
}
