//! Text that is only text in Markdown, whatever is in it.

/// `text` on one line, safe in a paragraph, a list or a table's cell. Source: GitHub Flavored Markdown, sections 2.4 and 4.10.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside_a_word = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '_' if inside_a_word => safe.push(c),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '{' | '}' | '<' | '>' | '|' | '&' | '$' => {
                safe.extend(['\\', c]);
            }
            // Line breaks that are no control characters are taken for such by some.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => safe.push(' '),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}
