//! What all files about a class have in common: they are written one submission after the other,
//! so that no file is ever in memory as a whole.

use std::collections::BTreeMap;
use std::io;

use model::{Evidence, SubmissionGrade};

/// The class as a whole.
#[derive(Clone, Debug)]
pub struct Class {
    /// The isolation rung that its submissions ran on.
    pub isolation: String,
    /// What that rung could not promise, each a sentence without its full stop.
    pub not_promised: Vec<String>,
    /// The labs that somebody has a mark in, in teaching order.
    pub labs: Vec<String>,
    /// How many submissions follow.
    pub n_submissions: usize,
}

/// One submission with all that reports say of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its marks.
    pub grade: SubmissionGrade,
    /// What verdicts were made from, by the places of lab and test in `grade`.
    pub evidence: BTreeMap<(usize, usize), Evidence>,
}

/// A file about a class.
pub trait Document {
    /// Writes what comes before the first submission.
    ///
    /// # Errors
    /// Of the writer.
    fn begin(&mut self) -> io::Result<()>;

    /// Writes the next submission.
    ///
    /// # Errors
    /// Of the writer.
    fn add(&mut self, entry: &Entry) -> io::Result<()>;

    /// Writes what comes after the last submission.
    ///
    /// # Errors
    /// Of the writer.
    fn end(&mut self) -> io::Result<()>;
}
