//! Waiting for any of several descriptors: poll, select, epoll.

use std::fs;

use super::blocked::Blocked;
use super::{circle, sockets};
use crate::proc::{Fd, Process, read_bytes};

/// More descriptors than this are only counted.
const MOST_FDS: usize = 8;

/// What is waited for on one descriptor.
struct Interest {
    fd: i32,
    events: Vec<&'static str>,
}

/// Whether a call of this name waits so.
pub(super) fn is_one(name: &str) -> bool {
    matches!(
        name,
        "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait" | "epoll_pwait2"
    )
}

pub(super) fn waiting(blocked: &Blocked<'_>) -> String {
    sentence(blocked, interests(blocked))
}

/// The processes that could end the wait, where each of the descriptors tells. Nobody means that it
/// is not known who: whoever waits for a new client waits for anybody.
pub(super) fn awaited(blocked: &Blocked<'_>) -> Vec<Process> {
    let of_one = |interest: &Interest| {
        let fd = blocked.scene.fd(blocked.process, interest.fd)?;
        let writes = interest.events.iter().any(|event| WRITES.contains(event));
        let others = circle::behind(blocked, &fd, writes);
        (!others.is_empty()).then_some(others)
    };
    let all: Option<Vec<Vec<Process>>> = interests(blocked).iter().map(of_one).collect();
    all.unwrap_or_default().into_iter().flatten().collect()
}

fn interests(blocked: &Blocked<'_>) -> Vec<Interest> {
    match blocked.name.as_str() {
        "poll" | "ppoll" => poll(blocked),
        "select" | "pselect6" => select(blocked),
        _ => epoll(blocked),
    }
}

/// What is waited for when a descriptor is to be written to.
const WRITES: [&str; 3] = ["POLLOUT", "EPOLLOUT", "write"];

fn poll(blocked: &Blocked<'_>) -> Vec<Interest> {
    // struct pollfd: fd (i32), events (i16), revents (i16).
    let n = usize::try_from(blocked.arg(1)).unwrap_or(0).min(1024);
    let bytes = read_bytes(blocked.process, blocked.arg(0), n * 8).unwrap_or_default();
    let interests = bytes.chunks_exact(8).filter_map(|entry| {
        let fd = i32::from_ne_bytes(entry[..4].try_into().ok()?);
        let events = u32::from(u16::from_ne_bytes([entry[4], entry[5]]));
        (fd >= 0).then(|| Interest {
            fd,
            events: names(events, "POLLIN", "POLLOUT"),
        })
    });
    interests.collect()
}

fn select(blocked: &Blocked<'_>) -> Vec<Interest> {
    let n = usize::try_from(blocked.int(0)).unwrap_or(0).min(1024);
    let sets = [(1, "read"), (2, "write"), (3, "except")];
    let bits = sets.map(|(index, name)| (blocked.pointee(index, n.div_ceil(8)), name));
    let interests = (0..n).filter_map(|fd| {
        let is_set = |set: &Option<Vec<u8>>| {
            set.as_ref()
                .is_some_and(|bytes| bytes[fd / 8] >> (fd % 8) & 1 == 1)
        };
        let events: Vec<_> = bits
            .iter()
            .filter(|(set, _)| is_set(set))
            .map(|(_, name)| *name)
            .collect();
        (!events.is_empty()).then_some(Interest {
            fd: fd as i32,
            events,
        })
    });
    interests.collect()
}

fn epoll(blocked: &Blocked<'_>) -> Vec<Interest> {
    let path = format!("/proc/{}/fdinfo/{}", blocked.process.pid(), blocked.int(0));
    let info = fs::read_to_string(path).unwrap_or_default();
    // `tfd:        5 events:       19 data:                5 ...`
    let interests = info.lines().filter_map(|line| {
        let mut words = line.strip_prefix("tfd:")?.split_whitespace();
        let fd = words.next()?.parse().ok()?;
        let events = u32::from_str_radix(words.nth(1)?, 16).ok()?;
        Some(Interest {
            fd,
            events: names(events, "EPOLLIN", "EPOLLOUT"),
        })
    });
    interests.collect()
}

/// Both families use the same bits.
fn names(events: u32, input: &'static str, output: &'static str) -> Vec<&'static str> {
    let bits = [(libc::POLLIN, input), (libc::POLLOUT, output)];
    bits.into_iter()
        .filter(|(bit, _)| events & *bit as u32 != 0)
        .map(|(_, name)| name)
        .collect()
}

fn sentence(blocked: &Blocked<'_>, interests: Vec<Interest>) -> String {
    if interests.is_empty() {
        return format!("is blocked in {} on no descriptor at all", blocked.name);
    }
    let mut fds: Vec<String> = interests
        .iter()
        .take(MOST_FDS)
        .map(|interest| describe(blocked, interest))
        .collect();
    if let more @ 1.. = interests.len().saturating_sub(MOST_FDS) {
        fds.push(format!("and {more} more"));
    }
    format!(
        "is blocked in {}, and nothing has happened on: {}",
        blocked.name,
        fds.join("; ")
    )
}

fn describe(blocked: &Blocked<'_>, interest: &Interest) -> String {
    let Some(fd) = blocked.scene.fd(blocked.process, interest.fd) else {
        return format!("fd {}, which is closed", interest.fd);
    };
    let is_pipe = fd.object.is_some_and(|o| o.is_pipe);
    let what = match fd.object {
        Some(object) if object.is_socket => sockets::describe(blocked, &fd),
        _ => fd.target.clone(),
    };
    let mut notes: Vec<String> = interest
        .events
        .iter()
        .map(|&event| event.to_owned())
        .collect();
    if is_pipe && fd.can_read() {
        let writers = blocked.scene.holders(&fd, Fd::can_write);
        notes.push(format!(
            "write end open in: {}",
            blocked.scene.list(&writers)
        ));
    }
    format!("fd {} {what} ({})", fd.number, notes.join("; "))
}
