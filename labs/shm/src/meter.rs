//! Given. What a transfer cost, as the kernel counted it.
//!
//! `/proc/self/io` counts the bytes and calls of this process and of the children it has waited
//! for; getrusage(2) counts processor time and context switches. This module must not know how
//! the bytes were moved.

use std::io;

use nix::sys::resource::{Usage, UsageWho, getrusage};

/// The way a stream goes from one process to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Through the kernel: write(2), read(2).
    Pipe,
    /// Through a [`BoundedBuf`](crate::BoundedBuf).
    Shm,
}

/// The cost of one transfer, both processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Bytes that arrived.
    pub bytes: u64,
    /// Bytes handed to write(2) and its relatives.
    pub wchar: u64,
    /// Calls of write(2) and its relatives.
    pub writes: u64,
    /// Calls of read(2) and its relatives.
    pub reads: u64,
    /// Times a process went to sleep of its own accord.
    pub switches: u64,
    /// Processor time in user and kernel mode, in microseconds.
    pub cpu_us: u64,
}

/// The kernel's counters at the start of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    start: Stats,
}

impl Meter {
    /// Starts to count.
    ///
    /// # Errors
    /// Those of reading `/proc/self/io` and of getrusage(2).
    pub fn start() -> io::Result<Self> {
        Ok(Self { start: counters()? })
    }

    /// What has been counted since. Wait for your children first: the kernel adds their counts to
    /// yours at that moment.
    ///
    /// # Errors
    /// Those of reading `/proc/self/io` and of getrusage(2).
    pub fn stop(self, bytes: u64) -> io::Result<Stats> {
        let end = counters()?;
        Ok(Stats {
            bytes,
            wchar: end.wchar - self.start.wchar,
            writes: end.writes - self.start.writes,
            reads: end.reads - self.start.reads,
            switches: end.switches - self.start.switches,
            cpu_us: end.cpu_us - self.start.cpu_us,
        })
    }
}

fn counters() -> io::Result<Stats> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let count = |field: &str| {
        io.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(": ")?.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/io"))
    };
    let usage = [
        getrusage(UsageWho::RUSAGE_SELF)?,
        getrusage(UsageWho::RUSAGE_CHILDREN)?,
    ];
    let sum = |of: fn(&Usage) -> i64| usage.iter().map(of).sum::<i64>().cast_unsigned();
    Ok(Stats {
        bytes: 0,
        wchar: count("wchar")?,
        writes: count("syscw")?,
        reads: count("syscr")?,
        switches: sum(Usage::voluntary_context_switches),
        cpu_us: sum(|usage| micros(usage.user_time()) + micros(usage.system_time())),
    })
}

fn micros(time: nix::sys::time::TimeVal) -> i64 {
    time.tv_sec() * 1_000_000 + time.tv_usec()
}
