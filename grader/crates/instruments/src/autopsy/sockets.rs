//! Sockets: nobody connects, nothing comes, nobody reads.

use super::blocked::Blocked;
use super::socket_table::Socket;
use crate::proc::{Fd, Process, read_bytes};

pub(super) fn accepting(blocked: &Blocked<'_>) -> String {
    let Some(fd) = blocked.fd(0) else {
        return blocked.unknown_fd();
    };
    format!(
        "{}: no client has connected",
        on(blocked, &fd, &look_up(blocked, &fd))
    )
}

pub(super) fn connecting(blocked: &Blocked<'_>) -> String {
    let Some(fd) = blocked.fd(0) else {
        return blocked.unknown_fd();
    };
    let to = unix_path(blocked).map_or(String::new(), |path| format!(" to {path}"));
    let sentence = on(blocked, &fd, &look_up(blocked, &fd));
    format!("{sentence}{to}: the server's backlog is full, or it does not answer")
}

pub(super) fn receiving(blocked: &Blocked<'_>, fd: &Fd) -> String {
    let socket = look_up(blocked, fd);
    let mut sentence = on(blocked, fd, &socket) + ": nothing has come";
    sentence += &other_end(blocked, fd, &socket);
    sentence
}

pub(super) fn sending(blocked: &Blocked<'_>, fd: &Fd) -> String {
    let socket = look_up(blocked, fd);
    let mut sentence =
        on(blocked, fd, &socket) + ": the buffers are full and the peer does not read";
    if let Some(unread @ 1..) = socket.unread {
        sentence += &format!("; meanwhile {unread} bytes have come that it has not read itself");
    }
    sentence += &other_end(blocked, fd, &socket);
    sentence
}

/// The processes that could end the wait: those with the other end open.
pub(super) fn awaited(blocked: &Blocked<'_>, fd: &Fd) -> Vec<Process> {
    let peer = look_up(blocked, fd).peer;
    let holders = peer.map_or_else(Vec::new, |peer| blocked.scene.socket_holders(peer));
    holders.into_iter().map(|(process, _)| process).collect()
}

/// What poll(2) and relatives wait on, in a few words.
pub(super) fn describe(blocked: &Blocked<'_>, fd: &Fd) -> String {
    look_up(blocked, fd).description
}

fn on(blocked: &Blocked<'_>, fd: &Fd, socket: &Socket) -> String {
    format!(
        "is blocked in {}({}) on {}",
        blocked.name, fd.number, socket.description
    )
}

fn look_up(blocked: &Blocked<'_>, fd: &Fd) -> Socket {
    let socket = blocked.scene.socket(blocked.process, fd);
    socket.unwrap_or_else(|| Socket {
        description: fd.target.clone(),
        ..Socket::default()
    })
}

/// Who has the other end, and who else has this one: a copy that was not closed after fork keeps
/// a connection alive.
fn other_end(blocked: &Blocked<'_>, fd: &Fd, socket: &Socket) -> String {
    let mut text = String::new();
    if let Some(peer) = socket.peer {
        let holders = blocked.scene.socket_holders(peer);
        if !holders.is_empty() {
            text += &format!(
                "; the other end is open in: {}",
                blocked.scene.list(&holders)
            );
            if let Some((_, own)) = holders.iter().find(|(p, _)| *p == blocked.process) {
                text += &format!(
                    ". It holds the other end itself, fd {}, so end-of-file can never come",
                    own.number
                );
            }
        }
    }
    let copies = fd
        .inode()
        .map(|inode| blocked.scene.socket_holders(inode))
        .unwrap_or_default();
    let copies: Vec<_> = copies
        .into_iter()
        .filter(|(p, _)| *p != blocked.process)
        .collect();
    if !copies.is_empty() {
        text += &format!(
            "; this end is open also in: {}",
            blocked.scene.list(&copies)
        );
    }
    text
}

/// The path in a `sockaddr_un` that connect(2) was given.
fn unix_path(blocked: &Blocked<'_>) -> Option<String> {
    let length = usize::try_from(blocked.arg(2)).ok()?.min(110);
    let bytes = read_bytes(blocked.process, blocked.arg(1), length)?;
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    if i32::from(family) != libc::AF_UNIX {
        return None;
    }
    let path = bytes[2..].split(|&byte| byte == 0).next()?;
    (!path.is_empty()).then(|| String::from_utf8_lossy(path).into_owned())
}
