//! The lab's program as a public test starts it: killed on drop, never waited for without end.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::{Lesson, Running};

/// A program of the lab, about to run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    lesson: Lesson,
}

impl Program {
    /// The program at `path`, usually `env!("CARGO_BIN_EXE_pipes")`. Standard input is empty,
    /// standard output and error are captured, unless told otherwise. It leads a process group
    /// of its own, so that a stray kill(0, SIGTERM) meets nobody else.
    pub fn new(lesson: &Lesson, path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        Self {
            command,
            lesson: *lesson,
        }
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

    /// Gives `input` on standard input and runs to the end: until the program has ended and
    /// nobody holds its outputs any more. A hang is explained and fails the test. Each output
    /// is cut off after 16 MiB.
    #[track_caller]
    pub fn run(mut self, input: &[u8]) -> Output {
        if !input.is_empty() {
            self.command.stdin(Stdio::piped());
        }
        let mut running = self.spawn();
        running.give(input);
        running.wait()
    }

    /// Starts it with a pipe as standard input and lets it run beside the test.
    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped());
        self.spawn()
    }

    #[track_caller]
    fn spawn(&mut self) -> Running {
        let what = format!("starting {}", self.command.get_program().to_string_lossy());
        self.lesson
            .ok(&what, Running::start(self.lesson, &mut self.command))
    }
}
