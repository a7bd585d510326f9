//! A text from which something was cut, without holes.
//!
//! Knows blank lines and brackets at the edges of lines, not markers.

/// A text under construction that leaves no hole where something was cut out: no two blank lines
/// in a row, and in Rust none at the edges of a block, which is what rustfmt would ask for.
pub(crate) struct Page {
    /// Whether lines are Rust, where blocks have edges.
    blocks: bool,
    lines: Vec<String>,
    /// Something was cut since the last line that is not blank.
    cut: bool,
}

impl Page {
    pub(crate) const fn new(blocks: bool) -> Self {
        Self {
            blocks,
            lines: Vec::new(),
            cut: false,
        }
    }

    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    pub(crate) fn line(&mut self, line: &str) {
        if self.cut {
            if line.trim().is_empty() {
                if self
                    .lines
                    .last()
                    .is_none_or(|last| self.wants_no_blank_after(last))
                {
                    return;
                }
            } else {
                if self.wants_no_blank_before(line) {
                    self.drop_trailing_blanks();
                }
                self.cut = false;
            }
        }
        self.lines.push(line.to_owned());
    }

    fn wants_no_blank_after(&self, line: &str) -> bool {
        let line = line.trim_end();
        line.is_empty() || (self.blocks && line.ends_with(['{', '(', '[']))
    }

    fn wants_no_blank_before(&self, line: &str) -> bool {
        self.blocks && line.trim_start().starts_with(['}', ')', ']'])
    }

    fn drop_trailing_blanks(&mut self) {
        while self.lines.last().is_some_and(|last| last.trim().is_empty()) {
            self.lines.pop();
        }
    }

    pub(crate) fn finish(mut self) -> String {
        if self.cut {
            self.drop_trailing_blanks();
        }
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}
