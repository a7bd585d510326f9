//! One Unix socket, and who is connected to it: asked by sock_diag(7), because no file in `/proc`
//! tells the other end, and the table in there has a line for every socket of the machine.
//!
//! Where the kernel was built without it, or the socket lives in another network namespace, there
//! is no answer.

use super::sock_diag;
use crate::proc::Process;

/// `UDIAG_SHOW_NAME`, `UDIAG_SHOW_PEER` and `UDIAG_SHOW_RQLEN`.
const SHOW: u32 = 0x1 | 0x4 | 0x10;

/// `UNIX_DIAG_NAME`, `UNIX_DIAG_PEER` and `UNIX_DIAG_RQLEN`: the address, the inode at the other end,
/// and two queue lengths.
const NAME: u16 = 0;
const PEER: u16 = 2;
const QUEUES: u16 = 4;

/// `TCP_LISTEN`, which Unix sockets use as well.
const LISTENING: u8 = 10;

/// What the kernel says of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `SOCK_STREAM` or a relative.
    pub(super) kind: i32,
    pub(super) is_listening: bool,
    /// As in `/proc/net/unix`, with @ for zero bytes; `None` without an address.
    pub(super) name: Option<String>,
    /// The inode at the other end.
    pub(super) peer: Option<u64>,
    /// Bytes that came and were not received yet.
    pub(super) unread: Option<u64>,
}

/// `struct unix_diag_msg`, before the attributes.
const HEAD: usize = 16;

/// The socket with this inode, of this process.
pub(super) fn ask(process: Process, inode: u64) -> Option<Answer> {
    if !sock_diag::reaches(process) {
        return None;
    }
    parse(&sock_diag::ask(&question(u32::try_from(inode).ok()?))?)
}

/// struct unix_diag_req.
fn question(inode: u32) -> Vec<u8> {
    let words = [
        u32::MAX, // in whatever state
        inode,
        SHOW,
        u32::MAX, // any socket of that inode
        u32::MAX,
    ];
    let head = [libc::AF_UNIX as u8, 0, 0, 0];
    let words = words.into_iter().flat_map(u32::to_ne_bytes);
    head.into_iter().chain(words).collect()
}

fn parse(answer: &[u8]) -> Option<Answer> {
    // Family, kind and state, a byte each.
    let [_, kind, state] = *answer.get(..3)? else {
        return None;
    };
    let mut told = Answer {
        kind: kind.into(),
        is_listening: state == LISTENING,
        name: None,
        peer: None,
        unread: None,
    };
    let mut rest = answer.get(HEAD..)?;
    // struct nlattr: length with the four bytes of its head, kind; the next one is aligned to 4.
    while rest.len() > 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let value = rest.get(4..length)?;
        let word = || {
            Some(u64::from(u32::from_ne_bytes(
                value.get(..4)?.try_into().ok()?,
            )))
        };
        match u16::from_ne_bytes([rest[2], rest[3]]) {
            NAME => told.name = Some(name(value)),
            PEER => told.peer = word(),
            QUEUES => told.unread = word(),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    Some(told)
}

/// A path, which may end in a zero byte; or a name that begins with one and is no file's.
fn name(bytes: &[u8]) -> String {
    let bytes = match bytes.first() {
        Some(0) => bytes,
        _ => bytes.split(|&byte| byte == 0).next().unwrap_or_default(),
    };
    String::from_utf8_lossy(bytes).replace('\0', "@")
}
