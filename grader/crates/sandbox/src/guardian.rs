//! The guardian: the process that ends a box without namespaces, whatever has become of the rest.
//!
//! It is the parent of the spawn server, stands outside the fence and outlives everybody: room,
//! spawn server and programs. It sleeps until the room lets go of it, by closing the box or by
//! being killed. Then it kills what is left, removes what was left, and says what that was.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork, setsid};

use crate::cell::{self, Setup};
use crate::credentials;
use crate::fence::Fence;
use crate::forget::forget_the_room;
use crate::processes;
use crate::step::{AtStep, StepError};
use crate::traces::Traces;
use crate::wire::Channel;
use crate::work_dir;

/// The room's handle on the guardian; dropping it ends the box.
#[derive(Debug)]
pub(crate) struct Guardian {
    pid: Pid,
    line: UnixStream,
}

/// What the guardian has to know before it is forked.
#[derive(Debug)]
pub(crate) struct Duty {
    pub(crate) fence: Fence,
    pub(crate) traces: Traces,
    /// Keeps the spare uid taken for as long as the guardian lives.
    pub(crate) uid_lock: Option<File>,
}

impl Guardian {
    /// Forks the guardian, and that the spawn server. The caller must have one thread.
    pub(crate) fn start(
        ours: Channel,
        theirs: Channel,
        duty: Duty,
    ) -> Result<(Self, Channel), StepError> {
        let (line, its_line) = UnixStream::pair().at("make a socket pair")?;
        // SAFETY: the caller has one thread, so the child may use everything.
        match unsafe { fork() }.at("fork the guardian")? {
            ForkResult::Child => {
                drop(line);
                // A panic must not unwind into the room's code in a second process.
                let _ = catch_unwind(AssertUnwindSafe(|| live(its_line, ours, theirs, duty)));
                // SAFETY: ends this process, without running what the room registered.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => Ok((Self { pid: child, line }, ours)),
        }
    }

    /// Ends the box: kills everything, removes what it left, and returns the names of that.
    pub(crate) fn dismiss(&mut self) -> Vec<String> {
        let _ = self.line.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = self.line.read_to_end(&mut said);
        serde_json::from_slice(&said).unwrap_or_default()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.dismiss();
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
    }
}

/// The life of the guardian.
fn live(mut line: UnixStream, ours: Channel, theirs: Channel, duty: Duty) {
    let room = nix::unistd::getppid().as_raw();
    let spare = duty.fence.spare;
    let work_dir = duty.fence.work_dir.clone();
    if guard(&mut line, ours, theirs, &duty).is_err() {
        // The spawn server never said that it is ready, and the room gives up.
        let _ = line.read(&mut [0]);
    }
    if end_all(spare).is_err() {
        return;
    }
    let removed = duty.traces.remove(room);
    work_dir::remove(&work_dir);
    let _ = line.write_all(&serde_json::to_vec(&removed).expect("names are plain data"));
}

/// Starts the spawn server and sleeps until the room lets go; the server is dead then.
fn guard(
    line: &mut UnixStream,
    ours: Channel,
    theirs: Channel,
    duty: &Duty,
) -> Result<(), StepError> {
    setsid().at("start a session")?;
    prctl::set_child_subreaper(true).at("become a subreaper")?;
    let setup = Setup::Fence(duty.fence.clone());
    let (warden, ours) = cell::start(ours, theirs, &setup)?;
    let uid_lock = duty.uid_lock.as_ref().map(File::as_raw_fd);
    let kept: Vec<RawFd> = [line.as_raw_fd(), warden.raw_fd()]
        .into_iter()
        .chain(uid_lock)
        .chain(duty.traces.raw_fd())
        .collect();
    forget_the_room(&kept, c"guardian")?;
    std::mem::forget(ours); // closed just now
    let _ = line.read(&mut [0]); // nobody ever writes: this is the end of the room
    Ok(())
}

/// Kills and reaps whatever is left of the box.
fn end_all(spare: Option<u32>) -> nix::Result<()> {
    match spare {
        Some(uid) => {
            // From here on we are one of the box's own, also for what has to be removed. The
            // kernel kills everybody else of that uid in one go: nobody forks out of this.
            credentials::become_wholly(uid)?;
            if Uid::current().as_raw() != uid || Uid::effective().as_raw() != uid {
                return Err(Errno::EPERM);
            }
            loop {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
                if waitpid(None, None) == Err(Errno::ECHILD) {
                    return Ok(());
                }
            }
        }
        None => loop {
            processes::stop_and_kill(&processes::descendants(Pid::this().as_raw()));
            // Orphans come here one after the other, as their parents end.
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return Ok(()),
                Ok(WaitStatus::StillAlive) => std::thread::yield_now(),
                _ => {}
            }
        },
    }
}
