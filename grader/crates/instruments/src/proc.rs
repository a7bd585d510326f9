//! One process as `/proc` shows it, in small typed pieces.
//!
//! Everything here is a question with the answer `None` when the kernel does not tell: the
//! process is gone, or it belongs to somebody else. "No evidence" is never a failure, so nothing
//! here panics, blocks or judges.

mod fds;
mod maps;
mod memory;
mod pidfd;
mod real_user;
mod share;
mod status;
mod syscall;
mod tree;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

pub use fds::{Fd, Object};
pub use maps::Mapping;
pub use memory::{read_bytes, read_path, read_u32, read_u64};
pub use pidfd::PidFd;
pub(crate) use real_user::{as_debugger, seize};
pub use share::Share;
pub use status::{Glance, Signals, State, Switches};
pub use syscall::{Activity, Syscall};
pub use tree::{Tree, all_processes};

/// No kernel gives higher process numbers.
const PID_LIMIT: i32 = 1 << 22;

/// A process, by its number in the namespace of `/proc`. Nothing is read before it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pid: i32,
}

/// One thread of a process. The main thread has the number of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    pid: i32,
    tid: i32,
}

/// What a process has moved through read(2), write(2) and their relatives since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes that calls of the read family returned.
    pub rchar: u64,
    /// Bytes that calls of the write family accepted.
    pub wchar: u64,
    /// Calls of the read family.
    pub syscr: u64,
    /// Calls of the write family.
    pub syscw: u64,
}

impl Process {
    /// The process with this number, which need not exist.
    pub fn new(pid: i32) -> Self {
        Self { pid }
    }

    /// The calling process.
    pub fn current() -> Self {
        Self::new(Pid::this().as_raw())
    }

    /// Its number outside, as `/proc` lists it.
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// Its number as it knows itself: another one than outside if it lives in a pid namespace.
    pub fn inner_pid(self) -> Option<i32> {
        self.main().inner_tid()
    }

    /// The process that would be told of its end.
    pub fn parent(self) -> Option<Process> {
        let parent = self.main().status()?.number("PPid")?;
        (parent > 0).then(|| Process::new(parent))
    }

    /// The name that ps(1) shows, at most 15 bytes.
    pub fn name(self) -> Option<String> {
        self.main().name()
    }

    /// The thread that ran `main`.
    pub fn main(self) -> Thread {
        Thread {
            pid: self.pid,
            tid: self.pid,
        }
    }

    /// All its threads, the main thread first. Empty when the process is gone.
    pub fn threads(self) -> Vec<Thread> {
        let mut threads: Vec<Thread> = numbers_in(format!("/proc/{}/task", self.pid))
            .map(|tid| Thread { pid: self.pid, tid })
            .collect();
        threads.sort_by_key(|thread| (thread.tid != self.pid, thread.tid));
        threads
    }

    /// What its main thread does, or that the process is a zombie.
    pub fn state(self) -> Option<State> {
        self.main().state()
    }

    /// Whether every thread of it sleeps and can be woken: the state `S` of a blocked call.
    ///
    /// Threads are looked at one after the other, and one that was just seen asleep may be given work
    /// by another that then falls asleep. So with several of them all have to sleep the same sleep
    /// when they are looked at again.
    pub fn is_asleep(self) -> bool {
        let Some(sleeps) = self.sleeps() else {
            return false;
        };
        sleeps.len() == 1 || self.sleeps() == Some(sleeps)
    }

    /// Its threads, if all of them sleep, each with the number of its sleep.
    fn sleeps(self) -> Option<Vec<(Thread, u64)>> {
        let threads = self.threads().into_iter();
        let sleeps: Option<Vec<_>> = threads
            .map(|thread| Some((thread, thread.sleep_number()?)))
            .collect();
        sleeps.filter(|sleeps| !sleeps.is_empty())
    }

    /// Whether it has ended: gone, or a zombie that waits to be reaped.
    pub fn has_ended(self) -> bool {
        matches!(self.state(), None | Some(State::Zombie | State::Dead))
    }

    /// The call that its main thread is in.
    pub fn syscall(self) -> Option<Syscall> {
        self.main().syscall()
    }

    /// Context switches of all threads that it has now.
    pub fn switches(self) -> Option<Switches> {
        self.threads()
            .into_iter()
            .filter_map(Thread::switches)
            .reduce(|a, b| a + b)
    }

    /// CPU time of all threads it ever had, to the nanosecond.
    pub fn cpu(self) -> Option<Duration> {
        // The number of a clock has too few bits for every i32, and 0 would mean ourselves.
        if !(1..=PID_LIMIT).contains(&self.pid) {
            return None;
        }
        let clock = clock_getcpuclockid(Pid::from_raw(self.pid)).ok()?;
        clock_gettime(clock).ok().map(Duration::from)
    }

    /// Pending, blocked, ignored and caught signals of its main thread.
    pub fn signals(self) -> Option<Signals> {
        self.main().signals()
    }

    /// Whether it has made timers with timer_create(2). Those of setitimer(2) leave no trace.
    pub fn has_timers(self) -> bool {
        fs::read(format!("/proc/{}/timers", self.pid)).is_ok_and(|timers| !timers.is_empty())
    }

    /// Its open descriptors in ascending order.
    pub fn fds(self) -> Option<Vec<Fd>> {
        fds::read(self.pid)
    }

    /// The numbers of its open descriptors and what their links read: less to ask of the kernel
    /// than [`fds`](Self::fds), for a search through all processes.
    pub fn fd_targets(self) -> Vec<(i32, PathBuf)> {
        fds::targets(self.pid)
    }

    /// One open descriptor.
    pub fn fd(self, number: i32) -> Option<Fd> {
        Fd::read(self.pid, number)
    }

    /// The kernel object behind an open descriptor.
    pub fn object(self, number: i32) -> Option<Object> {
        fds::object(&format!("/proc/{}/fd/{number}", self.pid))
    }

    /// The protocol of the socket behind a descriptor: `TCP`, `UDPv6`, `UNIX-STREAM`, ...
    pub fn protocol(self, number: i32) -> Option<String> {
        fds::protocol(self.pid, number)
    }

    /// Its mapped memory.
    pub fn maps(self) -> Option<Vec<Mapping>> {
        maps::read(self.pid)
    }

    /// Its input and output so far.
    pub fn io(self) -> Option<Io> {
        let text = fs::read_to_string(format!("/proc/{}/io", self.pid)).ok()?;
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        Some(Io {
            rchar: value("rchar:")?,
            wchar: value("wchar:")?,
            syscr: value("syscr:")?,
            syscw: value("syscw:")?,
        })
    }

    /// Its living and unreaped children.
    pub fn children(self) -> Vec<Process> {
        Tree::scan().children(self)
    }

    /// Its children, their children and so on, parents first.
    pub fn descendants(self) -> Vec<Process> {
        Tree::scan().descendants(self)
    }

    /// A namespace of it, for comparison: `pid`, `ipc`, `net`, `mnt`, ...
    pub fn namespace(self, kind: &str) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/ns/{kind}", self.pid)).ok()
    }
}

/// The entries of a folder whose names are numbers.
fn numbers_in(folder: String) -> impl Iterator<Item = i32> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
