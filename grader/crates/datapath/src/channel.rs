//! What every mechanism looks like to the measurement: one direction between two processes.

use std::io;

use compare::{Mechanism, Size};

use crate::{files, memory, plain, queue};

/// One direction. Made before fork(2); afterwards each process keeps its end.
pub(crate) trait Channel {
    /// Gives up the other end, where ends are separate things.
    fn keep(&mut self, end: End);

    /// Sends one message and waits for room as long as that takes.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Replaces `message` with the next one, which has the same length.
    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()>;

    /// System calls, and bytes copied by them, that `/proc/self/io` does not count. Calls of
    /// futex(2) are not among them.
    fn unseen(&self) -> Unseen {
        Unseen::default()
    }
}

/// Which side of a channel a process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Sends,
    Receives,
}

/// Calls that the loop counts itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unseen {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

/// Room for about as many bytes as a pipe holds, and never for fewer than two messages.
pub(crate) fn slots(size: Size) -> usize {
    (64 * 1024 / size.bytes()).clamp(2, MOST_SLOTS)
}

/// The most slots of a channel in shared memory.
pub(crate) const MOST_SLOTS: usize = 1024;

/// Makes a channel for messages of `size`. No name of it is left in the system.
pub(crate) fn open(
    mechanism: Mechanism,
    size: Size,
    use_plain: bool,
) -> io::Result<Box<dyn Channel>> {
    Ok(match (mechanism, use_plain) {
        (Mechanism::Pipe, false) => Box::new(files::Files::pipe()?),
        (Mechanism::Fifo, false) => Box::new(files::Files::fifo()?),
        (Mechanism::UnixStream, false) => Box::new(files::Files::unix_stream()?),
        (Mechanism::UnixDatagram, false) => Box::new(files::Files::unix_datagram()?),
        (Mechanism::Tcp, false) => Box::new(files::Files::tcp()?),
        (Mechanism::Mqueue, false) => Box::new(queue::Queue::new()?),
        (Mechanism::ShmSemaphores, false) => Box::new(memory::Buffer::new(size)?),
        (Mechanism::ShmSpinning, false) => memory::spinning(size)?,
        (Mechanism::Pipe, true) => Box::new(plain::Pipe::new()?),
        (Mechanism::ShmSemaphores, true) => Box::new(plain::Semaphores::new(size)?),
        (Mechanism::ShmSpinning, true) => Box::new(plain::Spinning::new(size)?),
        (_, true) => {
            return Err(io::Error::other(
                "there is no plain loop to compare it with",
            ));
        }
    })
}
