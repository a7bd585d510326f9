//! Which processes run, as `/proc` tells it.

use std::collections::HashMap;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

/// A process that is not a zombie.
struct Running {
    pid: i32,
    parent: i32,
}

/// The processes that `/proc` shows, except `me` and zombies.
pub(crate) fn others(me: i32) -> Vec<i32> {
    running()
        .into_iter()
        .map(|process| process.pid)
        .filter(|pid| *pid != me)
        .collect()
}

/// The descendants of `root`, except zombies.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for process in running() {
        children
            .entry(process.parent)
            .or_default()
            .push(process.pid);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        let theirs = children.remove(&parent).unwrap_or_default();
        next.extend(&theirs);
        found.extend(theirs);
    }
    found
}

/// Stops all of them before it kills the first, so that none forks while others are killed.
pub(crate) fn stop_and_kill(pids: &[i32]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in pids {
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }
}

/// How many threads of this real uid run, as far as `/proc` shows them.
pub(crate) fn threads_of(uid: Uid) -> u64 {
    pids().filter_map(|pid| threads(pid, uid)).sum()
}

fn threads(pid: i32, uid: Uid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let first = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (first("Uid:")? == u64::from(uid.as_raw())).then(|| first("Threads:"))?
}

fn running() -> Vec<Running> {
    pids().filter_map(parse).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether this process stands still because of a signal.
pub(crate) fn is_stopped(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields.trim_start().starts_with('T'))
}

/// What `/proc` says of a process, from its state on.
fn stat(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold parentheses and spaces.
    stat.rsplit_once(')').map(|(_, fields)| fields.to_owned())
}

fn parse(pid: i32) -> Option<Running> {
    let fields = stat(pid)?;
    let mut fields = fields.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => Some(Running {
            pid,
            parent: fields.next()?.parse().ok()?,
        }),
    }
}
