//! Who is whose child, from one scan of `/proc`.

use std::collections::HashSet;
use std::fs;

use super::{Process, numbers_in};

/// Every process with its parent, as they were during one scan.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    links: Vec<(Process, Process)>,
}

/// Every process that `/proc` lists.
pub fn all_processes() -> Vec<Process> {
    numbers_in("/proc".to_owned()).map(Process::new).collect()
}

impl Tree {
    /// Looks at every process once.
    pub fn scan() -> Self {
        let links = all_processes()
            .into_iter()
            .filter_map(|p| Some((p, p.parent()?)))
            .collect();
        Self { links }
    }

    /// The trees below these processes alone, from the lists of children that most kernels keep:
    /// much cheaper than a scan. A child may be missing if a sibling ends meanwhile.
    pub fn below(roots: impl IntoIterator<Item = Process>) -> Self {
        let mut links = Vec::new();
        let mut seen: HashSet<Process> = HashSet::new();
        let mut left: Vec<Process> = roots.into_iter().collect();
        while let Some(parent) = left.pop() {
            if !seen.insert(parent) {
                continue; // one of the roots may be below another
            }
            for thread in parent.threads() {
                let Ok(children) = fs::read_to_string(thread.file("children")) else {
                    if thread.state().is_none() {
                        continue; // it has just ended
                    }
                    return Self::scan();
                };
                let numbers = children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse().ok());
                for child in numbers.map(Process::new) {
                    links.push((child, parent));
                    left.push(child);
                }
            }
        }
        Self { links }
    }

    /// The children of one process.
    pub fn children(&self, parent: Process) -> Vec<Process> {
        self.links
            .iter()
            .filter(|(_, of)| *of == parent)
            .map(|(child, _)| *child)
            .collect()
    }

    /// The children of one process, their children and so on, parents first. A process whose
    /// parent has ended belongs to its new parent: the nearest subreaper, or process 1.
    pub fn descendants(&self, root: Process) -> Vec<Process> {
        let mut found = vec![root];
        let mut seen = HashSet::from([root]);
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            found.extend(
                self.children(parent)
                    .into_iter()
                    .filter(|child| seen.insert(*child)),
            );
            next += 1;
        }
        found.split_off(1)
    }
}
