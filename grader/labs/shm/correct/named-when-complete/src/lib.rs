//! WHY: an object is a file made without a name and linked once it has its length; posts while it still holds the lock

pub mod courier;
pub mod layout;
pub mod meter;
pub mod ring;
pub mod semaphore;
pub mod sync;

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Error, ErrorKind, IoSlice, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};

pub use layout::Geometry;
pub use meter::{Stats, Via};
pub use ring::Ring;
pub use semaphore::{NamedSem, Sem};
use sync::fence;

#[derive(Debug)]
pub struct Shm {
    map: MmapRaw,
}

/// The file that shm_open(3) would open.
fn file_of(name: &str) -> io::Result<PathBuf> {
    let plain = name.strip_prefix('/').unwrap_or(name);
    if plain.is_empty() || plain == "." || plain == ".." || plain.contains(['/', '\0']) {
        return Err(ErrorKind::InvalidInput.into());
    }
    Ok(PathBuf::from("/dev/shm").join(plain))
}

impl Shm {
    pub fn create(name: &str, len: NonZeroUsize) -> io::Result<Shm> {
        let path = file_of(name)?;
        if len.get() < 4 {
            return Err(ErrorKind::InvalidInput.into());
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_TMPFILE)
            .open("/dev/shm")?;
        file.set_len(len.get() as u64)?;
        let map = MmapOptions::new().len(len.get()).map_raw(&file)?;
        // The name comes last and all at once; EEXIST if somebody has it.
        let from = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let to = CString::new(path.into_os_string().into_encoded_bytes())?;
        let flags = libc::AT_SYMLINK_FOLLOW;
        // SAFETY: both are C strings.
        let linked = unsafe {
            libc::linkat(
                libc::AT_FDCWD,
                from.as_ptr(),
                libc::AT_FDCWD,
                to.as_ptr(),
                flags,
            )
        };
        if linked != 0 {
            return Err(Error::last_os_error());
        }
        Ok(Shm { map })
    }

    pub fn open(name: &str, deadline: Duration) -> io::Result<Shm> {
        let end = Instant::now().checked_add(deadline);
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(file_of(name)?)?;
        let mut nap = Duration::from_micros(200);
        let mut later = || {
            let left = end.map_or(nap, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(Error::from(ErrorKind::TimedOut));
            }
            std::thread::sleep(nap.min(left));
            nap = (nap * 2).min(Duration::from_millis(10));
            Ok(())
        };
        let len = loop {
            match file.metadata()?.len() {
                0 => later()?,
                1..4 => return Err(ErrorKind::InvalidData.into()),
                len => break len as usize,
            }
        };
        let map = MmapOptions::new().len(len).map_raw(&file)?;
        let shm = Shm { map };
        while shm.ready().load(SeqCst) != layout::READY {
            later()?;
        }
        Ok(shm)
    }

    pub fn unlink(name: &str) -> io::Result<()> {
        std::fs::remove_file(file_of(name)?)
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    pub fn size(&self) -> usize {
        self.map.len()
    }
}

unsafe extern "C" {
    /// glibc 2.30: like sem_timedwait(3), by a clock of one's choice.
    fn sem_clockwait(
        sem: *mut libc::sem_t,
        clock: libc::clockid_t,
        end: *const libc::timespec,
    ) -> libc::c_int;
}

impl Sem {
    pub unsafe fn init_in(slot: *mut libc::sem_t, value: u32) -> io::Result<()> {
        if value > i32::MAX as u32 {
            return Err(ErrorKind::InvalidInput.into());
        }
        // SAFETY: the caller's promise.
        match unsafe { libc::sem_init(slot, 1, value) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }

    pub fn wait(&self) -> io::Result<()> {
        // SAFETY: an initialised semaphore.
        while unsafe { libc::sem_wait(self.as_ptr()) } != 0 {
            let error = Error::last_os_error();
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(())
    }

    pub fn try_wait(&self) -> io::Result<bool> {
        loop {
            // SAFETY: an initialised semaphore.
            if unsafe { libc::sem_trywait(self.as_ptr()) } == 0 {
                return Ok(true);
            }
            let error = Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => return Ok(false),
                _ => return Err(error),
            }
        }
    }

    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<bool> {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: room for the answer.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        let end = now.saturating_add(timeout);
        let end = libc::timespec {
            tv_sec: end.as_secs().min(i64::MAX as u64) as i64,
            tv_nsec: end.subsec_nanos() as i64,
        };
        loop {
            // SAFETY: an initialised semaphore, a valid time.
            if unsafe { sem_clockwait(self.as_ptr(), libc::CLOCK_MONOTONIC, &end) } == 0 {
                return Ok(true);
            }
            let error = Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ETIMEDOUT) => return Ok(false),
                _ => return Err(error),
            }
        }
    }

    pub fn post(&self) -> io::Result<()> {
        // SAFETY: an initialised semaphore.
        match unsafe { libc::sem_post(self.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }
}

fn named_sem(name: &str, flags: i32, init: u32) -> io::Result<NamedSem> {
    let name = CString::new(name)?;
    // SAFETY: a C string, and what O_CREAT asks for.
    let sem = unsafe { libc::sem_open(name.as_ptr(), flags, 0o600 as libc::mode_t, init) };
    if sem == libc::SEM_FAILED {
        return Err(Error::last_os_error());
    }
    // SAFETY: just opened.
    Ok(unsafe { NamedSem::from_ptr(sem) })
}

impl NamedSem {
    pub fn open(name: &str, init: u32) -> io::Result<NamedSem> {
        named_sem(name, libc::O_CREAT, init)
    }

    pub fn existing(name: &str) -> io::Result<NamedSem> {
        named_sem(name, 0, 0)
    }

    pub fn unlink(name: &str) -> io::Result<()> {
        let name = CString::new(name)?;
        // SAFETY: a C string.
        match unsafe { libc::sem_unlink(name.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }
}

#[derive(Debug)]
pub struct BoundedBuf {
    shm: Shm,
    lock: NamedSem,
    geometry: Geometry,
}

impl BoundedBuf {
    pub fn create(name: &str, geometry: Geometry) -> io::Result<BoundedBuf> {
        let shm = Shm::create(name, geometry.bytes()?)?;
        let lock = match Self::lock_of_its_own(name) {
            Ok(lock) => lock,
            Err(error) => {
                let _ = Shm::unlink(name);
                return Err(error);
            }
        };
        let header = shm.header()?;
        let slots = geometry.capacity.get();
        // SAFETY: nobody is here before the ready word.
        let made = unsafe {
            Sem::init_in(header.empty.as_ptr(), slots)
                .and_then(|()| Sem::init_in(header.full.as_ptr(), 0))
        };
        if let Err(error) = made {
            let _ = BoundedBuf::unlink(name);
            return Err(error);
        }
        header.item_max.store(geometry.item_max, SeqCst);
        header.capacity.store(slots, SeqCst);
        header.ready.store(layout::READY, SeqCst);
        Ok(BoundedBuf {
            shm,
            lock,
            geometry,
        })
    }

    /// A new semaphore, whatever had the name before.
    fn lock_of_its_own(name: &str) -> io::Result<NamedSem> {
        loop {
            match named_sem(name, libc::O_CREAT | libc::O_EXCL, 1) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made,
            }
            match NamedSem::unlink(name) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }

    pub fn push(&self, item: &[u8]) -> io::Result<()> {
        if item.len() > self.geometry.item_max as usize {
            return Err(ErrorKind::InvalidInput.into());
        }
        let header = self.header();
        header.empty.wait()?;
        self.lock.wait()?;
        let head = header.head.load(SeqCst);
        let tail = header.tail.load(SeqCst);
        let has_room = tail.wrapping_sub(head) < u64::from(self.geometry.capacity.get());
        let result = if header.closed.load(SeqCst) != 0 {
            header.empty.post().and(Err(ErrorKind::BrokenPipe.into()))
        } else if !has_room {
            header.empty.post().and(Err(ErrorKind::InvalidData.into()))
        } else {
            let slot = self.slot(tail);
            slot.len.store(item.len() as u32, SeqCst);
            slot.copy_in(item);
            header.tail.store(tail.wrapping_add(1), SeqCst);
            header.full.post()
        };
        self.lock.post()?;
        result
    }

    pub fn pop(&self, item: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let header = self.header();
        header.full.wait()?;
        self.lock.wait()?;
        let head = header.head.load(SeqCst);
        let queued = header.tail.load(SeqCst).wrapping_sub(head);
        let result = if queued == 0 && header.closed.load(SeqCst) == 1 {
            header.full.post().and(Ok(None))
        } else if !(1..=u64::from(self.geometry.capacity.get())).contains(&queued) {
            header.full.post().and(Err(ErrorKind::InvalidData.into()))
        } else {
            let slot = self.slot(head);
            match slot.len.load(SeqCst) {
                len if len > self.geometry.item_max => {
                    header.full.post().and(Err(ErrorKind::InvalidData.into()))
                }
                len => {
                    slot.copy_out(len as usize, item);
                    header.head.store(head.wrapping_add(1), SeqCst);
                    header.empty.post().and(Ok(Some(len as usize)))
                }
            }
        };
        self.lock.post()?;
        result
    }

    pub fn close(&self) -> io::Result<()> {
        self.lock.wait()?;
        let header = self.header();
        // Only the first close wakes: who wakes up passes it on.
        let woken = match header.closed.swap(1, SeqCst) {
            0 => header.empty.post().and(header.full.post()),
            _ => Ok(()),
        };
        self.lock.post()?;
        woken
    }
}

pub fn transfer(via: Via, bytes: u64) -> io::Result<Stats> {
    let meter = meter::Meter::start()?;
    let mut buffer = vec![0u8; courier::CHUNK];
    let received = match via {
        Via::Pipe => {
            let (mut from, mut to) = io::pipe()?;
            // SAFETY: the child makes system calls only.
            match unsafe { nix::unistd::fork() }? {
                nix::unistd::ForkResult::Child => {
                    drop(from);
                    let sent = courier::send(bytes, &buffer, |mut part| {
                        while !part.is_empty() {
                            match to.write_vectored(&[IoSlice::new(part)]) {
                                Ok(n) => part = &part[n..],
                                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                                Err(error) => return Err(error),
                            }
                        }
                        Ok(())
                    });
                    courier::leave(sent)
                }
                nix::unistd::ForkResult::Parent { child } => {
                    drop(to);
                    let received = courier::receive(|| from.read(&mut buffer));
                    drop(from);
                    courier::reap(child, received)?
                }
            }
        }
        Via::Shm => {
            static NUMBER: AtomicU64 = AtomicU64::new(0);
            let number = NUMBER.fetch_add(1, Relaxed);
            let name = format!("/bill-{}-{number}", std::process::id());
            let geometry = Geometry {
                capacity: 8.try_into().expect("not zero"),
                item_max: courier::CHUNK as u32,
            };
            let queue = BoundedBuf::create(&name, geometry)?;
            BoundedBuf::unlink(&name)?;
            // SAFETY: the child copies, waits and posts.
            match unsafe { nix::unistd::fork() }? {
                nix::unistd::ForkResult::Child => {
                    let sent = courier::send(bytes, &buffer, |part| queue.push(part));
                    let closed = queue.close();
                    courier::leave(sent.and(closed))
                }
                nix::unistd::ForkResult::Parent { child } => {
                    let received =
                        courier::receive(|| Ok(queue.pop(&mut buffer)?.unwrap_or_default()));
                    courier::reap(child, received)?
                }
            }
        }
    };
    match received < bytes {
        true => Err(ErrorKind::UnexpectedEof.into()),
        false => meter.stop(received),
    }
}

impl<const N: usize> Ring<N> {
    pub fn try_push(&self, value: u64) -> bool {
        let tail = self.tail.0.load(Relaxed);
        if tail.wrapping_sub(self.head.0.load(Relaxed)) == N {
            return false;
        }
        fence(SeqCst);
        // SAFETY: the slot is empty.
        self.slots[tail & (N - 1)].with_mut(|slot| unsafe { slot.write(value) });
        fence(SeqCst);
        self.tail.0.store(tail.wrapping_add(1), Relaxed);
        true
    }

    pub fn try_pop(&self) -> Option<u64> {
        let head = self.head.0.load(Relaxed);
        if self.tail.0.load(Relaxed) == head {
            return None;
        }
        fence(SeqCst);
        // SAFETY: the slot is full.
        let value = self.slots[head & (N - 1)].with(|slot| unsafe { slot.read() });
        fence(SeqCst);
        self.head.0.store(head.wrapping_add(1), Relaxed);
        Some(value)
    }
}
