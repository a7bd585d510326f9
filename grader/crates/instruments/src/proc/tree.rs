//! Who is whose child, from one scan of `/proc`.

use std::collections::HashSet;

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
