//! WHY: standard input has a reading thread of its own, the hub asks for a member's FIFO anew for each line, and all calls are libc's

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{self, Error, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

mod claim;
mod wire;

pub use claim::Claim;
pub use wire::{HUB, MAX_LINE, fifo_of, is_nick, speaker};

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn done(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(Error::last_os_error()),
        result => Ok(result),
    }
}

fn open(path: &Path, flags: libc::c_int) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: a C string.
    let fd = done(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })?;
    // SAFETY: just opened.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn is_fifo(stat: &libc::stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}

fn stat_of(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: room for the answer.
    done(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat has filled it in.
    Ok(unsafe { stat.assume_init() })
}

fn stat_at(path: &Path) -> io::Result<libc::stat> {
    let path = c_path(path)?;
    let mut stat = MaybeUninit::uninit();
    // SAFETY: a C string, and room for the answer.
    done(unsafe { libc::lstat(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: lstat has filled it in.
    Ok(unsafe { stat.assume_init() })
}

pub fn ensure_fifo(path: &Path) -> io::Result<()> {
    match stat_at(path) {
        Ok(stat) if is_fifo(&stat) => return Ok(()),
        Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let name = c_path(path)?;
    // SAFETY: a C string.
    match done(unsafe { libc::mknod(name.as_ptr(), libc::S_IFIFO | 0o600, 0) }) {
        // Somebody was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match is_fifo(&stat_at(path)?) {
            true => Ok(()),
            false => Err(error),
        },
        made => made.map(drop),
    }
}

pub fn open_reader(path: &Path) -> io::Result<OwnedFd> {
    open(path, libc::O_RDONLY | libc::O_NONBLOCK)
}

pub fn open_writer(path: &Path, deadline: Duration) -> io::Result<OwnedFd> {
    let end = Instant::now().checked_add(deadline);
    let mut nap = Duration::from_millis(1);
    loop {
        match open(path, libc::O_WRONLY | libc::O_NONBLOCK) {
            Ok(fd) => {
                if !is_fifo(&stat_of(fd.as_fd())?) {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                let off: libc::c_int = 0;
                // SAFETY: FIONBIO reads one int.
                done(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &off) })?;
                return Ok(fd);
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::ENXIO | libc::ENOENT) => {}
                _ => return Err(error),
            },
        }
        let left = end.map_or(nap, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        thread::sleep(nap.min(left));
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

/// One write(2) of a whole line.
fn write_line(fd: BorrowedFd<'_>, line: &[u8]) -> io::Result<()> {
    // SAFETY: `line` is readable.
    let n = unsafe { libc::write(fd.as_raw_fd(), line.as_ptr().cast(), line.len()) };
    match n {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

pub fn post(fd: BorrowedFd<'_>, nick: &str, text: &str) -> io::Result<()> {
    let n = nick.len() + 1 + text.len() + 1;
    if n > MAX_LINE || !is_nick(nick) || text.bytes().any(|b| matches!(b, b'\n' | b'\t')) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut line = Vec::with_capacity(n);
    for part in [nick, "\t", text, "\n"] {
        line.extend_from_slice(part.as_bytes());
    }
    loop {
        match write_line(fd, &line) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => return written,
        }
    }
}

#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                lines.push(std::mem::take(&mut self.partial));
                continue;
            }
            self.partial.push(byte);
            // There is no room for the newline any more.
            if self.partial.len() == MAX_LINE {
                self.partial = Vec::new();
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(lines)
    }

    pub fn finish(&mut self) -> Option<Vec<u8>> {
        match self.partial.as_slice() {
            [] => None,
            _ => Some(std::mem::take(&mut self.partial)),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub sent: usize,
    pub full: usize,
    pub gone: usize,
}

#[derive(Debug)]
pub struct Hub {
    dir: PathBuf,
    members: BTreeMap<String, OwnedFd>,
}

impl Hub {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            members: BTreeMap::new(),
        }
    }

    pub fn members(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }

    pub fn deliver(&mut self, from: &str, line: &[u8]) -> io::Result<Delivery> {
        let mut line = line.to_vec();
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut delivery = Delivery::default();
        let mut failure = Ok(());
        self.members
            .retain(|_, fd| match write_line(fd.as_fd(), &line) {
                Ok(()) => {
                    delivery.sent += 1;
                    true
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    delivery.full += 1;
                    true
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    delivery.gone += 1;
                    false
                }
                Err(error) => {
                    failure = Err(error);
                    true
                }
            });
        failure?;
        if !self.members.contains_key(from)
            && let Ok(fd) = self.newcomer(from)
        {
            match write_line(fd.as_fd(), &line) {
                Ok(()) => delivery.sent += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => delivery.full += 1,
                // Gone in the very moment.
                Err(_) => {
                    delivery.gone += 1;
                    return Ok(delivery);
                }
            }
            self.members.insert(from.to_owned(), fd);
        }
        Ok(delivery)
    }

    /// Looks at what is there before opening it, and at what was opened again.
    fn newcomer(&self, nick: &str) -> io::Result<OwnedFd> {
        let path = fifo_of(&self.dir, nick);
        if !is_fifo(&stat_at(&path)?) {
            return Err(ErrorKind::InvalidInput.into());
        }
        let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let fd = open(&path, flags)?;
        match is_fifo(&stat_of(fd.as_fd())?) {
            true => Ok(fd),
            false => Err(ErrorKind::InvalidInput.into()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Inbox(&'a [u8]),
    WritersGone,
    Stdin(&'a [u8]),
    StdinEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Go,
    Stop,
}

/// Pieces of standard input; nothing at its end.
type Pieces = Receiver<io::Result<Vec<u8>>>;

/// Reads standard input in a thread, which rings `bell` after each piece.
fn listen_to(stdin: OwnedFd, bell: OwnedFd) -> Pieces {
    let (put, pieces) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            let mut room = vec![0; 4096];
            let piece = wait(&mut [(stdin.as_fd(), libc::POLLIN)])
                .and_then(|_| read(stdin.as_fd(), &mut room));
            let piece = match piece {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(n) => {
                    room.truncate(n);
                    Ok(room)
                }
                Err(error) => Err(error),
            };
            let is_last = piece.as_ref().map_or(true, Vec::is_empty);
            if put.send(piece).is_err() {
                return;
            }
            let one = 1u64.to_ne_bytes();
            // SAFETY: eight bytes.
            unsafe { libc::write(bell.as_raw_fd(), one.as_ptr().cast(), 8) };
            if is_last {
                return;
            }
        }
    });
    pieces
}

fn read(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: `room` is writable.
        let n = unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
        match usize::try_from(n) {
            Ok(n) => return Ok(n),
            Err(_) => match Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// Sleeps until one of them is ready; which ones.
fn wait<const N: usize>(watched: &mut [(BorrowedFd<'_>, i16); N]) -> io::Result<[bool; N]> {
    let mut fds = watched.map(|(fd, events)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    });
    // SAFETY: N descriptors.
    match done(unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, -1) }) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok([false; N]),
        Err(error) => Err(error),
        Ok(_) => Ok(fds.map(|fd| fd.revents != 0)),
    }
}

pub fn event_loop(
    inbox: BorrowedFd<'_>,
    stdin: BorrowedFd<'_>,
    on: &mut dyn FnMut(Event<'_>) -> Flow,
) -> io::Result<()> {
    // SAFETY: makes a descriptor.
    let bell = done(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: just made.
    let bell = unsafe { OwnedFd::from_raw_fd(bell) };
    let pieces = listen_to(stdin.try_clone_to_owned()?, bell.try_clone()?);
    let again = PathBuf::from(format!("/proc/self/fd/{}", inbox.as_raw_fd()));
    let mut fresh = None;
    let mut room = vec![0; 64 * 1024];
    loop {
        let reader = fresh.as_ref().map_or(inbox, OwnedFd::as_fd);
        let ready = wait(&mut [(reader, libc::POLLIN), (bell.as_fd(), libc::POLLIN)])?;
        if ready[0] {
            let event = match read(reader, &mut room) {
                Ok(0) => {
                    // Opened now, it has not seen anybody leave.
                    fresh = Some(open_reader(&again)?);
                    Some(Event::WritersGone)
                }
                Ok(n) => Some(Event::Inbox(&room[..n])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => return Err(error),
            };
            if event.is_some_and(|event| on(event) == Flow::Stop) {
                return Ok(());
            }
        }
        if ready[1] {
            let _ = read(bell.as_fd(), &mut [0; 8]);
            loop {
                let flow = match pieces.try_recv() {
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                    Ok(Err(error)) => return Err(error),
                    Ok(Ok(piece)) if piece.is_empty() => on(Event::StdinEnd),
                    Ok(Ok(piece)) => on(Event::Stdin(&piece)),
                };
                if flow == Flow::Stop {
                    return Ok(());
                }
            }
        }
    }
}
