//! Small questions about real processes, asked of this one and of a child.

use std::io::{Read, pipe};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use instruments::proc::{State, read_path, read_u32};
use instruments::{PidFd, Process};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// cat(1), killed and reaped when dropped.
struct Cat(Child);

fn cat() -> Cat {
    let mut command = Command::new("cat");
    Cat(command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("start cat"))
}

impl Cat {
    fn process(&self) -> Process {
        Process::new(self.0.id().cast_signed())
    }

    fn asleep_in_read(&self) -> Process {
        let is_reading = || {
            self.process()
                .syscall()
                .is_some_and(|call| call.number == libc::SYS_read)
        };
        while !(self.process().is_asleep() && is_reading()) {
            sleep(Duration::from_millis(1));
        }
        self.process()
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_blocked_child_sleeps_without_switches_and_without_cpu() {
    let cat = cat();
    let process = cat.asleep_in_read();
    assert_eq!(process.state(), Some(State::Asleep));
    assert_eq!(process.name().as_deref(), Some("cat"));
    assert_eq!(process.syscall().unwrap().args[0], 0);
    let (switches, cpu) = (process.switches(), process.cpu());
    assert!(switches.unwrap().voluntary > 0 && cpu.unwrap() > Duration::ZERO);
    sleep(Duration::from_millis(50));
    assert_eq!((process.switches(), process.cpu()), (switches, cpu));
}

/// waitid(2) with `WNOHANG` puts its caller into state `S` while it looks.
#[test]
fn a_loop_that_only_looks_is_never_asleep() {
    // SAFETY: parent and child of the fork make plain system calls only.
    let looker = unsafe { libc::fork() };
    if looker == 0 {
        // SAFETY: as above; a siginfo_t of zeros is valid.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::fork() == 0 {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                loop {
                    libc::pause();
                }
            }
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            loop {
                libc::waitid(libc::P_ALL, 0, &mut info, flags);
            }
        }
    }
    let process = Process::new(looker);
    let (mut n_in_s, mut n_asleep) = (0, 0);
    while n_in_s < 50 && process.cpu() < Some(Duration::from_secs(5)) {
        n_in_s += u32::from(process.state() == Some(State::Asleep));
        n_asleep += u32::from(process.is_asleep());
    }
    // SAFETY: our own child, not yet reaped.
    unsafe {
        libc::kill(looker, libc::SIGKILL);
        libc::waitpid(looker, std::ptr::null_mut(), 0);
    }
    assert_eq!((n_in_s, n_asleep), (50, 0));
}

#[test]
fn a_child_is_found_under_its_parent() {
    let cat = cat();
    let us = Process::current();
    assert_eq!(cat.process().parent(), Some(us));
    assert!(us.children().contains(&cat.process()));
    assert!(us.descendants().contains(&cat.process()));
    assert_eq!(cat.process().inner_pid(), Some(cat.process().pid()));
}

#[test]
fn both_ends_of_a_pipe_are_one_object_with_two_modes() {
    let (reader, writer) = pipe().unwrap();
    let us = Process::current();
    let end = |fd: &dyn std::os::fd::AsRawFd| us.fd(fd.as_raw_fd()).unwrap();
    let (reader, writer) = (end(&reader), end(&writer));
    assert!(reader.can_read() && !reader.can_write() && reader.is_close_on_exec());
    assert!(writer.can_write() && !writer.can_read() && !writer.is_nonblocking());
    assert_eq!(reader.object, writer.object);
    assert!(reader.object.unwrap().is_pipe);
    assert_eq!(reader.inode(), Some(reader.object.unwrap().inode));
    assert!(us.fds().unwrap().contains(&reader));
}

#[test]
fn shared_memory_shows_in_the_maps_and_can_be_read() {
    let page = NonZeroUsize::new(4096).unwrap();
    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping, written inside its length and unmapped once.
    unsafe {
        let memory = mmap_anonymous(None, page, both, MapFlags::MAP_SHARED).unwrap();
        memory.cast::<u32>().write(77);
        memory.byte_add(8).cast::<[u8; 5]>().write(*b"/a b\0");
        let address = memory.as_ptr() as u64;
        let us = Process::current();
        let maps = us.maps().unwrap();
        let mapping = maps
            .iter()
            .find(|mapping| mapping.range.contains(&address))
            .unwrap();
        assert!(mapping.is_shared() && mapping.is_writable());
        assert_eq!(read_u32(us, address), Some(77));
        assert_eq!(read_path(us, address + 8).as_deref(), Some("/a b"));
        munmap(memory, 4096).unwrap();
        assert_eq!(read_u32(us, 8), None);
    }
}

#[test]
fn bytes_that_were_read_are_counted() {
    let before = Process::current().io().unwrap();
    std::fs::File::open("/dev/zero")
        .unwrap()
        .read_exact(&mut [0; 5000])
        .unwrap();
    let after = Process::current().io().unwrap();
    assert!(after.rchar >= before.rchar + 5000 && after.syscr > before.syscr);
}

#[test]
fn signals_and_threads_of_this_process_are_seen() {
    let us = Process::current();
    // Rust's runtime ignores SIGPIPE.
    assert_ne!(us.signals().unwrap().ignored & 1 << (libc::SIGPIPE - 1), 0);
    assert!(us.threads().len() > 1);
    assert!(us.threads()[0].is_main());
}

#[test]
fn a_pidfd_tells_the_end_before_anybody_waits() {
    let cat = cat();
    let end = PidFd::open(cat.process().pid()).unwrap();
    assert!(!end.has_ended());
    end.signal(libc::SIGKILL).unwrap();
    while !end.has_ended() {
        sleep(Duration::from_millis(1));
    }
    assert_eq!(cat.process().state(), Some(State::Zombie));
    assert!(cat.process().has_ended());
}

#[test]
fn nothing_is_known_of_a_process_that_is_not_there() {
    let nobody = Process::new(i32::MAX);
    assert_eq!(nobody.state(), None);
    assert_eq!(nobody.cpu(), None);
    assert_eq!(nobody.fds(), None);
    assert_eq!(nobody.maps(), None);
    assert_eq!(nobody.switches(), None);
    assert!(nobody.has_ended() && !nobody.is_asleep() && nobody.threads().is_empty());
    assert!(PidFd::open(i32::MAX).is_err());
}
