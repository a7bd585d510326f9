//! WHY: the standard library does the work (File, pipe, Command), and a list that ends its processes when it is dropped

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

pub const HEADER: usize = 4;

pub const MAX_RECORD: usize = libc::PIPE_BUF - HEADER;

/// A file around a descriptor that somebody else closes.
fn file(fd: BorrowedFd<'_>) -> ManuallyDrop<File> {
    // SAFETY: never dropped.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd.as_raw_fd()) })
}

pub fn make_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader.into(), writer.into()))
}

pub fn write_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    file(fd).write_all(buf)
}

pub fn read_full(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let mut room = io::Cursor::new(buf);
    let limit = room.get_ref().len() as u64;
    // It stops at the limit or the end, whichever comes first, and not at a short read.
    let n = io::copy(&mut Read::by_ref(&mut *file(fd)).take(limit), &mut room)?;
    Ok(n as usize)
}

pub fn write_record(fd: BorrowedFd<'_>, rec: &[u8]) -> io::Result<()> {
    if rec.len() > MAX_RECORD {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the record is too long",
        ));
    }
    let mut frame = [0; libc::PIPE_BUF];
    let whole = &mut frame[..HEADER + rec.len()];
    whole[..HEADER].copy_from_slice(&(rec.len() as u32).to_le_bytes());
    whole[HEADER..].copy_from_slice(rec);
    file(fd).write_all(whole)
}

pub fn read_record(fd: BorrowedFd<'_>, buf: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut file = file(fd);
    let mut header = [0; HEADER];
    // Only before the first byte may it end.
    let first = loop {
        match file.read(&mut header[..1]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            first => break first?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    file.read_exact(&mut header[1..])?;
    let len = u32::from_le_bytes(header) as usize;
    if len > MAX_RECORD {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "nobody writes such records",
        ));
    }
    buf.resize(len, 0);
    file.read_exact(buf)?;
    Ok(Some(len))
}

pub fn spawn_stage(argv: &[CString], stdin: OwnedFd, stdout: OwnedFd) -> io::Result<Pid> {
    let Some((program, args)) = argv.split_first() else {
        return Err(Error::new(ErrorKind::InvalidInput, "no program"));
    };
    for fd in [&stdin, &stdout] {
        // The program gets copies.
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let mut command = Command::new(OsStr::from_bytes(program.as_bytes()));
    command
        .args(args.iter().map(|arg| OsStr::from_bytes(arg.as_bytes())))
        .stdin(stdin)
        .stdout(stdout);
    // A Command sees to SIGPIPE itself, and not to the mask.
    // SAFETY: setting the mask is safe after a fork.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
    let started = command.spawn();
    // It holds both descriptors as long as it lives.
    drop(command);
    match started {
        Ok(child) => Ok(Pid::from_raw(child.id().cast_signed())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::OutOfMemory) => {
            Err(error)
        }
        // It cannot be executed: a process has to say so with its status.
        // SAFETY: the child only ends.
        Err(_) => match unsafe { fork() }? {
            ForkResult::Child => unsafe { libc::_exit(127) },
            ForkResult::Parent { child } => Ok(child),
        },
    }
}

/// Stages that run; ended and waited for if they are still in here when it goes.
struct Running(Vec<Pid>);

impl Drop for Running {
    fn drop(&mut self) {
        for &pid in &self.0 {
            let _ = kill(pid, Signal::SIGKILL);
        }
        for &pid in &self.0 {
            let _ = wait_for(pid);
        }
    }
}

fn wait_for(pid: Pid) -> io::Result<WaitStatus> {
    loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            ended => return Ok(ended?),
        }
    }
}

pub fn run_pipeline(
    stages: &[Vec<CString>],
    stdin: OwnedFd,
    stdout: OwnedFd,
) -> io::Result<Vec<WaitStatus>> {
    let mut running = Running(Vec::new());
    let (mut input, mut stdout) = (Some(stdin), Some(stdout));
    for (n, stage) in stages.iter().enumerate() {
        let (next, output) = if n + 1 < stages.len() {
            let (reader, writer) = make_pipe()?;
            (Some(reader), writer)
        } else {
            (None, stdout.take().expect("there is one last stage"))
        };
        let from = std::mem::replace(&mut input, next).expect("the stage before has left it");
        running.0.push(spawn_stage(stage, from, output)?);
    }
    if running.0.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no stage"));
    }
    // Each one leaves the list once it is gone, so a failure here ends the others, too.
    let mut ends = Vec::new();
    while let Some(&pid) = running.0.first() {
        ends.push(wait_for(pid)?);
        running.0.remove(0);
    }
    Ok(ends)
}
