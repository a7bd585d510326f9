//! What a failing student is told: five fields, always in the same order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timeline;

/// One failure, told so that it teaches. Public and hidden tests use the same five fields.
///
/// Every field is a plain sentence or fragment without a trailing newline; an empty field is
/// left out when the message is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What happened, in the kernel's words: "read(2) on the pipe returned 3 of 8 bytes".
    pub what: String,
    /// What the contract asks for.
    pub expected: String,
    /// What was seen instead, shrunk to the smallest case known.
    pub got: String,
    /// The rule behind it, in one sentence.
    pub why: String,
    /// Where to read: the handout's section, a man page, and the function to open.
    pub read: String,
    /// The one command that runs this again, with its seed.
    pub again: String,
    /// The recorded calls that matter, or the accesses under the schedule that failed; empty when
    /// nothing was recorded.
    #[serde(default, skip_serializing_if = "Timeline::is_empty")]
    pub timeline: Timeline,
}

impl Message {
    /// The fields with their labels, empty ones left out, in the order they are shown.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("what", self.what.as_str()),
            ("expected", self.expected.as_str()),
            ("got", self.got.as_str()),
            ("why", self.why.as_str()),
            ("read", self.read.as_str()),
            ("again", self.again.as_str()),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
    }

    /// What this run alone has shown: without what is said however the test fails, and without the
    /// timeline, where an injected fault or a hold stands whatever the program made of it.
    pub fn seen(&self) -> Self {
        Self {
            what: self.what.clone(),
            expected: self.expected.clone(),
            got: self.got.clone(),
            ..Self::default()
        }
    }
}

impl fmt::Display for Message {
    /// One labelled field a line; continuation lines are indented under their label. The timeline
    /// comes last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (label, text)) in self.fields().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(
                f,
                "{label:>9}: {}",
                text.trim_end().replace('\n', "\n           ")
            )?;
        }
        if !self.timeline.is_empty() {
            write!(f, "\n\n{}", self.timeline)?;
        }
        Ok(())
    }
}

/// Text that quotes a submission, without what could steer a terminal or turn a line around:
/// control characters other than newline and tab, and marks of direction.
pub fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shows = |c: &char| matches!(c, '\n' | '\t') || !c.is_control() && !turns(*c);
    text.chars().filter(shows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_cannot_steer_a_terminal_or_turn_a_line_around() {
        assert_eq!(printable("a\u{1b}[31m\tb\n\u{202e}c\u{7}\r"), "a[31m\tb\nc");
    }

    #[test]
    fn empty_fields_are_left_out_and_long_ones_are_indented() {
        let message = Message {
            what: "read(2) returned 0".into(),
            got: "line one\nline two".into(),
            ..Message::default()
        };
        assert_eq!(
            message.to_string(),
            "     what: read(2) returned 0\n      got: line one\n           line two"
        );
    }
}
