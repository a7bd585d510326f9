//! WHY: posix_spawnp(3) starts the stages, from the last to the first, and records go out with writev(2)

use std::ffi::CString;
use std::io::{self, Error, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

pub const HEADER: usize = 4;

pub const MAX_RECORD: usize = libc::PIPE_BUF - HEADER;

pub fn make_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: room for two descriptors, which are then ours.
    unsafe {
        Errno::result(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Writes all the pieces in as few calls as the kernel lets us.
fn write_pieces(fd: BorrowedFd<'_>, mut pieces: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        match nix::sys::uio::writev(fd, pieces) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut pieces, n),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub fn write_all(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<()> {
    write_pieces(fd, &mut [IoSlice::new(buf)])
}

pub fn read_full(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let mut room = &mut *buf;
    let mut n = 0;
    loop {
        if room.is_empty() {
            return Ok(n);
        }
        // SAFETY: `room` is writable.
        let got = unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
        match got {
            0 => return Ok(n),
            1.. => {
                n += got as usize;
                room = &mut room[got as usize..];
            }
            _ => {
                let error = Error::last_os_error();
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

pub fn write_record(fd: BorrowedFd<'_>, rec: &[u8]) -> io::Result<()> {
    if rec.len() > MAX_RECORD {
        return Err(ErrorKind::InvalidInput.into());
    }
    let len = (rec.len() as u32).to_le_bytes();
    write_pieces(fd, &mut [IoSlice::new(&len), IoSlice::new(rec)])
}

pub fn read_record(fd: BorrowedFd<'_>, buf: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut record = [0; HEADER + MAX_RECORD];
    let (header, body) = record.split_at_mut(HEADER);
    let n = read_full(fd, header)?;
    if n == 0 {
        return Ok(None);
    }
    let Ok(header) = <[u8; HEADER]>::try_from(&header[..n]) else {
        return Err(ErrorKind::UnexpectedEof.into());
    };
    let len = u32::from_le_bytes(header) as usize;
    let body = body.get_mut(..len).ok_or(ErrorKind::InvalidData)?;
    if read_full(fd, body)? != len {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    *buf = body.to_vec();
    Ok(Some(len))
}

/// posix_spawn's functions return the number of an error.
fn spawned(error: libc::c_int) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(Error::from_raw_os_error(error)),
    }
}

/// What the new process does before it becomes the program.
struct Plan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl Plan {
    fn new(stdin: RawFd, stdout: RawFd) -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut none = MaybeUninit::uninit();
        let mut pipe = MaybeUninit::uninit();
        // SAFETY: everything is initialised by the call that is made for it.
        unsafe {
            spawned(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            spawned(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigemptyset(pipe.as_mut_ptr());
            libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
            let mut plan = Self {
                actions: actions.assume_init(),
                attributes: attributes.assume_init(),
            };
            let actions = &raw mut plan.actions;
            spawned(libc::posix_spawn_file_actions_adddup2(actions, stdin, 0))?;
            spawned(libc::posix_spawn_file_actions_adddup2(actions, stdout, 1))?;
            let attributes = &raw mut plan.attributes;
            spawned(libc::posix_spawnattr_setsigmask(attributes, none.as_ptr()))?;
            spawned(libc::posix_spawnattr_setsigdefault(
                attributes,
                pipe.as_ptr(),
            ))?;
            let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
            spawned(libc::posix_spawnattr_setflags(attributes, flags as _))?;
            Ok(plan)
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: both are initialised.
        unsafe {
            libc::posix_spawn_file_actions_destroy(&mut self.actions);
            libc::posix_spawnattr_destroy(&mut self.attributes);
        }
    }
}

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

pub fn spawn_stage(argv: &[CString], stdin: OwnedFd, stdout: OwnedFd) -> io::Result<Pid> {
    if argv.is_empty() {
        return Err(ErrorKind::InvalidInput.into());
    }
    // Copies above 2 that exec closes: so neither covers the other, and none is left over.
    let input = stdin.as_fd().try_clone_to_owned()?;
    drop(stdin);
    let output = stdout.as_fd().try_clone_to_owned()?;
    drop(stdout);
    let plan = Plan::new(input.as_raw_fd(), output.as_raw_fd())?;
    let mut args: Vec<_> = argv.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    args.push(ptr::null_mut());
    let mut pid = 0;
    // SAFETY: C strings, a null pointer at the end, and an initialised plan.
    let started = unsafe {
        libc::posix_spawnp(
            &mut pid,
            args[0],
            &plan.actions,
            &plan.attributes,
            args.as_ptr(),
            environ,
        )
    };
    match started {
        0 => Ok(Pid::from_raw(pid)),
        // No process could be made.
        libc::EAGAIN | libc::ENOMEM => Err(Error::from_raw_os_error(started)),
        // There is no such program, and a process has to say so.
        // SAFETY: the child only ends.
        _ => match Errno::result(unsafe { libc::fork() })? {
            0 => unsafe { libc::_exit(127) },
            pid => Ok(Pid::from_raw(pid)),
        },
    }
}

pub fn run_pipeline(
    stages: &[Vec<CString>],
    stdin: OwnedFd,
    stdout: OwnedFd,
) -> io::Result<Vec<WaitStatus>> {
    // Before anything runs.
    if stages.is_empty() || stages.iter().any(Vec::is_empty) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut pids = Vec::new();
    let mut failure = None;
    let mut output = Some(stdout);
    let mut input = Some(stdin);
    // From the end: each stage writes into the pipe that the one after it reads already.
    for (n, stage) in stages.iter().enumerate().rev() {
        let to = output.take().expect("the stage before has left it");
        let started = if n == 0 {
            let from = input.take().expect("only the first stage takes it");
            spawn_stage(stage, from, to)
        } else {
            make_pipe().and_then(|(reader, writer)| {
                output = Some(writer);
                spawn_stage(stage, reader, to)
            })
        };
        match started {
            Ok(pid) => pids.insert(0, pid),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop((input, output));
    if failure.is_some() {
        for pid in &pids {
            let _ = nix::sys::signal::kill(*pid, nix::sys::signal::SIGKILL);
        }
    }
    let mut ends = Vec::new();
    for pid in pids {
        // First the news, then the body.
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR)
        {
        }
        ends.push(waitpid(pid, None)?);
    }
    failure.map_or(Ok(ends), Err)
}
