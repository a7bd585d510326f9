//! The same work in plain loops over the C library, with nothing of the labs in between: the floor
//! that their functions are held against. They do the same work: the shared-memory loops copy a
//! message in and out; the one with semaphores is for any number of processes, so it also takes a
//! lock around each message, counts in the shared memory what was put in and taken out, and writes
//! down how long a message is. Students do not get this program: the labs ask them for the same loops.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

use datapath::{Channel, End, Mechanism, Size, Unseen, slots, spin};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

fn main() -> ExitCode {
    datapath::program(open)
}

fn open(mechanism: Mechanism, size: Size) -> io::Result<Box<dyn Channel>> {
    Ok(match mechanism {
        Mechanism::Pipe => Box::new(Pipe::new()?),
        Mechanism::ShmSemaphores => Box::new(Semaphores::new(size)?),
        Mechanism::ShmSpinning => Box::new(Spinning::new(size)?),
        _ => {
            let none = "no lab moves its bytes, so there is no plain loop to compare with";
            return Err(io::Error::other(none));
        }
    })
}

/// pipe(2), write(2), read(2).
struct Pipe {
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            reader: Some(reader.into()),
            writer: Some(writer.into()),
        })
    }
}

fn raw(fd: Option<&OwnedFd>) -> libc::c_int {
    fd.map_or(-1, AsRawFd::as_raw_fd)
}

impl Channel for Pipe {
    fn keep(&mut self, end: End) {
        match end {
            End::Sends => self.reader = None,
            End::Receives => self.writer = None,
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let fd = raw(self.writer.as_ref());
        let mut done = 0;
        while done < message.len() {
            let rest = &message[done..];
            // SAFETY: `rest` is as long as it says.
            match unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) } {
                -1 => return Err(io::Error::last_os_error()),
                n => done += n.cast_unsigned(),
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        let fd = raw(self.reader.as_ref());
        let mut done = 0;
        while done < message.len() {
            let rest = &mut message[done..];
            // SAFETY: `rest` is as long as it says.
            match unsafe { libc::read(fd, rest.as_mut_ptr().cast(), rest.len()) } {
                -1 => return Err(io::Error::last_os_error()),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => done += n.cast_unsigned(),
            }
        }
        Ok(())
    }
}

/// Bytes that two processes share after fork(2): a place for what guards the slots, then slots.
/// They stay mapped until the process ends.
struct Shared {
    start: NonNull<u8>,
    len: usize,
    n_slots: usize,
}

/// Room for the guards, in bytes: four cache lines.
const GUARDS: usize = 256;

impl Shared {
    fn new(size: Size) -> io::Result<Self> {
        let (len, n_slots) = (size.bytes(), slots(size));
        let bytes = GUARDS + n_slots * (size_of::<u64>() + len);
        let bytes = NonZeroUsize::new(bytes).expect("more than nothing");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_SHARED) }?;
        Ok(Self {
            start: start.cast(),
            len,
            n_slots,
        })
    }

    /// Guard number `index`, in a cache line of its own.
    fn guard<T>(&self, index: usize) -> *mut T {
        assert!(
            index < GUARDS / 64 && size_of::<T>() <= 64,
            "a place for it"
        );
        // SAFETY: inside the mapping, by the assertion.
        unsafe { self.start.as_ptr().add(index * 64).cast() }
    }

    /// The place for the number of message `n`, or for its length.
    fn number(&self, n: usize) -> *mut u64 {
        // SAFETY: inside the mapping, right after the guards, and aligned as they are.
        unsafe {
            let numbers: *mut u64 = self.start.as_ptr().add(GUARDS).cast();
            numbers.add(n % self.n_slots)
        }
    }

    fn slot(&self, n: usize) -> *mut u8 {
        let at = GUARDS + self.n_slots * size_of::<u64>() + n % self.n_slots * self.len;
        // SAFETY: slot `n % n_slots` is inside the mapping.
        unsafe { self.start.as_ptr().add(at) }
    }
}

/// Two semaphores that count, one that locks.
struct Semaphores {
    shared: Shared,
}

const EMPTY: usize = 0;
const FULL: usize = 1;
const LOCK: usize = 2;
const COUNTS: usize = 3;

/// What the lock guards, beside the slots.
#[repr(C)]
struct Counts {
    /// 0 while messages may be put in.
    closed: u32,
    /// Messages put in since the beginning.
    put: usize,
    /// Messages taken out since the beginning.
    taken: usize,
}

impl Semaphores {
    fn new(size: Size) -> io::Result<Self> {
        let shared = Shared::new(size)?;
        let slots = u32::try_from(shared.n_slots).map_err(io::Error::other)?;
        for (guard, value) in [(EMPTY, slots), (FULL, 0), (LOCK, 1)] {
            // SAFETY: valid, aligned memory that nobody uses yet.
            check(unsafe { libc::sem_init(shared.guard(guard), 1, value) })?;
        }
        Ok(Self { shared })
    }

    /// Takes one of `have`, runs `copy` under the lock, gives one to `give`.
    fn pass(
        &self,
        have: usize,
        give: usize,
        copy: impl FnOnce(&mut Counts) -> io::Result<()>,
    ) -> io::Result<()> {
        // SAFETY: all three are initialised semaphores; zeros are valid counts, and who has the lock
        // has them alone.
        unsafe {
            check(libc::sem_wait(self.shared.guard(have)))?;
            check(libc::sem_wait(self.shared.guard(LOCK)))?;
            let copied = copy(&mut *self.shared.guard::<Counts>(COUNTS));
            check(libc::sem_post(self.shared.guard(LOCK)))?;
            check(libc::sem_post(self.shared.guard(give)))?;
            copied
        }
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Channel for Semaphores {
    fn keep(&mut self, _: End) {}

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.pass(EMPTY, FULL, |counts| {
            if counts.closed != 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let (slot, number) = (self.shared.slot(counts.put), self.shared.number(counts.put));
            // SAFETY: a slot is as long as a message, and this one is empty.
            unsafe {
                ptr::copy_nonoverlapping(message.as_ptr(), slot, message.len());
                *number = message.len() as u64;
            }
            counts.put += 1;
            Ok(())
        })
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        self.pass(FULL, EMPTY, |counts| {
            let (slot, number) = (
                self.shared.slot(counts.taken),
                self.shared.number(counts.taken),
            );
            // SAFETY: the place for the number is in the mapping; this one is full.
            if unsafe { *number } != message.len() as u64 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            // SAFETY: a slot is as long as a message, and this one is full.
            unsafe { ptr::copy_nonoverlapping(slot, message.as_mut_ptr(), message.len()) };
            counts.taken += 1;
            Ok(())
        })
    }
}

/// Two counters.
struct Spinning {
    shared: Shared,
    /// Messages sent or received by this process.
    n: usize,
    yields: u64,
}

const HEAD: usize = 0;
const TAIL: usize = 1;

impl Spinning {
    fn new(size: Size) -> io::Result<Self> {
        Ok(Self {
            shared: Shared::new(size)?,
            n: 0,
            yields: 0,
        })
    }
}

/// The counter `index`.
fn counter(shared: &Shared, index: usize) -> &AtomicUsize {
    // SAFETY: zeros are a valid counter, and the mapping lives as long as `shared`.
    unsafe { &*shared.guard::<AtomicUsize>(index) }
}

impl Channel for Spinning {
    fn keep(&mut self, _: End) {}

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let head = counter(&self.shared, HEAD);
        let is_free = || (self.n - head.load(Acquire) < self.shared.n_slots).then_some(());
        spin(&mut self.yields, is_free);
        // SAFETY: a slot is as long as a message, and this one is empty.
        unsafe {
            ptr::copy_nonoverlapping(message.as_ptr(), self.shared.slot(self.n), message.len());
            *self.shared.number(self.n) = self.n as u64;
        }
        self.n += 1;
        counter(&self.shared, TAIL).store(self.n, Release);
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        let tail = counter(&self.shared, TAIL);
        spin(&mut self.yields, || {
            (tail.load(Acquire) != self.n).then_some(())
        });
        // SAFETY: a slot is as long as a message, and this one is full.
        let number = unsafe {
            let slot = self.shared.slot(self.n);
            ptr::copy_nonoverlapping(slot, message.as_mut_ptr(), message.len());
            *self.shared.number(self.n)
        };
        if number != self.n as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.n += 1;
        counter(&self.shared, HEAD).store(self.n, Release);
        Ok(())
    }

    fn unseen(&self) -> Unseen {
        Unseen {
            calls: self.yields,
            bytes: 0,
        }
    }
}
