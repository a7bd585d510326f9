//! Pipes: a producer and a consumer with a kernel buffer between them.
//!
//! The seven functions build on each other, and the program in `main.rs` is made of them:
//!
//! 1. a pipe ([`make_pipe`]) and whole buffers through it ([`write_all`], [`read_full`]);
//! 2. records that stay whole although a pipe knows only bytes ([`write_record`],
//!    [`read_record`]);
//! 3. other programs at the ends of pipes ([`spawn_stage`], [`run_pipeline`]).
//!
//! One rule runs through all of them: a pipe ends when its **last** write end is closed, and
//! breaks when its **last** read end is closed. So every function here is as careful about who
//! holds which end, and until when, as about the bytes themselves.
//!
//! All descriptors are in blocking mode. Nothing here prints, and nothing here knows what the
//! bytes or the records mean.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

/// Bytes in front of every record: its length as a `u32`, least significant byte first.
pub const HEADER: usize = 4;

/// The longest record, in bytes, without its header. A write(2) of at most `PIPE_BUF` bytes is
/// never mixed with the bytes of another writer, and the header has to fit in as well.
pub const MAX_RECORD: usize = libc::PIPE_BUF - HEADER;

/// Makes a pipe: `(read end, write end)`.
///
/// Both ends are close-on-exec from the moment they exist, so that a program started later
/// holds neither of them by accident.
///
/// # Errors
/// What pipe2(2) says, for instance `EMFILE` when the process has no descriptor left.
pub fn make_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    todo!("pipes part 1: make a pipe that no program inherits by accident")
}

/// Writes all of `buf` and waits for room as often as that takes.
///
/// A write(2) that took only a part is continued, one that a signal interrupted is repeated.
/// An empty `buf` writes nothing.
///
/// # Errors
/// Any other error of write(2). The one to expect is `EPIPE` ([`io::ErrorKind::BrokenPipe`]):
/// nobody holds a read end any more. (It arrives as an error and not as the signal SIGPIPE,
/// because Rust programs start with SIGPIPE ignored.) How much was written before is not known.
pub fn write_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    todo!("pipes part 2: write {} bytes to {fd:?}", buf.len())
}

/// Reads until `buf` is full or the file ends, and returns how many bytes are in `buf`.
///
/// A read(2) that returns fewer bytes than asked for says nothing about the end of the file: it
/// is all that was in the pipe at that moment. Only a read(2) of 0 bytes is the end. So a
/// result smaller than `buf.len()` means that the file ended, and only that.
///
/// A read(2) that a signal interrupted is repeated.
///
/// # Errors
/// Any other error of read(2).
pub fn read_full(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    todo!("pipes part 3: read up to {} bytes from {fd:?}", buf.len())
}

/// Writes one record: its length in [`HEADER`] bytes, then its bytes, in a **single** write(2).
///
/// Many processes may write records to one pipe at the same time. An empty record is allowed.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when `rec` is longer than [`MAX_RECORD`]; then nothing has
/// been written. Otherwise the errors of [`write_all`].
pub fn write_record(fd: BorrowedFd<'_>, rec: &[u8]) -> io::Result<()> {
    todo!("pipes part 4: record of {} bytes to {fd:?}", rec.len())
}

/// Reads one record into `buf`, replacing what was there, and returns its length in bytes.
///
/// `Ok(None)` is the clean end: the file ended where a record could have begun.
///
/// # Errors
/// - [`io::ErrorKind::UnexpectedEof`] when the file ends inside a header or a record.
/// - [`io::ErrorKind::InvalidData`] when the header announces more than [`MAX_RECORD`] bytes.
///   The length comes from another process: no memory is taken for it before this check.
/// - Otherwise the errors of [`read_full`].
///
/// After an error nobody can say where the next record begins.
pub fn read_record(fd: BorrowedFd<'_>, buf: &mut Vec<u8>) -> io::Result<Option<usize>> {
    todo!("pipes part 5: record from {fd:?} to {}", buf.capacity())
}

/// Starts a program as one stage of a pipeline and returns its process id at once.
///
/// `argv[0]` is looked up in `PATH`. The program has `stdin` as descriptor 0, `stdout` as
/// descriptor 1 and our standard error; it does not hold them under a second number. It starts
/// with SIGPIPE at its default action and with no signal blocked, whatever holds for us.
/// When it cannot be executed, the new process ends with status 127, as in a shell.
///
/// Both descriptors are closed in the calling process, also after an error: that is what taking
/// an [`OwnedFd`] means. The caller has to wait for the process.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for an empty `argv`; otherwise what fork(2) says.
pub fn spawn_stage(argv: &[CString], stdin: OwnedFd, stdout: OwnedFd) -> io::Result<Pid> {
    todo!("pipes part 6: start {argv:?} between {stdin:?} and {stdout:?}")
}

/// Runs `stages` as a pipeline from `stdin` to `stdout`, waits for **all** of them and returns
/// how each one ended, in their order.
///
/// The stages run at the same time. While they are being started, this process has at most
/// three descriptors of the pipeline open, however many stages there are; once they run, none.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when there is no stage at all or one without a program;
/// otherwise the errors of [`make_pipe`] and [`spawn_stage`]. Stages that run already when the
/// error comes up are ended and waited for: no process is left behind.
pub fn run_pipeline(
    stages: &[Vec<CString>],
    stdin: OwnedFd,
    stdout: OwnedFd,
) -> io::Result<Vec<WaitStatus>> {
    todo!("pipes part 7: {stages:?} from {stdin:?} to {stdout:?}")
}
