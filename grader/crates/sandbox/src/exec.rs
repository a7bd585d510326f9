//! From a request to a running program: fork, prepare, execute, and tell why not.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, chdir, execve, fork, pipe2, setsid};
use serde::{Deserialize, Serialize};

use crate::credentials::Identity;
use crate::init::Realm;
use crate::rlimits::Limit;
use crate::stillness::{Stillness, is_stopped};
use crate::watch::Watched;
use crate::wire::Spawn;

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

/// What was being done when starting a program failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Request,
    Fork,
    Session,
    Signals,
    Descriptors,
    WorkDir,
    Limits,
    Privileges,
    Watch,
    Exec,
}

trait AtStage<T> {
    fn at(self, stage: Stage) -> Result<T, Failure>;
}

impl<T> AtStage<T> for nix::Result<T> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.map_err(|errno| Failure {
            stage,
            errno: errno as i32,
        })
    }
}

/// A request with everything in the form that the system calls take.
struct Program {
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: Option<CString>,
    fds: Vec<(OwnedFd, RawFd)>,
    rlimits: Vec<Limit>,
    umask: Mode,
    ignored: Vec<i32>,
    blocked: Vec<i32>,
    watched: Option<(Watched, OwnedFd)>,
    identity: Identity,
}

impl Program {
    fn new(spawn: Spawn, mut fds: Vec<OwnedFd>, identity: Identity) -> nix::Result<Self> {
        let c_string = |text: OsString| CString::new(text.into_vec()).map_err(|_| Errno::EINVAL);
        let c_strings = |texts: Vec<OsString>| -> nix::Result<Vec<CString>> {
            texts.into_iter().map(c_string).collect()
        };
        let watched = match spawn.watched {
            Some(watched) => Some((watched, fds.pop().ok_or(Errno::EBADF)?)),
            None => None,
        };
        if fds.len() != spawn.fds.len() || spawn.fds.iter().any(|number| *number < 0) {
            return Err(Errno::EBADF);
        }
        Ok(Self {
            argv: c_strings(spawn.argv)?,
            env: c_strings(spawn.env)?,
            cwd: spawn.cwd.map(c_string).transpose()?,
            fds: fds.into_iter().zip(spawn.fds).collect(),
            rlimits: spawn.rlimits,
            umask: Mode::from_bits_truncate(spawn.umask),
            ignored: spawn.ignored,
            blocked: spawn.blocked,
            watched,
            identity,
        })
    }
}

/// Starts a program and returns once it executes. The caller must have one thread.
pub(crate) fn start(
    spawn: Spawn,
    fds: Vec<OwnedFd>,
    identity: Identity,
    realm: Realm,
) -> Result<Pid, Failure> {
    let program = Program::new(spawn, fds, identity).at(Stage::Request)?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)
        .map(|(reader, writer)| (File::from(reader), writer))
        .at(Stage::Fork)?;
    // SAFETY: the caller has one thread, so the child may use everything.
    match unsafe { fork() }.at(Stage::Fork)? {
        ForkResult::Child => {
            // A panic must not unwind into the spawn server's loop in a second process.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(program, writer)));
            // SAFETY: ends this process, without running what the spawn server registered.
            unsafe { libc::_exit(126) }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let said = hear_out(reader, child, realm);
            match serde_json::from_slice::<Failure>(&said) {
                Ok(failure) => {
                    // It has nothing left to do, but somebody may have stopped it.
                    let _ = kill(child, Signal::SIGKILL);
                    let _ = waitpid(child, None);
                    Err(failure)
                }
                Err(_) => Ok(child),
            }
        }
    }
}

/// Reads the child's complaint; a successful exec closes the pipe without a word. Somebody in the
/// box may stop the child before that, and the spawn server must not wait for ever.
fn hear_out(mut reader: File, child: Pid, realm: Realm) -> Vec<u8> {
    let mut stillness = None;
    while !is_ready(&reader, STOPPED_CHECK) {
        // Only once it stands still it is certain that it has not come to its exec meanwhile: a
        // program that then stops itself must be left alone.
        if is_stopped(child) && !is_ready(&reader, 0) {
            stillness.get_or_insert_with(|| Stillness::impose(realm, child));
            let _ = kill(child, Signal::SIGCONT);
        }
    }
    // A complaint is shorter than PIPE_BUF, so it comes in one piece.
    let mut said = vec![0; 512];
    let length = reader.read(&mut said).unwrap_or(0);
    said.truncate(length);
    said
}

/// Whether there is something to read, or the end, within so many milliseconds.
fn is_ready(reader: &File, patience: u8) -> bool {
    let mut ready = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    // EINTR is as good as nothing.
    matches!(poll(&mut ready, patience), Ok(1..))
}

/// Between fork and exec, a child is busy for a millisecond.
const STOPPED_CHECK: u8 = 20;

/// In the forked process: becomes the program, or says why not on `complaints`.
fn run(program: Program, complaints: OwnedFd) {
    // Out of the way of the numbers that the program's descriptors will get.
    let above = program
        .fds
        .iter()
        .map(|(_, number)| number + 1)
        .max()
        .unwrap_or(0)
        .max(3);
    let lifted = |fd: &OwnedFd| fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above));
    let Ok(complaints) = lifted(&complaints) else {
        return;
    };
    // SAFETY: the descriptor was just made, and nobody else closes it.
    let mut complaints = unsafe { File::from_raw_fd(complaints) };
    let Err(failure) = execute(&program, lifted);
    let _ = complaints.write_all(&serde_json::to_vec(&failure).expect("a failure is plain data"));
}

fn execute(
    program: &Program,
    lifted: impl Fn(&OwnedFd) -> nix::Result<RawFd>,
) -> Result<Infallible, Failure> {
    setsid().at(Stage::Session)?;
    ignore_signals(&program.ignored).at(Stage::Signals)?;
    let to_listener = match &program.watched {
        Some((_, socket)) => Some(lifted(socket).at(Stage::Descriptors)?),
        None => None,
    };
    place_descriptors(&program.fds, lifted).at(Stage::Descriptors)?;
    umask(program.umask);
    program.identity.change_user().at(Stage::Privileges)?;
    if let Some(cwd) = &program.cwd {
        chdir(cwd.as_c_str()).at(Stage::WorkDir)?;
    }
    for limit in &program.rlimits {
        limit.apply().at(Stage::Limits)?;
    }
    program.identity.drop_capabilities().at(Stage::Privileges)?;
    block_exactly(&program.blocked).at(Stage::Signals)?;
    // Last, so that nothing before it is announced.
    if let (Some((watched, _)), Some(socket)) = (&program.watched, to_listener) {
        watched.install(socket).at(Stage::Watch)?;
    }
    execve(&program.argv[0], &program.argv, &program.env).at(Stage::Exec)
}

/// Signals are plain numbers here: the real-time ones have no name in `nix`.
fn ignore_signals(signals: &[i32]) -> nix::Result<()> {
    for signal in signals {
        // SAFETY: ignoring a signal installs no handler.
        if unsafe { libc::signal(*signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(Errno::last());
        }
    }
    Ok(())
}

/// Sets the mask to just these signals.
fn block_exactly(signals: &[i32]) -> nix::Result<()> {
    // SAFETY: sigemptyset makes a valid set of whatever was there.
    let mut set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    };
    for signal in signals {
        // SAFETY: the set is valid.
        Errno::result(unsafe { libc::sigaddset(&raw mut set, *signal) })?;
    }
    // SAFETY: the set is valid and the old one is not asked for.
    let result =
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
    Errno::result(result).map(drop)
}

/// Makes the given descriptors, at the given numbers, the only ones that survive an exec.
fn place_descriptors(
    fds: &[(OwnedFd, RawFd)],
    lifted: impl Fn(&OwnedFd) -> nix::Result<RawFd>,
) -> nix::Result<()> {
    // SAFETY: marks descriptors, closes none.
    let result = unsafe { libc::close_range(0, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    Errno::result(result)?;
    // A source may sit at the number of another's target, so all move out of the way first.
    let sources: Vec<(RawFd, RawFd)> = fds
        .iter()
        .map(|(fd, number)| Ok((lifted(fd)?, *number)))
        .collect::<nix::Result<_>>()?;
    for standard in 0..3 {
        if !fds.iter().any(|(_, number)| *number == standard) {
            let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
            duplicate(null.as_raw_fd(), standard)?;
        }
    }
    for (source, number) in sources {
        duplicate(source, number)?;
    }
    Ok(())
}

/// Copies a descriptor to a number; the copy survives an exec.
fn duplicate(from: RawFd, to: RawFd) -> nix::Result<()> {
    // SAFETY: plain numbers; what was open at `to` belonged to nobody in this forked process who
    // would still use it.
    Errno::result(unsafe { libc::dup2(from, to) }).map(drop)
}
