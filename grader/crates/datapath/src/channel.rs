//! What every mechanism looks like to the measurement: one direction between two processes.

use std::hint::spin_loop;
use std::io;

use crate::{Mechanism, Size};

/// One direction. Made before fork(2); afterwards each process keeps its end.
pub trait Channel {
    /// Gives up the other end, where ends are separate things.
    fn keep(&mut self, end: End);

    /// Sends one message and waits for room as long as that takes.
    ///
    /// # Errors
    /// What the kernel says, or the functions of the lab.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Replaces `message` with the next one, which has the same length.
    ///
    /// # Errors
    /// As for [`send`](Self::send), and a message that is not whole.
    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()>;

    /// System calls, and bytes copied by them, that `/proc/self/io` does not count. Calls of
    /// futex(2) are not among them: nobody who calls the C library knows of those.
    fn unseen(&self) -> Unseen {
        Unseen::default()
    }
}

/// Makes a channel for messages of one size, and leaves no name of it in the system.
pub type Open = fn(Mechanism, Size) -> io::Result<Box<dyn Channel>>;

/// Which side of a channel a process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The side that sends.
    Sends,
    /// The side that receives.
    Receives,
}

/// Calls that the loop counts itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// How many.
    pub calls: u64,
    /// Bytes that they copied into or out of the kernel.
    pub bytes: u64,
}

/// Room for about as many bytes as a pipe holds, and never for fewer than two messages.
#[must_use]
pub fn slots(size: Size) -> usize {
    (64 * 1024 / size.bytes()).clamp(2, MOST_SLOTS)
}

/// The most slots of a channel in shared memory.
pub const MOST_SLOTS: usize = 1024;

/// Looks until there is something, and counts how often it gave up the processor meanwhile. On a
/// machine with fewer free cores than processes the other one may be waiting for this very core,
/// so it is offered now and then.
pub fn spin<T>(yields: &mut u64, mut look: impl FnMut() -> Option<T>) -> T {
    const PATIENCE: u32 = 2000;
    loop {
        for _ in 0..PATIENCE {
            if let Some(found) = look() {
                return found;
            }
            spin_loop();
        }
        std::thread::yield_now();
        *yields += 1;
    }
}
