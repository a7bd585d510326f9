//! How a test ends before its last line: something is wrong, or we are at fault.

use std::fmt::Debug;
use std::io;

use model::{Finding, Symptom};

/// Result of a test, and of every step that may end it.
pub type Check<T = ()> = Result<T, Stop>;

/// Why a test stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The submission did something wrong.
    Found(Finding),
    /// This machine lacks an instrument that the test needs; its points count for nobody.
    Unavailable(String),
    /// The grader could not do its part; never counts against the submission.
    Fault(String),
}

/// An `io::Error` that a test passes on with `?` came from a call of the test's own: our fault.
/// Errors that the submission causes are turned into findings where they are met.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<nix::Error> for Stop {
    fn from(errno: nix::Error) -> Self {
        io::Error::from(errno).into()
    }
}

impl Stop {
    /// The same, and a finding says in which case it was made.
    pub fn in_case(self, case: &str) -> Self {
        match self {
            Self::Found(finding) => Self::Found(Finding {
                what: format!("{}, {case}", finding.what),
                ..finding
            }),
            stop => stop,
        }
    }
}

/// A finding of the given kind.
pub fn found(
    symptom: Symptom,
    what: impl Into<String>,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> Stop {
    Stop::Found(Finding {
        symptom,
        what: what.into(),
        expected: expected.into(),
        got: got.into(),
    })
}

/// A wrong answer.
pub fn wrong(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Stop {
    found(Symptom::Wrong, what, expected, got)
}

/// A wrong answer unless `holds`.
pub fn ensure(
    holds: bool,
    what: impl Into<String>,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> Check {
    if holds {
        Ok(())
    } else {
        Err(wrong(what, expected, got))
    }
}

/// A wrong answer unless both are equal; long values are shown from where they differ.
pub fn ensure_eq<T: PartialEq + Debug>(what: impl Into<String>, expected: T, got: T) -> Check {
    if expected == got {
        return Ok(());
    }
    let (expected, got) = first_difference(&format!("{expected:?}"), &format!("{got:?}"));
    Err(wrong(what, expected, got))
}

const SHOWN: usize = 160;

/// Both texts cut to a window that starts a little before their first difference.
pub(crate) fn first_difference(a: &str, b: &str) -> (String, String) {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let start = if a.chars().count().max(b.chars().count()) > SHOWN {
        same.saturating_sub(SHOWN / 4)
    } else {
        0
    };
    (window(a, start), window(b, start))
}

fn window(text: &str, start: usize) -> String {
    let head = if start > 0 { "…" } else { "" };
    let body: String = text.chars().skip(start).take(SHOWN).collect();
    let tail = if text.chars().count() > start + SHOWN {
        "…"
    } else {
        ""
    };
    format!("{head}{body}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_around_their_first_difference() {
        let (a, b) = (vec![1u8; 400], [vec![1u8; 300], vec![2u8; 100]].concat());
        let Err(Stop::Found(finding)) = ensure_eq("bytes out of a pipe", a, b) else {
            panic!("equal")
        };
        assert!(finding.got.contains("1, 2, 2"), "{}", finding.got);
        assert!(finding.got.chars().count() <= SHOWN + 2);
    }
}
