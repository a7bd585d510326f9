//! WHY: a thread for each client that blocks in recv and send, and the standard library's streams on borrowed descriptors

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, UnixAddr, accept, bind, connect,
    listen, setsockopt, socket, sockopt,
};

mod given;
pub use given::{Limits, Totals, wait};

pub fn listen_tcp(addr: SocketAddrV4, backlog: i32) -> io::Result<OwnedFd> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )?;
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(addr))?;
    listen(&fd, Backlog::new(backlog)?)?;
    Ok(fd)
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

/// Nobody listens at this name any more, and it is the name of a socket.
fn is_left_over(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let caller = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let answer = connect(caller.as_raw_fd(), &UnixAddr::new(path)?);
    Ok(answer == Err(Errno::ECONNREFUSED))
}

pub fn listen_unix(path: &Path) -> io::Result<UnixGuard> {
    if path.as_os_str().len() > 107 {
        return Err(Errno::ENAMETOOLONG.into());
    }
    // Looks first and binds then; who comes in between makes bind fail, as it should.
    match is_left_over(path) {
        Ok(true) => fs::remove_file(path)?,
        Ok(false) => return Err(Errno::EADDRINUSE.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // The standard library asks for a backlog of its own; a second listen changes it.
    let listener = UnixListener::bind(path)?;
    listen(&listener, Backlog::new(128)?)?;
    let made = fs::symlink_metadata(path)?;
    Ok(UnixGuard {
        socket: listener.into(),
        path: path.to_path_buf(),
        inode: (made.dev(), made.ino()),
    })
}

impl Drop for UnixGuard {
    fn drop(&mut self) {
        if let Ok(there) = fs::symlink_metadata(&self.path)
            && (there.dev(), there.ino()) == self.inode
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub fn accept_conn(l: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        let fd = match accept(l.as_raw_fd()) {
            // SAFETY: just made.
            Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
            Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
            Err(Errno::EAGAIN | Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        return Ok(Some(fd));
    }
}

/// The standard library's view of a descriptor that somebody else owns. It sends with MSG_NOSIGNAL
/// and does not look at the address family.
fn stream(fd: BorrowedFd<'_>) -> ManuallyDrop<TcpStream> {
    // SAFETY: never dropped, so never closed.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd.as_raw_fd()) })
}

fn no_more(fd: BorrowedFd<'_>) -> io::Result<()> {
    match stream(fd).shutdown(Shutdown::Write) {
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}

pub fn send_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    stream(fd).write_all(buf)
}

pub fn echo_conn(fd: OwnedFd) -> io::Result<u64> {
    let (mut from, mut to) = (stream(fd.as_fd()), stream(fd.as_fd()));
    let n = io::copy(&mut *from, &mut *to)?;
    no_more(fd.as_fd())?;
    Ok(n)
}

/// What the threads of a server have in common.
struct Shared {
    /// Who is open, by number.
    open: Mutex<BTreeMap<u64, Arc<OwnedFd>>>,
    /// Rung by each thread at its end.
    bell: UnixStream,
    /// The time is over, and what ends now was cut off.
    cut: AtomicBool,
    served: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
}

impl Shared {
    fn n_open(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.len()
    }

    fn attend(&self, number: u64, client: &OwnedFd, room: usize) {
        let whole = self.echo(client, room).is_ok() && !self.cut.load(SeqCst);
        let count = if whole { &self.served } else { &self.failed };
        count.fetch_add(1, SeqCst);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&number);
    }

    fn echo(&self, client: &OwnedFd, room: usize) -> io::Result<()> {
        let mut stream = stream(client.as_fd());
        let mut buffer = vec![0; room];
        loop {
            let n = match stream.read(&mut buffer) {
                Ok(0) => return no_more(client.as_fd()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut rest = &buffer[..n];
            while !rest.is_empty() {
                let n = match stream.write(rest) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    sent => sent?,
                };
                self.bytes.fetch_add(n as u64, SeqCst);
                rest = &rest[n..];
            }
        }
    }
}

pub fn serve(l: OwnedFd, limits: Limits, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    let flags = OFlag::from_bits_retain(fcntl(&l, FcntlArg::F_GETFL)?);
    fcntl(&l, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let (bell, mut heard) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    heard.set_nonblocking(true)?;
    let shared = Shared {
        open: Mutex::default(),
        bell,
        cut: AtomicBool::new(false),
        served: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    let ended = thread::scope(|scope| {
        let ended = let_in(scope, &shared, &l, limits, stop, &mut heard).and_then(|()| {
            stream(l.as_fd()).shutdown(Shutdown::Both)?;
            drop(l);
            let end = Instant::now() + limits.drain;
            while shared.n_open() > 0 && Instant::now() < end {
                listen_to_bell(&mut heard);
                if shared.n_open() > 0 {
                    wait(&[(heard.as_fd(), PollFlags::POLLIN)], Some(end))?;
                }
            }
            Ok(())
        });
        shared.cut.store(true, SeqCst);
        let open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        for client in open.values() {
            // Its thread wakes up, whatever it waits for.
            let _ = stream(client.as_fd()).shutdown(Shutdown::Both);
        }
        drop(open);
        ended
    });
    ended?;
    Ok(Totals {
        served: shared.served.into_inner(),
        failed: shared.failed.into_inner(),
        bytes: shared.bytes.into_inner(),
    })
}

fn listen_to_bell(heard: &mut UnixStream) {
    let mut rings = [0; 256];
    while heard.read(&mut rings).is_ok_and(|n| n == rings.len()) {}
}

/// Starts a thread for everybody who comes, until `stop` is readable.
fn let_in<'scope>(
    scope: &'scope Scope<'scope, '_>,
    shared: &'scope Shared,
    l: &OwnedFd,
    limits: Limits,
    stop: BorrowedFd<'_>,
    heard: &mut UnixStream,
) -> io::Result<()> {
    let mut number = 0;
    let mut pause: Option<Instant> = None;
    loop {
        pause = pause.filter(|until| Instant::now() < *until);
        let mut watched = vec![
            (stop, PollFlags::POLLIN),
            (heard.as_fd(), PollFlags::POLLIN),
        ];
        if pause.is_none() && shared.n_open() < limits.clients {
            watched.push((l.as_fd(), PollFlags::POLLIN));
        }
        let ready = wait(&watched, pause)?;
        if ready[0] {
            return Ok(());
        }
        if ready[1] {
            listen_to_bell(heard);
            pause = None;
        }
        if ready.get(2) != Some(&true) {
            continue;
        }
        let Some(client) = accept_conn(l.as_fd())? else {
            pause = Some(Instant::now() + Duration::from_millis(50));
            continue;
        };
        let client = Arc::new(client);
        number += 1;
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(number, Arc::clone(&client));
        drop(open);
        let thread = thread::Builder::new().stack_size(64 * 1024);
        thread.spawn_scoped(scope, move || {
            shared.attend(number, &client, limits.buffer);
            drop(client);
            // Full means that there is enough to hear.
            let _ = (&shared.bell).write(b"!");
        })?;
    }
}

pub fn udp_echo(sock: &UdpSocket, stop: BorrowedFd<'_>) -> io::Result<Totals> {
    let mut totals = Totals::default();
    let mut buffer = vec![0; 1 << 16];
    sock.set_nonblocking(true)?;
    let ended = loop {
        match wait(
            &[(sock.as_fd(), PollFlags::POLLIN), (stop, PollFlags::POLLIN)],
            None,
        ) {
            Err(error) => break Err(error),
            Ok(ready) if ready[1] => break Ok(()),
            Ok(_) => {}
        }
        let (n, peer) = match sock.recv_from(&mut buffer) {
            Ok(datagram) => datagram,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => {
                totals.failed += 1;
                continue;
            }
        };
        let sent = loop {
            match sock.send_to(&buffer[..n], peer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait(&[(sock.as_fd(), PollFlags::POLLOUT)], None)?;
                }
                sent => break sent,
            }
        };
        match sent {
            Ok(n) => {
                totals.served += 1;
                totals.bytes += n as u64;
            }
            Err(_) => totals.failed += 1,
        }
    };
    sock.set_nonblocking(false)?;
    ended.map(|()| totals)
}

pub fn client(
    fd: OwnedFd,
    input: &mut (dyn Read + Send),
    output: &mut dyn Write,
) -> io::Result<()> {
    let fd = &fd;
    thread::scope(|scope| {
        let talker = scope.spawn(move || {
            let said = io::copy(input, &mut *stream(fd.as_fd()));
            no_more(fd.as_fd())?;
            said
        });
        let mut buffer = [0; 4096];
        let heard = loop {
            match stream(fd.as_fd()).read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => {
                    let written = output.write_all(&buffer[..n]).and_then(|()| output.flush());
                    if written.is_err() {
                        break written;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if heard.is_err() {
            let _ = stream(fd.as_fd()).shutdown(Shutdown::Both);
        }
        let said = talker.join().expect("it does not panic");
        heard.and(said.map(drop))
    })
}
