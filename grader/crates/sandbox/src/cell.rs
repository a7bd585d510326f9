//! The birth of the cell: clones the spawn server, and turns the clone into pid 1 of the cell.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir};

use crate::credentials;
use crate::init::{self, Init, Realm};
use crate::step::{AtStep, StepError};
use crate::wire::{Channel, Event, Request};
use crate::{landlock, mounts, seccomp};

/// The room's handle on the spawn server; kills and reaps it on drop.
#[derive(Debug)]
pub(crate) struct Warden {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Warden {
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        let none = std::ptr::null::<libc::siginfo_t>();
        let pidfd = self.pidfd.as_raw_fd();
        // SAFETY: the pidfd is open, and the kernel takes a null siginfo.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::SIGKILL, none, 0) };
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
    }
}

/// What the spawn server has to know before it is cloned.
#[derive(Clone, Debug)]
pub(crate) enum Setup {
    /// A cell; programs may write to these folders of it, beside the shared ones.
    Cell { writable: Vec<PathBuf> },
    /// No cell: an ordinary process that works in this folder.
    Bare { work_dir: PathBuf },
}

impl Setup {
    fn realm(&self) -> Realm {
        match self {
            Self::Cell { .. } => Realm::Namespace,
            Self::Bare { .. } => Realm::Descendants,
        }
    }
}

/// Clones the calling process, which must have one thread; the clone sets itself up once it is
/// told to begin, and serves requests from `theirs` until it is finished.
pub(crate) fn start(
    ours: Channel,
    theirs: Channel,
    setup: &Setup,
) -> Result<(Warden, Channel), StepError> {
    let namespaces = match setup {
        Setup::Cell { .. } => libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS,
        Setup::Bare { .. } => 0,
    };
    let flags = i64::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD);
    let mut pidfd: i32 = -1;
    // SAFETY: without a stack of its own the clone is a fork; the caller has one thread, so the
    // child may use everything. The kernel writes one descriptor to `pidfd`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    if Errno::result(pid).at("clone into user, pid and mount namespaces")? == 0 {
        drop(ours);
        // A panic must not unwind into the room's code in a second process.
        let _ = catch_unwind(AssertUnwindSafe(|| live(theirs, setup)));
        // SAFETY: ends this process, without running what the room registered.
        unsafe { libc::_exit(0) }
    }
    // SAFETY: the kernel just made this descriptor, for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((
        Warden {
            pid: Pid::from_raw(pid as i32),
            pidfd,
        },
        ours,
    ))
}

/// Tells the spawn server to begin and waits until it is ready; says whether Landlock is on.
pub(crate) fn begin(channel: &Channel) -> Result<bool, StepError> {
    let step = "start the spawn server";
    channel.send(&Request::Begin, &[]).at(step)?;
    match channel.receive().at(step)? {
        Some((Event::Ready { landlocked }, _)) => Ok(landlocked),
        Some((Event::Failed { step, errno }, _)) => Err(Errno::from_raw(errno)).at(step),
        _ => Err(Errno::EPIPE).at(step),
    }
}

/// The life of the spawn server.
fn live(channel: Channel, setup: &Setup) {
    // The room maps our ids first, and takes us into the cgroup. Without it there is no work.
    let Ok(Some((Request::Begin, _))) = channel.receive() else {
        return;
    };
    match set_up(&channel, setup) {
        Ok((signals, landlocked)) => {
            let init = Init::new(channel, signals, setup.realm());
            init.tell(&Event::Ready { landlocked });
            init.serve();
            if let Setup::Bare { work_dir } = setup {
                // The room does this too, unless it was killed.
                let _ = fs::remove_dir_all(work_dir);
            }
        }
        Err(StepError { step, errno }) => {
            let _ = channel.send(
                &Event::Failed {
                    step,
                    errno: errno as i32,
                },
                &[],
            );
        }
    }
}

fn set_up(channel: &Channel, setup: &Setup) -> Result<(SignalFd, bool), StepError> {
    match setup {
        Setup::Cell { writable } => {
            credentials::become_inner_user()?;
            // Only now: changing ids would clear it. The socket's end covers what came before.
            prctl::set_pdeathsig(Signal::SIGKILL).at("die with the room")?;
            mounts::enter_root()?;
            forget_the_room(channel)?;
            credentials::forbid_new_privileges()?;
            let landlocked = landlock::restrict(writable)?;
            seccomp::restrict()?;
            Ok((init::listen_for_ends()?, landlocked))
        }
        Setup::Bare { work_dir } => {
            // No death signal: this process is needed to kill the rest when the room is gone.
            prctl::set_child_subreaper(true).at("become a subreaper")?;
            nix::unistd::setsid().at("start a session")?;
            chdir(work_dir).at("enter the work folder")?;
            forget_the_room(channel)?;
            Ok((init::listen_for_ends()?, false))
        }
    }
}

/// Lets go of what a copy of the room still has: descriptors, signal handlers, and the command
/// line, which programs could otherwise read in `/proc/1/cmdline`.
fn forget_the_room(channel: &Channel) -> Result<(), StepError> {
    let step = "close the room's descriptors";
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .at("open /dev/null")?;
    nix::unistd::dup2_stdin(&null).at(step)?;
    nix::unistd::dup2_stdout(&null).at(step)?;
    nix::unistd::dup2_stderr(&null).at(step)?;
    drop(null);
    let kept = channel.as_raw_fd().cast_unsigned();
    for (first, last) in [(3, kept.saturating_sub(1)), (kept.max(2) + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: whoever owned these descriptors in the room never runs in this process.
            Errno::result(unsafe { libc::close_range(first, last, 0) }).at(step)?;
        }
    }
    reset_signals();
    prctl::set_name(c"init").at("take a name")?;
    prctl::set_dumpable(false).at("become undumpable")?;
    erase_command_line().at("erase the command line")
}

/// Sets every disposition to the default, so that programs start with it. The C library would not
/// let us near the two signals that it uses itself, and those may have been inherited as ignored.
fn reset_signals() {
    let default = [0_u64; 4]; // the kernel's own sigaction: handler, flags, restorer, mask
    for number in 1..=libc::SIGRTMAX() {
        let action = default.as_ptr();
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: the default disposition runs no code, and a mask is 8 bytes. SIGKILL and SIGSTOP
        // are refused, which is as well.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, action, none, 8_usize) };
    }
}

/// `/proc/PID/cmdline` shows the process's own memory between two addresses.
fn erase_command_line() -> std::io::Result<()> {
    let stat = fs::read_to_string(Path::new("/proc/self/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc(5) counts from 1, and two fields are before the parenthesis.
    let field = |number: usize| {
        fields
            .split_whitespace()
            .nth(number - 3)?
            .parse::<usize>()
            .ok()
    };
    if let (Some(start), Some(end)) = (field(48), field(49))
        && start != 0
        && start < end
    {
        // SAFETY: the kernel put the arguments there and made them writable; nothing in this
        // process, which never reads its arguments, holds a reference into them.
        unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
    }
    Ok(())
}
