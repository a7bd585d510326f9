//! A thread inside a call, and which family of objects explains it.

use super::scene::Scene;
use super::{calls, children, files, futex, locks, pipes, polls, signals, sockets, sysv};
use crate::proc::{Fd, Process, Syscall, Thread, read_bytes};

/// One thread that sleeps in a system call.
pub(super) struct Blocked<'a> {
    pub(super) scene: &'a Scene,
    pub(super) process: Process,
    pub(super) thread: Thread,
    /// The call's name, or `system call N` for one that students do not meet.
    pub(super) name: String,
    call: Syscall,
}

impl<'a> Blocked<'a> {
    pub(super) fn new(scene: &'a Scene, process: Process, thread: Thread, call: Syscall) -> Self {
        Self {
            scene,
            process,
            thread,
            name: calls::name(call.number),
            call,
        }
    }

    /// Argument `index` as the register holds it.
    pub(super) fn arg(&self, index: usize) -> u64 {
        self.call.args[index]
    }

    /// Argument `index` as a C `int`: the upper half of the register is not part of it.
    pub(super) fn int(&self, index: usize) -> i32 {
        self.call.args[index] as u32 as i32
    }

    /// The descriptor that argument `index` names, while it is open.
    pub(super) fn fd(&self, index: usize) -> Option<Fd> {
        self.scene.fd(self.process, self.int(index))
    }

    /// `length` bytes that argument `index` points to; all of them or nothing.
    pub(super) fn pointee(&self, index: usize, length: usize) -> Option<Vec<u8>> {
        let address = self.arg(index);
        if address == 0 {
            return None;
        }
        read_bytes(self.process, address, length).filter(|bytes| bytes.len() == length)
    }

    /// What it waits for, as the rest of a sentence that begins with its name.
    pub(super) fn explain(&self) -> String {
        match self.name.as_str() {
            "read" | "readv" | "pread64" | "preadv" | "preadv2" | "recvfrom" | "recvmsg"
            | "recvmmsg" => self.reading(),
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendto" | "sendmsg"
            | "sendmmsg" => self.writing(),
            "splice" | "tee" | "sendfile" | "copy_file_range" | "vmsplice" => files::copying(self),
            "open" | "openat" | "openat2" => pipes::opening(self),
            "accept" | "accept4" => sockets::accepting(self),
            "connect" => sockets::connecting(self),
            "wait4" | "waitid" => children::waiting(self),
            "pause" | "rt_sigsuspend" => signals::suspended(self),
            "rt_sigtimedwait" => signals::accepting(self),
            "nanosleep" | "clock_nanosleep" => files::sleeping(self),
            "restart_syscall" => {
                "waits in a call with a time limit that was interrupted and restarted".to_owned()
            }
            "futex" => futex::waiting(self),
            "semop" | "semtimedop" => sysv::semaphore(self),
            "msgrcv" | "msgsnd" => sysv::message(self),
            "mq_timedreceive" | "mq_timedsend" => files::mailbox(self),
            "flock" | "fcntl" => locks::waiting(self),
            name if polls::is_one(name) => polls::waiting(self),
            name => format!("is blocked in {name}"),
        }
    }

    fn reading(&self) -> String {
        match self.fd(0) {
            Some(fd) if fd.object.is_some_and(|o| o.is_pipe) => pipes::reading(self, &fd),
            Some(fd) if fd.object.is_some_and(|o| o.is_socket) => sockets::receiving(self, &fd),
            Some(fd) => files::reading(self, &fd),
            None => self.unknown_fd(),
        }
    }

    fn writing(&self) -> String {
        match self.fd(0) {
            Some(fd) if fd.object.is_some_and(|o| o.is_pipe) => pipes::writing(self, &fd),
            Some(fd) if fd.object.is_some_and(|o| o.is_socket) => sockets::sending(self, &fd),
            Some(fd) => format!(
                "is blocked in {}({}) on {}",
                self.name, fd.number, fd.target
            ),
            None => self.unknown_fd(),
        }
    }

    /// A descriptor that another thread has closed, or that we may not look at.
    pub(super) fn unknown_fd(&self) -> String {
        format!("is blocked in {}({})", self.name, self.int(0))
    }
}
