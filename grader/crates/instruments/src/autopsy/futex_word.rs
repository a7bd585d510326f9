//! Where the word that a futex call sleeps on lies, and who is behind a thread number in it.

use super::blocked::Blocked;
use crate::proc::{Mapping, Process, Thread, read_u32};

/// The word and its surroundings, as glibc's objects use them.
pub(super) struct Word<'a> {
    blocked: &'a Blocked<'a>,
    address: u64,
    mapping: Option<Mapping>,
}

impl<'a> Word<'a> {
    pub(super) fn new(blocked: &'a Blocked<'a>) -> Self {
        let address = blocked.arg(0);
        let maps = blocked.scene.maps(blocked.process);
        let mapping = maps.iter().find(|it| it.range.contains(&address)).cloned();
        Self {
            blocked,
            address,
            mapping,
        }
    }

    /// The 32-bit word at `offset` bytes from the one that is waited on.
    pub(super) fn at(&self, offset: u64) -> Option<u32> {
        read_u32(self.blocked.process, self.address.checked_add(offset)?)
    }

    /// Whether other processes can see the word.
    pub(super) fn is_shared(&self) -> bool {
        self.mapping.as_ref().is_some_and(Mapping::is_shared)
    }

    /// `in shared memory /dev/shm/x at offset 0x40`, as the middle of a sentence.
    pub(super) fn place(&self) -> String {
        let Some(mapping) = &self.mapping else {
            return "at an unmapped address".to_owned();
        };
        let offset = mapping.offset_of(self.address);
        match mapping.name.as_str() {
            // A shared anonymous mapping appears under this made-up name.
            "/dev/zero (deleted)" => format!("in shared anonymous memory at offset {offset:#x}"),
            name if mapping.is_shared() => format!("in shared memory {name} at offset {offset:#x}"),
            "" => "in private memory".to_owned(),
            name => format!("in private memory ({name})"),
        }
    }

    /// Why no other process can wake the sleeper, if that is so.
    pub(super) fn nobody_else(&self) -> &'static str {
        if self.is_shared() {
            ""
        } else if self.blocked.process.threads().len() > 1 {
            ". Only another thread of this process can wake it"
        } else {
            ". Only a thread of this process could wake it, and it has no other: to be woken by \
             another process the object must lie in shared memory"
        }
    }

    /// Who holds a lock, by the number that the holder wrote into it.
    pub(super) fn owner(&self, tid: u32) -> String {
        let Ok(tid) = i32::try_from(tid) else {
            return "unknown".to_owned();
        };
        match self.blocked.scene.thread_called(tid, self.blocked.process) {
            Some((_, thread)) if thread == self.blocked.thread => {
                "this thread itself: it has locked it twice".to_owned()
            }
            Some((process, thread)) if process.has_ended() || thread.state().is_none() => {
                format!("pid {tid}, which has ended while holding it")
            }
            Some((process, thread)) => self.name(process, thread),
            None => format!("pid {tid}, which has ended while holding it"),
        }
    }

    /// The living thread that calls itself `tid`, in whatever process.
    pub(super) fn thread(&self, tid: u32) -> Option<Thread> {
        let tid = i32::try_from(tid).ok()?;
        let (_, thread) = self
            .blocked
            .scene
            .thread_called(tid, self.blocked.process)?;
        Some(thread)
    }

    /// The thread of this process that calls itself `tid`.
    pub(super) fn sibling(&self, tid: u32) -> Option<Thread> {
        let tid = i32::try_from(tid).ok().filter(|&tid| tid > 1)?;
        let thread = self.blocked.scene.thread_of(self.blocked.process, tid)?;
        (thread != self.blocked.thread).then_some(thread)
    }

    fn name(&self, process: Process, thread: Thread) -> String {
        let who = self.blocked.scene.who(process);
        match thread.is_main() {
            true => who,
            false => format!("{who}, thread {}", thread.name().unwrap_or_default()),
        }
    }
}
