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

// SOLUTION
use std::fs;
use std::io::{ErrorKind, IoSliceMut};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, SockaddrStorage,
    UnixAddr, accept4, bind, connect, listen, recv, recvmsg, send, sendto, setsockopt, shutdown,
    socket, sockopt,
};
// END SOLUTION

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
    // SOLUTION todo!("socket-echo part 1: listen on {addr} with a backlog of {backlog}")
    let listener = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // It is bind that compares the address with those in use, so the option must come before it.
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    bind(listener.as_raw_fd(), &SockaddrIn::from(addr))?;
    listen(&listener, Backlog::new(backlog)?)?;
    Ok(listener)
    // END SOLUTION
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
    // SOLUTION todo!("socket-echo part 2: listen at {}", path.display())
    let address = UnixAddr::new(path)?;
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    match bind(socket.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_stale(path, &address)? => {
            fs::remove_file(path)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        bound => bound?,
    }
    let name = fs::symlink_metadata(path)?;
    let guard = UnixGuard {
        socket,
        path: path.to_owned(),
        inode: (name.dev(), name.ino()),
    };
    listen(&guard.socket, Backlog::new(128)?)?;
    Ok(guard)
    // END SOLUTION
}

// SOLUTION
/// Whether `path` is a socket that nobody listens on.
fn is_stale(path: &Path, address: &UnixAddr) -> io::Result<bool> {
    // Connecting to a plain file is refused as well, and somebody may need that file.
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    // Non-blocking: a busy server with a full backlog would keep a blocking connect waiting.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let visitor = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    Ok(connect(visitor.as_raw_fd(), address) == Err(Errno::ECONNREFUSED))
}
// END SOLUTION

impl Drop for UnixGuard {
    fn drop(&mut self) {
        // SOLUTION todo!("socket-echo part 2: {:?} {:?}", self.path, self.inode)
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|name| (name.dev(), name.ino()) == self.inode);
        if ours {
            // Nobody is left to be told when this fails.
            let _ = fs::remove_file(&self.path);
        }
        // END SOLUTION
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
    // SOLUTION todo!("socket-echo part 3: accept from {l:?}")
    loop {
        match accept4(l.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            // SAFETY: accept4 has just made this descriptor, and nobody else knows of it.
            Ok(fd) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) })),
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(Errno::EAGAIN | Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    // END SOLUTION
}

/// Sends all of `buf` on a blocking stream socket, however many calls it takes.
///
/// # Errors
/// EPIPE when the peer reads no more, ECONNRESET when it aborted. A closed peer never raises
/// SIGPIPE here, whatever the caller does with that signal.
pub fn send_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    // SOLUTION todo!("socket-echo part 4: send {} bytes to {fd:?}", buf.len())
    let mut rest = buf;
    while !rest.is_empty() {
        match send(fd.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
    // END SOLUTION
}

/// Sends back all that one client sends, as it comes, until its end of input. Then tells it that
/// no more will come, closes the connection and returns how many bytes it was.
///
/// # Errors
/// What receiving or [`send_all`] reports; the connection is closed then, too.
pub fn echo_conn(fd: OwnedFd) -> io::Result<u64> {
    // SOLUTION todo!("socket-echo part 5: echo on {fd:?}")
    let fd = fd.as_fd();
    let total = pump(|buffer| receive(fd, buffer), |bytes| send_all(fd, bytes))?;
    end_output(fd)?;
    Ok(total)
    // END SOLUTION
}

// SOLUTION
/// Takes pieces until the end, 0 bytes, and gives each on; returns the sum of their lengths.
fn pump(
    mut take: impl FnMut(&mut [u8]) -> io::Result<usize>,
    mut give: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = [0; 16 * 1024];
    let mut total = 0;
    loop {
        match take(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(n) => {
                give(&buffer[..n])?;
                total += n as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(fd.as_raw_fd(), buffer, MsgFlags::empty())?)
}

/// Lets the peer read an end of file while we may go on receiving.
fn end_output(fd: BorrowedFd<'_>) -> nix::Result<()> {
    match shutdown(fd.as_raw_fd(), Shutdown::Write) {
        // The peer has closed everything already, so it does not wait for our end either.
        Err(Errno::ENOTCONN) => Ok(()),
        told => told,
    }
}
// END SOLUTION

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
    // SOLUTION todo!("socket-echo part 6: serve {l:?} within {limits:?} until {stop:?}")
    // Poll may announce a client that is gone by the time of the accept, which must not block.
    let flags = OFlag::from_bits_retain(fcntl(&l, FcntlArg::F_GETFL)?);
    fcntl(&l, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;

    let mut listener = Some(l);
    let mut clients: Vec<Client> = Vec::new();
    let mut totals = Totals::default();
    let mut accept_at = Instant::now();
    let mut end = None;
    loop {
        let now = Instant::now();
        if end.is_some_and(|end| clients.is_empty() || end <= now) {
            totals.failed += clients.len() as u64;
            return Ok(totals);
        }
        let room = listener.as_ref().filter(|_| clients.len() < limits.clients);
        let open = room.filter(|_| accept_at <= now);
        let pause = room.filter(|_| accept_at > now).map(|_| accept_at);
        let mut watched: Vec<_> = clients
            .iter()
            .map(|client| (client.socket.as_fd(), client.interest()))
            .collect();
        watched.extend(open.map(|listener| (listener.as_fd(), PollFlags::POLLIN)));
        // `stop` stays readable for ever, so it must not be watched any more once it was seen.
        watched.extend(listener.as_ref().map(|_| (stop, PollFlags::POLLIN)));
        let mut ready = wait(&watched, end.or(pause))?.into_iter();

        let before = clients.len();
        clients.retain_mut(|client| ready.next() != Some(true) || client.stays(&mut totals));
        if clients.len() < before {
            accept_at = now;
        }
        if let Some(listener) = open
            && ready.next() == Some(true)
            && !admit(listener.as_fd(), &mut clients, limits)?
        {
            accept_at = now + ACCEPT_PAUSE;
        }
        if let Some(listener) = listener.take_if(|_| ready.next() == Some(true)) {
            // Others may hold descriptors for this listener; shutdown ends it for all of them.
            let _ = shutdown(listener.as_raw_fd(), Shutdown::Both);
            end = Some(Instant::now() + limits.drain);
        }
    }
    // END SOLUTION
}

// SOLUTION
/// How long the listener is left alone when no client could be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Lets in those who wait, as far as there is room; false when nobody could be let in.
fn admit(listener: BorrowedFd<'_>, clients: &mut Vec<Client>, limits: Limits) -> io::Result<bool> {
    let before = clients.len();
    while clients.len() < limits.clients {
        let Some(socket) = accept_conn(listener)? else {
            break;
        };
        clients.push(Client::new(socket, limits.buffer));
    }
    Ok(clients.len() > before)
}

/// One client: its connection, and what it sent and has not yet got back.
struct Client {
    socket: OwnedFd,
    buffer: Box<[u8]>,
    /// The part of `buffer` still to be sent.
    pending: Range<usize>,
}

impl Client {
    fn new(socket: OwnedFd, capacity: usize) -> Self {
        Self {
            socket,
            buffer: vec![0; capacity].into(),
            pending: 0..0,
        }
    }

    /// Either we want to hear from the client or it has to take something first, never both:
    /// so who does not read is not read from, and poll reports nothing that we would not use.
    fn interest(&self) -> PollFlags {
        if self.pending.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLOUT
        }
    }

    /// Serves the client as far as that goes without waiting; false when it is done or broken.
    fn stays(&mut self, totals: &mut Totals) -> bool {
        match self.step(totals) {
            Ok(true) => return true,
            Ok(false) => totals.served += 1,
            Err(Errno::EAGAIN | Errno::EINTR) => return true,
            Err(_) => totals.failed += 1,
        }
        false
    }

    /// Receives when nothing is pending, then sends; false after the end of the client's input.
    fn step(&mut self, totals: &mut Totals) -> nix::Result<bool> {
        let fd = self.socket.as_raw_fd();
        if self.pending.is_empty() {
            let n = recv(fd, &mut self.buffer, MsgFlags::MSG_DONTWAIT)?;
            if n == 0 {
                end_output(self.socket.as_fd())?;
                return Ok(false);
            }
            self.pending = 0..n;
        }
        let rest = &self.buffer[self.pending.clone()];
        let n = send(fd, rest, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?;
        self.pending.start += n;
        totals.bytes += n as u64;
        Ok(true)
    }
}
// END SOLUTION

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
    // SOLUTION todo!("socket-echo part 7: echo datagrams on {sock:?} until {stop:?}")
    let mut buffer = vec![0; 64 * 1024];
    let mut totals = Totals::default();
    loop {
        let watched = [sock.as_fd(), stop].map(|fd| (fd, PollFlags::POLLIN));
        let ready = wait(&watched, None)?;
        if ready[0] {
            match echo_datagram(sock, &mut buffer) {
                Ok(n) => {
                    totals.served += 1;
                    totals.bytes += n as u64;
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => totals.failed += 1,
            }
        }
        if ready[1] {
            return Ok(totals);
        }
    }
    // END SOLUTION
}

// SOLUTION
/// Answers one datagram and returns its length; EAGAIN when there is none.
fn echo_datagram(sock: &UdpSocket, buffer: &mut [u8]) -> nix::Result<usize> {
    let fd = sock.as_raw_fd();
    // A datagram with a bad checksum is announced by poll and gone at the receive: do not wait.
    let mut slices = [IoSliceMut::new(buffer)];
    let datagram = recvmsg::<SockaddrStorage>(fd, &mut slices, None, MsgFlags::MSG_DONTWAIT)?;
    let (n, peer) = (datagram.bytes, datagram.address.ok_or(Errno::EDESTADDRREQ)?);
    sendto(fd, &buffer[..n], &peer, MsgFlags::MSG_NOSIGNAL)
}

/// Sends `input` to its end, then says so to the server, also when it ended by an error.
fn send_input(fd: BorrowedFd<'_>, input: &mut dyn Read) -> io::Result<()> {
    let sent = pump(|buffer| input.read(buffer), |bytes| send_all(fd, bytes));
    end_output(fd)?;
    sent.map(drop)
}

/// Writes what the server sends until it ends.
fn write_output(fd: BorrowedFd<'_>, output: &mut dyn Write) -> io::Result<()> {
    let give = |bytes: &[u8]| {
        output.write_all(bytes)?;
        output.flush()
    };
    pump(|buffer| receive(fd, buffer), give).map(drop)
}
// END SOLUTION

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
    // SOLUTION todo!("socket-echo part 8: talk on {fd:?}, from {input:p} and to {output:p} at once")
    let fd = fd.as_fd();
    thread::scope(|scope| {
        let sender = scope.spawn(move || send_input(fd, input));
        let received = write_output(fd, output);
        if received.is_err() {
            // Nobody takes the answers any more; this also wakes a sender that waits for room.
            let _ = shutdown(fd.as_raw_fd(), Shutdown::Both);
        }
        let sent = sender.join().unwrap_or_else(|panic| resume_unwind(panic));
        received.and(sent)
    })
    // END SOLUTION
}
