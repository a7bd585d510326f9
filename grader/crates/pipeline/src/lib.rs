//! The stages of grading, one file each.
//!
//! Everything graded takes the same path, whether it is a student's work, the reference, an
//! untouched stub or a wrong solution: *intake* (which files count) → *seat* (they take the place
//! of the reference) → *build* (rustc in a box) → *run* (one process and one box a hidden test)
//! → *judge* (a pure function, in `model`) → *score* → *store* (the journal) → *report*.
//!
//! This crate knows the disk and starts processes, but it never prints: it tells what happens as
//! [`Event`]s.

mod attacks;
mod board;
mod build;
mod digest;
mod event;
mod grade;
mod gradebook;
mod intake;
mod kit;
mod mutants;
mod reports;
mod run;
mod seat;
mod store;
mod verify;

pub use attacks::{
    Attack, AttackError, AttackOptions, AttackResult, BYSTANDER_COMMAND, Base, Campaign,
    CorpusError, Recipe, SECRET_VARIABLE, attack, hand_in, stand_by,
};
pub use build::{BuildRequest, build_in_box};
pub use event::{Event, Sink};
pub use grade::{GradeError, GradeOptions, Graded, grade};
pub use intake::{Intake, IntakeError, SourceTree, Submission};
pub use kit::{Course, Kit, KitError};
pub use mutants::{Mutant, MutantError};
pub use reports::{ReportError, write_reports};
pub use run::TestOptions;
pub use store::StoreError;
pub use verify::{Subject, SubjectResult, VerifyOptions, verify};
