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

// SOLUTION
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memmap2::MmapOptions;
use nix::fcntl::OFlag;
use nix::sys::mman::{shm_open, shm_unlink};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{ForkResult, fork, ftruncate};

use courier::{CHUNK, leave, reap, receive, send};
use layout::READY;
use meter::Meter;
// END SOLUTION
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
        // SOLUTION todo!("shm part 1: create {name} with {len} bytes")
        if len.get() < size_of::<AtomicU32>() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let size = i64::try_from(len.get()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // O_EXCL makes "is it there?" and "make it" one step: of two creators one wins.
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR;
        let fd = shm_open(name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        ftruncate(&fd, size)
            .map_err(io::Error::from)
            .and_then(|()| Self::map(&fd, len.get()))
            .inspect_err(|_| drop(Self::unlink(name)))
        // END SOLUTION
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
        // SOLUTION todo!("shm part 1: open {name}, waiting at most {deadline:?}")
        let started = Instant::now();
        let fd = shm_open(name, OFlag::O_RDWR, Mode::empty())?;
        let len = poll(started, deadline, || {
            let size = usize::try_from(fstat(&fd)?.st_size).unwrap_or(0);
            Ok((size > 0).then_some(size))
        })?;
        if len < size_of::<AtomicU32>() {
            return Err(corrupt("the object is too short for a ready word"));
        }
        let shm = Self::map(&fd, len)?;
        poll(started, deadline, || {
            // Acquire: what the creator wrote before its Release store is visible from here on.
            Ok((shm.ready().load(Acquire) == READY).then_some(()))
        })?;
        Ok(shm)
        // END SOLUTION
    }

    /// Removes the name. Processes that have mapped the object keep it; nobody can open it any
    /// more, and a new object of the same name is another one.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn unlink(name: &str) -> io::Result<()> {
        // SOLUTION todo!("shm part 1: unlink {name}")
        Ok(shm_unlink(name)?)
        // END SOLUTION
    }

    // SOLUTION
    fn map(fd: &OwnedFd, len: usize) -> io::Result<Shm> {
        Ok(Shm {
            map: MmapOptions::new().len(len).map_raw(fd)?,
        })
    }

    // END SOLUTION
    /// Given. The first byte of the mapping.
    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Given. The length of the mapping, in bytes.
    pub fn size(&self) -> usize {
        self.map.len()
    }
}

// SOLUTION
/// Asks `look` every millisecond until it has an answer or `limit` has passed since `started`.
fn poll<T>(
    started: Instant,
    limit: Duration,
    mut look: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() >= limit {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn corrupt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

// END SOLUTION
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
        // SOLUTION todo!("shm part 2: init a semaphore at {slot:?} with {value}")
        // With pshared = 0 a post would only ever wake threads of its own process.
        let pshared = 1;
        // SAFETY: the caller promises a valid slot that is not in use.
        check(unsafe { libc::sem_init(slot, pshared, value) })
        // END SOLUTION
    }

    /// Takes one; sleeps while there is none. A signal handler that runs meanwhile changes
    /// nothing: `Ok` always means that one was taken.
    ///
    /// # Errors
    /// What the kernel says; an initialised semaphore has no error to report.
    pub fn wait(&self) -> io::Result<()> {
        // SOLUTION todo!("shm part 2: wait")
        // SAFETY: `self` is an initialised semaphore.
        retry(|| unsafe { libc::sem_wait(self.as_ptr()) })
        // END SOLUTION
    }

    /// Takes one if there is one, without sleeping. `false` means that there was none.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn try_wait(&self) -> io::Result<bool> {
        // SOLUTION todo!("shm part 2: try to wait")
        // SAFETY: `self` is an initialised semaphore.
        match retry(|| unsafe { libc::sem_trywait(self.as_ptr()) }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            taken => taken.map(|()| true),
        }
        // END SOLUTION
    }

    /// Takes one, sleeping for at most `timeout` in total, however many signal handlers run
    /// meanwhile. `false` means that the time passed first.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        // SOLUTION todo!("shm part 2: wait for at most {timeout:?}")
        // sem_timedwait takes a point in time, not a span. It is worked out once: an interrupted
        // wait goes on towards the same end.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let end = now.unwrap_or_default().saturating_add(timeout);
        let end = libc::timespec {
            tv_sec: end.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: end.subsec_nanos().into(),
        };
        // SAFETY: `self` is an initialised semaphore and `end` a valid time.
        match retry(|| unsafe { libc::sem_timedwait(self.as_ptr(), &raw const end) }) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            taken => taken.map(|()| true),
        }
        // END SOLUTION
    }

    /// Gives one back, and wakes one sleeper if there is any.
    ///
    /// # Errors
    /// EOVERFLOW if the counter is at its maximum.
    pub fn post(&self) -> io::Result<()> {
        // SOLUTION todo!("shm part 2: post")
        // SAFETY: `self` is an initialised semaphore.
        check(unsafe { libc::sem_post(self.as_ptr()) })
        // END SOLUTION
    }
}

// SOLUTION
fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Calls again for as long as a signal handler interrupts the call.
fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<()> {
    loop {
        match check(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

// END SOLUTION
// Part 3: a semaphore with a name

impl NamedSem {
    /// Opens the semaphore `name` ("/name"), and creates it with the value `init` and mode 0600
    /// if there is none. One that exists keeps its value: `init` is then ignored.
    ///
    /// # Errors
    /// `InvalidInput` for a name or value that cannot be. Else what the kernel says.
    pub fn open(name: &str, init: u32) -> io::Result<NamedSem> {
        // SOLUTION todo!("shm part 3: open semaphore {name}, with {init} if it is new")
        Self::open_with(name, libc::O_CREAT, init)
        // END SOLUTION
    }

    /// Opens the semaphore `name` if it exists, and creates nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn existing(name: &str) -> io::Result<NamedSem> {
        // SOLUTION todo!("shm part 3: open the existing semaphore {name}")
        Self::open_with(name, 0, 0)
        // END SOLUTION
    }

    /// Removes the name. Who has the semaphore open keeps it.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn unlink(name: &str) -> io::Result<()> {
        // SOLUTION todo!("shm part 3: unlink semaphore {name}")
        let name = CString::new(name)?;
        // SAFETY: `name` is a C string.
        check(unsafe { libc::sem_unlink(name.as_ptr()) })
        // END SOLUTION
    }

    // SOLUTION
    fn open_with(name: &str, flags: libc::c_int, init: u32) -> io::Result<NamedSem> {
        let name = CString::new(name)?;
        let mode: libc::mode_t = libc::S_IRUSR | libc::S_IWUSR;
        // SAFETY: `name` is a C string; mode and value are of the types that O_CREAT asks for.
        let sem = unsafe { libc::sem_open(name.as_ptr(), flags, mode, init) };
        if sem == libc::SEM_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and only we know it.
        Ok(unsafe { NamedSem::from_ptr(sem) })
    }
    // END SOLUTION
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
        // SOLUTION todo!("shm part 4: create {name} with {geometry:?}")
        let shm = Shm::create(name, geometry.bytes()?)?;
        Self::furnish(name, shm, geometry).inspect_err(|_| drop(Shm::unlink(name)))
        // END SOLUTION
    }

    // SOLUTION
    /// Fills a new object. It has the name to itself, so an old lock of that name has no users.
    fn furnish(name: &str, shm: Shm, geometry: Geometry) -> io::Result<BoundedBuf> {
        let header = shm.header()?;
        header.capacity.store(geometry.capacity.get(), Relaxed);
        header.item_max.store(geometry.item_max, Relaxed);
        // SAFETY: nobody uses the semaphores before the object is ready.
        unsafe {
            Sem::init_in(header.empty.as_ptr(), geometry.capacity.get())?;
            Sem::init_in(header.full.as_ptr(), 0)?;
        }
        // sem_open would keep the value of an old lock, perhaps 0 for ever.
        match NamedSem::unlink(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let lock = NamedSem::open(name, 1)?;
        shm.ready().store(READY, Release);
        Ok(BoundedBuf {
            shm,
            lock,
            geometry,
        })
    }

    // END SOLUTION
    /// Appends a copy of `item`; sleeps while all slots are full.
    ///
    /// # Errors
    /// `InvalidInput` at once for an item longer than `item_max`. `BrokenPipe` if the buffer is
    /// closed, also when that happens during the wait. `InvalidData` if `head` and `tail` make no
    /// sense; then nothing was written.
    pub fn push(&self, item: &[u8]) -> io::Result<()> {
        // SOLUTION todo!("shm part 4: push {} bytes", item.len())
        if item.len() > self.geometry.item_max as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let header = self.header();
        // First a slot, then the lock: who slept for a slot with the lock in hand would keep
        // out the very consumer that could free one.
        header.empty.wait()?;
        let pushed = self.locked(|| self.put(item));
        match pushed {
            Ok(()) => header.full.post()?,
            // Nothing was put in: hand the slot on, so that the next producer wakes up, too.
            Err(_) => header.empty.post()?,
        }
        pushed
        // END SOLUTION
    }

    /// Takes the oldest item and replaces the contents of `item` with it; sleeps while there is
    /// none. The result is its length in bytes, or `None` when the buffer is closed and empty.
    ///
    /// # Errors
    /// `InvalidData` if `head`, `tail` or the length of the item make no sense.
    pub fn pop(&self, item: &mut Vec<u8>) -> io::Result<Option<usize>> {
        // SOLUTION todo!("shm part 4: pop into {} bytes of room", item.capacity())
        let header = self.header();
        header.full.wait()?;
        let popped = self.locked(|| self.take(item));
        match popped {
            Ok(Some(_)) => header.empty.post()?,
            // Nothing was taken out: hand the wake-up on. So one post of `close` reaches all.
            _ => header.full.post()?,
        }
        popped
        // END SOLUTION
    }

    /// Ends the stream: nothing can be pushed any more, what is queued can still be popped, and
    /// every producer and consumer that sleeps in the buffer wakes up. Closing twice is the same
    /// as closing once.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn close(&self) -> io::Result<()> {
        // SOLUTION todo!("shm part 4: close under {:?}", self.lock)
        let header = self.header();
        // Under the lock: else an item could still come in after the last consumer has left.
        self.locked(|| {
            header.closed.store(1, Relaxed);
            Ok(())
        })?;
        header.full.post()?;
        header.empty.post()
        // END SOLUTION
    }

    // SOLUTION
    /// Runs `work` under the lock.
    fn locked<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.lock.wait()?;
        let done = work();
        self.lock.post()?;
        done
    }

    /// The lock is held, and there is an empty slot unless the buffer is closed.
    fn put(&self, item: &[u8]) -> io::Result<()> {
        let header = self.header();
        if header.closed.load(Relaxed) != 0 {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        // Relaxed is enough under the lock: its semaphore orders everything.
        let (head, tail) = (header.head.load(Relaxed), header.tail.load(Relaxed));
        if tail.wrapping_sub(head) >= self.geometry.capacity.get().into() {
            return Err(corrupt("head and tail leave no empty slot"));
        }
        let slot = self.slot(tail);
        slot.copy_in(item);
        let len = u32::try_from(item.len()).expect("push has checked the length");
        slot.len.store(len, Relaxed);
        header.tail.store(tail.wrapping_add(1), Relaxed);
        Ok(())
    }

    /// The lock is held, and there is a full slot unless the buffer is closed.
    fn take(&self, item: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let header = self.header();
        let (head, tail) = (header.head.load(Relaxed), header.tail.load(Relaxed));
        let queued = tail.wrapping_sub(head);
        if queued == 0 && header.closed.load(Relaxed) != 0 {
            return Ok(None);
        }
        if queued == 0 || queued > self.geometry.capacity.get().into() {
            return Err(corrupt("head and tail leave no full slot"));
        }
        let slot = self.slot(head);
        let len = slot.len.load(Relaxed);
        if len > self.geometry.item_max {
            return Err(corrupt("an item is longer than its slot"));
        }
        slot.copy_out(len as usize, item);
        header.head.store(head.wrapping_add(1), Relaxed);
        Ok(Some(len as usize))
    }
    // END SOLUTION
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
    // SOLUTION todo!("shm part 5: transfer {bytes} bytes via {via:?}")
    let meter = Meter::start()?;
    let received = match via {
        Via::Pipe => over_pipe(bytes)?,
        Via::Shm => over_shm(bytes)?,
    };
    if received < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    meter.stop(received)
    // END SOLUTION
}

// SOLUTION
fn over_pipe(bytes: u64) -> io::Result<u64> {
    let (mut reader, mut writer) = io::pipe()?;
    let mut chunk = vec![0; CHUNK];
    // SAFETY: the child closes, writes and leaves; it neither allocates nor takes a lock.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(reader);
            leave(send(bytes, &chunk, |part| writer.write_all(part)))
        }
        ForkResult::Parent { child } => {
            // Our own copy of the write end would keep end-of-file from ever coming.
            drop(writer);
            let received = receive(|| reader.read(&mut chunk));
            reap(child, received)
        }
    }
}

fn over_shm(bytes: u64) -> io::Result<u64> {
    static RUN: AtomicU32 = AtomicU32::new(0);
    let run = RUN.fetch_add(1, Relaxed);
    let name = format!("/shm-transfer.{}.{run}", std::process::id());
    let capacity = 4.try_into().expect("four is not zero");
    let item_max = CHUNK as u32;
    let buf = BoundedBuf::create(&name, Geometry { capacity, item_max })?;
    BoundedBuf::unlink(&name)?;
    let mut chunk = vec![0; CHUNK];
    // SAFETY: the child copies, posts, waits and leaves; it neither allocates nor takes a lock
    // that a thread of this process could hold.
    match unsafe { fork() }? {
        ForkResult::Child => {
            leave(send(bytes, &chunk, |part| buf.push(part)).and_then(|()| buf.close()))
        }
        ForkResult::Parent { child } => {
            let received = receive(|| buf.pop(&mut chunk).map(|len| len.unwrap_or(0)));
            reap(child, received)
        }
    }
}

// END SOLUTION
// Part 6: a queue without a lock

impl<const N: usize> Ring<N> {
    /// Appends `value`, or says `false` at once if the ring is full.
    pub fn try_push(&self, value: u64) -> bool {
        // SOLUTION todo!("shm part 6: push {value}, {} slots", self.slots.len())
        let tail = self.tail.0.load(Relaxed);
        // Acquire: the consumer has finished with the slots up to here.
        let head = self.head.0.load(Acquire);
        if tail.wrapping_sub(head) >= N {
            return false;
        }
        // SAFETY: the slot is empty, so the consumer does not read it.
        self.slots[tail % N].with_mut(|slot| unsafe { *slot = value });
        // Release: who sees the new tail sees the value, too.
        self.tail.0.store(tail.wrapping_add(1), Release);
        true
        // END SOLUTION
    }

    /// Takes the oldest number, or says `None` at once if the ring is empty.
    pub fn try_pop(&self) -> Option<u64> {
        // SOLUTION todo!("shm part 6: pop, {:?} {:?}", self.head.0, self.tail.0)
        let head = self.head.0.load(Relaxed);
        // Acquire: pairs with the Release of the producer.
        let tail = self.tail.0.load(Acquire);
        if head == tail {
            return None;
        }
        // SAFETY: the slot is full, so the producer does not write it.
        let value = self.slots[head % N].with(|slot| unsafe { *slot });
        // Release: the slot is given back only after it has been read.
        self.head.0.store(head.wrapping_add(1), Release);
        Some(value)
        // END SOLUTION
    }
}
