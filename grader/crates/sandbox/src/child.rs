//! The room's handle on a process in the box.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::wire::Ended;

/// A process in the box. Clones are handles on the same process.
#[derive(Clone, Debug)]
pub struct Child(Arc<State>);

#[derive(Debug)]
struct State {
    pid: i32,
    inner_pid: i32,
    pidfd: OwnedFd,
    exit: Mutex<Option<Exit>>,
    ended: Condvar,
}

/// How a process ended and what it and the children it waited for used.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The largest resident set of one process, in bytes. It is never less than the few MiB of
    /// the spawn server that the process was forked from.
    pub max_rss_bytes: u64,
    /// How often it gave up the CPU to wait for something.
    pub voluntary_switches: u64,
    /// How often it was preempted.
    pub involuntary_switches: u64,
}

impl Exit {
    pub(crate) fn from_wire(ended: &Ended) -> Self {
        Self {
            status: ExitStatus::from_raw(ended.status),
            user: Duration::from_micros(ended.user_us),
            system: Duration::from_micros(ended.system_us),
            max_rss_bytes: ended.max_rss_bytes,
            voluntary_switches: ended.voluntary_switches,
            involuntary_switches: ended.involuntary_switches,
        }
    }

    /// What is left to say of a process that the kernel killed together with the spawn server.
    pub(crate) fn killed_unseen() -> Self {
        Self {
            status: ExitStatus::from_raw(libc::SIGKILL),
            user: Duration::ZERO,
            system: Duration::ZERO,
            max_rss_bytes: 0,
            voluntary_switches: 0,
            involuntary_switches: 0,
        }
    }
}

impl Child {
    pub(crate) fn new(inner_pid: i32, pidfd: OwnedFd) -> io::Result<Self> {
        let pid = pid_of(&pidfd)?;
        let (exit, ended) = Default::default();
        Ok(Self(Arc::new(State {
            pid,
            inner_pid,
            pidfd,
            exit,
            ended,
        })))
    }

    /// The pid that the room sees, in `/proc` and everywhere.
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The pid that the process itself and the others in the box see.
    pub fn inner_pid(&self) -> i32 {
        self.0.inner_pid
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.lock().clone()
    }

    /// Waits for its end until `deadline`.
    pub fn wait_until(&self, deadline: Instant) -> Option<Exit> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (exit, _) = self
            .0
            .ended
            .wait_timeout_while(self.lock(), left, |exit| exit.is_none())
            .expect("no holder of this lock panics");
        exit.clone()
    }

    /// Sends it a signal: `ESRCH` once it was reaped, never a signal to some other process.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let pidfd = self.0.pidfd.as_raw_fd();
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the pidfd is open for as long as `self`, and the kernel takes a null siginfo.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, none, 0) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    pub(crate) fn end(&self, exit: Exit) {
        self.lock().get_or_insert(exit);
        self.0.ended.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Exit>> {
        self.0.exit.lock().expect("no holder of this lock panics")
    }
}

/// The kernel translates a pidfd into the pid that the reader of `/proc` knows the process by.
fn pid_of(pidfd: &OwnedFd) -> io::Result<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:"))
        .and_then(|pid| pid.trim().parse().ok())
        .ok_or_else(|| io::Error::other("a pidfd without a pid"))
}
