//! Everybody an autopsy may have to name: the examined trees, and all who hold their objects.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::socket_table::{self, Socket};
use crate::proc::{Fd, Process, Thread, Tree, all_processes};

/// More holders of one object than this are only counted.
const MOST_HOLDERS: usize = 6;

/// A process with the numbers of its descriptors and what their links read.
type Descriptors = (Process, Vec<(i32, PathBuf)>);

/// The examined processes at the second look. Descriptors are read when first asked for, since
/// most hangs need those of a few processes and a machine has many.
pub(super) struct Scene {
    members: Vec<Process>,
    tree: Tree,
    descriptors: OnceCell<Vec<Descriptors>>,
    /// By inode, since the kernel's tables are long to walk.
    sockets: RefCell<HashMap<u64, Socket>>,
}

/// The processes with these numbers and their descendants, each once, parents first.
pub(super) fn members(roots: &[i32]) -> Vec<Process> {
    members_in(&tree(roots), roots)
}

fn tree(roots: &[i32]) -> Tree {
    Tree::below(roots.iter().map(|&pid| Process::new(pid)))
}

fn members_in(tree: &Tree, roots: &[i32]) -> Vec<Process> {
    let mut seen = HashSet::new();
    roots
        .iter()
        .map(|&pid| Process::new(pid))
        .flat_map(|root| std::iter::once(root).chain(tree.descendants(root)))
        .filter(|process| seen.insert(*process))
        .collect()
}

impl Scene {
    pub(super) fn new(roots: &[i32]) -> Self {
        let tree = tree(roots);
        let members = members_in(&tree, roots);
        Self {
            members,
            tree,
            descriptors: OnceCell::new(),
            sockets: RefCell::default(),
        }
    }

    /// The socket behind a descriptor of `process`.
    pub(super) fn socket(&self, process: Process, fd: &Fd) -> Option<Socket> {
        let inode = fd.inode()?;
        if let Some(known) = self.sockets.borrow().get(&inode) {
            return Some(known.clone());
        }
        let socket = socket_table::find(process, fd)?;
        self.sockets.borrow_mut().insert(inode, socket.clone());
        Some(socket)
    }

    pub(super) fn members(&self) -> &[Process] {
        &self.members
    }

    pub(super) fn children(&self, parent: Process) -> Vec<Process> {
        self.tree.children(parent)
    }

    /// Name and number as the process itself knows it.
    pub(super) fn who(&self, process: Process) -> String {
        let name = process.name().unwrap_or_else(|| "a process".to_owned());
        format!(
            "{name} (pid {})",
            process.inner_pid().unwrap_or(process.pid())
        )
    }

    /// The process or thread that calls itself `tid` in the pid namespace of `near`.
    pub(super) fn thread_called(&self, tid: i32, near: Process) -> Option<(Process, Thread)> {
        let namespace = near.namespace("pid");
        let namesake = |process: Process| {
            let thread = process
                .threads()
                .into_iter()
                .find(|t| t.inner_tid() == Some(tid))?;
            (process.namespace("pid") == namespace).then_some((process, thread))
        };
        let outside = all_processes()
            .into_iter()
            .filter(|p| !self.members.contains(p));
        self.members
            .iter()
            .copied()
            .chain(outside)
            .find_map(namesake)
    }

    /// Every descriptor in the system that refers to the same object as `fd`, and that `wanted`
    /// accepts.
    pub(super) fn holders(&self, fd: &Fd, wanted: impl Fn(&Fd) -> bool) -> Vec<(Process, Fd)> {
        let Some(object) = fd.object else {
            return Vec::new();
        };
        // Another process may know a file by another path, but an object without a path has one
        // name everywhere.
        let has_path = fd.target.starts_with('/');
        self.select(|target| match has_path {
            true => target.is_absolute(),
            false => target.as_os_str() == fd.target.as_str(),
        })
        .filter(|(_, fd)| fd.object == Some(object) && wanted(fd))
        .collect()
    }

    /// Every descriptor in the system for the socket with this inode.
    pub(super) fn socket_holders(&self, inode: u64) -> Vec<(Process, Fd)> {
        let name = format!("socket:[{inode}]");
        self.select(|target| target.as_os_str() == name.as_str())
            .collect()
    }

    fn select(&self, wanted: impl Fn(&Path) -> bool) -> impl Iterator<Item = (Process, Fd)> {
        self.descriptors()
            .iter()
            .flat_map(|(process, fds)| fds.iter().map(|(fd, target)| (*process, *fd, target)))
            .filter(move |(_, _, target)| wanted(target))
            .filter_map(|(process, fd, _)| Some((process, process.fd(fd)?)))
    }

    /// `producer (pid 3) fd 4, consumer (pid 5) fd 4`.
    pub(super) fn list(&self, holders: &[(Process, Fd)]) -> String {
        let mut names: Vec<String> = holders
            .iter()
            .take(MOST_HOLDERS)
            .map(|(process, fd)| format!("{} fd {}", self.who(*process), fd.number))
            .collect();
        if let more @ 1.. = holders.len().saturating_sub(MOST_HOLDERS) {
            names.push(format!("and {more} more"));
        }
        names.join(", ")
    }

    fn descriptors(&self) -> &[Descriptors] {
        self.descriptors.get_or_init(|| {
            let outside = all_processes()
                .into_iter()
                .filter(|p| !self.members.contains(p));
            let everybody = self.members.iter().copied().chain(outside);
            everybody
                .map(|process| (process, process.fd_targets()))
                .collect()
        })
    }
}
