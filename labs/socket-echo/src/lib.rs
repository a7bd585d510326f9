//! Socket echo: whatever a client sends comes back, over TCP, Unix and UDP sockets.
//!
//! The lab follows a connection through its life. A listener gets a name that others can find
//! (parts 1 and 2). A client is accepted and becomes a descriptor of its own (part 3). Bytes flow
//! in both directions, in pieces of the kernel's choosing, until each side says that it has
//! nothing more to send (parts 4 and 5). Then the same for many clients at once (part 6), for
//! datagrams, which know no connection (part 7), and seen from the other end (part 8).
//!
//! Given and finished are `src/main.rs`, which reads the command line and turns SIGTERM into a
//! readable descriptor, and `src/given.rs` with [`Limits`], [`Totals`] and [`wait`].

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

mod given;
pub use given::{Limits, Totals, wait};

/// Opens a TCP socket that listens on `addr`; port 0 lets the kernel choose a free one.
///
/// `backlog` is how many finished connections may wait for an accept. The address can be taken
/// again at once after a server that closed first: its old connections are in TIME_WAIT for a
/// minute, and SO_REUSEADDR says that they are no obstacle. The descriptor is close-on-exec.
///
/// # Errors
/// EADDRINUSE when another socket listens there, EACCES for a reserved port, EADDRNOTAVAIL for an
/// address that is not ours.
pub fn listen_tcp(addr: SocketAddrV4, backlog: i32) -> io::Result<OwnedFd> {
    todo!("socket-echo part 1: listen on {addr} with a backlog of {backlog}")
}

/// A listening Unix socket together with its name in the file system. Dropping it closes the
/// socket and removes the name, unless the name stands for another socket by now.
#[derive(Debug)]
pub struct UnixGuard {
    /// Kept open until the name is gone: while a socket is open, no other file can get its inode
    /// number.
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode number of the name that we made.
    inode: (u64, u64),
}

impl UnixGuard {
    /// Given: a second descriptor for the listening socket, for [`serve`] to own.
    pub fn listener(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

/// Opens a Unix stream socket that listens at `path`, close-on-exec, with a backlog of 128.
///
/// A name outlives the server that made it. When there is a socket at `path` already, connect
/// tells: if it is refused, nobody listens any more, and the stale name is replaced. A name with
/// a server behind it, and a file that is no socket, are left as they are.
///
/// # Errors
/// EADDRINUSE when the name is taken, ENAMETOOLONG when it is longer than 107 bytes.
pub fn listen_unix(path: &Path) -> io::Result<UnixGuard> {
    todo!("socket-echo part 2: listen at {}", path.display())
}

impl Drop for UnixGuard {
    fn drop(&mut self) {
        todo!("socket-echo part 2: {:?} {:?}", self.path, self.inode)
    }
}

/// Accepts one waiting client; its descriptor is close-on-exec and blocking.
///
/// `None` means "not now": nobody is waiting (on a non-blocking listener), or the process or the
/// system has no descriptor or memory left for one more. In the second case the listener stays
/// readable, so the caller must leave it alone until something has been closed or some time has
/// passed. A client that went away while it waited, and a signal, are no reason to return.
///
/// # Errors
/// What accept4(2) reports otherwise, for example EINVAL for a socket that does not listen.
pub fn accept_conn(l: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    todo!("socket-echo part 3: accept from {l:?}")
}

/// Sends all of `buf` on a blocking stream socket, however many calls it takes.
///
/// # Errors
/// EPIPE when the peer reads no more, ECONNRESET when it aborted. A closed peer never raises
/// SIGPIPE here, whatever the caller does with that signal.
pub fn send_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    todo!("socket-echo part 4: send {} bytes to {fd:?}", buf.len())
}

/// Sends back all that one client sends, as it comes, until its end of input. Then tells it that
/// no more will come, closes the connection and returns how many bytes it was.
///
/// # Errors
/// What receiving or [`send_all`] reports; the connection is closed then, too.
pub fn echo_conn(fd: OwnedFd) -> io::Result<u64> {
    todo!("socket-echo part 5: echo on {fd:?}")
}

/// Echoes to many clients at once until `stop` becomes readable, and then until they are done.
/// For each of them it does what [`echo_conn`] does for one.
///
/// No client can hold up another: not one that is silent, nor one that never reads. Of each at
/// most `limits.buffer` bytes are kept; who does not read is not read from. At most
/// `limits.clients` are open at a time, the others wait in the backlog. A connection that breaks
/// ends alone and counts as failed. Without work to do the server sleeps. Out of descriptors, it
/// tries again after some time, as other processes may have freed some.
///
/// Once `stop` is readable (it is not read from), nobody new is let in. Those who are in are
/// served to their end, but no longer than `limits.drain`; what is open then is cut off.
///
/// # Errors
/// What poll(2) or [`accept_conn`] report; never the failure of one client.
pub fn serve(l: OwnedFd, limits: Limits, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    todo!("socket-echo part 6: serve {l:?} within {limits:?} until {stop:?}")
}

/// Answers each datagram with the same datagram, empty ones too, to the address it came from,
/// until `stop` becomes readable.
///
/// Datagrams have bounds: one in is one out, and what does not fit the buffer of one receive is
/// lost, so the buffer holds the largest one that UDP can carry (65 507 bytes over IPv4). An
/// answer that cannot be sent counts as failed and ends nothing. `sock` stays unconnected.
///
/// # Errors
/// What poll(2) reports.
pub fn udp_echo(sock: &UdpSocket, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    todo!("socket-echo part 7: echo datagrams on {sock:?} until {stop:?}")
}

/// Sends all of `input` to the server and writes all that comes back to `output`, both at once,
/// then returns. `output` is flushed whenever something arrived.
///
/// The end of `input` closes one direction only: the server learns of it, and its answers still
/// come in. When the server ends first, this returns as soon as `input` gives way, too. The
/// answers must not wait for the input: hence the bound `Send`, with which one of the two can
/// have a thread of its own.
///
/// # Errors
/// What receiving, [`send_all`], `input` or `output` report.
pub fn client(
    fd: OwnedFd,
    input: &mut (dyn Read + Send),
    output: &mut dyn Write,
) -> io::Result<()> {
    todo!("socket-echo part 8: talk on {fd:?}, from {input:p} and to {output:p} at once")
}
