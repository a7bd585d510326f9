//! The student's commands, the same as in the tree that students get.

use std::process::ExitCode;

use crate::show;

/// Runs one of them, with the exit codes that its help promises.
pub(crate) fn run(command: &student::Command) -> ExitCode {
    student::run(command).unwrap_or_else(|error| {
        show::error(&error);
        ExitCode::from(student::NOT_RUN)
    })
}
