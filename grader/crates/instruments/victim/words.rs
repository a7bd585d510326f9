//! Hangs on semaphores and mutexes in memory.

use std::io::Read;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

use libc::{pthread_mutex_t, sem_t};
use nix::fcntl::OFlag;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, shm_open};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::ftruncate;

use crate::{call_me, child, for_ever};

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Where the object lies in its page.
const OFFSET: usize = 0x40;

pub(crate) fn hang(way: &str, name: &str) -> bool {
    match way {
        "semaphore" => wait_on(named(name), 1),
        "semaphore-not-shared" => wait_on(named(name), 0),
        "semaphore-in-private-memory" => wait_on(anonymous(MapFlags::MAP_PRIVATE), 0),
        "mutex-of-the-dead" => {
            let mutex = shared_mutex(libc::PTHREAD_MUTEX_STALLED);
            let owner = child("owner", || lock(mutex));
            let ended = WaitPidFlag::WEXITED;
            waitid(Id::Pid(owner), ended).unwrap();
            lock(mutex);
        }
        "mutex-of-another" => {
            let mutex = shared_mutex(libc::PTHREAD_MUTEX_STALLED);
            let (mut locked, has_locked) = std::io::pipe().unwrap();
            child("owner", || {
                lock(mutex);
                nix::unistd::close(has_locked.as_raw_fd()).unwrap();
                for_ever()
            });
            drop(has_locked);
            assert_eq!(locked.read(&mut [0]).unwrap(), 0);
            call_me("waiter");
            lock(mutex);
        }
        "robust-mutex-of-another" => {
            let mutex = shared_mutex(libc::PTHREAD_MUTEX_ROBUST);
            lock(mutex);
            child("waiter", || lock(mutex));
            call_me("owner");
            for_ever()
        }
        "threads-crosswise" => {
            let ours = [mutex(), mutex()];
            crosswise(ours, |body| {
                let left = std::thread::Builder::new().name("left".to_owned());
                drop(left.spawn(body).unwrap());
            });
        }
        "processes-crosswise" => {
            let theirs = [0, 0].map(|_| shared_mutex(libc::PTHREAD_MUTEX_STALLED));
            let theirs = theirs.map(|mutex| mutex as usize);
            crosswise(theirs, |body| {
                child("left", body);
            });
        }
        "mutex-twice" => {
            let mutex = shared_mutex(libc::PTHREAD_MUTEX_STALLED);
            lock(mutex);
            lock(mutex);
        }
        _ => return false,
    }
    true
}

fn wait_on(page: NonNull<u8>, shared: i32) {
    // SAFETY: the page is ours, large enough, and zeroed memory is no semaphore yet.
    unsafe {
        let semaphore = page.byte_add(OFFSET).as_ptr().cast::<sem_t>();
        assert_eq!(libc::sem_init(semaphore, shared, 0), 0);
        libc::sem_wait(semaphore);
    }
}

fn named(name: &str) -> NonNull<u8> {
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let object: OwnedFd = shm_open(name, OFlag::O_CREAT | OFlag::O_RDWR, mode).unwrap();
    ftruncate(&object, 4096).unwrap();
    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping that nothing else refers to.
    unsafe { mmap(None, PAGE, both, MapFlags::MAP_SHARED, &object, 0) }
        .unwrap()
        .cast()
}

fn anonymous(sharing: MapFlags) -> NonNull<u8> {
    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping that nothing else refers to.
    unsafe { mmap_anonymous(None, PAGE, both, sharing) }
        .unwrap()
        .cast()
}

/// Takes the first one, lets `start` run a second body that has the second one and wants the
/// first, and wants the second one itself: mutexes as addresses, which may go to a thread.
fn crosswise([first, second]: [usize; 2], start: impl FnOnce(Box<dyn FnOnce() + Send>)) {
    let (mut held, holds) = std::io::pipe().unwrap();
    lock(first as *mut pthread_mutex_t);
    start(Box::new(move || {
        lock(second as *mut pthread_mutex_t);
        std::io::Write::write_all(&mut &holds, b"1").unwrap();
        lock(first as *mut pthread_mutex_t);
    }));
    held.read_exact(&mut [0]).unwrap();
    call_me("right");
    lock(second as *mut pthread_mutex_t);
}

/// A mutex for the threads of this process, never freed.
fn mutex() -> usize {
    let mutex = Box::new(libc::PTHREAD_MUTEX_INITIALIZER);
    Box::into_raw(mutex) as usize
}

fn shared_mutex(robustness: i32) -> *mut pthread_mutex_t {
    let mutex = anonymous(MapFlags::MAP_SHARED).as_ptr().cast();
    // SAFETY: the attributes live through the call, and the page is large enough.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_mutexattr_init(&mut attributes);
        libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
        libc::pthread_mutexattr_setrobust(&mut attributes, robustness);
        assert_eq!(libc::pthread_mutex_init(mutex, &attributes), 0);
    }
    mutex
}

fn lock(mutex: *mut pthread_mutex_t) {
    // SAFETY: it was initialised, and its page is never unmapped.
    unsafe { libc::pthread_mutex_lock(mutex) };
}
