//! YAML with a head that says where it comes from.

use serde_json::Value;

/// Documents, each of them one value, below a comment of one or more lines.
///
/// Whatever a text holds, the writer quotes it: no declaration can end a string or begin a key. Texts of several lines are
/// written as such.
pub(super) fn documents(comment: &str, documents: &[Value]) -> String {
    let mut text = String::new();
    for line in comment.lines() {
        // What a reader might take for the end of the line.
        let line: String = line
            .chars()
            .map(|c| if c.is_control() || "\u{85}\u{2028}\u{2029}".contains(c) { ' ' } else { c })
            .collect();
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    for (i, document) in documents.iter().enumerate() {
        if i > 0 {
            text.push_str("---\n");
        }
        // Folding would break long expressions into lines.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        // A tree of texts, numbers and lists is always written.
        text += &serde_saphyr::to_string_with_options(document, options).unwrap_or_default();
    }
    text
}
