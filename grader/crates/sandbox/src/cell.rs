//! The birth of the cell: clones the spawn server, and turns the clone into pid 1 of the cell.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir};

use crate::credentials::{self, Identity};
use crate::fence::Fence;
use crate::forget::forget_the_room;
use crate::init::{self, Init, Realm};
use crate::shortage::{Readiness, be_ready};
use crate::step::{AtStep, StepError};
use crate::wire::{Channel, Event, Request};
use crate::{cgroup, landlock, mounts, seccomp};

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

    /// The descriptor that it needs to stay open.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
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
#[derive(Debug)]
pub(crate) enum Setup {
    /// A cell, with or without a `/proc`, behind the doors of its control groups; programs may
    /// write to these folders of it, beside the shared ones.
    Cell {
        writable: Vec<PathBuf>,
        with_proc: bool,
        groups: Vec<File>,
    },
    /// No namespaces, but Landlock and seccomp.
    Fence(Fence),
    /// No cell: an ordinary process that works in this folder.
    Bare { work_dir: PathBuf },
}

impl Setup {
    fn realm(&self) -> Realm {
        match self {
            Self::Cell {
                with_proc: true, ..
            } => Realm::Namespace,
            Self::Cell { .. } => Realm::UnseenNamespace,
            Self::Fence(_) | Self::Bare { .. } => Realm::Descendants,
        }
    }

    fn identity(&self) -> Identity {
        match self {
            Self::Bare { .. } => Identity::Same,
            Self::Fence(fence) => fence.spare.map_or(Identity::Unprivileged, Identity::Spare),
            Self::Cell { .. } => Identity::Unprivileged,
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
        Setup::Fence(_) | Setup::Bare { .. } => 0,
    };
    let flags = i64::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD);
    let mut pidfd: i32 = -1;
    // SAFETY: without a stack of its own the clone is a fork; the caller has one thread, so the
    // child may use everything. The kernel writes one descriptor to `pidfd`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    if Errno::result(pid).at("clone the spawn server")? == 0 {
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

/// Tells the spawn server to begin.
pub(crate) fn begin(channel: &Channel) -> Result<(), StepError> {
    channel.send(&Request::Begin, &[]).at(START)
}

/// Waits until the spawn server is ready; says whether Landlock is on.
pub(crate) fn await_ready(channel: &Channel) -> Result<bool, StepError> {
    match channel.receive().at(START)? {
        Some((Event::Ready { landlocked }, _)) => Ok(landlocked),
        Some((Event::Failed { step, errno }, _)) => Err(Errno::from_raw(errno)).at(step),
        _ => Err(Errno::EPIPE).at(START),
    }
}

const START: &str = "start the spawn server";

/// The spawn server's name in `/proc`.
const NAME: &CStr = c"init";

/// The life of the spawn server.
fn live(channel: Channel, setup: &Setup) {
    // The room maps our ids first. Without it there is no work.
    let Ok(Some((Request::Begin, _))) = channel.receive() else {
        return;
    };
    match set_up(&channel, setup) {
        Ok((signals, landlocked)) => {
            let init = Init::new(channel, signals, setup.realm(), setup.identity());
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
        Setup::Cell {
            writable,
            with_proc,
            groups,
        } => {
            be_ready(Readiness::Programs);
            cgroup::enter(groups)?;
            credentials::become_inner_user()?;
            // Only now: changing ids would clear it. The socket's end covers what came before.
            prctl::set_pdeathsig(Signal::SIGKILL).at("die with the room")?;
            forget_the_room(&[channel.as_raw_fd()], NAME)?;
            mounts::enter_root(*with_proc)?;
            credentials::forbid_new_privileges()?;
            let landlocked = landlock::restrict(writable)?;
            seccomp::restrict(None)?;
            Ok((init::listen_for_ends()?, landlocked))
        }
        Setup::Bare { work_dir } => {
            // No death signal: this process is needed to kill the rest when the room is gone.
            prctl::set_child_subreaper(true).at("become a subreaper")?;
            nix::unistd::setsid().at("start a session")?;
            chdir(work_dir).at("enter the work folder")?;
            forget_the_room(&[channel.as_raw_fd()], NAME)?;
            Ok((init::listen_for_ends()?, false))
        }
        Setup::Fence(fence) => {
            prctl::set_child_subreaper(true).at("become a subreaper")?;
            nix::unistd::setsid().at("start a session")?;
            chdir(&fence.work_dir).at("enter the work folder")?;
            forget_the_room(&[channel.as_raw_fd()], NAME)?;
            prctl::set_no_new_privs().at("set no_new_privs")?;
            landlock::fence(fence)?;
            seccomp::restrict(Some(&fence.calls()))?;
            Ok((init::listen_for_ends()?, true))
        }
    }
}
