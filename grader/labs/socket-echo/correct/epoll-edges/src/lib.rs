//! WHY: edge-triggered epoll with a ring of bytes for each client, datagrams by recvmmsg and sendmmsg, and a client that polls

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, mem, ptr, thread};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrIn, SockaddrLike, UnixAddr, bind,
    connect, listen, setsockopt, shutdown, socket, sockopt,
};

mod given;
pub use given::{Limits, Totals, wait};

/// A listening socket at `address`; `free` may make room for it once.
fn listening(
    family: AddressFamily,
    address: &dyn SockaddrLike,
    backlog: i32,
    free: impl FnOnce() -> io::Result<bool>,
) -> io::Result<OwnedFd> {
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if family == AddressFamily::Inet {
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    }
    if let Err(error) = bind(fd.as_raw_fd(), address) {
        if error != Errno::EADDRINUSE || !free()? {
            return Err(error.into());
        }
        bind(fd.as_raw_fd(), address)?;
    }
    listen(&fd, Backlog::new(backlog)?)?;
    Ok(fd)
}

pub fn listen_tcp(addr: SocketAddrV4, backlog: i32) -> io::Result<OwnedFd> {
    let address = SockaddrIn::from(addr);
    listening(AddressFamily::Inet, &address, backlog, || Ok(false))
}

#[derive(Debug)]
pub struct UnixGuard {
    socket: OwnedFd,
    path: PathBuf,
    inode: (u64, u64),
}

impl UnixGuard {
    pub fn listener(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let name = fs::symlink_metadata(path)?;
    Ok((name.dev(), name.ino()))
}

pub fn listen_unix(path: &Path) -> io::Result<UnixGuard> {
    let address = UnixAddr::new(path)?;
    let socket = listening(AddressFamily::Unix, &address, 128, || {
        let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let test = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        let refused = connect(test.as_raw_fd(), &address) == Err(Errno::ECONNREFUSED);
        if is_socket && refused {
            fs::remove_file(path)?;
        }
        Ok(is_socket && refused)
    })?;
    Ok(UnixGuard {
        inode: identity(path)?,
        path: path.into(),
        socket,
    })
}

impl Drop for UnixGuard {
    fn drop(&mut self) {
        if identity(&self.path).ok() == Some(self.inode) {
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

pub fn accept_conn(l: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        // SAFETY: nobody asks for the address.
        let fd = unsafe {
            libc::accept4(
                l.as_raw_fd(),
                ptr::null_mut(),
                ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            )
        };
        if fd >= 0 {
            // SAFETY: just made.
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error().unwrap_or_default() {
            libc::EINTR | libc::ECONNABORTED => {}
            libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => {
                return Ok(None);
            }
            _ => return Err(error),
        }
    }
}

/// One sendmsg(2) of up to two pieces.
fn send_pieces(fd: BorrowedFd<'_>, pieces: (&[u8], &[u8]), flags: i32) -> Result<usize, Errno> {
    let mut vector = [pieces.0, pieces.1].map(|piece| libc::iovec {
        iov_base: piece.as_ptr().cast_mut().cast(),
        iov_len: piece.len(),
    });
    // SAFETY: all zeros are a message without address, pieces and control data.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = vector.as_mut_ptr();
    message.msg_iovlen = 2;
    // SAFETY: the pieces outlive the call.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags | libc::MSG_NOSIGNAL) };
    Errno::result(sent).map(|n| n as usize)
}

pub fn send_all(fd: BorrowedFd<'_>, mut buf: &[u8]) -> io::Result<()> {
    while let [_, ..] = buf {
        match send_pieces(fd, (buf, &[]), 0) {
            Err(Errno::EINTR) => {}
            sent => buf = &buf[sent?..],
        }
    }
    Ok(())
}

fn receive(fd: BorrowedFd<'_>, room: &mut [u8], flags: i32) -> Result<usize, Errno> {
    loop {
        // SAFETY: `room` is writable.
        let n = unsafe { libc::recv(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), flags) };
        match Errno::result(n) {
            Err(Errno::EINTR) => {}
            n => return n.map(|n| n as usize),
        }
    }
}

fn finish(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    match shutdown(fd.as_raw_fd(), Shutdown::Write) {
        Ok(()) | Err(Errno::ENOTCONN) => Ok(()),
        Err(error) => Err(error),
    }
}

pub fn echo_conn(fd: OwnedFd) -> io::Result<u64> {
    let mut total = 0;
    let mut room = vec![0; 5000];
    loop {
        let n = receive(fd.as_fd(), &mut room, 0)?;
        if n == 0 {
            finish(fd.as_fd())?;
            return Ok(total);
        }
        send_all(fd.as_fd(), &room[..n])?;
        total += n as u64;
    }
}

struct Visitor {
    fd: OwnedFd,
    /// Received and not yet sent back.
    ring: VecDeque<u8>,
    has_ended: bool,
}

impl Visitor {
    /// Receives and sends until neither goes on: nobody says again what was said once. True when
    /// the visitor has got everything back.
    fn move_on(&mut self, room: usize, totals: &mut Totals) -> Result<bool, Errno> {
        let mut buffer = [0; 4096];
        loop {
            let mut moved = false;
            let free = (room - self.ring.len()).min(buffer.len());
            if free > 0 && !self.has_ended {
                match receive(self.fd.as_fd(), &mut buffer[..free], libc::MSG_DONTWAIT) {
                    Ok(0) => self.has_ended = true,
                    Ok(n) => {
                        self.ring.extend(&buffer[..n]);
                        moved = true;
                    }
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(error),
                }
            }
            if !self.ring.is_empty() {
                match send_pieces(self.fd.as_fd(), self.ring.as_slices(), libc::MSG_DONTWAIT) {
                    Ok(n) => {
                        self.ring.drain(..n);
                        totals.bytes += n as u64;
                        moved = true;
                    }
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(error) => return Err(error),
                }
            }
            if self.has_ended && self.ring.is_empty() {
                finish(self.fd.as_fd())?;
                return Ok(true);
            }
            if !moved {
                return Ok(false);
            }
        }
    }
}

const DOOR: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

pub fn serve(l: OwnedFd, limits: Limits, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    // SAFETY: only the flags of a descriptor of ours.
    let flags = Errno::result(unsafe { libc::fcntl(l.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    unsafe { libc::fcntl(l.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(&l, EpollEvent::new(edge, DOOR))?;
    epoll.add(stop, EpollEvent::new(edge, STOP))?;
    let mut totals = Totals::default();
    let mut visitors = BTreeMap::<u64, Visitor>::new();
    // Somebody may be at the door, and nobody says it again.
    let mut knocked = false;
    let mut retry: Option<Instant> = None;
    let mut stop_at: Option<Instant> = None;
    let mut next = 0;
    loop {
        let now = Instant::now();
        if stop_at.is_some_and(|at| at <= now || visitors.is_empty()) {
            totals.failed += visitors.len() as u64;
            return Ok(totals);
        }
        if retry.is_some_and(|at| at <= now) {
            retry = None;
        }
        while knocked && stop_at.is_none() && retry.is_none() && visitors.len() < limits.clients {
            let Some(fd) = accept_conn(l.as_fd())? else {
                // Somebody who is still there was not let in for want of descriptors.
                let out = wait(&[(l.as_fd(), PollFlags::POLLIN)], Some(now))?[0];
                knocked = out;
                retry = out.then(|| now + Duration::from_millis(80));
                break;
            };
            let both = edge | EpollFlags::EPOLLOUT;
            epoll.add(&fd, EpollEvent::new(both, next))?;
            let visitor = Visitor {
                fd,
                ring: VecDeque::new(),
                has_ended: false,
            };
            visitors.insert(next, visitor);
            next += 1;
        }
        let timeout = match stop_at.or(retry) {
            None => EpollTimeout::NONE,
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                (left + Duration::from_millis(1))
                    .try_into()
                    .unwrap_or(EpollTimeout::MAX)
            }
        };
        let mut events = [EpollEvent::empty(); 32];
        let n = match epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            n => n?,
        };
        for event in &events[..n] {
            match event.data() {
                DOOR => knocked = true,
                STOP => {
                    let _ = shutdown(l.as_raw_fd(), Shutdown::Both);
                    epoll.delete(&l)?;
                    stop_at = Some(Instant::now() + limits.drain);
                }
                key => {
                    let Some(visitor) = visitors.get_mut(&key) else {
                        continue;
                    };
                    match visitor.move_on(limits.buffer, &mut totals) {
                        Ok(false) => continue,
                        Ok(true) => totals.served += 1,
                        Err(_) => totals.failed += 1,
                    }
                    visitors.remove(&key);
                    retry = None;
                }
            }
        }
    }
}

pub fn udp_echo(sock: &UdpSocket, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    const N: usize = 4;
    let mut totals = Totals::default();
    let mut rooms = vec![[0u8; 1 << 16]; N];
    loop {
        let watched = [stop, sock.as_fd()].map(|fd| (fd, PollFlags::POLLIN));
        let ready = wait(&watched, None)?;
        if ready[1] {
            // SAFETY: plain numbers and null pointers.
            let mut peers: [libc::sockaddr_storage; N] = unsafe { mem::zeroed() };
            // SAFETY: as above.
            let mut messages: [libc::mmsghdr; N] = unsafe { mem::zeroed() };
            let mut vectors: Vec<_> = rooms
                .iter_mut()
                .map(|room| libc::iovec {
                    iov_base: room.as_mut_ptr().cast(),
                    iov_len: room.len(),
                })
                .collect();
            for i in 0..N {
                let header = &mut messages[i].msg_hdr;
                header.msg_name = (&raw mut peers[i]).cast();
                header.msg_namelen = size_of_val(&peers[i]) as u32;
                header.msg_iov = &raw mut vectors[i];
                header.msg_iovlen = 1;
            }
            let fd = sock.as_raw_fd();
            let dont_wait = libc::MSG_DONTWAIT as _;
            // SAFETY: every message has its own room, address and vector.
            let n = unsafe {
                libc::recvmmsg(
                    fd,
                    messages.as_mut_ptr(),
                    N as u32,
                    dont_wait,
                    ptr::null_mut(),
                )
            };
            let n = match Errno::result(n) {
                Ok(n) => n as usize,
                Err(Errno::EAGAIN | Errno::EINTR) => 0,
                Err(_) => {
                    totals.failed += 1;
                    0
                }
            };
            for (vector, message) in vectors.iter_mut().zip(&messages[..n]) {
                vector.iov_len = message.msg_len as usize;
            }
            let mut i = 0;
            while i < n {
                let left = (n - i) as u32;
                // SAFETY: messages i to n are filled in.
                let sent = unsafe { libc::sendmmsg(fd, &raw mut messages[i], left, 0) };
                match Errno::result(sent) {
                    Ok(sent) => {
                        totals.served += sent as u64;
                        let lens = messages[i..].iter().take(sent as usize);
                        totals.bytes += lens.map(|m| u64::from(m.msg_len)).sum::<u64>();
                        i += sent as usize;
                    }
                    Err(Errno::EINTR) => {}
                    Err(_) => {
                        totals.failed += 1;
                        i += 1;
                    }
                }
            }
        }
        if ready[0] {
            return Ok(totals);
        }
    }
}

/// Passes the input on until nobody takes it.
fn read_on(input: &mut dyn Read, mut pass: UnixStream) -> io::Result<()> {
    let mut room = vec![0; 8192];
    loop {
        match input.read(&mut room) {
            Ok(0) => return Ok(()),
            Ok(n) if send_all(pass.as_fd(), &room[..n]).is_err() => return pass.flush(),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

pub fn client(
    fd: OwnedFd,
    input: &mut (dyn Read + Send),
    output: &mut dyn Write,
) -> io::Result<()> {
    thread::scope(|scope| {
        let (pass, passed) = UnixStream::pair()?;
        let reader = scope.spawn(move || read_on(input, pass));
        let talked = talk(fd, passed, output);
        talked.and(reader.join().expect("it does not panic"))
    })
}

/// Both directions in one thread: what comes from `passed` goes to the server, in pieces.
fn talk(fd: OwnedFd, passed: UnixStream, output: &mut dyn Write) -> io::Result<()> {
    let mut room = vec![0; 8192];
    let mut to_send = VecDeque::new();
    let mut passed = Some(passed);
    let (mut is_sending, mut is_receiving) = (true, true);
    let mut failure = Ok(());
    while is_sending || is_receiving {
        let mut watched = Vec::new();
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::POLLIN, is_receiving);
        interest.set(PollFlags::POLLOUT, is_sending && !to_send.is_empty());
        if !interest.is_empty() {
            watched.push((fd.as_fd(), interest));
        }
        if let Some(passed) = passed.as_ref().filter(|_| to_send.is_empty()) {
            watched.push((passed.as_fd(), PollFlags::POLLIN));
        }
        wait(&watched, None)?;
        if is_receiving {
            match receive(fd.as_fd(), &mut room, libc::MSG_DONTWAIT) {
                Ok(0) => is_receiving = false,
                Ok(n) => {
                    output.write_all(&room[..n])?;
                    output.flush()?;
                }
                Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if to_send.is_empty()
            && let Some(from) = &passed
        {
            match receive(from.as_fd(), &mut room, libc::MSG_DONTWAIT) {
                Ok(0) => passed = None,
                Ok(n) => to_send.extend(&room[..n]),
                Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if is_sending && !to_send.is_empty() {
            match send_pieces(fd.as_fd(), to_send.as_slices(), libc::MSG_DONTWAIT) {
                Ok(n) => drop(to_send.drain(..n)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => {
                    failure = Err(error.into());
                    (is_sending, passed) = (false, None);
                    to_send.clear();
                }
            }
        }
        if is_sending && passed.is_none() && to_send.is_empty() {
            finish(fd.as_fd())?;
            is_sending = false;
        }
    }
    failure
}
