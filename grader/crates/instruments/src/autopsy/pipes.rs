//! Pipes and FIFOs: empty, full, or waiting for the other end to be opened.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use super::blocked::Blocked;
use crate::proc::{Fd, Process, read_path, read_u64};

/// A read from a pipe sleeps while the pipe is empty and anybody could still write.
pub(super) fn reading(blocked: &Blocked<'_>, fd: &Fd) -> String {
    let writers = other_end(blocked, fd, Fd::can_write);
    let mut sentence = format!(
        "is blocked in {}({}) on {}, which is empty",
        blocked.name, fd.number, fd.target
    );
    sentence += &match writers.as_slice() {
        [] => "; no process that can be looked into has the write end open".to_owned(),
        writers => format!(
            "; the write end is still open in: {}",
            blocked.scene.list(writers)
        ),
    };
    if let Some(own) = own_end(blocked.process, &writers) {
        sentence +=
            &format!(". It holds the write end itself, fd {own}, so end-of-file can never come");
    }
    sentence
}

/// A write to a pipe sleeps while the pipe is full and anybody could still read.
pub(super) fn writing(blocked: &Blocked<'_>, fd: &Fd) -> String {
    let readers = other_end(blocked, fd, Fd::can_read);
    let mut sentence = format!(
        "is blocked in {}({}) on {}, which is full",
        blocked.name, fd.number, fd.target
    );
    sentence += &match readers.as_slice() {
        [] => "; no process that can be looked into has the read end open".to_owned(),
        readers => format!(
            "; the read end is open in: {}, and nobody reads from it",
            blocked.scene.list(readers)
        ),
    };
    if let Some(own) = own_end(blocked.process, &readers) {
        sentence += &format!(". It holds the read end itself, fd {own}, so EPIPE can never come");
    }
    sentence
}

/// The processes that could end the wait: those with the other end open.
pub(super) fn awaited(blocked: &Blocked<'_>, fd: &Fd, writing: bool) -> Vec<Process> {
    let is_other = if writing { Fd::can_read } else { Fd::can_write };
    let holders = other_end(blocked, fd, is_other);
    holders.into_iter().map(|(process, _)| process).collect()
}

/// Opening a FIFO waits for a partner; opening anything else hardly ever waits.
pub(super) fn opening(blocked: &Blocked<'_>) -> String {
    let first = if blocked.name == "open" { 0 } else { 1 };
    let Some(path) = read_path(blocked.process, blocked.arg(first)) else {
        return format!("is blocked in {}", blocked.name);
    };
    let flags = match blocked.name.as_str() {
        "openat2" => read_u64(blocked.process, blocked.arg(2)).unwrap_or(0) as i32,
        _ => blocked.int(first + 1),
    };
    let (mode, partner) = match flags & libc::O_ACCMODE {
        libc::O_RDONLY => ("O_RDONLY", "writing"),
        libc::O_WRONLY => ("O_WRONLY", "reading"),
        _ => ("O_RDWR", "anything"),
    };
    let call = format!("is blocked in open(\"{path}\", {mode})");
    if is_fifo(blocked, &path) {
        format!("{call} on a FIFO: no process has opened the other end for {partner}")
    } else {
        call
    }
}

/// The path as the process sees it: its own root, and its working or given folder.
fn is_fifo(blocked: &Blocked<'_>, path: &str) -> bool {
    let pid = blocked.process.pid();
    let seen = if path.starts_with('/') {
        format!("/proc/{pid}/root{path}")
    } else if blocked.name == "open" || blocked.int(0) == libc::AT_FDCWD {
        format!("/proc/{pid}/cwd/{path}")
    } else {
        format!("/proc/{pid}/fd/{}/{path}", blocked.int(0))
    };
    fs::metadata(seen).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

fn other_end(blocked: &Blocked<'_>, fd: &Fd, is_other: impl Fn(&Fd) -> bool) -> Vec<(Process, Fd)> {
    blocked.scene.holders(fd, is_other)
}

fn own_end(process: Process, holders: &[(Process, Fd)]) -> Option<i32> {
    holders
        .iter()
        .find(|(holder, _)| *holder == process)
        .map(|(_, fd)| fd.number)
}
