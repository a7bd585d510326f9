//! The words of grading: rubric, evidence, verdict, grade and the journal's records.
//!
//! Everything here is plain data and pure functions. This crate knows no file, no clock and no
//! process, so that a verdict can be explained, repeated and tested without running anything.

mod evidence;
mod gradebook;
mod journal;
mod judge;
mod message;
mod outcome;
mod points;
mod policy;
mod rubric;
mod score;
mod timeline;

pub use evidence::{Ended, Evidence, Finding, Program, ProgramEnd, Symptom};
pub use gradebook::{Gradebook, LabGrade, LabStatus, SubmissionGrade, TestGrade};
pub use journal::{JOURNAL_VERSION, Record};
pub use judge::{Verdict, judge};
pub use message::{Message, printable};
pub use outcome::Outcome;
pub use points::Points;
pub use policy::{
    Adjustment, Change, LabPolicy, LateRule, NotTested, Override, Policy, Reveal, TestPolicy,
};
pub use rubric::{Limits, Rubric, RubricRow};
pub use score::score;
pub use timeline::{Clock, Timeline, TimelineRow};
