//! Matchers of labels, as Alertmanager reads them.

/// `label="value"`; as an argument to `amtool` it is a label.
///
/// Source: Alertmanager, "Configuration", matchers: in quotes, `\"` and `\\` are the escapes that all its parsers share.
pub(super) fn is(label: &str, value: &str) -> String {
    format!("{label}=\"{}\"", quoted(value))
}

/// `label!="value"`
pub(super) fn is_not(label: &str, value: &str) -> String {
    format!("{label}!=\"{}\"", quoted(value))
}

/// The label has one of the values.
pub(super) fn is_one_of<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<&str> = values.into_iter().collect();
    match values.as_slice() {
        [value] => is(label, value),
        values => {
            let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
            format!("{label}=~\"{}\"", quoted(&values.join("|")))
        }
    }
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A regular expression that matches the text and nothing else.
///
/// Source: RE2, "Syntax": a backslash before punctuation makes it literal.
fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::{is, is_one_of};

    #[test]
    fn nothing_ends_a_value() {
        assert_eq!(is("slo", r#"a"b\"#), r#"slo="a\"b\\""#);
        assert_eq!(is_one_of("slo", ["a.b"]), r#"slo="a.b""#);
        assert_eq!(is_one_of("slo", ["a.b", r#"c|"d"#]), r#"slo=~"a\\.b|c\\|\"d""#);
    }
}
