//! Tells when nobody moves any more, so that a hold can end without a guessed time.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::proc::{Process, State};

/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(2);

/// Remembers the last look.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    last: Option<Vec<(i32, u64)>>,
}

impl Quiet {
    /// Something happened: look again from the start.
    pub(crate) fn disturb(&mut self) {
        self.last = None;
    }

    /// Whether everybody slept at this look and the one before, and nobody woke in between.
    /// Threads in `held` wait for us and count as asleep.
    ///
    /// Descendants are looked at as well: one just forked may not have made a call yet.
    pub(crate) fn is_quiet(&mut self, processes: &[i32], held: &[i32]) -> bool {
        let now = footprint(processes, held);
        let is_quiet = now.is_some() && now == self.last;
        self.last = now;
        is_quiet
    }
}

/// How often each thread has left its CPU; `None` if one of them is on it.
fn footprint(processes: &[i32], held: &[i32]) -> Option<Vec<(i32, u64)>> {
    let mut footprint = Vec::new();
    let mut seen: BTreeSet<i32> = processes.iter().copied().collect();
    let mut next: Vec<i32> = processes.to_vec();
    while let Some(pid) = next.pop() {
        for thread in Process::new(pid).threads() {
            let moves = match thread.state() {
                // Whoever is at a stop for its results goes on in a moment.
                Some(State::Running | State::Traced) => true,
                Some(State::Uninterruptible) => !held.contains(&thread.tid()),
                _ => false,
            };
            if moves {
                return None;
            }
            let n_switches = thread.switches().map_or(0, |count| count.voluntary);
            footprint.push((thread.tid(), n_switches));
            next.extend(children(pid, thread.tid()).filter(|child| seen.insert(*child)));
        }
    }
    footprint.sort_unstable();
    Some(footprint)
}

/// The children of one thread. The scan of all processes that [`Process::children`] makes would
/// cost more than the time between two looks.
fn children(pid: i32, tid: i32) -> impl Iterator<Item = i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).unwrap_or_default();
    let pids: Vec<i32> = list
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect();
    pids.into_iter()
}
