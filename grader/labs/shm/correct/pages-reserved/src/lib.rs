//! WHY: pages are reserved by posix_fallocate(3), the lock is a guard, and a timeout is the time that is left, worked out anew after each signal

pub mod courier;
pub mod layout;
pub mod meter;
pub mod ring;
pub mod semaphore;
pub mod sync;

use std::ffi::{CStr, CString};
use std::io::{self, ErrorKind, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::thread::yield_now;
use std::time::{Duration, Instant, SystemTime};

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

pub use layout::Geometry;
pub use meter::{Stats, Via};
pub use ring::Ring;
pub use semaphore::{NamedSem, Sem};

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_string())
}

#[derive(Debug)]
pub struct Shm {
    map: MmapRaw,
}

fn open_object(name: &CStr, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: a C string.
    let fd = Errno::result(unsafe { libc::shm_open(name.as_ptr(), flags | libc::O_RDWR, 0o600) })?;
    // SAFETY: just opened.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Shm {
    pub fn create(name: &str, len: NonZeroUsize) -> io::Result<Shm> {
        if len.get() < size_of_val(&layout::READY) {
            let why = "no room for the ready word";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        let size = libc::off_t::try_from(len.get())
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
        let name = CString::new(name)?;
        let fd = open_object(&name, libc::O_CREAT | libc::O_EXCL)?;
        // It sets the length, too, and an object that does not fit is an error here and no SIGBUS
        // later.
        // SAFETY: a descriptor of ours.
        let mut reserved = unsafe { libc::posix_fallocate(fd.as_raw_fd(), 0, size) };
        while reserved == libc::EINTR {
            // SAFETY: as above.
            reserved = unsafe { libc::posix_fallocate(fd.as_raw_fd(), 0, size) };
        }
        let mapped = match reserved {
            0 => MmapOptions::new().len(len.get()).map_raw(&fd),
            error => Err(io::Error::from_raw_os_error(error)),
        };
        match mapped {
            Ok(map) => Ok(Shm { map }),
            Err(error) => {
                // SAFETY: a C string.
                unsafe { libc::shm_unlink(name.as_ptr()) };
                Err(error)
            }
        }
    }

    pub fn open(name: &str, deadline: Duration) -> io::Result<Shm> {
        let fd = open_object(&CString::new(name)?, 0)?;
        let start = Instant::now();
        let mut map = None;
        loop {
            if map.is_none() {
                let file = std::fs::File::from(fd.try_clone()?);
                let len = file.metadata()?.len();
                if len > 0 && len < 4 {
                    return Err(bad("shorter than a ready word"));
                }
                if len > 0 {
                    map = Some(Shm {
                        map: MmapOptions::new().len(len as usize).map_raw(&file)?,
                    });
                }
            }
            if let Some(shm) = map.take_if(|shm| shm.ready().load(Acquire) == layout::READY) {
                return Ok(shm);
            }
            if start.elapsed() >= deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "never completed"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn unlink(name: &str) -> io::Result<()> {
        let name = CString::new(name)?;
        // SAFETY: a C string.
        Errno::result(unsafe { libc::shm_unlink(name.as_ptr()) })?;
        Ok(())
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    pub fn size(&self) -> usize {
        self.map.len()
    }
}

/// Repeats what a signal handler interrupts.
fn persist(mut call: impl FnMut() -> i32) -> Result<(), Errno> {
    loop {
        match Errno::result(call()) {
            Err(Errno::EINTR) => yield_now(),
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

impl Sem {
    pub unsafe fn init_in(slot: *mut libc::sem_t, value: u32) -> io::Result<()> {
        // SAFETY: the caller's promise.
        Errno::result(unsafe { libc::sem_init(slot, i32::from(true), value) })?;
        Ok(())
    }

    pub fn wait(&self) -> io::Result<()> {
        // SAFETY: an initialised semaphore, here and below.
        Ok(persist(|| unsafe { libc::sem_wait(self.as_ptr()) })?)
    }

    pub fn try_wait(&self) -> io::Result<bool> {
        match persist(|| unsafe { libc::sem_trywait(self.as_ptr()) }) {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        // By a clock that nobody sets; each interrupted wait goes on with what is left.
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_err(io::Error::other)?;
            // A hundred years are as good as for ever.
            let end = now + left.min(Duration::from_secs(100 * 365 * 86_400));
            let end = libc::timespec {
                tv_sec: end.as_secs() as i64,
                tv_nsec: end.subsec_nanos().into(),
            };
            match Errno::result(unsafe { libc::sem_timedwait(self.as_ptr(), &end) }) {
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(Errno::ETIMEDOUT) if start.elapsed() < timeout => {}
                Err(Errno::ETIMEDOUT) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub fn post(&self) -> io::Result<()> {
        Errno::result(unsafe { libc::sem_post(self.as_ptr()) })?;
        Ok(())
    }

    /// Taken until the guard goes.
    fn hold(&self) -> io::Result<Held<'_>> {
        self.wait()?;
        Ok(Held(self))
    }
}

struct Held<'a>(&'a Sem);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.post().expect("its value is 0");
    }
}

impl NamedSem {
    pub fn open(name: &str, init: u32) -> io::Result<NamedSem> {
        // Exclusive or existing, in turns: whichever is true at the moment.
        loop {
            match Self::make(name, init) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made,
            }
            match Self::existing(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => return found,
            }
        }
    }

    fn make(name: &str, init: u32) -> io::Result<NamedSem> {
        let name = CString::new(name)?;
        let flags = libc::O_CREAT | libc::O_EXCL;
        // SAFETY: a C string, a mode and a value; what it returns is ours.
        unsafe {
            let sem = libc::sem_open(name.as_ptr(), flags, 0o600 as libc::c_uint, init);
            match sem == libc::SEM_FAILED {
                true => Err(io::Error::last_os_error()),
                false => Ok(NamedSem::from_ptr(sem)),
            }
        }
    }

    pub fn existing(name: &str) -> io::Result<NamedSem> {
        let name = CString::new(name)?;
        // SAFETY: a C string; what it returns is ours.
        unsafe {
            let sem = libc::sem_open(name.as_ptr(), 0);
            match sem == libc::SEM_FAILED {
                true => Err(io::Error::last_os_error()),
                false => Ok(NamedSem::from_ptr(sem)),
            }
        }
    }

    pub fn unlink(name: &str) -> io::Result<()> {
        let name = CString::new(name)?;
        // SAFETY: a C string.
        Errno::result(unsafe { libc::sem_unlink(name.as_ptr()) })?;
        Ok(())
    }
}

#[derive(Debug)]
pub struct BoundedBuf {
    shm: Shm,
    lock: NamedSem,
    geometry: Geometry,
}

/// Takes the name of a new object away again, unless all went well.
struct Undo<'a>(Option<&'a str>);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.0 {
            let _ = BoundedBuf::unlink(name);
        }
    }
}

impl BoundedBuf {
    pub fn create(name: &str, geometry: Geometry) -> io::Result<BoundedBuf> {
        let bytes = geometry.bytes()?;
        let shm = Shm::create(name, bytes)?;
        let mut undo = Undo(Some(name));
        if let Err(error) = NamedSem::unlink(name)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let lock = NamedSem::open(name, 1)?;
        // Held until the buffer is complete; nobody can want it before that.
        let held = lock.hold()?;
        let header = shm.header()?;
        // SAFETY: not ready, so nobody else's.
        unsafe {
            Sem::init_in(header.full.as_ptr(), 0)?;
            Sem::init_in(header.empty.as_ptr(), geometry.capacity.into())?;
        }
        header.capacity.store(geometry.capacity.into(), Relaxed);
        header.item_max.store(geometry.item_max, Relaxed);
        drop(held);
        header.ready.store(layout::READY, Release);
        undo.0 = None;
        Ok(BoundedBuf {
            shm,
            lock,
            geometry,
        })
    }

    /// How many items lie in the buffer and where the next one goes from and to, under the lock.
    fn look(&self) -> io::Result<(u64, u64, u64)> {
        let header = self.header();
        let (head, tail) = (header.head.load(Acquire), header.tail.load(Acquire));
        match tail.wrapping_sub(head) {
            queued if queued <= self.geometry.capacity.get() as u64 => Ok((queued, head, tail)),
            _ => Err(bad("more items than slots")),
        }
    }

    pub fn push(&self, item: &[u8]) -> io::Result<()> {
        let len = match u32::try_from(item.len()) {
            Ok(len) if len <= self.geometry.item_max => len,
            _ => {
                return Err(io::Error::new(
                    ErrorKind::InvalidInput,
                    "the item is too long",
                ));
            }
        };
        let header = self.header();
        // No slot is needed to see that it is over.
        if header.closed.load(Acquire) != 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        header.empty.wait()?;
        let put = || {
            let _held = self.lock.hold()?;
            if header.closed.load(Acquire) != 0 {
                return Err(io::Error::from(ErrorKind::BrokenPipe));
            }
            let (queued, _, tail) = self.look()?;
            if queued == self.geometry.capacity.get() as u64 {
                return Err(bad("a slot was promised and there is none"));
            }
            let slot = self.slot(tail);
            slot.copy_in(item);
            slot.len.store(len, Release);
            header.tail.fetch_add(1, AcqRel);
            Ok(())
        };
        let put = put();
        if put.is_ok() {
            &header.full
        } else {
            &header.empty
        }
        .post()?;
        put
    }

    pub fn pop(&self, item: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let header = self.header();
        header.full.wait()?;
        let mut fresh = Vec::new();
        let mut take = || {
            let _held = self.lock.hold()?;
            let (queued, head, _) = self.look()?;
            if queued == 0 {
                return match header.closed.load(Acquire) {
                    0 => Err(bad("an item was promised and there is none")),
                    _ => Ok(None),
                };
            }
            let slot = self.slot(head);
            let len = slot.len.load(Acquire);
            if len > self.geometry.item_max {
                return Err(bad("an item longer than any may be"));
            }
            slot.copy_out(len as usize, &mut fresh);
            header.head.fetch_add(1, AcqRel);
            Ok(Some(len as usize))
        };
        match take() {
            Ok(Some(len)) => {
                header.empty.post()?;
                *item = fresh;
                Ok(Some(len))
            }
            nothing => {
                header.full.post()?;
                nothing
            }
        }
    }

    pub fn close(&self) -> io::Result<()> {
        let header = self.header();
        let held = self.lock.hold()?;
        let was_open = header.closed.swap(1, AcqRel) == 0;
        drop(held);
        if was_open {
            header.full.post()?;
            header.empty.post()?;
        }
        Ok(())
    }
}

/// Forks; the child runs `send`, and this process `receive`, with what belongs to it.
fn forked<R, W>(
    ends: (R, W),
    send: impl FnOnce(W) -> io::Result<()>,
    receive: impl FnOnce(R) -> io::Result<u64>,
) -> io::Result<u64> {
    let (reader, writer) = ends;
    // SAFETY: `send` neither allocates nor takes a lock of this process.
    let child = match unsafe { fork() }? {
        ForkResult::Child => {
            drop(reader);
            let code = send(writer).is_err().into();
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => child,
    };
    drop(writer);
    let received = receive(reader);
    if received.is_err() {
        let _ = nix::sys::signal::kill(child, nix::sys::signal::SIGKILL);
    }
    let ended = loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    match (received, ended) {
        (Ok(received), WaitStatus::Exited(_, 0)) => Ok(received),
        (Ok(_), ended) => Err(io::Error::other(format!("the sender: {ended:?}"))),
        (Err(error), _) => Err(error),
    }
}

pub fn transfer(via: Via, bytes: u64) -> io::Result<Stats> {
    let meter = meter::Meter::start()?;
    let zeros = vec![0; courier::CHUNK];
    let mut room = Vec::with_capacity(courier::CHUNK);
    let received = if via == Via::Pipe {
        room.resize(courier::CHUNK, 0);
        forked(
            io::pipe()?,
            |mut writer| courier::send(bytes, &zeros, |part| writer.write_all(part)),
            |mut reader| courier::receive(|| reader.read(&mut room)),
        )?
    } else {
        let geometry = Geometry {
            capacity: const { std::num::NonZeroU32::new(2).unwrap() },
            item_max: courier::CHUNK as u32,
        };
        // Threads of one process must not meet at a name either.
        let thread = nix::unistd::gettid();
        let name = format!("/transfer-{}-{thread}", std::process::id());
        let buffer = &BoundedBuf::create(&name, geometry)?;
        BoundedBuf::unlink(&name)?;
        forked(
            (buffer, buffer),
            |buffer| {
                courier::send(bytes, &zeros, |part| buffer.push(part))?;
                buffer.close()
            },
            |buffer| courier::receive(|| buffer.pop(&mut room).map(Option::unwrap_or_default)),
        )?
    };
    if received != bytes {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "some are missing"));
    }
    meter.stop(received)
}

impl<const N: usize> Ring<N> {
    pub fn try_push(&self, value: u64) -> bool {
        let (head, tail) = (self.head.0.load(Acquire), self.tail.0.load(Acquire));
        let has_room = tail != head.wrapping_add(N);
        if has_room {
            // SAFETY: the slot is empty.
            self.slots[tail % N].with_mut(|slot| unsafe { *slot = value });
            self.tail.0.fetch_add(1, AcqRel);
        }
        has_room
    }

    pub fn try_pop(&self) -> Option<u64> {
        let (head, tail) = (self.head.0.load(Acquire), self.tail.0.load(Acquire));
        (head != tail).then(|| {
            // SAFETY: the slot is full.
            let value = self.slots[head % N].with(|slot| unsafe { *slot });
            self.head.0.fetch_add(1, AcqRel);
            value
        })
    }
}
