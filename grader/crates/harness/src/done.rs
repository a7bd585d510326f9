//! A program that has ended: what it said and how it went.

use std::os::unix::process::ExitStatusExt;

use model::Symptom;
use sandbox::Exit;

use crate::stop::first_difference;
use crate::{Check, found, wrong};

/// An ended program of the submission, or a tool.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its command line, for messages.
    pub command: String,
    /// Its exit status and what it used.
    pub exit: Exit,
    /// Its standard output, if it was captured.
    pub stdout: Vec<u8>,
    /// Its standard error, lossy.
    pub stderr: String,
}

impl Done {
    /// The exit code; `None` after death by a signal.
    pub fn code(&self) -> Option<i32> {
        self.exit.status.code()
    }

    /// The signal it died of.
    pub fn signal(&self) -> Option<i32> {
        self.exit.status.signal()
    }

    /// "exited with 3" or "died of signal 9", and its last words.
    pub fn how(&self) -> String {
        let how = match (self.code(), self.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, Some(signal)) => format!("died of signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        match self.stderr.trim() {
            "" => how,
            stderr => format!(
                "{how}, saying: {}",
                crate::capture::tail(stderr.as_bytes(), 300)
            ),
        }
    }

    /// A wrong answer unless the program exited with `code`. `case` says what it was given.
    pub fn expect_code(&self, code: i32, case: &str) -> Check {
        if self.code() == Some(code) {
            return Ok(());
        }
        Err(wrong(
            format!("`{}`, {case}", self.command),
            format!("exit code {code}"),
            self.how(),
        ))
    }

    /// A wrong answer unless the program died of `signal`.
    pub fn expect_signal(&self, signal: i32, case: &str) -> Check {
        if self.signal() == Some(signal) {
            return Ok(());
        }
        let mut got = self.how();
        if self.code() == Some(128 + signal) {
            got += ": what a shell shows for that death, and no death";
        }
        Err(wrong(
            format!("`{}`, {case}", self.command),
            format!("death by signal {signal}"),
            got,
        ))
    }

    /// A wrong answer unless standard output is exactly `expected`.
    pub fn expect_stdout(&self, expected: &[u8], case: &str) -> Check {
        if self.stdout == expected {
            return Ok(());
        }
        if expected.starts_with(&self.stdout) {
            return Err(found(
                Symptom::EarlyExit,
                format!("standard output of `{}`, {case}", self.command),
                format!("{} bytes", expected.len()),
                format!(
                    "only the first {} of them; it {}",
                    self.stdout.len(),
                    self.how()
                ),
            ));
        }
        // Escaped and not lossy: bytes that are no text must not look alike.
        let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        let (expected, got) = first_difference(&text(expected), &text(&self.stdout));
        Err(wrong(
            format!("standard output of `{}`, {case}", self.command),
            expected,
            got,
        ))
    }
}
