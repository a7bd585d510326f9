//! Shared memory with semaphores: what a pipe did for you, built by hand.
//!
//! Two processes that map the same object see the same bytes, and no system call moves them.
//! But nothing else comes with it: nobody waits when the memory is full, nobody is told when the
//! last writer leaves, and nobody owns anything. This library builds those rules, from the bottom:
//!
//! 1. [`Shm`]: an object in `/dev/shm`, created once and opened only when it is complete.
//! 2. [`Sem`]: a semaphore inside such an object: a counter that one can sleep on.
//! 3. [`NamedSem`]: a semaphore that is found by its name.
//! 4. [`BoundedBuf`]: a queue of items between any number of processes, with back-pressure
//!    and end-of-file.
//! 5. [`transfer`]: the same stream through a pipe and through shared memory, and the bill.
//! 6. [`Ring`]: a queue between exactly one producer and one consumer, without any lock.
//!
//! Given: the bytes of the shared object ([`layout`]), the two semaphore types ([`semaphore`]), the
//! two ends of the stream ([`courier`]) and its counters ([`meter`]), the parts of the ring
//! ([`ring`], [`sync`]), and the program in `main.rs`.

pub mod courier;
pub mod layout;
pub mod meter;
pub mod ring;
pub mod semaphore;
pub mod sync;

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use memmap2::MmapRaw;

pub use layout::Geometry;
pub use meter::{Stats, Via};
pub use ring::Ring;
pub use semaphore::{NamedSem, Sem};

// Part 1: an object in /dev/shm

/// A shared memory object, mapped for reading and writing. Its first word is the ready word (see
/// [`layout`]).
///
/// The memory is unmapped when the value goes away. The object itself stays until somebody
/// unlinks its name and the last process has unmapped it.
#[derive(Debug)]
pub struct Shm {
    map: MmapRaw,
}

impl Shm {
    /// Creates the object `name` ("/name") with `len` bytes of zeros and mode 0600, and maps it
    /// shared. It is not ready yet: whoever fills it stores [`layout::READY`] in the ready word
    /// when the rest is written, with Release order.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken; the object behind it is not touched. `InvalidInput`
    /// if `len` has no room for the ready word (4 bytes). Else what the kernel says, and then no
    /// name is left behind.
    pub fn create(name: &str, len: NonZeroUsize) -> io::Result<Shm> {
        todo!("shm part 1: create {name} with {len} bytes")
    }

    /// Opens the object `name` and maps all of it, once its creator has finished. A creator may
    /// still be between shm_open(3) and ftruncate(2) (the length is 0: touching the mapping would
    /// be SIGBUS), or may not have set the ready word; wait for both, asleep between two looks.
    ///
    /// # Errors
    /// `NotFound` at once if there is no such name. `TimedOut` if the object is not complete
    /// `deadline` after the call; a deadline of zero looks once. `InvalidData` if it is too short
    /// for a ready word.
    pub fn open(name: &str, deadline: Duration) -> io::Result<Shm> {
        todo!("shm part 1: open {name}, waiting at most {deadline:?}")
    }

    /// Removes the name. Processes that have mapped the object keep it; nobody can open it any
    /// more, and a new object of the same name is another one.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn unlink(name: &str) -> io::Result<()> {
        todo!("shm part 1: unlink {name}")
    }

    /// Given. The first byte of the mapping.
    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Given. The length of the mapping, in bytes.
    pub fn size(&self) -> usize {
        self.map.len()
    }
}

// Part 2: a semaphore inside shared memory

impl Sem {
    /// Makes the memory at `slot` a semaphore with `value`, for all processes that map it.
    ///
    /// # Errors
    /// `InvalidInput` if `value` is greater than a semaphore can hold.
    ///
    /// # Safety
    /// `slot` is valid and aligned memory that nobody uses as a semaphore yet.
    pub unsafe fn init_in(slot: *mut libc::sem_t, value: u32) -> io::Result<()> {
        todo!("shm part 2: init a semaphore at {slot:?} with {value}")
    }

    /// Takes one; sleeps while there is none. A signal handler that runs meanwhile changes
    /// nothing: `Ok` always means that one was taken.
    ///
    /// # Errors
    /// What the kernel says; an initialised semaphore has no error to report.
    pub fn wait(&self) -> io::Result<()> {
        todo!("shm part 2: wait")
    }

    /// Takes one if there is one, without sleeping. `false` means that there was none.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn try_wait(&self) -> io::Result<bool> {
        todo!("shm part 2: try to wait")
    }

    /// Takes one, sleeping for at most `timeout` in total, however many signal handlers run
    /// meanwhile. `false` means that the time passed first.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        todo!("shm part 2: wait for at most {timeout:?}")
    }

    /// Gives one back, and wakes one sleeper if there is any.
    ///
    /// # Errors
    /// EOVERFLOW if the counter is at its maximum.
    pub fn post(&self) -> io::Result<()> {
        todo!("shm part 2: post")
    }
}

// Part 3: a semaphore with a name

impl NamedSem {
    /// Opens the semaphore `name` ("/name"), and creates it with the value `init` and mode 0600
    /// if there is none. One that exists keeps its value: `init` is then ignored.
    ///
    /// # Errors
    /// `InvalidInput` for a name or value that cannot be. Else what the kernel says.
    pub fn open(name: &str, init: u32) -> io::Result<NamedSem> {
        todo!("shm part 3: open semaphore {name}, with {init} if it is new")
    }

    /// Opens the semaphore `name` if it exists, and creates nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn existing(name: &str) -> io::Result<NamedSem> {
        todo!("shm part 3: open the existing semaphore {name}")
    }

    /// Removes the name. Who has the semaphore open keeps it.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn unlink(name: &str) -> io::Result<()> {
        todo!("shm part 3: unlink semaphore {name}")
    }
}

// Part 4: a bounded buffer between processes

/// A queue of items (byte strings) in a shared object, for any number of producer and consumer
/// processes. Full and empty are waited for asleep; [`close`](Self::close) is its end-of-file.
///
/// The semaphores `empty` and `full` in the header count slots, and the named semaphore `lock`,
/// called like the object, is the mutex around `head`, `tail`, `closed` and the slots. Nothing
/// that was read from the shared memory is believed before it has been checked.
#[derive(Debug)]
pub struct BoundedBuf {
    shm: Shm,
    lock: NamedSem,
    geometry: Geometry,
}

impl BoundedBuf {
    /// Creates the object and the lock `name`, all slots empty, and sets the ready word last. A
    /// lock that a run before left behind, with whatever value, does no harm.
    ///
    /// # Errors
    /// `AlreadyExists` if there is such an object; then nothing of it is touched, its lock
    /// included. Else what the kernel says, and then no object of that name is left behind.
    pub fn create(name: &str, geometry: Geometry) -> io::Result<BoundedBuf> {
        todo!("shm part 4: create {name} with {geometry:?}")
    }

    /// Appends a copy of `item`; sleeps while all slots are full.
    ///
    /// # Errors
    /// `InvalidInput` at once for an item longer than `item_max`. `BrokenPipe` if the buffer is
    /// closed, also when that happens during the wait. `InvalidData` if `head` and `tail` make no
    /// sense; then nothing was written.
    pub fn push(&self, item: &[u8]) -> io::Result<()> {
        todo!("shm part 4: push {} bytes", item.len())
    }

    /// Takes the oldest item and replaces the contents of `item` with it; sleeps while there is
    /// none. The result is its length in bytes, or `None` when the buffer is closed and empty.
    ///
    /// # Errors
    /// `InvalidData` if `head`, `tail` or the length of the item make no sense.
    pub fn pop(&self, item: &mut Vec<u8>) -> io::Result<Option<usize>> {
        todo!("shm part 4: pop into {} bytes of room", item.capacity())
    }

    /// Ends the stream: nothing can be pushed any more, what is queued can still be popped, and
    /// every producer and consumer that sleeps in the buffer wakes up. Closing twice is the same
    /// as closing once.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn close(&self) -> io::Result<()> {
        todo!("shm part 4: close under {:?}", self.lock)
    }
}

// Part 5: the bill

/// Forks a child that sends `bytes` bytes of zeros, in chunks of [`courier::CHUNK`], and receives
/// them here; then waits for the child. With [`Via::Pipe`] they go through a pipe; with
/// [`Via::Shm`] through a [`BoundedBuf`] of a few slots whose name is gone again before the first
/// byte moves, so that not even a crash can leave it behind.
///
/// The child of a process with threads may only do what a signal handler may: allocate before the
/// fork, and leave with _exit(2).
///
/// # Errors
/// `UnexpectedEof` if fewer bytes arrive. Else what the kernel says.
pub fn transfer(via: Via, bytes: u64) -> io::Result<Stats> {
    todo!("shm part 5: transfer {bytes} bytes via {via:?}")
}

// Part 6: a queue without a lock

impl<const N: usize> Ring<N> {
    /// Appends `value`, or says `false` at once if the ring is full.
    pub fn try_push(&self, value: u64) -> bool {
        todo!("shm part 6: push {value}, {} slots", self.slots.len())
    }

    /// Takes the oldest number, or says `None` at once if the ring is empty.
    pub fn try_pop(&self) -> Option<u64> {
        todo!("shm part 6: pop, {:?} {:?}", self.head.0, self.tail.0)
    }
}
