//! The test's own end of a connection. It never blocks in a call: it waits through the bench, so
//! that a standstill is noticed at once.
//!
//! It judges what comes back. Of the process at the other end it knows only whether it sleeps.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use harness::{Bench, Check, Process, Stop, wrong};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, setsockopt, shutdown, sockopt};

/// So much CPU time is no way to wait.
pub(crate) const MAX_CPU: Duration = Duration::from_millis(50);

/// One client's end.
pub(crate) struct Peer<'a> {
    bench: &'a Bench,
    fd: OwnedFd,
}

impl<'a> Peer<'a> {
    pub(crate) fn new(bench: &'a Bench, fd: impl Into<OwnedFd>) -> Self {
        Self {
            bench,
            fd: fd.into(),
        }
    }

    /// Sends what the kernel takes at once; 0 when the way is full.
    pub(crate) fn offer(&self, bytes: &[u8]) -> Check<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.fd.as_raw_fd(), bytes, flags) {
            Ok(n) => Ok(n),
            Err(Errno::EAGAIN) => Ok(0),
            Err(errno) => Err(wrong(
                "send(2) of a client",
                "the other end takes what its client sends",
                errno.desc(),
            )),
        }
    }

    /// Receives what is there: `None` when nothing is, no bytes at the end.
    fn take(&self) -> Check<Option<Vec<u8>>> {
        self.receive().map_err(no_stream)
    }

    fn receive(&self) -> nix::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 64 * 1024];
        match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(n) => {
                buffer.truncate(n);
                Ok(Some(buffer))
            }
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Sends everything, and waits while the way is full.
    pub(crate) fn send(&self, bytes: &[u8]) -> Check {
        let mut rest = bytes;
        self.wait_for(|| {
            while !rest.is_empty() {
                match self.offer(rest)? {
                    0 => return Ok(None),
                    n => rest = &rest[n..],
                }
            }
            Ok(Some(()))
        })
    }

    /// Sends `bytes` and receives nothing, until `reader` at the other end waits: it cannot take
    /// more, or it has taken everything in. Returns how many were sent.
    pub(crate) fn stuff(&self, reader: &Process, bytes: &[u8]) -> Check<usize> {
        let proc = reader.proc();
        let mut sent = 0;
        let mut cpu_at_progress = proc.cpu();
        self.wait_for(|| {
            let was_asleep = proc.is_asleep();
            let before = sent;
            while sent < bytes.len() {
                match self.offer(&bytes[sent..bytes.len().min(sent + 64 * 1024)])? {
                    0 => break,
                    n => sent += n,
                }
            }
            if sent > before {
                cpu_at_progress = proc.cpu();
            }
            // Who spins never sleeps: it has had the time to take more, and did not.
            let spins = cpu_at_progress.is_some_and(|then| proc.cpu() > Some(then + MAX_CPU));
            let waits = sent == before && was_asleep;
            // With something left to send, the next offer tells that nobody is there.
            let has_ended = sent == bytes.len() && reader.exit().is_some();
            Ok((waits || spins || has_ended).then_some(sent))
        })
    }

    /// Whether something has come that was not received yet.
    pub(crate) fn has_more(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        recv(self.fd.as_raw_fd(), &mut [0; 1], flags) != Err(Errno::EAGAIN)
    }

    /// Waits until as many bytes have come back as `expected` has, and compares them.
    pub(crate) fn expect(&self, expected: &[u8], case: &str) -> Check {
        let mut got = Vec::new();
        self.wait_for(|| {
            while got.len() < expected.len() {
                match self.take()? {
                    None => return Ok(None),
                    Some(piece) if piece.is_empty() => break,
                    Some(piece) => got.extend(piece),
                }
            }
            Ok(Some(()))
        })?;
        same_bytes(expected, &got, case)
    }

    /// Waits for the end of the stream and compares everything up to it.
    pub(crate) fn expect_to_end(&self, expected: &[u8], case: &str) -> Check {
        let mut got = Vec::new();
        self.wait_for(|| {
            while let Some(piece) = self.take()? {
                if piece.is_empty() {
                    return Ok(Some(()));
                }
                got.extend(piece);
            }
            Ok(None)
        })?;
        same_bytes(expected, &got, case)
    }

    /// Waits until the other end cuts the connection off, and has sent nothing before.
    pub(crate) fn expect_cut_off(&self, case: &str) -> Check {
        let rest = self.wait_for(|| match self.receive() {
            // The other end may close with SO_LINGER and a time of 0.
            Err(Errno::ECONNRESET) => Ok(Some(Vec::new())),
            received => received.map_err(no_stream),
        })?;
        same_bytes(&[], &rest, case)
    }

    /// Ends the input: the other end reads end of file.
    pub(crate) fn end_input(&self) -> Check {
        match shutdown(self.fd.as_raw_fd(), Shutdown::Write) {
            Ok(()) => Ok(()),
            Err(errno) => Err(wrong(
                "shutdown(2) of a client",
                "the connection is open until its input has ended",
                errno.desc(),
            )),
        }
    }

    /// Sends `bytes` and ends the input, and receives all the while, until the end of the stream.
    pub(crate) fn swap_to_end(&self, bytes: &[u8], case: &str) -> Check {
        let mut rest = bytes;
        let mut got = Vec::new();
        let mut has_ended = false;
        self.wait_for(|| {
            while !rest.is_empty() {
                match self.offer(rest)? {
                    0 => break,
                    n => rest = &rest[n..],
                }
            }
            if rest.is_empty() && !has_ended {
                self.end_input()?;
                has_ended = true;
            }
            while let Some(piece) = self.take()? {
                if piece.is_empty() {
                    return Ok(Some(()));
                }
                got.extend(piece);
            }
            Ok(None)
        })?;
        same_bytes(bytes, &got, case)
    }

    /// Closes in a way that resets a TCP connection: the other end has lost its peer.
    pub(crate) fn abort(self) -> Check {
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        Ok(setsockopt(&self.fd, sockopt::Linger, &at_once)?)
    }

    fn wait_for<T>(&self, mut step: impl FnMut() -> Check<Option<T>>) -> Check<T> {
        let mut outcome = None;
        self.bench.until(|| {
            outcome = step().transpose();
            outcome.is_some()
        });
        outcome.expect("the bench waits for an outcome")
    }
}

/// What an error means to a client that is owed its bytes and an end.
fn no_stream(errno: Errno) -> Stop {
    wrong(
        "recv(2) of a client",
        "its bytes, and the end of file after its own end of input",
        errno.desc(),
    )
}

/// A wrong answer, without the graded bytes, unless both are the same.
pub(crate) fn same_bytes(expected: &[u8], got: &[u8], case: &str) -> Check {
    if expected == got {
        return Ok(());
    }
    let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    Err(wrong(
        format!("what came back to {case}"),
        format!("the {} bytes that it sent", expected.len()),
        format!("{} bytes, the first {same} of them right", got.len()),
    ))
}
