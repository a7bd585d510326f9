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
mod cargo_build;
mod compare;
mod course_file;
mod digest;
mod event;
mod grade;
mod gradebook;
mod index;
mod intake;
mod journal;
mod kept;
mod kit;
mod load;
mod measure;
mod mutants;
mod one;
mod reading;
mod replay;
mod reports;
mod run;
#[cfg(test)]
mod sample;
mod seat;
mod slots;
mod stop;
mod store;
mod synthetic;
mod trial;
mod verify;
mod work;

pub use attacks::{
    Attack, AttackError, AttackOptions, AttackResult, BYSTANDER_COMMAND, Base, Campaign,
    CorpusError, Recipe, SECRET_VARIABLE, attack, check_attacks, hand_in, stand_by,
};
pub use build::{BuildMode, BuildRequest, build_in_box};
pub use compare::{LabChange, Reason, TestChange, compare};
pub use course_file::{CourseFileError, EXAMPLE_COURSE};
pub use event::{Event, Sink};
pub use grade::{GradeError, GradeOptions, Graded, grade};
pub use gradebook::Marks;
pub use intake::{Intake, IntakeError, SourceTree, Submission};
pub use kit::{Course, Kit, KitError};
pub use load::Load;
pub use measure::{Cost, Workbench, cost, on_one_core};
pub use mutants::{Mutant, MutantError};
pub use reading::{Run, RunError};
pub use replay::{ReplayError, Told};
pub use reports::{NewFile, ReportError, replace};
pub use run::TestOptions;
pub use slots::Slots;
pub use stop::{Stop, Stopped};
pub use store::StoreError;
pub use synthetic::{Made, Mix, make_class, vary, write_long_ago};
pub use trial::{TRIAL_COMMAND, run_trial, try_out};
pub use verify::{Subject, SubjectResult, VerifyError, VerifyOptions, sources, verify};
