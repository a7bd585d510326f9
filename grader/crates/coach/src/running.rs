//! A program that runs beside the test: a server, or one that is talked to line by line.

use std::io;
use std::process::{Child, Command, Output};

use instruments::proc::{Process, all_processes};
use nix::errno::Errno;

use crate::capture::Streams;
use crate::deadline::{Wait, autopsy};
use crate::{Lesson, reaper};

/// A running program. Every wait has a deadline and fails the test with an autopsy; the program
/// and everything it started are killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    lesson: Lesson,
    name: String,
    child: Child,
    streams: Streams,
    /// How much of its standard output was handed out as lines.
    read: usize,
    is_reaped: bool,
}

impl Running {
    pub(crate) fn start(lesson: Lesson, command: &mut Command) -> io::Result<Self> {
        let name = command.get_program().to_string_lossy();
        let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let mut child = command.spawn()?;
        let streams = Streams::of(&mut child)?;
        Ok(Self {
            lesson,
            name,
            child,
            streams,
            read: 0,
            is_reaped: false,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What the kernel knows about it.
    pub fn process(&self) -> Process {
        Process::new(self.pid())
    }

    /// Writes to its standard input and returns once its pipe has taken everything.
    #[track_caller]
    pub fn write_stdin(&mut self, bytes: &[u8]) {
        self.streams.give(bytes);
        self.until(
            &format!("{} reads its standard input", self.name),
            |streams| streams.input_is_taken(),
        );
    }

    /// Queues input that is written while the program is waited for.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        self.streams.give(bytes);
    }

    /// Ends its standard input: it reads end-of-file next.
    pub fn close_stdin(&mut self) {
        self.streams.end_input();
    }

    /// The next line of its standard output, without the newline. Fails the test when the
    /// output ends before a whole line came.
    #[track_caller]
    pub fn read_line_stdout(&mut self) -> String {
        let from = self.read;
        let expected = format!("a line on the standard output of {}", self.name);
        self.until(&expected, |streams| {
            streams.stdout.bytes[from..].contains(&b'\n') || streams.stdout.has_ended()
        });
        let rest = &self.streams.stdout.bytes[from..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            let got = format!(
                "end of file after {:?}{}",
                lossy(rest),
                self.stderr_so_far()
            );
            self.lesson
                .fail("read(2) on its standard output returned 0", expected, got)
        };
        self.read += length + 1;
        lossy(&rest[..length])
    }

    /// Sends a signal to it.
    #[track_caller]
    pub fn signal(&self, number: i32) {
        // Not reaped before `wait`, so its number cannot belong to anybody else. Not through a
        // pidfd, which some boxes refuse, and not by nix, which knows no real-time signals.
        // SAFETY: kill(2) takes two numbers.
        let sent = Errno::result(unsafe { nix::libc::kill(self.pid(), number) });
        let sent = sent.map(drop).map_err(io::Error::from);
        self.lesson.ok(
            &format!("kill -{number} {} ({})", self.pid(), self.name),
            sent,
        );
    }

    /// Closes its standard input and waits until it has ended and nobody holds its outputs any
    /// more. Gives all of its output, lines that were read before included.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        self.close_stdin();
        self.until(&format!("{} ends by itself", self.name), |streams| {
            streams.child_has_ended() && streams.outputs_have_ended()
        });
        let status = self
            .child
            .wait()
            .expect("wait for our own child, which has ended");
        Output {
            status,
            stdout: std::mem::take(&mut self.streams.stdout.bytes),
            stderr: std::mem::take(&mut self.streams.stderr.bytes),
        }
    }

    /// Moves bytes until `done`; gives up at the deadline.
    #[track_caller]
    fn until(&mut self, expected: &str, done: impl Fn(&Streams) -> bool) {
        let wait = Wait::begin();
        self.streams.move_what_is_there();
        while !done(&self.streams) {
            if wait.is_over() {
                let what = self.diagnosis();
                let got = wait.in_words() + &self.stderr_so_far();
                self.lesson.fail(&what, expected, got);
            }
            self.streams.step(wait.left());
        }
    }

    fn diagnosis(&self) -> String {
        if !self.streams.child_has_ended() {
            return autopsy(&[self.pid()]);
        }
        format!(
            "{} (pid {}) has ended, but its output is still open in: {}",
            self.name,
            self.pid(),
            self.holders_of_outputs()
        )
    }

    /// Who keeps the outputs from ending, after the program itself has ended.
    fn holders_of_outputs(&self) -> String {
        let us = Process::current();
        let ours = self.streams.open_outputs();
        let pipes: Vec<_> = ours.filter_map(|fd| us.fd(fd)?.object).collect();
        let mut names = Vec::new();
        for process in all_processes() {
            for fd in process.fds().unwrap_or_default() {
                if fd.can_write() && fd.object.is_some_and(|object| pipes.contains(&object)) {
                    let name = process.name().unwrap_or_default();
                    names.push(format!("{name} (pid {}) fd {}", process.pid(), fd.number));
                }
            }
        }
        names.join(", ")
    }

    fn stderr_so_far(&self) -> String {
        match lossy(&self.streams.stderr.bytes).trim_end() {
            "" => String::new(),
            text => format!("\nits standard error: {}", last_lines(text)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `wait` its number is free for others, and what it left behind is for the test
        // to look at.
        if !self.is_reaped {
            reaper::kill_tree(self.pid());
            // Killed, so this returns at once; a zombie must not be left either.
            let _reaped = self.child.wait();
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The end of a long text says most.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
