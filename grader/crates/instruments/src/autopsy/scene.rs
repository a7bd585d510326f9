//! Everybody an autopsy may have to name: the examined trees, and all who hold their objects.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::socket_table::{self, Socket};
use crate::proc::{Fd, Mapping, Process, Signals, Thread, Tree, all_processes};

/// More holders of one object than this are only counted.
const MOST_HOLDERS: usize = 6;

/// A process with the numbers of its descriptors and what their links read.
type Descriptors = (Process, Vec<(i32, PathBuf)>);

/// The examined processes at the second look. Descriptors are read when first asked for, since
/// most hangs need those of a few processes and a machine has many.
#[derive(Default)]
pub(super) struct Scene {
    members: Vec<Process>,
    tree: Tree,
    descriptors: OnceCell<Vec<Descriptors>>,
    names: Memo<Process, String>,
    fds: Memo<(Process, i32), Option<Fd>>,
    /// By inode.
    sockets: Memo<u64, Option<Socket>>,
    /// The kernel's tables are long to walk. By the namespace and the name of the file.
    tables: Memo<(Option<PathBuf>, &'static str), Option<Rc<str>>>,
    /// What the threads of a process have in common, since many of them may ask for it.
    threads: Memo<Process, Rc<[Named]>>,
    maps: Memo<Process, Rc<[Mapping]>>,
    signals: Memo<Process, Option<Signals>>,
    has_timers: Memo<Process, bool>,
}

/// A thread and what it calls itself, if it still lives.
type Named = (Thread, Option<i32>);

/// What was asked of the kernel once and is not asked again.
struct Memo<K, V>(RefCell<HashMap<K, V>>);

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    fn get(&self, key: K, ask: impl FnOnce() -> V) -> V {
        if let Some(known) = self.0.borrow().get(&key) {
            return known.clone();
        }
        let told = ask();
        self.0.borrow_mut().insert(key, told.clone());
        told
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
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
            ..Self::default()
        }
    }

    /// One open descriptor.
    pub(super) fn fd(&self, process: Process, number: i32) -> Option<Fd> {
        self.fds.get((process, number), || process.fd(number))
    }

    /// The mapped memory of a process.
    pub(super) fn maps(&self, process: Process) -> Rc<[Mapping]> {
        let read = || process.maps().unwrap_or_default().into();
        self.maps.get(process, read)
    }

    /// The signals of its main thread.
    pub(super) fn signals(&self, process: Process) -> Option<Signals> {
        self.signals.get(process, || process.signals())
    }

    /// Whether it has made timers with timer_create(2).
    pub(super) fn has_timers(&self, process: Process) -> bool {
        self.has_timers.get(process, || process.has_timers())
    }

    /// The thread of this process that calls itself `tid`.
    pub(super) fn thread_of(&self, process: Process, tid: i32) -> Option<Thread> {
        let threads = self.threads.get(process, || {
            let threads = process.threads().into_iter();
            threads.map(|it| (it, it.inner_tid())).collect()
        });
        let (thread, _) = threads.iter().find(|(_, inner)| *inner == Some(tid))?;
        Some(*thread)
    }

    /// The socket behind a descriptor of `process`.
    pub(super) fn socket(&self, process: Process, fd: &Fd) -> Option<Socket> {
        let find = || socket_table::find(self, process, fd);
        self.sockets.get(fd.inode()?, find)
    }

    /// A file of `/proc/PID/net`, which is the same for all processes in one network namespace.
    pub(super) fn table(&self, process: Process, name: &'static str) -> Option<Rc<str>> {
        self.tables.get((process.namespace("net"), name), || {
            let file = format!("/proc/{}/net/{name}", process.pid());
            Some(fs::read_to_string(file).ok()?.into())
        })
    }

    pub(super) fn members(&self) -> &[Process] {
        &self.members
    }

    pub(super) fn children(&self, parent: Process) -> Vec<Process> {
        self.tree.children(parent)
    }

    /// Name and number as the process itself knows it.
    pub(super) fn who(&self, process: Process) -> String {
        self.names.get(process, || {
            let name = process.name().unwrap_or_else(|| "a process".to_owned());
            let pid = process.inner_pid().unwrap_or(process.pid());
            format!("{name} (pid {pid})")
        })
    }

    /// The process or thread that calls itself `tid` in the pid namespace of `near`.
    pub(super) fn thread_called(&self, tid: i32, near: Process) -> Option<(Process, Thread)> {
        let namespace = near.namespace("pid");
        let namesake = |process: Process| {
            let thread = self.thread_of(process, tid)?;
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
        self.select(|process, number, target| match has_path {
            true => target.is_absolute() && process.object(number) == Some(object),
            false => target.as_os_str() == fd.target.as_str(),
        })
        .filter(|(_, fd)| fd.object == Some(object) && wanted(fd))
        .collect()
    }

    /// Every descriptor in the system for the socket with this inode.
    pub(super) fn socket_holders(&self, inode: u64) -> Vec<(Process, Fd)> {
        let name = format!("socket:[{inode}]");
        self.select(|_, _, target| target.as_os_str() == name.as_str())
            .collect()
    }

    fn select(
        &self,
        wanted: impl Fn(Process, i32, &Path) -> bool,
    ) -> impl Iterator<Item = (Process, Fd)> {
        self.descriptors()
            .iter()
            .flat_map(|(process, fds)| fds.iter().map(|(fd, target)| (*process, *fd, target)))
            .filter(move |(process, fd, target)| wanted(*process, *fd, target))
            .filter_map(|(process, fd, _)| Some((process, self.fd(process, fd)?)))
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
