//! The five fields of a failed public test, so that every red line teaches.

use std::fmt::Debug;
use std::panic::resume_unwind;

use model::{Finding, Message, Symptom};

use crate::record::{self, Entry};
use crate::selfname;

/// What stays the same for all checks of one public test: where it belongs and what it teaches.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// The lab's package name, for the command that runs the test again.
    pub lab: &'static str,
    /// The part of the handout, from 1.
    pub part: u8,
    /// The rule behind the test, in one sentence.
    pub why: &'static str,
    /// Where to read: README part, man page, function.
    pub read: &'static str,
    /// What `cargo lab hint` tells, one after the other: a question, a pointer into the manual,
    /// the shape of the solution.
    pub hints: [&'static str; 3],
}

impl Lesson {
    /// Fails the test unless the two values are equal. `what` says what was done, in the
    /// kernel's words.
    #[track_caller]
    pub fn equal<T: PartialEq + Debug>(&self, what: &str, expected: T, got: T) {
        if expected != got {
            self.fail(what, format!("{expected:?}"), format!("{got:?}"));
        }
    }

    /// Fails the test unless `holds`.
    #[track_caller]
    pub fn check(
        &self,
        holds: bool,
        what: &str,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        if !holds {
            self.fail(what, expected, got);
        }
    }

    /// The value of a call that should have succeeded; fails the test with its error otherwise.
    #[track_caller]
    pub fn ok<T>(&self, what: &str, result: std::io::Result<T>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => self.fail(what, "success", error.to_string()),
        }
    }

    /// Fails the test.
    #[track_caller]
    pub fn fail(&self, what: &str, expected: impl Into<String>, got: impl Into<String>) -> ! {
        let (expected, got) = (expected.into(), got.into());
        record::add(|| {
            Entry::Found(Finding {
                symptom: Symptom::Wrong,
                what: what.to_owned(),
                expected: expected.clone(),
                got: got.clone(),
            })
        });
        self.panic(what, expected, got)
    }

    /// Fails the test without an entry in its record.
    #[track_caller]
    pub(crate) fn panic(&self, what: &str, expected: String, got: String) -> ! {
        // The text is recorded already, and a second telling would only repeat it.
        if record::is_wanted() {
            resume_unwind(Box::new("told in the record"));
        }
        panic!("\n{}\n", self.message(what, expected, got))
    }

    fn message(&self, what: &str, expected: String, got: String) -> Message {
        Message {
            what: what.into(),
            expected,
            got,
            why: self.why.into(),
            read: self.read.into(),
            again: selfname::again(self.lab, selfname::test_name().as_deref()),
            ..Message::default()
        }
    }
}
