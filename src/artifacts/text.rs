//! User text in each format that has no writer of its own (PromQL, Go templates, Markdown), and numbers for people.

use std::fmt::Write;
use std::time::Duration;

/// A string literal of PromQL, quotes included. `$` is written as an escape: a dashboard would take it for a variable.
///
/// Source: Prometheus, "Querying basics", string literals (Go's escapes).
pub(super) fn promql(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '$' => literal.push_str("\\x24"),
            // A dashboard's other way to write a variable is `[[name]]`.
            '[' => literal.push_str("\\x5b"),
            c if c.is_control() => _ = write!(literal, "\\u{:04x}", u32::from(c)),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// A selector of PromQL: `name{label="value",…}`.
pub(super) fn selector(name: &str, labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={}", promql(value))).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// Text in a Go template, as Prometheus and Alertmanager take labels and annotations to be: nothing in it is an action.
pub(super) fn template(text: &str) -> String {
    text.replace('{', "{{\"{\"}}")
}

/// Text in Markdown, within a line or a cell of a table: nothing in it is markup, a link or HTML.
///
/// Source: CommonMark 0.31, "Backslash escapes": any ASCII punctuation may be escaped.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // What stands in names all the time and means nothing inside a word.
            '-' | '.' | '/' | ':' | ',' | '%' | '=' | '\'' | '"' | ';' | '?' | '@' => escaped.push(c),
            // An escaped `&` or `<` is not enough for everything that shows Markdown.
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_ascii_punctuation() => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// An address as the destination of a link in Markdown: what could end it is percent-encoded.
///
/// Source: CommonMark 0.31, "Links"; RFC 3986, 2.1.
pub(super) fn link(address: &str) -> String {
    let mut link = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#@!$+,;=%&".contains(&byte) {
            link.push(char::from(byte));
        } else {
            _ = write!(link, "%{byte:02X}");
        }
    }
    // `&amp;` in an address would be read as `&`.
    link.replace('&', "&amp;")
}

/// Text in a shell command, as one word.
///
/// Source: POSIX.1-2017, Shell Command Language, 2.2.2.
pub(super) fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A name as file names, uids and Kubernetes take it (RFC 1123): lower-case letters, digits and dashes, 1 to 63 of them.
pub(super) fn slug(name: &str) -> String {
    let dashed = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let dashed: String = dashed.collect();
    let words: Vec<_> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let slug = words.join("-");
    let slug = slug.get(..63).unwrap_or(&slug).trim_end_matches('-');
    if slug.is_empty() { "unnamed".to_owned() } else { slug.to_owned() }
}

/// The same, unlike any that was `taken`, and taken from now on.
pub(super) fn slug_unlike(name: &str, taken: &mut Vec<String>) -> String {
    let slug = slug(name);
    let numbered = (2..).map(|n| format!("{}-{n}", slug.get(..55).unwrap_or(&slug).trim_end_matches('-')));
    let free = std::iter::once(slug.clone()).chain(numbered).find(|slug| !taken.contains(slug)).unwrap_or_default();
    taken.push(free.clone());
    free
}

/// A duration as PromQL and Prometheus' configuration write it: `30d`, `5m`, `417ms`. Whole milliseconds.
pub(super) fn duration(d: Duration) -> String {
    const UNITS: [(u128, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let millis = d.as_millis().max(1);
    let (unit, name) = UNITS.iter().find(|(unit, _)| millis.is_multiple_of(*unit)).unwrap_or(&(1, "ms"));
    format!("{}{name}", millis / unit)
}

/// A duration for people: `30 days`, `1 hour`, `43.2 minutes`, `500 ms`.
pub(super) fn in_words(d: Duration) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    let seconds = d.as_secs_f64();
    let Some((unit, name)) = UNITS.iter().find(|(unit, _)| seconds >= 2.0 * unit || seconds == *unit) else {
        return if seconds >= 1.0 {
            format!("{} seconds", rounded(seconds))
        } else {
            format!("{} ms", rounded(seconds * 1e3))
        };
    };
    let number = rounded(seconds / unit);
    format!("{number} {name}{}", if number == "1" { "" } else { "s" })
}

/// A number for people, to three significant digits at least: `43.2`, `1000`, `0.02`.
pub(super) fn rounded(number: f64) -> String {
    let decimals = match number.abs() {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        n if n >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{duration, in_words, link, markdown, promql, rounded, shell, slug, template};
    use std::time::Duration;

    #[test]
    fn nothing_ends_a_literal() {
        assert_eq!(promql(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(promql("${a} [[b]]"), r#""\x24{a} \x5b\x5bb]]""#);
        assert_eq!(template("{{ x }}{"), r#"{{"{"}}{{"{"}} x }}{{"{"}}"#);
        assert_eq!(markdown("a|b <i> [x](y) *z*"), r"a\|b &lt;i&gt; \[x\]\(y\) \*z\*");
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(shell("checkout"), "checkout");
        assert_eq!(link("https://a.example/x (y)<z>?a=1&b"), "https://a.example/x%20%28y%29%3Cz%3E?a=1&amp;b");
    }

    #[test]
    fn durations_and_numbers() {
        for (millis, prometheus, people) in [
            (417, "417ms", "417 ms"),
            (1_000, "1s", "1 second"),
            (300_000, "5m", "5 minutes"),
            (3_600_000, "1h", "1 hour"),
            (86_400_000, "1d", "1 day"),
            (2_592_000_000, "30d", "30 days"),
            (2_592_000, "2592s", "43.2 minutes"),
        ] {
            let d = Duration::from_millis(millis);
            assert_eq!((duration(d).as_str(), in_words(d).as_str()), (prometheus, people));
        }
        assert_eq!((rounded(14.4), rounded(1_000.0), rounded(0.02)), ("14.4".into(), "1000".into(), "0.02".into()));
        assert_eq!((slug("Kasse – 1"), slug("…")), ("kasse-1".into(), "unnamed".into()));
    }
}
