//! Given: the table of children that were started and not yet reaped.
//!
//! It is plain memory. It must not know how children are started, signalled or reaped, and no
//! signal handler may touch it.

use nix::unistd::Pid;

/// The children that this process has started and not yet reaped, oldest first.
#[derive(Debug, Default)]
pub struct Table {
    pids: Vec<Pid>,
}

impl Table {
    /// Enters a child that has just been started.
    pub fn insert(&mut self, pid: Pid) {
        self.pids.push(pid);
    }

    /// Takes a child out once it has been reaped. Returns whether it was in the table.
    pub fn remove(&mut self, pid: Pid) -> bool {
        let before = self.pids.len();
        self.pids.retain(|&other| other != pid);
        self.pids.len() < before
    }

    /// Whether the child is in the table.
    pub fn contains(&self, pid: Pid) -> bool {
        self.pids.contains(&pid)
    }

    /// A copy of all pids, so that you can remove children while you go through it.
    pub fn pids(&self) -> Vec<Pid> {
        self.pids.clone()
    }

    /// The number of children in the table.
    pub fn len(&self) -> usize {
        self.pids.len()
    }

    /// Whether no child is left.
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty()
    }
}
