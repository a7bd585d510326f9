//! What `/proc/PID/task/TID/status` says of one thread.

use std::fs;
use std::ops::Add;
use std::time::Duration;

use super::{Process, Thread};

/// What a thread does, as the kernel's scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `R`: on a CPU or waiting for one.
    Running,
    /// `S`: sleeps in a call until an event or a signal.
    Asleep,
    /// `D`: sleeps and not even a signal wakes it, usually for a disk.
    Uninterruptible,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: held by a debugger.
    Traced,
    /// `Z`: has ended, and its parent has not waited for it.
    Zombie,
    /// `X`, `I` and other states that a student's process is not seen in.
    Dead,
}

/// How often a thread left its CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// It had nothing to do: it blocked or slept.
    pub voluntary: u64,
    /// Its time was up, or somebody more important came.
    pub involuntary: u64,
}

/// What one look at a thread tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// What it does.
    pub state: State,
    /// How often it left its CPU, if the kernel counts that.
    pub switches: Option<Switches>,
}

impl Add for Switches {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            voluntary: self.voluntary + other.voluntary,
            involuntary: self.involuntary + other.involuntary,
        }
    }
}

/// Signal sets of a thread: bit N-1 stands for signal N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// `SigPnd` and `ShdPnd`: sent to the thread or its process and not yet delivered.
    pub pending: u64,
    /// `SigBlk`: kept pending until unblocked.
    pub blocked: u64,
    /// `SigIgn`: thrown away.
    pub ignored: u64,
    /// `SigCgt`: a handler is installed.
    pub caught: u64,
}

/// The fields of one status file.
pub(super) struct Status(String);

impl Status {
    fn field(&self, name: &str) -> Option<&str> {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    pub(super) fn state(&self) -> Option<State> {
        Some(match self.field("State")?.chars().next()? {
            'R' => State::Running,
            'S' => State::Asleep,
            'D' => State::Uninterruptible,
            'T' => State::Stopped,
            't' => State::Traced,
            'Z' => State::Zombie,
            _ => State::Dead,
        })
    }

    fn switches(&self) -> Option<Switches> {
        Some(Switches {
            voluntary: self.voluntary_switches()?,
            involuntary: self.number("nonvoluntary_ctxt_switches")?,
        })
    }

    pub(super) fn voluntary_switches(&self) -> Option<u64> {
        self.number("voluntary_ctxt_switches")
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.field(name)?.parse().ok()
    }

    fn mask(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.field(name)?, 16).ok()
    }
}

impl Thread {
    /// Its number outside, as `/proc` lists it.
    pub fn tid(self) -> i32 {
        self.tid
    }

    /// The process that it belongs to.
    pub fn process(self) -> Process {
        Process::new(self.pid)
    }

    /// Whether it is the thread that ran `main`.
    pub fn is_main(self) -> bool {
        self.pid == self.tid
    }

    /// Its number as gettid(2) tells it inside its own pid namespace.
    pub fn inner_tid(self) -> Option<i32> {
        self.status()?
            .field("NSpid")?
            .split_whitespace()
            .last()?
            .parse()
            .ok()
    }

    /// Its name, at most 15 bytes.
    pub fn name(self) -> Option<String> {
        let name = fs::read(self.file("comm")).ok()?;
        Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned())
    }

    /// What it does now.
    pub fn state(self) -> Option<State> {
        self.status()?.state()
    }

    /// How often it left its CPU since it started.
    pub fn switches(self) -> Option<Switches> {
        self.status()?.switches()
    }

    /// Its state and its switches by one look.
    pub fn glance(self) -> Option<Glance> {
        let status = self.status()?;
        Some(Glance {
            state: status.state()?,
            switches: status.switches(),
        })
    }

    /// CPU time it has used, to the nanosecond.
    pub fn cpu(self) -> Option<Duration> {
        let text = fs::read_to_string(self.file("schedstat")).ok()?;
        Some(Duration::from_nanos(
            text.split_whitespace().next()?.parse().ok()?,
        ))
    }

    /// Its signal sets, with what is pending for its whole process.
    pub fn signals(self) -> Option<Signals> {
        let status = self.status()?;
        Some(Signals {
            pending: status.mask("SigPnd")? | status.mask("ShdPnd")?,
            blocked: status.mask("SigBlk")?,
            ignored: status.mask("SigIgn")?,
            caught: status.mask("SigCgt")?,
        })
    }

    pub(super) fn status(self) -> Option<Status> {
        // A name need not be UTF-8, and it stands in this file too.
        let bytes = fs::read(self.file("status")).ok()?;
        Some(Status(String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(super) fn file(self, name: &str) -> String {
        format!("/proc/{}/task/{}/{name}", self.pid, self.tid)
    }
}
