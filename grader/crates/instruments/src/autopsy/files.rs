//! Descriptors that are neither pipe nor socket, copies between two of them, and plain sleep.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use super::blocked::Blocked;
use crate::proc::Fd;

pub(super) fn reading(blocked: &Blocked<'_>, fd: &Fd) -> String {
    let sentence = format!(
        "is blocked in {}({}) on {}",
        blocked.name, fd.number, fd.target
    );
    let reason = match fd.target.as_str() {
        "anon_inode:[eventfd]" => "its counter is 0, and nobody adds to it",
        "anon_inode:[timerfd]" => "the timer has not expired",
        "anon_inode:[signalfd]" => "none of its signals is pending",
        "anon_inode:inotify" => "nothing has happened to what it watches",
        "/dev/ptmx" => "nobody types",
        terminal if terminal.starts_with("/dev/pts/") || terminal.starts_with("/dev/tty") => {
            "nobody types"
        }
        _ => return sentence,
    };
    format!("{sentence}: {reason}")
}

/// splice(2) and relatives wait for data on one side or for room on the other.
pub(super) fn copying(blocked: &Blocked<'_>) -> String {
    let (input, output) = match blocked.name.as_str() {
        "sendfile" => (1, 0),
        "tee" => (0, 1),
        "vmsplice" => return blocked.unknown_fd(),
        _ => (0, 2),
    };
    let (Some(from), Some(to)) = (blocked.fd(input), blocked.fd(output)) else {
        return blocked.unknown_fd();
    };
    let writers = blocked.scene.holders(&from, Fd::can_write);
    let readers = blocked.scene.holders(&to, Fd::can_read);
    format!(
        "is blocked in {}: no data comes from fd {} {} (open for writing in: {}) or there is no \
         room in fd {} {} (open for reading in: {})",
        blocked.name,
        from.number,
        from.target,
        blocked.scene.list(&writers),
        to.number,
        to.target,
        blocked.scene.list(&readers),
    )
}

/// POSIX message queues: descriptors whose file tells how much is in the queue.
pub(super) fn mailbox(blocked: &Blocked<'_>) -> String {
    let (call, state) = match blocked.name.as_str() {
        "mq_timedreceive" => ("mq_receive", "empty"),
        _ => ("mq_send", "full"),
    };
    let Some(fd) = blocked.fd(0) else {
        return blocked.unknown_fd();
    };
    let is_other = match call {
        "mq_receive" => Fd::can_write,
        _ => Fd::can_read,
    };
    let others = blocked.scene.holders(&fd, is_other);
    let size = size(blocked, &fd).map_or(String::new(), |size| format!(" ({size})"));
    let verb = if call == "mq_receive" {
        "sending"
    } else {
        "receiving"
    };
    format!(
        "is blocked in {call} on {}: the queue is {state}{size}; open for {verb} in: {}",
        fd.target,
        blocked.scene.list(&others)
    )
}

/// `QSIZE:0`: the bytes in a queue. The queue's file is read, not the queue.
fn size(blocked: &Blocked<'_>, fd: &Fd) -> Option<String> {
    let path = format!("/proc/{}/fd/{}", blocked.process.pid(), fd.number);
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let mut text = [0; 128];
    let length = file.read(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text[..length]).into_owned();
    Some(text.split_whitespace().next()?.to_owned())
}

/// nanosleep(2): a time, not an event.
pub(super) fn sleeping(blocked: &Blocked<'_>) -> String {
    let request = if blocked.name == "nanosleep" { 0 } else { 2 };
    // struct timespec: two 64-bit numbers.
    let length = blocked.pointee(request, 16).map(|bytes| {
        let word = |at: usize| {
            bytes[at..at + 8]
                .iter()
                .rev()
                .fold(0_i64, |n, byte| n << 8 | i64::from(*byte))
        };
        word(0) as f64 + word(8) as f64 / 1e9
    });
    let absolute = blocked.name == "clock_nanosleep" && blocked.int(1) & libc::TIMER_ABSTIME != 0;
    match length {
        Some(seconds) if !absolute => format!("sleeps for {seconds} s ({})", blocked.name),
        _ => format!("sleeps until a time ({})", blocked.name),
    }
}
