//! The student's loop: run the public tests the way the grader runs hidden ones, say what they
//! teach, and do it again at every save.
//!
//! | to change this | look in |
//! |---|---|
//! | what a student may ask for | `cli.rs`, one file a command |
//! | how a lab is found and built | `tree.rs`, `build.rs` |
//! | how a test is run: box, deadline, record | `boxed.rs`, `runner.rs` |
//! | what its record comes to | `evidence.rs`, and `judge` in the crate `model` |
//! | how data paths are compared | [`paths`], and the crate `compare` |
//!
//! This crate is part of what students get. It knows no hidden test, no solution and no marks.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the labs talk to the Linux kernel: run them on Linux, in a virtual machine or in a container; \
     the README says how"
);

mod boxed;
mod build;
mod check;
mod cli;
mod event;
mod evidence;
mod hint;
mod lessons;
mod memory;
pub mod paths;
mod runner;
mod session;
pub mod show;
mod tell;
mod tree;
mod watch;

use std::process::ExitCode;

use anyhow::Result;

pub use cli::{Command, CompareArgs, PathOptions};

/// The exit code of a command that could not do its work.
pub const NOT_RUN: u8 = 4;

/// Runs one of the student's commands.
///
/// # Errors
/// What kept the command from doing its work; a failed test is an exit code.
pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Hint(args) => hint::run(args),
        Command::Watch(args) => watch::run(args),
    }
}

/// Compares the data paths with the functions in `labs/`.
///
/// # Errors
/// What kept the command from measuring; a mechanism that could not be measured is an exit code.
pub fn compare(args: &CompareArgs) -> Result<ExitCode> {
    paths::run_here(args)
}

/// Runs this program as the process that opens a box, if it was started for that. It must be
/// asked before anything else, while the process has one thread.
pub fn run_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        boxed::COMMAND => Some(boxed::answer()),
        sandbox::CHECK_COMMAND => Some(boxed::check_level(args.next())),
        _ => None,
    }
}
