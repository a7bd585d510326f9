//! Programs that share memory, some of them wrongly: two children and a parent that checks what
//! they have done, exit code 0 for right and 1 for wrong.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::process::exit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU64, fence};

use libc::sem_t;
use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, shm_open};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::ftruncate;

use crate::child;

/// Rounds of each child.
const ROUNDS: u64 = 3;

/// What lies in the shared page.
#[repr(C, align(64))]
struct Page {
    counter: u64,
    flags: [AtomicU64; 2],
    turn: AtomicU64,
    semaphore: sem_t,
}

pub(crate) fn run(way: &str, memory: &str) -> bool {
    let Some(way) = way.strip_prefix("race-") else {
        return false;
    };
    let page = page(memory);
    let shared = Shared(page);
    match way {
        // Executed on its own, several times: the last one to look is the test.
        "apart" => (0..ROUNDS).for_each(|_| shared.increment()),
        "of-one" => (0..5000).for_each(|_| shared.increment()),
        "counter" => shared.twice(|_| shared.increment()),
        "threads" => {
            let address = page as usize;
            let work = move || (0..ROUNDS).for_each(|_| Shared(address as *mut Page).increment());
            let threads = [0, 1].map(|_| std::thread::spawn(work));
            for thread in threads {
                thread.join().unwrap();
            }
            exit(i32::from(shared.atomic().load(Relaxed) != 2 * ROUNDS));
        }
        "update" => shared.twice(|_| shared.update()),
        "atomic" => shared.twice(|_| {
            shared.atomic().fetch_add(1, Relaxed);
        }),
        "semaphore" => shared.guarded_by_semaphore(1),
        "semaphore-of-two" => shared.guarded_by_semaphore(2),
        "one-outside" => {
            shared.init(1);
            shared.twice_with_round(|me, round| {
                let guarded = (me, round) != (1, 1);
                if guarded {
                    shared.wait();
                }
                shared.increment();
                if guarded {
                    shared.post();
                }
            });
        }
        "spin-lock" => shared.twice(|_| {
            while shared.flag(0).swap(1, Acquire) != 0 {
                std::hint::spin_loop();
            }
            shared.increment();
            shared.flag(0).store(0, Release);
        }),
        "test-then-set" => shared.twice(|_| {
            while shared.flag(0).load(Acquire) != 0 {
                std::hint::spin_loop();
            }
            shared.flag(0).store(1, Release);
            shared.increment();
            shared.flag(0).store(0, Release);
        }),
        "flag-first" => shared.publish(true),
        "flag-last" => shared.publish(false),
        "peterson" => shared.peterson(false),
        "peterson-with-fence" => shared.peterson(true),
        "upside-down" => shared.upside_down(),
        "beyond-the-end" => beyond_the_end(),
        _ => return false,
    }
    true
}

/// Maps an object of no length, and uses it.
fn beyond_the_end() {
    let object = memfd_create(c"empty", MFdFlags::empty()).unwrap();
    let length = NonZeroUsize::new(4096).unwrap();
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, wherever there is room.
    let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, &object, 0) };
    // SAFETY: it is mapped; the kernel has nothing to put there, and says so by SIGBUS.
    unsafe { start.unwrap().cast::<u64>().write_volatile(1) };
}

#[derive(Clone, Copy)]
struct Shared(*mut Page);

impl Shared {
    /// Plainly, as a beginner writes it.
    fn increment(self) {
        // SAFETY: the page is mapped; that others change it meanwhile is what is to be shown.
        unsafe { (*self.0).counter += 1 };
    }

    /// In one instruction, as an optimising compiler writes it: still a load and a store.
    fn update(self) {
        // SAFETY: as above; the instruction changes only the counter and the flags.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::asm!("add qword ptr [{}], 1", in(reg) &raw mut (*self.0).counter);
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.increment();
    }

    fn atomic(self) -> &'static AtomicU64 {
        // SAFETY: the page is never unmapped, and the counter is aligned.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.0).counter) }
    }

    fn flag(self, index: usize) -> &'static AtomicU64 {
        // SAFETY: the page is never unmapped.
        unsafe { &(*self.0).flags[index] }
    }

    fn turn(self) -> &'static AtomicU64 {
        // SAFETY: the page is never unmapped.
        unsafe { &(*self.0).turn }
    }

    fn semaphore(self) -> *mut sem_t {
        // SAFETY: the page is mapped.
        unsafe { &raw mut (*self.0).semaphore }
    }

    fn init(self, value: u32) {
        // SAFETY: nobody uses it yet.
        assert_eq!(unsafe { libc::sem_init(self.semaphore(), 1, value) }, 0);
    }

    fn wait(self) {
        // SAFETY: it was initialised.
        unsafe { libc::sem_wait(self.semaphore()) };
    }

    fn post(self) {
        // SAFETY: it was initialised.
        unsafe { libc::sem_post(self.semaphore()) };
    }

    fn guarded_by_semaphore(self, value: u32) {
        self.init(value);
        self.twice(|_| {
            self.wait();
            self.increment();
            self.post();
        });
    }

    /// Two children do `work` in rounds; then the counter must be right.
    fn twice(self, work: impl Fn(usize)) {
        self.twice_with_round(|me, _| work(me));
    }

    fn twice_with_round(self, work: impl Fn(usize, u64)) {
        let body = |me: usize| (0..ROUNDS).for_each(|round| work(me, round));
        let children = [0, 1].map(|me| child("racer", || body(me)));
        for child in children {
            waitpid(child, None).unwrap();
        }
        exit(i32::from(self.atomic().load(Relaxed) != 2 * ROUNDS));
    }

    /// One child publishes a number, the other one waits for it.
    fn publish(self, flag_first: bool) {
        let writer = child("writer", || {
            if flag_first {
                self.flag(0).store(1, Release);
                self.atomic().store(42, Relaxed);
            } else {
                self.atomic().store(42, Relaxed);
                self.flag(0).store(1, Release);
            }
        });
        let reader = child("reader", || {
            while self.flag(0).load(Acquire) == 0 {
                std::hint::spin_loop();
            }
            let seen = self.atomic().load(Relaxed);
            self.turn().store(seen, Relaxed);
        });
        waitpid(writer, None).unwrap();
        waitpid(reader, None).unwrap();
        exit(i32::from(self.turn().load(Relaxed) != 42));
    }

    /// Right only if each sees the other's flag no later than it looks at it.
    fn peterson(self, with_fence: bool) {
        self.twice_with_round(|me, round| {
            if round > 0 {
                return self.increment_for_two();
            }
            let other = 1 - me;
            self.flag(me).store(1, Release);
            self.turn().store(other as u64, Release);
            if with_fence {
                fence(SeqCst);
            }
            while self.flag(other).load(Acquire) == 1 && self.turn().load(Acquire) == other as u64 {
                std::hint::spin_loop();
            }
            self.increment();
            self.flag(me).store(0, Release);
        });
    }

    /// So that the sum is the same with one round.
    fn increment_for_two(self) {
        self.atomic().fetch_add(1, Relaxed);
    }

    /// Each takes one of two locks first: a deadlock, if they meet.
    fn upside_down(self) {
        self.init(1);
        let second = Shared(self.0.wrapping_add(1));
        second.init(1);
        self.twice(|me| {
            let (one, other) = if me == 0 {
                (self, second)
            } else {
                (second, self)
            };
            one.wait();
            other.wait();
            self.increment();
            other.post();
            one.post();
        });
    }
}

fn page(memory: &str) -> *mut Page {
    let length = NonZeroUsize::new(4096).unwrap();
    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let map = |file: std::os::fd::OwnedFd| {
        ftruncate(&file, 4096).unwrap();
        // SAFETY: a fresh mapping that nothing else refers to.
        unsafe { mmap(None, length, both, MapFlags::MAP_SHARED, file, 0) }.unwrap()
    };
    match memory.split_once(':') {
        None => {
            // SAFETY: as above.
            unsafe { mmap_anonymous(None, length, both, MapFlags::MAP_SHARED) }.unwrap()
        }
        Some(("posix", name)) => {
            let mode = Mode::S_IRUSR | Mode::S_IWUSR;
            map(shm_open(name, OFlag::O_CREAT | OFlag::O_RDWR, mode).unwrap())
        }
        Some(("file", path)) => {
            let path = CString::new(path).unwrap();
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false);
            map(file.open(path.to_str().unwrap()).unwrap().into())
        }
        Some((_, id)) => {
            // SAFETY: attaching lets the kernel choose the address.
            let address = unsafe { libc::shmat(id.parse().unwrap(), std::ptr::null(), 0) };
            std::ptr::NonNull::new(address).unwrap()
        }
    }
    .as_ptr()
    .cast()
}
