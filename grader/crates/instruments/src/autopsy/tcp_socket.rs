//! One TCP socket: asked by a copy of its descriptor, and its other end by sock_diag(7). The table in
//! `/proc` tells the same, but the kernel walks all buckets of its hash for it, some milliseconds even
//! when there is no socket at all.
//!
//! Where the descriptor cannot be copied or the socket lives in another network namespace, there is no
//! answer.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};

use super::sock_diag;
use super::socket_table::{Socket, describe_tcp};
use crate::proc::{PidFd, Process};

/// Its remote address is told by no call yet.
const CONNECTING: u8 = 2;

/// Where a `struct inet_diag_msg` has the inode.
const INODE: usize = 68;

/// The socket behind a descriptor of `process`, which is one of TCP.
pub(super) fn ask(process: Process, number: i32) -> Option<Socket> {
    if !sock_diag::reaches(process) {
        return None;
    }
    let socket = PidFd::open(process.pid()).and_then(|it| it.get_fd(number));
    let socket = socket.ok()?;
    let state = state(&socket).filter(|&state| state != CONNECTING)?;
    let local = address(&getsockname(socket.as_raw_fd()).ok()?)?;
    let remote: Option<SockaddrStorage> = getpeername(socket.as_raw_fd()).ok();
    let remote = remote.as_ref().and_then(address);
    Some(Socket {
        description: describe_tcp(local, remote, state),
        unread: unread(&socket),
        peer: remote.and_then(|remote| inode(remote, local)),
    })
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|it| SocketAddr::V4((*it).into()));
    v4.or_else(|| Some(SocketAddr::V6((*address.as_sockaddr_in6()?).into())))
}

/// The first field of `struct tcp_info`; no more is asked for.
fn state(socket: &OwnedFd) -> Option<u8> {
    let mut state = 0_u8;
    let mut length: libc::socklen_t = 1;
    // SAFETY: the kernel writes at most `length` bytes, and there is one.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast(),
            &raw mut length,
        )
    };
    (done == 0).then_some(state)
}

/// Bytes that came and were not received yet; `None` of a listening socket.
fn unread(socket: &OwnedFd) -> Option<u64> {
    let mut n_bytes: libc::c_int = 0;
    // SAFETY: under this request the kernel writes one int.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut n_bytes) };
    u64::try_from(n_bytes).ok().filter(|_| done == 0)
}

/// The inode of the socket with this address that is connected to `to`.
fn inode(of: SocketAddr, to: SocketAddr) -> Option<u64> {
    let family = if of.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // struct inet_diag_req_v2: family, protocol, what else to tell, states; then the socket.
    let mut question = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
    question.extend(u32::MAX.to_ne_bytes());
    question.extend(of.port().to_be_bytes());
    question.extend(to.port().to_be_bytes());
    for address in [of, to] {
        let mut bytes = match address {
            SocketAddr::V4(address) => address.ip().octets().to_vec(),
            SocketAddr::V6(address) => address.ip().octets().to_vec(),
        };
        bytes.resize(16, 0);
        question.extend(bytes);
    }
    question.extend([0; 4]); // any interface
    question.extend([0xff; 8]); // no cookie
    let answer = sock_diag::ask(&question)?;
    let inode = u32::from_ne_bytes(answer.get(INODE..INODE + 4)?.try_into().ok()?);
    (inode != 0).then_some(inode.into())
}
