//! A chat over named pipes.
//!
//! A FIFO is a pipe with a name in the file system. The hub reads `hub.fifo`, which everybody
//! writes to; each member reads a FIFO of their own, `NICK.fifo`, which only the hub writes to.
//! So there are many writers and one reader on every FIFO, and no line is split between readers.
//!
//! You write the parts in this order:
//!
//! 1. [`ensure_fifo`] makes a FIFO, or finds one.
//! 2. [`open_reader`] opens it for reading without waiting for a writer.
//! 3. [`open_writer`] waits for a reader, but not for ever.
//! 4. [`post`] sends one line in one write, so that no other line can land inside it.
//! 5. [`Lines`] puts lines together again: a read returns bytes, not messages.
//! 6. [`Hub::deliver`] passes a line to every member and lets no member stop the others.
//! 7. [`event_loop`] waits for the FIFO and for standard input at once, also after the last
//!    writer has left.
//!
//! Given and finished: the format of a line (`wire.rs`), the claim to a FIFO (`claim.rs`), and
//! the program (`main.rs`).

mod claim;
mod wire;

pub use claim::Claim;
pub use wire::{HUB, MAX_LINE, fifo_of, is_nick, speaker};

// SOLUTION
use std::fs;
// END SOLUTION
use std::collections::BTreeMap;
use std::io;
// SOLUTION
use std::os::fd::{AsFd, AsRawFd};
// END SOLUTION
use std::os::fd::{BorrowedFd, OwnedFd};
// SOLUTION
use std::os::unix::fs::FileTypeExt;
use std::thread;
// END SOLUTION
use std::path::{Path, PathBuf};
use std::time::Duration;
// SOLUTION
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{mkfifo, read, write};

/// How long [`open_writer`] sleeps between two tries. The kernel has no event for "a reader
/// has come" that could be waited for together with a deadline.
const RETRY: Duration = Duration::from_millis(10);
// END SOLUTION

/// Makes sure that a FIFO stands at `path`.
///
/// A new one has mode 0600: what is said here is nobody else's business. One that exists is
/// used as it is. Anything else at `path` (a plain file, a folder, a symbolic link) is left
/// untouched and is an `AlreadyExists` error; `mkfifo(3)` says `EEXIST` for all of them alike.
pub fn ensure_fifo(path: &Path) -> io::Result<()> {
    // SOLUTION todo!("fifo-chat part 1: make the FIFO {path:?}")
    match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Err(Errno::EEXIST) if fs::symlink_metadata(path)?.file_type().is_fifo() => Ok(()),
        made => Ok(made?),
    }
    // END SOLUTION
}

/// Opens the FIFO at `path` for reading, and only for reading, without waiting for a writer.
///
/// The descriptor is close-on-exec and stays in non-blocking mode, as [`event_loop`] wants it.
/// A reader that also held a writing end would never see the last writer leave.
pub fn open_reader(path: &Path) -> io::Result<OwnedFd> {
    // SOLUTION todo!("fifo-chat part 2: open {path:?} for reading")
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
    // END SOLUTION
}

/// Opens the FIFO at `path` for writing, and waits until `deadline` has passed for somebody to
/// read it.
///
/// Nobody reads (`ENXIO`) and no such FIFO yet (`ENOENT`) both mean that the reader has not
/// come: the call tries again, without burning processor time, and fails with `TimedOut` at the
/// deadline. A deadline of zero tries exactly once. Any other error comes back at once. What is
/// not a FIFO is not written to: that is `AlreadyExists`.
///
/// The descriptor is close-on-exec and in *blocking* mode, so that [`post`] waits while the
/// FIFO is full.
pub fn open_writer(path: &Path, deadline: Duration) -> io::Result<OwnedFd> {
    // SOLUTION todo!("fifo-chat part 3: open {path:?} for writing within {deadline:?}")
    let start = Instant::now();
    // Only a non-blocking open can be given up: a blocking one sleeps until a reader comes.
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = loop {
        match open(path, flags, Mode::empty()) {
            Err(Errno::ENXIO | Errno::ENOENT) => {}
            opened => break opened?,
        }
        let left = deadline.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(RETRY.min(left));
    };
    if !is_fifo(&fd)? {
        return Err(Errno::EEXIST.into());
    }
    let now = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(now - OFlag::O_NONBLOCK))?;
    Ok(fd)
    // END SOLUTION
}

/// Says `text` as `nick`: writes the line `nick TAB text NEWLINE` with one `write(2)`.
///
/// Up to [`MAX_LINE`] bytes, newline included, a write into a pipe is never torn and never
/// short; so nothing longer is sent. It is `InvalidInput`, and nothing is written, if the line
/// would be longer, if [`is_nick`] refuses the nick, or if the text holds a newline or a tab.
/// An empty text is fine. A signal (`EINTR`) is no reason to lose a line; a hub that has gone
/// is a `BrokenPipe` error.
pub fn post(fd: BorrowedFd<'_>, nick: &str, text: &str) -> io::Result<()> {
    // SOLUTION todo!("fifo-chat part 4: say {text:?} as {nick:?} on {fd:?}")
    let line = format!("{nick}\t{text}\n");
    if !is_nick(nick) || text.contains(['\n', '\t']) || line.len() > MAX_LINE {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    loop {
        match write(fd, line.as_bytes()) {
            Err(Errno::EINTR) => {}
            // All or nothing: see above.
            written => return Ok(written.map(drop)?),
        }
    }
    // END SOLUTION
}

/// Puts lines together from bytes that arrive in pieces of any size.
///
/// It knows bytes only: a piece may end inside a character, and what is not UTF-8 passes
/// through unchanged.
#[derive(Debug, Default)]
pub struct Lines {
    /// Given: what has come of a line whose newline has not.
    partial: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes of the stream and returns the lines that they complete, in order
    /// and without their newlines. Empty lines count.
    ///
    /// A line of more than [`MAX_LINE`] bytes, newline included, is `InvalidData`, as soon as
    /// it is known to be too long: so a stream without newlines cannot eat the memory. The rest
    /// of `bytes` and what was held are forgotten then, and the next call starts a new line.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        // SOLUTION todo!("fifo-chat part 5: take {} bytes", bytes.len())
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.len() > MAX_LINE {
                self.partial.clear();
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.partial.pop_if(|last| *last == b'\n').is_some() {
                complete.push(std::mem::take(&mut self.partial));
            }
        }
        Ok(complete)
        // END SOLUTION
    }

    /// At the end of the stream: the last line, if it came without a newline.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        // SOLUTION todo!("fifo-chat part 5: finish with {} bytes", self.partial.len())
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
        // END SOLUTION
    }
}

/// Given: what became of one line at the hub. The three numbers count members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Members that got the line.
    pub sent: usize,
    /// Members whose FIFO was full. They miss this line and stay members.
    pub full: usize,
    /// Members that had left. They are members no more.
    pub gone: usize,
}

/// The hub's list of members, each with the writing end of their FIFO.
#[derive(Debug)]
pub struct Hub {
    dir: PathBuf,
    members: BTreeMap<String, OwnedFd>,
}

impl Hub {
    /// Given: a hub without members for the chat in the folder `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            members: BTreeMap::new(),
        }
    }

    /// Given: the nicks of the members, in order.
    pub fn members(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }

    /// Passes `line`, said by `from`, to every member. The line comes without its newline and
    /// goes out with it, in one write.
    ///
    /// Who speaks becomes a member and gets this line too, if their FIFO ([`fifo_of`] in the
    /// hub's folder) is a FIFO itself, no link to one, and somebody reads it. If not, or if it
    /// cannot be opened, they are a guest: heard by all, told nothing. `from` is a valid nick.
    ///
    /// No member can hold up the others or end the chat: one who has left (`EPIPE`) is dropped
    /// and counted, one whose FIFO is full (`EAGAIN`) misses the line and is counted. A member
    /// who left and came back with a new FIFO gets this line already. The hub makes and removes
    /// no member's FIFO: it does not own them. A line of more than [`MAX_LINE`] bytes, newline
    /// included, is `InvalidInput`.
    pub fn deliver(&mut self, from: &str, line: &[u8]) -> io::Result<Delivery> {
        // SOLUTION todo!("fifo-chat part 6: {:?} said {line:?}", self.dir.join(from))
        let line = [line, b"\n"].concat();
        if line.len() > MAX_LINE {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut delivery = Delivery::default();
        let nicks: Vec<String> = self.members.keys().cloned().collect();
        for nick in nicks {
            self.pass_on(&nick, &line, &mut delivery)?;
        }
        // Last, so that a member who came back with a new FIFO has just lost the old one.
        if !self.members.contains_key(from)
            && let Some(fd) = open_member(&fifo_of(&self.dir, from))
        {
            self.members.insert(from.to_owned(), fd);
            self.pass_on(from, &line, &mut delivery)?;
        }
        Ok(delivery)
        // END SOLUTION
    }
    // SOLUTION

    /// Writes to one member, and drops them if nobody reads their FIFO any more.
    fn pass_on(&mut self, nick: &str, line: &[u8], delivery: &mut Delivery) -> io::Result<()> {
        match write(&self.members[nick], line) {
            Ok(_) => delivery.sent += 1,
            Err(Errno::EAGAIN) => delivery.full += 1,
            Err(Errno::EPIPE) => {
                delivery.gone += 1;
                self.members.remove(nick);
            }
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
    // END SOLUTION
}

/// Given: what [`event_loop`] has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes from the FIFO, at least one.
    Inbox(&'a [u8]),
    /// The last writer of the FIFO has left. Others may come: this is no end.
    WritersGone,
    /// Bytes from standard input, at least one.
    Stdin(&'a [u8]),
    /// Standard input is at its end, for good.
    StdinEnd,
}

/// Given: what [`event_loop`] does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Wait for the next event.
    Go,
    /// Return.
    Stop,
}

/// Waits for bytes from `inbox`, a FIFO opened by [`open_reader`], and from `stdin`, and tells
/// `on` about each event until it answers [`Flow::Stop`].
///
/// While nothing happens the process sleeps in `poll(2)`, also in these two cases, in which
/// `poll` does not sleep by itself:
///
/// - `stdin` is at its end. That is told once, and the FIFO is served as before.
/// - The last writer has left. `poll` says `POLLHUP` and `read` says 0 from then on, until a
///   new writer comes. That is told once for each time the last writer leaves. What is written
///   by those who come later is heard as well.
///
/// Before the first writer, `read` says 0 too, although nobody has left: that is no event.
/// Signals (`EINTR`) are no reason to return.
pub fn event_loop(
    inbox: BorrowedFd<'_>,
    stdin: BorrowedFd<'_>,
    on: &mut dyn FnMut(Event<'_>) -> Flow,
) -> io::Result<()> {
    // SOLUTION todo!("fifo-chat part 7: poll {inbox:?}, {stdin:?} for {:p}", &on)
    let mut bytes = [0; MAX_LINE];
    let mut reopened: Option<OwnedFd> = None;
    let mut watched = 2;
    loop {
        let reader = reopened.as_ref().map_or(inbox, OwnedFd::as_fd);
        let mut fds = [reader, stdin].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds[..watched], PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        let ready = fds.map(|fd| fd.any() == Some(true));

        if ready[0] {
            let event = match read(reader, &mut bytes) {
                Ok(0) => Event::WritersGone,
                Ok(n) => Event::Inbox(&bytes[..n]),
                // A new writer has come since poll looked.
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if event == Event::WritersGone {
                // A descriptor opened after the last writer left has seen nobody leave, so
                // poll sleeps on it. The old one stays open: without any reader, what somebody
                // writes in between would be lost.
                let path = format!("/proc/self/fd/{}", inbox.as_raw_fd());
                reopened = Some(open_reader(Path::new(&path))?);
            }
            if on(event) == Flow::Stop {
                return Ok(());
            }
        }
        if ready[1] {
            let event = match read(stdin, &mut bytes) {
                Ok(0) => Event::StdinEnd,
                Ok(n) => Event::Stdin(&bytes[..n]),
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if event == Event::StdinEnd {
                watched = 1;
            }
            if on(event) == Flow::Stop {
                return Ok(());
            }
        }
    }
    // END SOLUTION
}
// SOLUTION

/// Opens a member's FIFO so that neither the open nor a write ever waits; `None` for a guest.
fn open_member(path: &Path) -> Option<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let fd = open(path, flags, Mode::empty()).ok()?;
    is_fifo(&fd).is_ok_and(|is_fifo| is_fifo).then_some(fd)
}

/// Whether the open file is a FIFO. Asked of the descriptor, as the name may lead elsewhere now.
fn is_fifo(fd: &OwnedFd) -> io::Result<bool> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO)
}
// END SOLUTION
