//! Markers: what of a solution students must not see, and what stands there instead.
//!
//! A marker is a whole line. In Rust, `// SOLUTION <replacement>` or a bare `// SOLUTION` opens a
//! region and `// END SOLUTION` closes it; in Markdown `<!-- SOLUTION -->` and
//! `<!-- END SOLUTION -->` do. The stub holds the replacement, or nothing, where the solution
//! holds the region. Regions do not nest.
//!
//! This module knows lines, not Rust: that the result compiles is for the compiler to say.

use std::fmt;

use thiserror::Error;

use crate::page::Page;

/// How a file spells its markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `// SOLUTION` … `// END SOLUTION`; blank lines are tidied as rustfmt wants them.
    Rust,
    /// `<!-- SOLUTION -->` … `<!-- END SOLUTION -->`, without replacements.
    Markdown,
}

impl Syntax {
    /// The syntax of the file at `path`, by its extension; other files have no markers.
    pub fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "rs" => Some(Self::Rust),
            "md" => Some(Self::Markdown),
            _ => None,
        }
    }

    const fn open(self) -> &'static str {
        match self {
            Self::Rust => "// SOLUTION",
            Self::Markdown => "<!-- SOLUTION",
        }
    }

    const fn close(self) -> &'static str {
        match self {
            Self::Rust => "// END SOLUTION",
            Self::Markdown => "<!-- END SOLUTION",
        }
    }

    /// What stands after the opening words of a marker without a text.
    const fn rest(self) -> &'static str {
        match self {
            Self::Rust => "",
            Self::Markdown => " -->",
        }
    }
}

/// A marker that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {fault}")]
pub struct MarkerError {
    /// The file, as it was named to this module.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The region that opens here never ends.
    Unclosed,
    /// A region opens inside the one that opened at this line.
    Nested(usize),
    /// A region ends here that never opened.
    StrayEnd,
    /// The closing marker is followed by this text.
    TextAfterEnd(String),
    /// A marker that shares its line with something else, or is misspelt.
    NotAWholeLine,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("this SOLUTION has no END SOLUTION"),
            Self::Nested(line) => {
                write!(
                    f,
                    "a SOLUTION inside the one of line {line}; regions do not nest"
                )
            }
            Self::StrayEnd => f.write_str("END SOLUTION without a SOLUTION before it"),
            Self::TextAfterEnd(text) => {
                write!(
                    f,
                    "`{text}` after END SOLUTION; a replacement follows the opening marker"
                )
            }
            Self::NotAWholeLine => f.write_str(
                "a marker stands alone on its line: `// SOLUTION <replacement>`, `// SOLUTION` or \
                 `// END SOLUTION` in Rust, `<!-- SOLUTION -->` or `<!-- END SOLUTION -->` in \
                 Markdown",
            ),
        }
    }
}

/// A stretch of a marked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// Lines that everybody sees.
    Given(Vec<&'a str>),
    /// What only the solution has.
    Region {
        /// The line that stands in the stub instead, indentation included.
        replacement: Option<String>,
        /// The lines of the solution, markers left out.
        lines: Vec<&'a str>,
    },
}

/// Splits `text` at its markers. `file` is only used to name the place of an error.
///
/// # Errors
/// A marker that is not closed, not opened, nested, or not alone on its line.
pub fn parse<'a>(file: &str, syntax: Syntax, text: &'a str) -> Result<Vec<Part<'a>>, MarkerError> {
    let error = |line, fault| MarkerError {
        file: file.to_owned(),
        line,
        fault,
    };
    let mut parts = Vec::new();
    let mut lines = Vec::new();
    let mut open: Option<(usize, Option<String>)> = None;
    for (line, number) in text.lines().zip(1..) {
        match marker(syntax, line).map_err(|fault| error(number, fault))? {
            None => lines.push(line),
            Some(Marker::Open(replacement)) => {
                if let Some((opened, _)) = open {
                    return Err(error(number, Fault::Nested(opened)));
                }
                parts.push(Part::Given(std::mem::take(&mut lines)));
                open = Some((number, replacement));
            }
            Some(Marker::Close) => {
                let (_, replacement) = open.take().ok_or_else(|| error(number, Fault::StrayEnd))?;
                parts.push(Part::Region {
                    replacement,
                    lines: std::mem::take(&mut lines),
                });
            }
        }
    }
    if let Some((opened, _)) = open {
        return Err(error(opened, Fault::Unclosed));
    }
    parts.push(Part::Given(lines));
    Ok(parts)
}

enum Marker {
    Open(Option<String>),
    Close,
}

/// The marker that `line` is, if it is one.
fn marker(syntax: Syntax, line: &str) -> Result<Option<Marker>, Fault> {
    let trimmed = line.trim();
    if let Some(after) = trimmed.strip_prefix(syntax.close()) {
        return match after {
            _ if after == syntax.rest() => Ok(Some(Marker::Close)),
            _ if after.starts_with(' ') => Err(Fault::TextAfterEnd(after.trim().to_owned())),
            _ => Err(Fault::NotAWholeLine),
        };
    }
    if let Some(after) = trimmed.strip_prefix(syntax.open()) {
        if after == syntax.rest() {
            return Ok(Some(Marker::Open(None)));
        }
        return match after.strip_prefix(' ') {
            Some(text) if syntax == Syntax::Rust => {
                let indent = &line[..line.len() - line.trim_start().len()];
                Ok(Some(Marker::Open(Some(format!("{indent}{}", text.trim())))))
            }
            _ => Err(Fault::NotAWholeLine),
        };
    }
    if line.contains(syntax.open()) || line.contains(syntax.close()) {
        return Err(Fault::NotAWholeLine);
    }
    Ok(None)
}

/// What students get: every region replaced by the text of its marker.
///
/// # Errors
/// As [`parse`].
pub fn stub(file: &str, syntax: Syntax, text: &str) -> Result<String, MarkerError> {
    let mut page = Page::new(syntax == Syntax::Rust);
    for part in parse(file, syntax, text)? {
        match part {
            Part::Given(lines) => lines.into_iter().for_each(|line| page.line(line)),
            Part::Region {
                replacement: Some(line),
                ..
            } => {
                page.line(&line);
            }
            Part::Region {
                replacement: None, ..
            } => page.cut(),
        }
    }
    Ok(page.finish())
}

/// The solution as somebody would write it who never heard of markers.
///
/// # Errors
/// As [`parse`].
pub fn solution(file: &str, syntax: Syntax, text: &str) -> Result<String, MarkerError> {
    let mut page = Page::new(syntax == Syntax::Rust);
    for part in parse(file, syntax, text)? {
        match part {
            Part::Given(lines) => lines.into_iter().for_each(|line| page.line(line)),
            Part::Region { lines, .. } => {
                page.cut();
                lines.into_iter().for_each(|line| page.line(line));
                page.cut();
            }
        }
    }
    Ok(page.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust_stub(text: &str) -> String {
        stub("lib.rs", Syntax::Rust, text).unwrap()
    }

    fn fault(text: &str) -> (usize, Fault) {
        let error = stub("lib.rs", Syntax::Rust, text).unwrap_err();
        (error.line, error.fault)
    }

    #[test]
    fn a_region_becomes_its_replacement_with_the_indentation_of_the_marker() {
        let text = "fn f() -> u8 {\n    // SOLUTION todo!(\"part 1\")\n    let a = 1;\n    a\n    \
                    // END SOLUTION\n}\n";
        assert_eq!(
            rust_stub(text),
            "fn f() -> u8 {\n    todo!(\"part 1\")\n}\n"
        );
        assert_eq!(
            solution("lib.rs", Syntax::Rust, text).unwrap(),
            "fn f() -> u8 {\n    let a = 1;\n    a\n}\n"
        );
    }

    #[test]
    fn a_bare_region_disappears_and_leaves_one_blank_line() {
        let text = "use a;\n\n// SOLUTION\nuse b;\n// END SOLUTION\n\nfn f() {}\n";
        assert_eq!(rust_stub(text), "use a;\n\nfn f() {}\n");
        assert_eq!(
            solution("lib.rs", Syntax::Rust, text).unwrap(),
            "use a;\n\nuse b;\n\nfn f() {}\n"
        );
    }

    #[test]
    fn a_cut_at_the_edges_of_a_block_leaves_no_blank_line_there() {
        let text = "impl A {\n    // SOLUTION\n    fn a() {}\n    // END SOLUTION\n\n    fn b() {}\n\n    \
                    // SOLUTION\n    fn c() {}\n    // END SOLUTION\n}\n";
        assert_eq!(rust_stub(text), "impl A {\n    fn b() {}\n}\n");
    }

    #[test]
    fn a_cut_at_the_edges_of_a_file_leaves_no_blank_line_there() {
        let text = "// SOLUTION\nuse a;\n// END SOLUTION\n\nfn f() {}\n\n// SOLUTION\nfn g() {}\n// END SOLUTION\n";
        assert_eq!(rust_stub(text), "fn f() {}\n");
    }

    #[test]
    fn blank_lines_that_no_cut_made_stay_as_they_are() {
        let text = "fn f() {\n\n    a();\n\n\n    b();\n\n}\n";
        assert_eq!(rust_stub(text), text);
    }

    #[test]
    fn answers_leave_the_handout_and_stay_in_the_solution() {
        let text = "1. Why?\n\n<!-- SOLUTION -->\nBecause.\n<!-- END SOLUTION -->\n\n2. How?\n";
        assert_eq!(
            stub("README.md", Syntax::Markdown, text).unwrap(),
            "1. Why?\n\n2. How?\n"
        );
        assert_eq!(
            solution("README.md", Syntax::Markdown, text).unwrap(),
            "1. Why?\n\nBecause.\n\n2. How?\n"
        );
    }

    #[test]
    fn a_blank_line_beside_a_cut_stays_before_a_closing_bracket_in_markdown() {
        let text = "a\n\n<!-- SOLUTION -->\nb\n<!-- END SOLUTION -->\n\n[link]: x\n)\n";
        assert_eq!(
            stub("a.md", Syntax::Markdown, text).unwrap(),
            "a\n\n[link]: x\n)\n"
        );
    }

    #[test]
    fn every_broken_marker_is_named_with_its_line() {
        assert_eq!(fault("a\n// SOLUTION\nb\n"), (2, Fault::Unclosed));
        assert_eq!(fault("// SOLUTION\n// SOLUTION\n"), (2, Fault::Nested(1)));
        assert_eq!(fault("a\n// END SOLUTION\n"), (2, Fault::StrayEnd));
        assert_eq!(
            fault("// SOLUTION\n// END SOLUTION todo!()\n"),
            (2, Fault::TextAfterEnd("todo!()".to_owned()))
        );
        assert_eq!(fault("a(); // SOLUTION\n"), (1, Fault::NotAWholeLine));
        assert_eq!(fault("// SOLUTION: todo!()\n"), (1, Fault::NotAWholeLine));
    }

    #[test]
    fn the_error_names_file_line_and_rule() {
        let error = stub("src/lib.rs", Syntax::Rust, "// SOLUTION\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "src/lib.rs:1: this SOLUTION has no END SOLUTION"
        );
    }
}
