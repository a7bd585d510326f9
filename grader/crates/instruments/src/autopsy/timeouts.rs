//! Whether a blocked call would end by itself after some time.

use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::blocked::Blocked;
use crate::proc::{PidFd, Process, Signals, read_u64};

/// Whether the process itself, with nobody's help, can end the call that it is blocked in: by a
/// time limit of the call or of the socket, or by a timer that sends it a signal.
///
/// `setitimer` and `alarm` leave no trace in `/proc`, so whoever is prepared for their signals is
/// taken to use them. Errs towards yes, for no correct program may be called deadlocked.
pub(super) fn may_end_by_itself(process: Process, blocked: &Blocked<'_>) -> bool {
    has_timeout(blocked) || expects_a_timer(process, blocked) || is_timed_socket(process, blocked)
}

fn expects_a_timer(process: Process, blocked: &Blocked<'_>) -> bool {
    let bit = |signal: i32| 1u64 << (signal - 1);
    let timers = bit(libc::SIGALRM) | bit(libc::SIGVTALRM) | bit(libc::SIGPROF);
    // A blocked signal is taken by sigwait(3) or from a signalfd(2), any other by its handler.
    let takes = |signals: Signals| match blocked.name.as_str() {
        "rt_sigtimedwait" => read_u64(process, blocked.arg(0)).unwrap_or(u64::MAX),
        // The mask is that of the main thread, and another thread may well block everything in
        // it: what is read must be a signalfd for it to matter.
        "read" | "readv" => blocked
            .fd(0)
            .filter(|fd| fd.target != "anon_inode:[signalfd]")
            .map_or(signals.blocked, |_| 0),
        "poll" | "ppoll" | "epoll_wait" | "epoll_pwait" => signals.blocked,
        _ => 0,
    };
    let signals = blocked.scene.signals(process);
    let prepared = signals.is_none_or(|it| (it.caught | takes(it)) & timers != 0);
    prepared || blocked.scene.has_timers(process)
}

/// Whether the call is on a socket with SO_RCVTIMEO or SO_SNDTIMEO. Only the socket itself tells;
/// where it cannot be asked the answer is yes.
fn is_timed_socket(process: Process, blocked: &Blocked<'_>) -> bool {
    let Some(fd) = blocked.fd(0).filter(|fd| fd.target.starts_with("socket:")) else {
        return false;
    };
    let Ok(socket) = PidFd::open(process.pid()).and_then(|pidfd| pidfd.get_fd(fd.number)) else {
        return true;
    };
    let is_set = |limit: nix::Result<TimeVal>| {
        limit.map_or(true, |limit| limit.tv_sec() != 0 || limit.tv_usec() != 0)
    };
    is_set(getsockopt(&socket, sockopt::ReceiveTimeout))
        || is_set(getsockopt(&socket, sockopt::SendTimeout))
}

/// A call that is not known to wait for ever is not said to do so.
fn has_timeout(blocked: &Blocked<'_>) -> bool {
    match blocked.name.as_str() {
        "poll" | "epoll_wait" => blocked.int(timeout_of_poll(blocked)) >= 0,
        "epoll_pwait" => blocked.int(3) >= 0,
        "ppoll" | "rt_sigtimedwait" => blocked.arg(2) != 0,
        "select" | "pselect6" | "recvmmsg" => blocked.arg(4) != 0,
        "mq_timedreceive" | "mq_timedsend" => blocked.arg(4) != 0,
        "futex" | "semtimedop" | "epoll_pwait2" => blocked.arg(3) != 0,
        "read" | "readv" => blocked
            .fd(0)
            .is_some_and(|fd| fd.target == "anon_inode:[timerfd]"),
        "write" | "writev" | "recvfrom" | "recvmsg" | "sendto" | "sendmsg" | "accept"
        | "accept4" | "connect" | "open" | "openat" | "wait4" | "waitid" | "pause"
        | "rt_sigsuspend" | "semop" | "msgrcv" | "msgsnd" | "flock" | "fcntl" | "splice"
        | "tee" | "sendfile" => false,
        _ => true,
    }
}

fn timeout_of_poll(blocked: &Blocked<'_>) -> usize {
    if blocked.name == "poll" { 2 } else { 3 }
}
