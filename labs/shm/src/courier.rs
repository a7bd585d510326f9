//! Given. The two ends of a stream of zeros, and the end of the child that sends it. This module
//! must not know what the bytes travel through.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// How many bytes go into one write(2) and into one item.
pub const CHUNK: usize = 64 * 1024;

/// Gives `bytes` bytes to `put`, a chunk at a time.
///
/// # Errors
/// The first one that `put` returns.
pub fn send(
    bytes: u64,
    chunk: &[u8],
    mut put: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let len = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        put(&chunk[..len])?;
        left -= len as u64;
    }
    Ok(())
}

/// Counts the bytes that `take` delivers until it delivers none.
///
/// # Errors
/// The first one that `take` returns.
pub fn receive(mut take: impl FnMut() -> io::Result<usize>) -> io::Result<u64> {
    let mut received = 0;
    loop {
        match take()? {
            0 => return Ok(received),
            len => received += len as u64,
        }
    }
}

/// Ends a forked child without running what its parent has yet to run: destructors, exit handlers.
pub fn leave(sent: io::Result<()>) -> ! {
    // SAFETY: _exit only ends the process.
    unsafe { libc::_exit(i32::from(sent.is_err())) }
}

/// Waits for the sending child and passes on what was received. If receiving failed, the child is
/// killed first: it may sleep in a push that nobody will ever make room for.
///
/// # Errors
/// That of receiving; or that the child failed.
pub fn reap(child: Pid, received: io::Result<u64>) -> io::Result<u64> {
    if received.is_err() {
        kill(child, Signal::SIGKILL)?;
    }
    loop {
        match waitpid(child, None) {
            Err(nix::Error::EINTR) => {}
            Ok(WaitStatus::Exited(_, 0)) => return received,
            Ok(_) => return received.and(Err(io::Error::other("the sending process failed"))),
            Err(error) => return Err(error.into()),
        }
    }
}
