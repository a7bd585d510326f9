//! WHY: waits for a reader with inotify(7) instead of naps, reads from a fresh descriptor after every end of file, and finds lines by position

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, ppoll};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::sys::time::TimeSpec;
use nix::unistd::{dup, mkfifo};

mod claim;
mod wire;

pub use claim::Claim;
pub use wire::{HUB, MAX_LINE, fifo_of, is_nick, speaker};

pub fn ensure_fifo(path: &Path) -> io::Result<()> {
    let made = mkfifo(path, Mode::from_bits_truncate(0o600));
    if made != Err(Errno::EEXIST) {
        return Ok(made?);
    }
    let here = nix::fcntl::AT_FDCWD;
    let stat = fstatat(here, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFIFO.bits() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "it is no FIFO"));
    }
    Ok(())
}

pub fn open_reader(path: &Path) -> io::Result<OwnedFd> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    Ok(options.open(path)?.into())
}

/// Tells when something is opened or made in a folder.
struct Watch(File);

impl Watch {
    fn on(folder: &Path) -> io::Result<Self> {
        use std::os::fd::FromRawFd;
        let name = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes())?;
        let events = libc::IN_OPEN | libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_ATTRIB;
        // SAFETY: a C string; the descriptor is new and ours.
        unsafe {
            let fd = Errno::result(libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK))?;
            let watch = File::from_raw_fd(fd);
            Errno::result(libc::inotify_add_watch(fd, name.as_ptr(), events))?;
            Ok(Self(watch))
        }
    }

    /// Sleeps until something happens, for at most `left`.
    fn wait(&mut self, left: Option<Duration>) -> io::Result<()> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut fds, left.map(TimeSpec::from_duration), None) {
            Err(Errno::EINTR) => return Ok(()),
            polled => polled?,
        };
        // What it was does not matter: the open will show.
        let _ = self.0.read(&mut [0; 4096]);
        Ok(())
    }
}

pub fn open_writer(path: &Path, deadline: Duration) -> io::Result<OwnedFd> {
    let end = Instant::now().checked_add(deadline);
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut watch = None;
    let fifo = loop {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_NONBLOCK);
        let error = match options.open(path) {
            Ok(fifo) => break fifo,
            Err(error) => error,
        };
        match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
            Errno::ENXIO | Errno::ENOENT => {}
            _ => return Err(error),
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(ErrorKind::TimedOut.into());
        }
        match &mut watch {
            // Our own attempt is an event as well: not more than one attempt in 5 ms.
            Some(Watch(_)) => {
                let nap = Duration::from_millis(5);
                std::thread::sleep(left.map_or(nap, |left| left.min(nap)));
                let left = left.map(|left| left.saturating_sub(nap));
                watch.as_mut().expect("just seen").wait(left)?;
            }
            // Nothing may be missed between the look and the watch: look once more.
            none => match Watch::on(folder) {
                Ok(watch) => *none = Some(watch),
                // The folder is not there either.
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            },
        }
    };
    if !fifo.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "it is no FIFO"));
    }
    let flags = fcntl(&fifo, FcntlArg::F_GETFL)? & !libc::O_NONBLOCK;
    fcntl(&fifo, FcntlArg::F_SETFL(OFlag::from_bits_retain(flags)))?;
    Ok(fifo.into())
}

pub fn post(fd: BorrowedFd<'_>, nick: &str, text: &str) -> io::Result<()> {
    let is_fine = is_nick(nick) && text.find(['\n', '\t']).is_none();
    let mut line = [0u8; MAX_LINE];
    let mut rest = &mut line[..];
    if !is_fine || writeln!(rest, "{nick}\t{text}").is_err() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let len = MAX_LINE - rest.len();
    loop {
        match nix::unistd::write(fd, &line[..len]) {
            Ok(n) => {
                debug_assert_eq!(n, len, "never torn");
                return Ok(());
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut held = std::mem::take(&mut self.partial);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        let mut lines = Vec::new();
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            if at >= MAX_LINE {
                return Err(io::Error::new(ErrorKind::InvalidData, "a line is too long"));
            }
            lines.push(rest[..at].to_vec());
            rest = &rest[at + 1..];
        }
        if rest.len() >= MAX_LINE {
            return Err(io::Error::new(ErrorKind::InvalidData, "a line is too long"));
        }
        self.partial = rest.to_vec();
        Ok(lines)
    }

    pub fn finish(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.partial)).filter(|last| !last.is_empty())
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
        if line.len() + 1 > MAX_LINE {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        let mut told = Delivery::default();
        let mut left = Vec::new();
        for (nick, fd) in &self.members {
            match nix::unistd::write(fd, &whole) {
                Ok(_) => told.sent += 1,
                Err(Errno::EAGAIN) => told.full += 1,
                Err(Errno::EPIPE) => left.push(nick.clone()),
                Err(error) => return Err(error.into()),
            }
        }
        told.gone = left.len();
        for nick in &left {
            self.members.remove(nick);
        }
        if self.members.contains_key(from) {
            return Ok(told);
        }
        let mut options = File::options();
        options.write(true);
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        let Ok(mut fifo) = options.open(fifo_of(&self.dir, from)) else {
            return Ok(told);
        };
        if !fifo.metadata()?.file_type().is_fifo() {
            return Ok(told);
        }
        match fifo.write(&whole) {
            Ok(_) => told.sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => told.full += 1,
            // A reader for the open and none for the write: a guest.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(told),
            Err(error) => return Err(error),
        }
        self.members.insert(from.to_string(), fifo.into());
        Ok(told)
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

pub fn event_loop(
    inbox: BorrowedFd<'_>,
    stdin: BorrowedFd<'_>,
    on: &mut dyn FnMut(Event<'_>) -> Flow,
) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", inbox.as_raw_fd());
    let mut fifo = File::from(dup(inbox)?);
    let mut typed = Some(File::from(dup(stdin)?));
    let mut buffer = [0; 1000];
    loop {
        let mut fds = vec![PollFd::new(fifo.as_fd(), PollFlags::POLLIN)];
        let stdin = typed
            .as_ref()
            .map(|typed| PollFd::new(typed.as_fd(), PollFlags::POLLIN));
        fds.extend(stdin);
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let is_ready = |fd: Option<&PollFd<'_>>| {
            fd.and_then(PollFd::revents)
                .is_some_and(|events| !events.is_empty())
        };
        let (has_mail, has_typed) = (is_ready(fds.first()), is_ready(fds.get(1)));
        // Somebody at the keyboard comes first.
        if has_typed && let Some(file) = &mut typed {
            let flow = match file.read(&mut buffer) {
                Ok(0) => {
                    typed = None;
                    on(Event::StdinEnd)
                }
                Ok(n) => on(Event::Stdin(&buffer[..n])),
                Err(error) if is_nothing(&error) => Flow::Go,
                Err(error) => return Err(error),
            };
            if flow == Flow::Stop {
                return Ok(());
            }
        }
        // What is there, but not for ever: somebody may be typing.
        for _ in 0..if has_mail { 64 } else { 0 } {
            let flow = match fifo.read(&mut buffer) {
                Ok(0) => {
                    // The new one has not seen the writer leave; the old one goes after it, so
                    // there is a reader all the time.
                    fifo = File::from(open_reader(Path::new(&path))?);
                    if on(Event::WritersGone) == Flow::Stop {
                        return Ok(());
                    }
                    break;
                }
                Ok(n) => on(Event::Inbox(&buffer[..n])),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            if flow == Flow::Stop {
                return Ok(());
            }
        }
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
