//! Families of system calls, as a test's author thinks of them: `read()` is also `readv`.

use crate::inject::Point;

/// A set of system calls that do the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// What a message calls them.
    pub name: &'static str,
    /// Their numbers.
    pub numbers: &'static [i64],
}

impl Calls {
    /// Whether this call is one of them.
    pub fn contains(&self, number: i64) -> bool {
        self.numbers.contains(&number)
    }
}

macro_rules! families {
    ($($(#[doc = $doc:literal])* $function:ident, $name:literal: [$($number:ident),* $(,)?];)*) => {
        $($(#[doc = $doc])* pub fn $function() -> Point {
            Point::new(Calls { name: $name, numbers: &[$(libc::$number),*] })
        })*
    };
}

families! {
    /// Bytes in: `read`, `readv`.
    read, "read": [SYS_read, SYS_readv];
    /// Bytes out: `write`, `writev`.
    write, "write": [SYS_write, SYS_writev];
    /// Bytes in from a socket, however it is done: `recv` and relatives, `read`, `readv`.
    receive, "receive": [SYS_recvfrom, SYS_recvmsg, SYS_read, SYS_readv];
    /// Bytes out to a socket, however it is done: `send` and relatives, `write`, `writev`.
    send, "send": [SYS_sendto, SYS_sendmsg, SYS_write, SYS_writev];
    /// `accept`, `accept4`.
    accept, "accept": [SYS_accept, SYS_accept4];
    /// `connect`.
    connect, "connect": [SYS_connect];
    /// `close`.
    close, "close": [SYS_close];
    /// `execve`.
    exec, "exec": [SYS_execve];
    /// The end of a process: `exit_group`.
    exit, "exit": [SYS_exit_group];
    /// What mutexes, semaphores and condition variables sleep and wake with: `futex`.
    futex, "futex": [SYS_futex];
    /// `wait4` and `waitid`, which waitpid(2) is made of.
    wait, "wait": [SYS_wait4, SYS_waitid];
    /// `nanosleep`, `clock_nanosleep`.
    sleep, "sleep": [SYS_nanosleep, SYS_clock_nanosleep];
}

#[cfg(target_arch = "x86_64")]
families! {
    /// `open`, `openat`.
    open, "open": [SYS_open, SYS_openat];
    /// `unlink`, `unlinkat`.
    unlink, "unlink": [SYS_unlink, SYS_unlinkat];
    /// New processes and threads: `fork`, `vfork`, `clone`.
    fork, "fork": [SYS_fork, SYS_vfork, SYS_clone];
    /// Waiting for several descriptors: `poll`, `ppoll`, `select`, `pselect6`, epoll.
    poll, "poll": [
        SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_epoll_wait, SYS_epoll_pwait,
        SYS_epoll_pwait2,
    ];
    /// Whatever a program can sleep in until a signal comes.
    signal_wait, "wait for a signal": [
        SYS_pause, SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_poll, SYS_ppoll, SYS_select,
        SYS_pselect6, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_nanosleep,
        SYS_clock_nanosleep, SYS_read,
    ];
}

#[cfg(not(target_arch = "x86_64"))]
families! {
    /// `openat`.
    open, "open": [SYS_openat];
    /// `unlinkat`.
    unlink, "unlink": [SYS_unlinkat];
    /// New processes and threads: `clone`.
    fork, "fork": [SYS_clone];
    /// Waiting for several descriptors: `ppoll`, `pselect6`, epoll.
    poll, "poll": [SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_epoll_pwait2];
    /// Whatever a program can sleep in until a signal comes.
    signal_wait, "wait for a signal": [
        SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait,
        SYS_epoll_pwait2, SYS_nanosleep, SYS_clock_nanosleep, SYS_read,
    ];
}

/// Sleeping until a word in memory changes, as mutexes and semaphores do: `futex` with one of its
/// waiting operations, private or shared.
pub fn futex_wait() -> Point {
    const PRIVATE: u64 = 128;
    const REALTIME: u64 = 256;
    const WAIT: u64 = 0;
    const WAIT_BITSET: u64 = 9;
    futex().argument(
        1,
        &[
            WAIT,
            WAIT | PRIVATE,
            WAIT_BITSET,
            WAIT_BITSET | PRIVATE,
            WAIT_BITSET | REALTIME,
            WAIT_BITSET | REALTIME | PRIVATE,
        ],
    )
}

/// Any other calls, by their numbers.
pub fn call(name: &'static str, numbers: &'static [i64]) -> Point {
    Point::new(Calls { name, numbers })
}
