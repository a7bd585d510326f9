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

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Makes sure that a FIFO stands at `path`.
///
/// A new one has mode 0600: what is said here is nobody else's business. One that exists is
/// used as it is. Anything else at `path` (a plain file, a folder, a symbolic link) is left
/// untouched and is an `AlreadyExists` error; `mkfifo(3)` says `EEXIST` for all of them alike.
pub fn ensure_fifo(path: &Path) -> io::Result<()> {
    todo!("fifo-chat part 1: make the FIFO {path:?}")
}

/// Opens the FIFO at `path` for reading, and only for reading, without waiting for a writer.
///
/// The descriptor is close-on-exec and stays in non-blocking mode, as [`event_loop`] wants it.
/// A reader that also held a writing end would never see the last writer leave.
pub fn open_reader(path: &Path) -> io::Result<OwnedFd> {
    todo!("fifo-chat part 2: open {path:?} for reading")
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
    todo!("fifo-chat part 3: open {path:?} for writing within {deadline:?}")
}

/// Says `text` as `nick`: writes the line `nick TAB text NEWLINE` with one `write(2)`.
///
/// Up to [`MAX_LINE`] bytes, newline included, a write into a pipe is never torn and never
/// short; so nothing longer is sent. It is `InvalidInput`, and nothing is written, if the line
/// would be longer, if [`is_nick`] refuses the nick, or if the text holds a newline or a tab.
/// An empty text is fine. A signal (`EINTR`) is no reason to lose a line; a hub that has gone
/// is a `BrokenPipe` error.
pub fn post(fd: BorrowedFd<'_>, nick: &str, text: &str) -> io::Result<()> {
    todo!("fifo-chat part 4: say {text:?} as {nick:?} on {fd:?}")
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
        todo!("fifo-chat part 5: take {} bytes", bytes.len())
    }

    /// At the end of the stream: the last line, if it came without a newline.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        todo!("fifo-chat part 5: finish with {} bytes", self.partial.len())
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
        todo!("fifo-chat part 6: {:?} said {line:?}", self.dir.join(from))
    }
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
    todo!("fifo-chat part 7: poll {inbox:?}, {stdin:?} for {:p}", &on)
}
