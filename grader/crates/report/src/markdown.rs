//! Pieces of Markdown in which quoted text stays text.

use std::fmt::{Arguments, Write};

/// One line.
pub(crate) fn line(out: &mut String, text: Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes every line");
}

/// A fenced block whose fence is longer than any run of backticks inside.
pub(crate) fn block(out: &mut String, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    line(
        out,
        format_args!("{fence}text\n{}\n{fence}", text.trim_end()),
    );
}

/// Text within a line, without what Markdown or HTML would act on.
pub(crate) fn inline(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
