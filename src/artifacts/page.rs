//! A page of Markdown. What is handed in is Markdown already: user text goes through [`markdown`](super::text::markdown).

/// A page that is being written.
#[derive(Clone, Debug)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self(format!("# {title}\n"))
    }

    pub(super) fn section(&mut self, title: &str) -> &mut Self {
        self.block(&format!("## {title}"))
    }

    pub(super) fn subsection(&mut self, title: &str) -> &mut Self {
        self.block(&format!("### {title}"))
    }

    /// A paragraph, or any other block.
    pub(super) fn block(&mut self, text: &str) -> &mut Self {
        self.0.extend(["\n", text.trim_end(), "\n"]);
        self
    }

    /// Commands to copy. No line of them begins with user text, so none ends the block.
    pub(super) fn sh(&mut self, commands: &[String]) -> &mut Self {
        self.block(&format!("```sh\n{}\n```", commands.join("\n")))
    }

    /// A query to copy.
    pub(super) fn promql(&mut self, query: &str) -> &mut Self {
        self.block(&format!("```promql\n{query}\n```"))
    }

    /// Measures of which one is taken: each has a block of its own, so that copying one runs no other.
    pub(super) fn choices(&mut self, choices: &[(&str, Vec<String>)]) -> &mut Self {
        for (what, commands) in choices {
            self.block(what).sh(commands);
        }
        self
    }

    pub(super) fn items(&mut self, items: &[String]) -> &mut Self {
        let lines: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
        self.block(&lines.join("\n"))
    }

    /// Steps in order.
    pub(super) fn steps(&mut self, items: &[String]) -> &mut Self {
        let lines: Vec<String> = items.iter().enumerate().map(|(n, item)| format!("{}. {item}", n + 1)).collect();
        self.block(&lines.join("\n"))
    }

    /// Things to tick off.
    pub(super) fn checklist(&mut self, items: &[String]) -> &mut Self {
        let lines: Vec<String> = items.iter().map(|item| format!("- [ ] {item}")).collect();
        self.block(&lines.join("\n"))
    }

    /// A table; an empty one is left out.
    pub(super) fn table<const N: usize>(&mut self, heads: [&str; N], rows: &[[String; N]]) -> &mut Self {
        if rows.is_empty() {
            return self;
        }
        let mut lines = vec![format!("| {} |", heads.join(" | ")), format!("|{}", "---|".repeat(N))];
        lines.extend(rows.iter().map(|row| format!("| {} |", row.join(" | "))));
        self.block(&lines.join("\n"))
    }

    /// The page, with a last line that says where it comes from.
    pub(super) fn finish(&self) -> String {
        format!(
            "{}\n---\n\nWritten by plimsoll from the declared SLOs. Change the declaration, not this page.\n",
            self.0
        )
    }
}

/// Words joined as people do: `a, b and c`.
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
