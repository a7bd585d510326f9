//! A running probe: calls of single functions of the submission's library.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use model::Symptom;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use probe::{Fields, Reply, read_reply, write_call};

use crate::{Check, Process, clock, found, wrong};

/// A probe process and the wire to it.
#[derive(Debug)]
pub struct Probe {
    /// The process itself, to be watched like any other.
    pub process: Process,
    socket: UnixStream,
}

impl Probe {
    pub(crate) fn new(process: Process, socket: UnixStream) -> Self {
        Self { process, socket }
    }

    /// Calls a function and waits for what it returns.
    pub fn call(&mut self, name: &str, args: Fields) -> Check<Reply> {
        self.send(name, &args)?;
        self.receive(name)
    }

    /// Calls a function that should succeed, and returns its values.
    pub fn value(&mut self, name: &str, args: Fields) -> Check<Fields> {
        match self.call(name, args)? {
            Reply::Value(values) => Ok(values),
            Reply::Error { text, .. } => Err(wrong(format!("{name} failed"), "Ok", text)),
        }
    }

    /// Calls a function that should fail, and returns the error's kind as `{:?}` shows it.
    /// `case` says what it was given.
    pub fn error(&mut self, name: &str, args: Fields, case: &str) -> Check<String> {
        match self.call(name, args)? {
            Reply::Error { kind, .. } => Ok(kind),
            Reply::Value(_) => Err(wrong(format!("{name}, {case}"), "an error", "Ok")),
        }
    }

    /// Starts a call without waiting, so that the test can act while it blocks.
    pub fn send(&mut self, name: &str, args: &Fields) -> Check {
        match clock::waiting(|| write_call(&mut self.socket, name, args)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(self.ended(name)),
            result => Ok(result?),
        }
    }

    /// Starts a call after which the probe ends by itself.
    pub fn send_last(&mut self, name: &str, args: &Fields) -> Check {
        self.send(name, args)?;
        Ok(self.socket.shutdown(Shutdown::Write)?)
    }

    /// Whether an answer has begun to come, without waiting for it.
    pub fn has_answered(&self) -> Check<bool> {
        let mut wire = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut wire, PollTimeout::ZERO)? > 0)
    }

    /// Waits for the answer to the oldest call without one.
    pub fn receive(&mut self, name: &str) -> Check<Reply> {
        match clock::waiting(|| read_reply(&mut self.socket)) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.ended(name)),
            // A cut or malformed answer is the submission's doing: only its process writes there.
            Err(_) => Err(self.ended(name)),
        }
    }

    /// Closes the wire, which ends the probe, and waits for that.
    pub fn finish(self) -> Check<crate::Done> {
        drop(self.socket);
        self.process.finish()
    }

    fn ended(&self, name: &str) -> crate::Stop {
        let exit = self.process.wait();
        found(
            Symptom::EarlyExit,
            format!("the process ended inside {name}"),
            format!("{name} returns"),
            format!("it ended with {}", exit.status),
        )
    }
}
