//! The shared memory of one address space: where it is, and whether it is closed to accesses.

use std::ops::Range;
use std::rc::Rc;

use super::story::{Object, Place};
use super::tracee::Tracee;
use crate::Process;

/// One shared mapping.
pub(super) struct Region {
    range: Range<u64>,
    /// What the program asked for: PROT_READ and PROT_WRITE.
    protection: u64,
    object: Rc<Object>,
    /// Where in the object it begins.
    offset: u64,
    is_open: bool,
}

/// What the threads of one process share. A forked process gets a copy, an executed program a
/// new one.
#[derive(Default)]
pub(super) struct Space {
    /// The address of a `syscall` instruction in its program, once one was seen.
    pub(super) gate: Option<u64>,
    regions: Vec<Region>,
    /// Where the code of the system's libraries is.
    libraries: Vec<Range<u64>>,
}

impl Space {
    /// The copy that a forked process gets.
    pub(super) fn fork(&self) -> Self {
        let region = |region: &Region| Region {
            range: region.range.clone(),
            object: Rc::clone(&region.object),
            ..*region
        };
        Self {
            gate: self.gate,
            regions: self.regions.iter().map(region).collect(),
            libraries: self.libraries.clone(),
        }
    }

    /// Whether this is an address of code that came with the system.
    pub(super) fn is_library(&self, address: u64) -> bool {
        self.libraries.iter().any(|code| code.contains(&address))
    }

    /// Whether this address is in shared memory.
    pub(super) fn has(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    /// What is at this address, for every program the same.
    pub(super) fn place(&self, address: u64) -> Option<Place> {
        let region = &self.regions[self.find(address)?];
        let offset = region.offset + (address - region.range.start);
        Some(Place {
            object: Rc::clone(&region.object),
            offset: offset & !7,
        })
    }

    /// Whether an access to this address is a fault that we have made.
    pub(super) fn is_closed(&self, address: u64) -> bool {
        self.find(address)
            .is_some_and(|index| !self.regions[index].is_open)
    }

    fn find(&self, address: u64) -> Option<usize> {
        self.regions
            .iter()
            .position(|region| region.range.contains(&address))
    }

    /// Looks at what is mapped now. A region that is known keeps its state.
    pub(super) fn refresh(&mut self, process: Process) {
        let Some(maps) = process.maps() else {
            return;
        };
        let of_system = |name: &str| {
            ["/usr/", "/lib", "/etc/"]
                .iter()
                .any(|folder| name.starts_with(folder))
        };
        let code = maps
            .iter()
            .filter(|map| map.permissions.contains('x') && of_system(&map.name));
        self.libraries = code.map(|map| map.range.clone()).collect();
        let mut known = std::mem::take(&mut self.regions);
        for map in maps.into_iter().filter(|map| map.is_shared()) {
            if let Some(index) = known.iter().position(|old| old.range == map.range) {
                self.regions.push(known.swap_remove(index));
                continue;
            }
            let is_readable = map.permissions.starts_with('r');
            let protection = match (is_readable, map.is_writable()) {
                (true, true) => libc::PROT_READ | libc::PROT_WRITE,
                (false, true) => libc::PROT_WRITE,
                (true, false) => libc::PROT_READ,
                (false, false) => continue,
            };
            // What is installed with the system does not change.
            if of_system(&map.name) {
                continue;
            }
            let name = map.name.strip_suffix(" (deleted)").unwrap_or(&map.name);
            self.regions.push(Region {
                object: Rc::new(Object {
                    id: (map.device, map.inode, name.starts_with("/SYSV")),
                    name: name.to_owned(),
                }),
                range: map.range,
                protection: u64::from(protection.cast_unsigned()),
                offset: map.offset,
                is_open: true,
            });
        }
    }

    /// Opens the region with this address, for the thread of it that is stopped.
    pub(super) fn open(&mut self, thread: &mut Tracee, address: u64) -> nix::Result<()> {
        match self.find(address) {
            Some(index) => self.set(thread, index, true),
            None => Ok(()),
        }
    }

    /// Opens all regions.
    pub(super) fn open_all(&mut self, thread: &mut Tracee) -> nix::Result<()> {
        (0..self.regions.len()).try_for_each(|index| self.set(thread, index, true))
    }

    /// Closes all regions.
    pub(super) fn close_all(&mut self, thread: &mut Tracee) -> nix::Result<()> {
        (0..self.regions.len()).try_for_each(|index| self.set(thread, index, false))
    }

    fn set(&mut self, thread: &mut Tracee, index: usize, open: bool) -> nix::Result<()> {
        let (Some(gate), region) = (self.gate, &mut self.regions[index]) else {
            return Ok(()); // nothing of it can have been mapped by a call that we saw
        };
        if region.is_open == open {
            return Ok(());
        }
        let length = region.range.end - region.range.start;
        let protection = if open { region.protection } else { 0 };
        thread.call(
            gate,
            libc::SYS_mprotect,
            [region.range.start, length, protection],
        )?;
        region.is_open = open;
        Ok(())
    }
}
