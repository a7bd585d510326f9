//! The spawn server: starts programs for the room, reaps everything, reports every end.
//!
//! It is pid 1 of the cell, or a subreaper on the levels without namespaces. It has one thread, so
//! it may fork and use whatever it likes in the child.

use std::collections::HashMap;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::credentials::Identity;
use crate::exec::{self, Failure, Stage};
use crate::processes;
use crate::step::{AtStep, StepError};
use crate::wire::{Channel, Ended, Event, Request, Spawn};

/// What the spawn server rules over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Realm {
    /// A PID namespace, as its pid 1: the kernel kills everything with it.
    Namespace,
    /// The same, but without a `/proc` that would show what is in it.
    UnseenNamespace,
    /// Its descendants, as their subreaper.
    Descendants,
}

/// The spawn server's state.
pub(crate) struct Init {
    channel: Channel,
    realm: Realm,
    identity: Identity,
    child_ended: SignalFd,
    /// The programs that run, by pid.
    running: HashMap<i32, u64>,
}

impl Init {
    pub(crate) fn new(
        channel: Channel,
        child_ended: SignalFd,
        realm: Realm,
        identity: Identity,
    ) -> Self {
        Self {
            channel,
            realm,
            identity,
            child_ended,
            running: HashMap::new(),
        }
    }

    pub(crate) fn tell(&self, event: &Event) {
        // A room that is gone shows as the end of its requests.
        let _ = self.channel.send(event, &[]);
    }

    /// Serves until the room is finished or gone.
    pub(crate) fn serve(mut self) {
        loop {
            let mut ready = [
                PollFd::new(self.channel.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
            ];
            if poll(&mut ready, PollTimeout::NONE).is_err() {
                continue; // EINTR
            }
            let [asked, ended] = ready.map(|fd| fd.any().unwrap_or(true));
            if ended {
                while let Ok(Some(_)) = self.child_ended.read_signal() {}
                self.reap(libc::WNOHANG);
            }
            if asked {
                match self.channel.receive() {
                    Ok(Some((Request::Spawn(spawn), fds))) => self.spawn(*spawn, fds),
                    Ok(Some((Request::Begin, _))) => {}
                    Ok(Some((Request::Finish, _))) => {
                        let survivors = self.kill_all();
                        return self.tell(&Event::Finished { survivors });
                    }
                    Ok(None) | Err(_) => {
                        self.kill_all();
                        return;
                    }
                }
            }
        }
    }

    fn spawn(&mut self, spawn: Spawn, fds: Vec<OwnedFd>) {
        let id = spawn.id;
        let started = exec::start(spawn, fds, self.identity, self.realm).and_then(|pid| {
            // It cannot be reaped, nor its pid reused, before `reap` is called again.
            open_pidfd(pid).map(|pidfd| (pid, pidfd)).map_err(|errno| {
                let _ = kill(pid, Signal::SIGKILL);
                Failure {
                    stage: Stage::Fork,
                    errno: errno as i32,
                }
            })
        });
        match started {
            Err(failure) => self.tell(&Event::NotStarted { id, failure }),
            Ok((pid, pidfd)) => {
                self.running.insert(pid.as_raw(), id);
                let event = Event::Started {
                    id,
                    inner_pid: pid.as_raw(),
                };
                let _ = self.channel.send(&event, &[pidfd.as_fd()]);
            }
        }
    }

    /// Reaps what has ended; without `WNOHANG`, until there are no children. Returns how many had
    /// been killed by `SIGKILL`.
    fn reap(&mut self, options: i32) -> usize {
        let mut n_killed = 0;
        let mut status = 0;
        // SAFETY: an all-zero rusage is a valid one.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        loop {
            // SAFETY: both pointers are to locals that outlive the call.
            let pid = unsafe { libc::wait4(-1, &raw mut status, options, &raw mut usage) };
            match Errno::result(pid) {
                Err(Errno::EINTR) => {}
                Ok(0) | Err(_) => return n_killed,
                // Orphans, too, end up here; their ends are nobody's business.
                Ok(pid) => {
                    if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL {
                        n_killed += 1;
                    }
                    if let Some(id) = self.running.remove(&pid) {
                        self.tell(&Event::Ended(ended(id, status, &usage)));
                    }
                }
            }
        }
    }

    /// Kills and reaps everything; returns how many processes had still been running.
    fn kill_all(&mut self) -> u32 {
        self.reap(libc::WNOHANG);
        let me = Pid::this();
        let survivors = match self.realm {
            Realm::Namespace => {
                let survivors = processes::others(me.as_raw()).len();
                // Everybody in the namespace but pid 1, in one go: nobody forks out of this.
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
                survivors
            }
            Realm::UnseenNamespace => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
                // Zombies were no survivors, and keep the status that they ended with.
                self.reap(0)
            }
            Realm::Descendants => {
                let survivors = processes::descendants(me.as_raw()).len();
                loop {
                    let descendants = processes::descendants(me.as_raw());
                    if descendants.is_empty() {
                        break;
                    }
                    processes::stop_and_kill(&descendants);
                    self.reap(libc::WNOHANG);
                }
                survivors
            }
        };
        self.reap(0);
        u32::try_from(survivors).unwrap_or(u32::MAX)
    }
}

/// A descriptor that is readable when children have ended.
pub(crate) fn listen_for_ends() -> Result<SignalFd, StepError> {
    let step = "listen for SIGCHLD";
    let signals: SigSet = [Signal::SIGCHLD].into_iter().collect();
    signals.thread_set_mask().at(step)?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).at(step)
}

fn open_pidfd(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn ended(id: u64, status: i32, usage: &libc::rusage) -> Ended {
    let micros = |time: libc::timeval| (time.tv_sec * 1_000_000 + time.tv_usec).unsigned_abs();
    Ended {
        id,
        status,
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
        voluntary_switches: usage.ru_nvcsw.unsigned_abs(),
        involuntary_switches: usage.ru_nivcsw.unsigned_abs(),
    }
}
