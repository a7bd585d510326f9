//! What a test leaves for a program that runs it, beside what a person reads: one entry a line in
//! the file that `COACH_RECORD` names.
//!
//! Without that variable nothing is written and the tests behave as under plain `cargo test`.
//! Knows neither who reads the file nor what becomes of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::{env, panic};

use model::Finding;
use serde::{Deserialize, Serialize};

use crate::{Lesson, selfname};

/// Names the file that entries are added to.
pub const RECORD: &str = "COACH_RECORD";

/// With this in the environment beside [`RECORD`], a test only tells its lesson and does not run.
pub const LESSONS_ONLY: &str = "COACH_LESSONS_ONLY";

/// One thing that a test told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// What the test teaches; the first entry of every test.
    Lesson(Taught),
    /// A check of the test failed.
    Found(Finding),
    /// The test panicked outside of a check.
    Panicked {
        /// The source file and line, `labs/pipes/src/lib.rs:30`, as the compiler was given it.
        place: String,
        /// What the panic said.
        text: String,
    },
    /// The test was given up.
    Hung {
        /// One sentence a process: what it waits for and who holds the other end.
        autopsy: Vec<String>,
        /// Whether every process slept without a timer.
        deadlocked: bool,
    },
    /// The process of the test ended before the test did.
    Ended {
        /// exit(2) with this code, unless a signal ended it.
        code: Option<i32>,
        /// The signal.
        signal: Option<i32>,
        /// The same in the kernel's words.
        words: String,
    },
    /// What the test and its programs have printed.
    Output {
        /// Standard output and then standard error, lossy; the end if it was long.
        text: String,
    },
    /// The test ran to its end and every check held.
    Passed,
    /// The test failed; the entries before this one say how.
    Failed,
}

/// A [`Lesson`] and the test that teaches it, in words that outlive the test's process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taught {
    /// The test's name, as `cargo test` takes it.
    pub test: String,
    /// The part of the handout, from 1.
    pub part: u8,
    /// The rule behind the test, in one sentence.
    pub why: String,
    /// Where to read: README part, man page, function.
    pub read: String,
    /// A question, a pointer into the manual, the shape of the solution.
    pub hints: [String; 3],
    /// The one command that runs this test again.
    pub again: String,
}

impl Taught {
    pub(crate) fn by(lesson: &Lesson, test: &str) -> Self {
        Self {
            test: test.to_owned(),
            part: lesson.part,
            why: lesson.why.to_owned(),
            read: lesson.read.to_owned(),
            hints: lesson.hints.map(str::to_owned),
            again: selfname::again(lesson.lab, Some(test)),
        }
    }
}

/// The entries in the text of a record. A line that was cut off by a kill is left out.
pub fn entries(text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Whether anybody wants entries.
pub(crate) fn is_wanted() -> bool {
    env::var_os(RECORD).is_some()
}

/// Whether only the lesson is asked for.
pub(crate) fn is_only_lesson() -> bool {
    is_wanted() && env::var_os(LESSONS_ONLY).is_some()
}

/// Adds one entry in one write, so that entries of several processes stay whole.
pub(crate) fn add(entry: impl FnOnce() -> Entry) {
    let Some(path) = env::var_os(RECORD) else {
        return;
    };
    let mut line = serde_json::to_vec(&entry()).expect("an entry is plain data");
    line.push(b'\n');
    // A record that cannot be written is missed by its reader, who says so.
    let _unwritten = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(&line));
}

/// From now on a panic of this process is an entry instead of lines on standard error.
pub(crate) fn panics() {
    panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = info
            .location()
            .map(|location| format!("{}:{}", location.file(), location.line()))
            .unwrap_or_default();
        add(|| Entry::Panicked { place, text });
    }));
}
