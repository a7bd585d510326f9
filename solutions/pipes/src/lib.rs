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
// SOLUTION
use std::convert::Infallible;
use std::ffi::c_char;
use std::iter;
use std::os::fd::AsRawFd;
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::wait::waitpid;
use nix::unistd::{self, ForkResult, fork};
// END SOLUTION

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
    // SOLUTION todo!("pipes part 1: make a pipe that no program inherits by accident")
    // Setting the flag later with fcntl(2) would leave a moment in which another thread can
    // fork and exec: the kernel has to set it together with making the pipe.
    Ok(unistd::pipe2(OFlag::O_CLOEXEC)?)
    // END SOLUTION
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
    // SOLUTION todo!("pipes part 2: write {} bytes to {fd:?}", buf.len())
    let mut rest = buf;
    while !rest.is_empty() {
        match unistd::write(fd, rest) {
            // A pipe never does this, but another file might, and then we would never end.
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => rest = &rest[n..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
    // END SOLUTION
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
    // SOLUTION todo!("pipes part 3: read up to {} bytes from {fd:?}", buf.len())
    let mut filled = 0;
    while filled < buf.len() {
        match unistd::read(fd, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(filled)
    // END SOLUTION
}

/// Writes one record: its length in [`HEADER`] bytes, then its bytes, in a **single** write(2).
///
/// Many processes may write records to one pipe at the same time. An empty record is allowed.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when `rec` is longer than [`MAX_RECORD`]; then nothing has
/// been written. Otherwise the errors of [`write_all`].
pub fn write_record(fd: BorrowedFd<'_>, rec: &[u8]) -> io::Result<()> {
    // SOLUTION todo!("pipes part 4: record of {} bytes to {fd:?}", rec.len())
    if rec.len() > MAX_RECORD {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("record of {} bytes, {MAX_RECORD} are allowed", rec.len()),
        ));
    }
    let mut frame = Vec::with_capacity(HEADER + rec.len());
    frame.extend_from_slice(&(rec.len() as u32).to_le_bytes());
    frame.extend_from_slice(rec);
    // The frame has at most PIPE_BUF bytes, so on a pipe this is one write(2), all or nothing.
    write_all(fd, &frame)
    // END SOLUTION
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
    // SOLUTION todo!("pipes part 5: record from {fd:?} to {}", buf.capacity())
    let mut header = [0; HEADER];
    match read_full(fd, &mut header)? {
        0 => return Ok(None),
        HEADER => {}
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    }
    let len = u32::from_le_bytes(header) as usize;
    if len > MAX_RECORD {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("header announces {len} bytes, {MAX_RECORD} are allowed"),
        ));
    }
    buf.clear();
    buf.resize(len, 0);
    if read_full(fd, buf)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(len))
    // END SOLUTION
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
    // SOLUTION todo!("pipes part 6: start {argv:?} between {stdin:?} and {stdout:?}")
    if argv.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a stage without a program",
        ));
    }
    let stdin = above_stdio(stdin)?;
    let stdout = above_stdio(stdout)?;
    // Between fork and exec the child may not allocate: another thread of ours may have held
    // the allocator's lock when it was copied. So everything that needs memory is made here.
    let args: Vec<*const c_char> = argv
        .iter()
        .map(|arg| arg.as_ptr())
        .chain(iter::once(ptr::null()))
        .collect();

    // SAFETY: until it executes another program or ends, the child makes system calls only.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = exec_stage(&args, stdin, stdout);
            // Not exit(3): its handlers and buffers belong to the parent. And never a return:
            // the caller's code must not run in two processes.
            // SAFETY: _exit(2) is always allowed.
            unsafe { libc::_exit(127) }
        }
    }
    // END SOLUTION
}
// SOLUTION

/// Turns the fresh child into the program. It comes back only with an error.
///
/// `args` are pointers to C strings that live until then, and a null pointer at the end.
fn exec_stage(args: &[*const c_char], stdin: OwnedFd, stdout: OwnedFd) -> nix::Result<Infallible> {
    unistd::dup2_stdin(&stdin)?;
    unistd::dup2_stdout(&stdout)?;
    // The copies 0 and 1 are enough. The originals may lack close-on-exec.
    drop((stdin, stdout));

    // An ignored signal and the mask pass through exec: without this the program would be the
    // one in the shell's pipeline that does not stop when its reader is gone.
    // SAFETY: the default action is no handler of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    SigSet::empty().thread_set_mask()?;

    // SAFETY: `args` holds valid C strings and ends with a null pointer.
    unsafe { libc::execvp(args[0], args.as_ptr()) };
    Err(Errno::last())
}

/// Moves a descriptor out of the range of the standard ones.
///
/// dup2(2) onto itself does nothing and leaves close-on-exec set, and if `stdout` were number 0
/// then putting `stdin` there would close it. Above 2 neither can happen.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        Ok(fd)
    } else {
        // The copy has a number above 2 and is close-on-exec, like everything from std.
        fd.try_clone()
    }
}
// END SOLUTION

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
    // SOLUTION todo!("pipes part 7: {stages:?} from {stdin:?} to {stdout:?}")
    let mut pids = Vec::with_capacity(stages.len());
    let started = start_stages(stages, stdin, stdout, &mut pids);
    if started.is_err() {
        for &pid in &pids {
            // Nobody has waited for it, so the number is still its own and this cannot fail.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
    let ended: io::Result<Vec<WaitStatus>> = pids.into_iter().map(wait_for).collect();
    started.and(ended)
    // END SOLUTION
}
// SOLUTION

/// Starts the stages from the first to the last and notes them in `pids`.
fn start_stages(
    stages: &[Vec<CString>],
    stdin: OwnedFd,
    stdout: OwnedFd,
    pids: &mut Vec<Pid>,
) -> io::Result<()> {
    let Some((last, before)) = stages.split_last() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pipeline without a stage",
        ));
    };
    let mut input = stdin;
    for stage in before {
        // Each pipe is made when its writer starts, and what the writer got is closed here
        // before the next one is made: so open descriptors do not grow with the stages.
        let (reader, writer) = make_pipe()?;
        pids.push(spawn_stage(stage, input, writer)?);
        input = reader;
    }
    pids.push(spawn_stage(last, input, stdout)?);
    Ok(())
}

/// Waits until the child has ended, however often a signal interrupts that.
fn wait_for(pid: Pid) -> io::Result<WaitStatus> {
    loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}
// END SOLUTION
