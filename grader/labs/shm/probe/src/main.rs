//! Calls single functions of a submission's `shm` library and says what came back.
//!
//! It knows no expectation. It keeps one object and one buffer at a time, so that a test can look
//! at what this process has mapped. The lock that a test holds is taken with libc alone: nothing
//! but the function under test can be wrong.

use std::ffi::CString;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use probe::{Answer, Call, Fields, serve};
use shm::{BoundedBuf, Ring, Sem, Shm};

fn main() {
    let mut state = State::default();
    serve(|call| match call.name() {
        "Shm::create" => state.create(call),
        "Shm::open" => state.open(call),
        "peek" => state.peek(call),
        "poke" => state.poke(call),
        "Sem::init_in" => state.sem_init(call),
        "Sem::wait" => state.sem(call.value(0))?.wait().map(|()| Fields::new()),
        "Sem::try_wait" => state.sem_try_wait(call),
        "Sem::post" => state.sem(call.value(0))?.post().map(|()| Fields::new()),
        "Sem::wait_timeout" => state.sem_wait_timeout(call),
        "BoundedBuf::open" => state.open_buffer(call),
        "BoundedBuf::push" => state.buffer()?.push(call.bytes(0)).map(|()| Fields::new()),
        "BoundedBuf::pop" => state.pop(),
        "Ring" => ring(call),
        "take signals" => take_signals(),
        "make lock" => state.make_lock(call),
        "take lock" => state.take_lock(call),
        "give lock" => state.give_lock(),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// What this process has open.
#[derive(Default)]
struct State {
    shm: Option<Shm>,
    buffer: Option<BoundedBuf>,
    lock: Option<*mut libc::sem_t>,
}

impl State {
    /// Arguments: name, length. Gives back the length of the mapping.
    fn create(&mut self, call: &Call) -> Answer {
        let len = NonZeroUsize::new(call.value(1)).ok_or(io::ErrorKind::InvalidInput)?;
        self.keep(Shm::create(text(call, 0)?, len)?)
    }

    /// Arguments: name, deadline in milliseconds. Gives back the length of the mapping.
    fn open(&mut self, call: &Call) -> Answer {
        self.keep(Shm::open(text(call, 0)?, millis(call, 1))?)
    }

    fn keep(&mut self, shm: Shm) -> Answer {
        let size = shm.size();
        self.shm = Some(shm);
        Ok(Fields::new().value(size))
    }

    /// Where `len` bytes at `offset` are in memory, if the mapping has them.
    fn at(&self, offset: usize, len: usize) -> io::Result<*mut u8> {
        let shm = self.shm.as_ref().ok_or(io::ErrorKind::NotFound)?;
        if offset.checked_add(len).is_none_or(|end| end > shm.size()) {
            return Err(io::Error::other("the mapping is too short"));
        }
        // SAFETY: just compared with the length of the mapping.
        Ok(unsafe { shm.as_ptr().add(offset) })
    }

    /// Arguments: offset, length. Gives back the bytes.
    fn peek(&self, call: &Call) -> Answer {
        let mut bytes = vec![0; call.value(1)];
        let at = self.at(call.value(0), bytes.len())?;
        // SAFETY: `at` has so many bytes, and `bytes` is memory of our own.
        unsafe { at.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(Fields::new().bytes(bytes))
    }

    /// Arguments: offset, bytes. Stores them.
    fn poke(&self, call: &Call) -> Answer {
        let bytes = call.bytes(1);
        let at = self.at(call.value(0), bytes.len())?;
        // SAFETY: as for `peek`.
        unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(Fields::new())
    }

    fn sem_slot(&self, offset: usize) -> io::Result<*mut libc::sem_t> {
        Ok(self.at(offset, size_of::<libc::sem_t>())?.cast())
    }

    fn sem(&self, offset: usize) -> io::Result<&Sem> {
        let slot = self.sem_slot(offset)?;
        // SAFETY: `Sem` has the layout of sem_t; the test has initialised it at an aligned offset.
        Ok(unsafe { &*slot.cast() })
    }

    /// Arguments: offset, value.
    fn sem_init(&self, call: &Call) -> Answer {
        let slot = self.sem_slot(call.value(0))?;
        // SAFETY: the slot lies in the mapping and is not in use yet.
        unsafe { Sem::init_in(slot, call.value(1)) }?;
        Ok(Fields::new())
    }

    /// Argument: offset. Gives back whether one was taken.
    fn sem_try_wait(&self, call: &Call) -> Answer {
        let taken = self.sem(call.value(0))?.try_wait()?;
        Ok(Fields::new().value(taken))
    }

    /// Arguments: offset, milliseconds. Gives back whether one was taken.
    fn sem_wait_timeout(&self, call: &Call) -> Answer {
        let taken = self.sem(call.value(0))?.wait_timeout(millis(call, 1))?;
        Ok(Fields::new().value(taken))
    }

    /// Argument: name.
    fn open_buffer(&mut self, call: &Call) -> Answer {
        self.buffer = Some(BoundedBuf::open(text(call, 0)?, Duration::from_secs(5))?);
        Ok(Fields::new())
    }

    fn buffer(&self) -> io::Result<&BoundedBuf> {
        self.buffer.as_ref().ok_or(io::ErrorKind::NotFound.into())
    }

    /// Gives back the length and the item, or nothing at the end.
    fn pop(&self) -> Answer {
        let mut item = Vec::new();
        Ok(match self.buffer()?.pop(&mut item)? {
            Some(len) => Fields::new().value(len).bytes(item),
            None => Fields::new(),
        })
    }

    /// Arguments: name, value. Makes a named semaphore, as a run before may have left it.
    fn make_lock(&mut self, call: &Call) -> Answer {
        self.open_lock(call, libc::O_CREAT | libc::O_EXCL, call.value(1))
    }

    /// Argument: name. Takes the lock of a buffer, so that nobody else can.
    fn take_lock(&mut self, call: &Call) -> Answer {
        self.open_lock(call, 0, 0)?;
        let lock = self.lock.ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: opened just now and never closed.
        match unsafe { libc::sem_trywait(lock) } {
            0 => Ok(Fields::new()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Gives back the lock taken before.
    fn give_lock(&self) -> Answer {
        let lock = self.lock.ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: opened by `take_lock` and never closed.
        match unsafe { libc::sem_post(lock) } {
            0 => Ok(Fields::new()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn open_lock(&mut self, call: &Call, flags: libc::c_int, value: u32) -> Answer {
        let name = CString::new(call.bytes(0))?;
        let mode: libc::mode_t = libc::S_IRUSR | libc::S_IWUSR;
        // SAFETY: `name` is a C string; mode and value are of the types that O_CREAT asks for.
        let lock = unsafe { libc::sem_open(name.as_ptr(), flags, mode, value) };
        if lock == libc::SEM_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.lock = Some(lock);
        Ok(Fields::new())
    }
}

/// Lets SIGUSR1 run a handler that does nothing, and interrupt what it interrupts.
fn take_signals() -> Answer {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }?;
    Ok(Fields::new())
}

/// Arguments: slots, where the counters start, operations. An operation is 8 bytes to push, or
/// none to pop. Gives back for each push whether it was taken, for each pop the number or nothing.
fn ring(call: &Call) -> Answer {
    match call.value(0) {
        1 => ring_of::<1>(call),
        2 => ring_of::<2>(call),
        4 => ring_of::<4>(call),
        8 => ring_of::<8>(call),
        slots => Err(io::Error::other(format!("no ring with {slots} slots"))),
    }
}

fn ring_of<const N: usize>(call: &Call) -> Answer {
    let ring = Ring::<N>::starting_at(call.value(1));
    let mut results = Fields::new();
    for operation in 0..call.value(2) {
        results = match call.bytes(3 + operation).try_into() {
            Ok(value) => results.value(ring.try_push(u64::from_le_bytes(value))),
            Err(_) => match ring.try_pop() {
                Some(value) => results.value(value),
                None => results.bytes([]),
            },
        };
    }
    Ok(results)
}

fn text(call: &Call, index: usize) -> io::Result<&str> {
    std::str::from_utf8(call.bytes(index)).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn millis(call: &Call, index: usize) -> Duration {
    Duration::from_millis(call.value(index))
}
