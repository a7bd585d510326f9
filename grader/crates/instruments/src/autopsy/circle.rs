//! A deadlock through several threads or processes: each waits for the next, and the last for
//! the first.
//!
//! A thread is *stuck* if it sleeps for good and everybody who could wake it is stuck as well. So
//! a pipe with one writer that still runs makes nobody stuck, and what is called a circle here
//! cannot be left without help from outside.

use std::collections::HashMap;

use super::blocked::Blocked;
use super::{children, futex, locks, pipes, polls, sockets};
use crate::proc::{Fd, Process, Thread};

/// One blocked thread, and all who could end its wait. Nobody means that it is not known who.
pub(super) struct Waiter {
    pub(super) thread: Thread,
    /// How it is called in the sentence: `left (pid 4), in read`.
    pub(super) name: String,
    pub(super) awaited: Vec<Thread>,
}

/// Who could end the wait of a blocked thread, as far as its call tells.
pub(super) fn awaited(blocked: &Blocked<'_>) -> Vec<Thread> {
    let processes = match blocked.name.as_str() {
        "read" | "readv" => other_end(blocked, false),
        "write" | "writev" => other_end(blocked, true),
        "recvfrom" | "recvmsg" => other_end(blocked, false),
        "sendto" | "sendmsg" => other_end(blocked, true),
        "wait4" | "waitid" => children::awaited(blocked),
        "flock" | "fcntl" => locks::awaited(blocked),
        "futex" => return futex::awaited(blocked).into_iter().collect(),
        name if polls::is_one(name) => polls::awaited(blocked),
        _ => Vec::new(),
    };
    processes.into_iter().flat_map(Process::threads).collect()
}

fn other_end(blocked: &Blocked<'_>, writing: bool) -> Vec<Process> {
    let fd = blocked.fd(0);
    fd.map_or_else(Vec::new, |fd| behind(blocked, &fd, writing))
}

/// Who could make room in what a descriptor refers to, or put something into it.
pub(super) fn behind(blocked: &Blocked<'_>, fd: &Fd, writing: bool) -> Vec<Process> {
    match fd.object {
        Some(object) if object.is_pipe => pipes::awaited(blocked, fd, writing),
        Some(object) if object.is_socket => sockets::awaited(blocked, fd),
        _ => Vec::new(),
    }
}

/// The sentence about the first circle among these threads, if there is one.
pub(super) fn sentence(waiters: &[Waiter]) -> Option<String> {
    let circle = find(waiters)?;
    let first = &circle.first()?.name;
    let rest: Vec<&str> = circle[1..].iter().map(|next| next.name.as_str()).collect();
    Some(format!(
        "a circle: {first} waits for {}, which waits for {}: none of them can go on without help",
        rest.join(", which waits for "),
        first.split(", in ").next().unwrap_or(first)
    ))
}

/// Each waits for the next one and the last for the first; two or more.
fn find(waiters: &[Waiter]) -> Option<Vec<&Waiter>> {
    let mut stuck: HashMap<Thread, &Waiter> = waiters
        .iter()
        .filter(|waiter| !waiter.awaited.is_empty())
        .map(|waiter| (waiter.thread, waiter))
        .collect();
    loop {
        let free: Vec<Thread> = stuck
            .values()
            .filter(|waiter| waiter.awaited.iter().any(|one| !stuck.contains_key(one)))
            .map(|waiter| waiter.thread)
            .collect();
        if free.is_empty() {
            break;
        }
        stuck.retain(|thread, _| !free.contains(thread));
    }
    // Whoever is stuck waits for somebody who is stuck, so every walk comes back to itself.
    waiters
        .iter()
        .filter(|waiter| stuck.contains_key(&waiter.thread))
        .find_map(|start| walk(start, &stuck))
}

fn walk<'a>(start: &'a Waiter, stuck: &HashMap<Thread, &'a Waiter>) -> Option<Vec<&'a Waiter>> {
    let mut path: Vec<&Waiter> = vec![start];
    loop {
        let last = path.last()?;
        // The owner of a lock is one thread. Of the many that hold a descriptor, those of the same
        // process tell no story: its own sentence says that it holds the other end itself.
        let next = match last.awaited.as_slice() {
            [owner] if *owner != last.thread => owner,
            many => many
                .iter()
                .find(|one| one.process() != last.thread.process())?,
        };
        if let Some(seen) = path.iter().position(|waiter| waiter.thread == *next) {
            return Some(path.split_off(seen));
        }
        path.push(stuck.get(next)?);
    }
}
