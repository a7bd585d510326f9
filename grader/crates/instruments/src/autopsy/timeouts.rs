//! Whether a blocked call would end by itself after some time.

use super::blocked::Blocked;

/// Errs towards yes: a call that is not known to wait for ever is not called a deadlock.
pub(super) fn has_timeout(blocked: &Blocked<'_>) -> bool {
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
