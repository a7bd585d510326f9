//! Given: the limits and totals of a server, and one way to sleep until there is work.
//!
//! Nothing here knows what a client is or that anything is echoed.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a server may use. Without such limits the fastest sender decides how much memory we need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at one time, at least 1. Further clients wait in the listener's backlog.
    pub clients: usize,
    /// Bytes kept for one connection, at least 1: received, and not yet sent back.
    pub buffer: usize,
    /// How long clients may still take to finish once the server has been told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 512,
            buffer: 16 * 1024,
            drain: Duration::from_secs(5),
        }
    }
}

/// What a server did until it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections that got everything back and then the end of the stream, or datagrams answered.
    pub served: u64,
    /// Connections that broke or were cut off when the drain time was over, or datagrams that
    /// could not be answered.
    pub failed: u64,
    /// Bytes sent back, to all clients together.
    pub bytes: u64,
}

/// Sleeps in poll(2) until at least one descriptor is ready for what stands beside it, or until
/// the given time, if any. The answer says for each descriptor, in the same order, whether it is
/// ready. A hang-up and an error count as ready, whatever was asked for: the next call on that
/// descriptor reports them. After a signal all may be false.
///
/// # Errors
/// What poll(2) reports, except EINTR.
pub fn wait(
    watched: &[(BorrowedFd<'_>, PollFlags)],
    until: Option<Instant>,
) -> io::Result<Vec<bool>> {
    let mut fds: Vec<_> = watched
        .iter()
        .map(|(fd, events)| PollFd::new(*fd, *events))
        .collect();
    let timeout = match until {
        // Poll counts in whole milliseconds; rounded down, it would return for nothing.
        Some(until) => (until.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
            .try_into()
            .unwrap_or(PollTimeout::MAX),
        None => PollTimeout::NONE,
    };
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fds.iter().map(|fd| fd.any().unwrap_or(true)).collect())
}
