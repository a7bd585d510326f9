//! When the machine runs out of memory, the kernel kills a process of its choice. Only level A bounds
//! what a box takes as a whole, so the choice must fall on programs before it falls on the grader.

use std::fs;

/// How ready the calling process and what it will start are to be killed, from 0 to 1000. It can
/// always be raised. Programs cannot lower it: their walls let them write nothing in `/proc`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readiness {
    /// A room: its test can be run once more.
    Room = 500,
    /// A spawn server and its programs.
    Programs = 1000,
}

/// Takes effect as far as the machine allows it: no level promises it.
pub(crate) fn be_ready(readiness: Readiness) {
    let _ = fs::write("/proc/self/oom_score_adj", (readiness as u32).to_string());
}

/// How many processes the kernel has killed for want of memory since the machine was started; `None`
/// where it does not say.
pub fn killed_for_memory() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    let mut lines = counters.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}
