//! Moves bytes between us and a child: gives it input and takes both outputs at once, so that
//! neither side waits for the other, and never for longer than it is told.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

use instruments::PidFd;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// More output than this is thrown away: a loop that prints must not fill the machine.
const MOST_OUTPUT: usize = 16 << 20;

/// The three streams of a child as far as they are pipes, and its end.
#[derive(Debug)]
pub(crate) struct Streams {
    input: Option<File>,
    /// What was given, and how much of it the child's pipe has taken.
    given: Vec<u8>,
    written: usize,
    /// Whether the child is told end-of-file once everything is written.
    close_after: bool,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    end: PidFd,
}

/// One output and what has come so far.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pipe: Option<File>,
    pub(crate) bytes: Vec<u8>,
}

impl Streams {
    pub(crate) fn of(child: &mut Child) -> std::io::Result<Self> {
        let end = PidFd::open(child.id().cast_signed())?;
        Ok(Self {
            input: nonblocking(child.stdin.take().map(OwnedFd::from))?,
            given: Vec::new(),
            written: 0,
            close_after: false,
            stdout: Sink {
                pipe: nonblocking(child.stdout.take().map(OwnedFd::from))?,
                bytes: Vec::new(),
            },
            stderr: Sink {
                pipe: nonblocking(child.stderr.take().map(OwnedFd::from))?,
                bytes: Vec::new(),
            },
            end,
        })
    }

    /// Queues input. Nothing happens when the child no longer reads.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        self.given.extend_from_slice(bytes);
    }

    /// Ends the input after what is queued.
    pub(crate) fn end_input(&mut self) {
        self.close_after = true;
        self.write_some();
    }

    /// Whether everything given was taken, or nobody takes it any more.
    pub(crate) fn input_is_taken(&self) -> bool {
        self.input.is_none() || self.written == self.given.len()
    }

    pub(crate) fn child_has_ended(&self) -> bool {
        self.end.has_ended()
    }

    /// Whether both outputs have come to their end.
    pub(crate) fn outputs_have_ended(&self) -> bool {
        self.stdout.pipe.is_none() && self.stderr.pipe.is_none()
    }

    /// Our descriptors of the outputs that have not come to their end.
    pub(crate) fn open_outputs(&self) -> impl Iterator<Item = i32> {
        [&self.stdout.pipe, &self.stderr.pipe]
            .into_iter()
            .flatten()
            .map(AsRawFd::as_raw_fd)
    }

    /// Waits until something can be moved or the child ends, moves it and returns.
    pub(crate) fn step(&mut self, at_most: Duration) {
        let mut fds = Vec::with_capacity(4);
        if !self.child_has_ended() {
            fds.push(PollFd::new(self.end.as_fd(), PollFlags::POLLIN));
        }
        for pipe in [&self.stdout.pipe, &self.stderr.pipe].into_iter().flatten() {
            fds.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
        }
        if let Some(input) = self.input.as_ref().filter(|_| !self.input_is_taken()) {
            fds.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        // An interrupted poll is a step in which nothing happened.
        let _interrupted = poll(
            &mut fds,
            PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX),
        );
        self.move_what_is_there();
    }

    /// Moves without waiting.
    pub(crate) fn move_what_is_there(&mut self) {
        self.write_some();
        self.stdout.read_some();
        self.stderr.read_some();
    }

    fn write_some(&mut self) {
        while let Some(input) = self
            .input
            .as_mut()
            .filter(|_| self.written < self.given.len())
        {
            match input.write(&self.given[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // EPIPE: the child has stopped reading, which is its right.
                Err(_) => self.input = None,
            }
        }
        self.given.clear();
        self.written = 0;
        if self.close_after {
            self.input = None;
        }
    }
}

impl Sink {
    /// Whether it has come to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.pipe.is_none()
    }

    /// Takes what is there; at end of file the pipe is closed.
    fn read_some(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut buffer = [0; 1 << 16];
        // One child that never stops printing must not keep the others from being served.
        for _ in 0..64 {
            match pipe.read(&mut buffer) {
                Ok(0) => {
                    self.pipe = None;
                    return;
                }
                Ok(n) => {
                    let room = MOST_OUTPUT - self.bytes.len();
                    self.bytes.extend_from_slice(&buffer[..n.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// Our end of a pipe: only this open file becomes non-blocking, the child's end does not.
fn nonblocking(fd: Option<OwnedFd>) -> std::io::Result<Option<File>> {
    let Some(fd) = fd else { return Ok(None) };
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(Some(File::from(fd)))
}
