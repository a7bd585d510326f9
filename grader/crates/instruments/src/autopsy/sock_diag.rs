//! Asks the kernel about one socket, by sock_diag(7).

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recv, send, socket};

use crate::proc::Process;

/// `SOCK_DIAG_BY_FAMILY`, the one kind of message that is asked and answered.
const BY_FAMILY: u16 = 20;

/// The length of a `struct nlmsghdr`.
const HEAD: usize = 16;

/// Whether the sockets of this process are in our own network namespace: no others can be asked for.
pub(super) fn reaches(process: Process) -> bool {
    let ours = Process::current().namespace("net");
    ours.is_some() && process.namespace("net") == ours
}

/// The kernel's answer to a question about one socket, without the head; `None` where the kernel was
/// built without this, or has no such socket.
pub(super) fn ask(question: &[u8]) -> Option<Vec<u8>> {
    let kernel: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )
    .ok()?;
    let length = u32::try_from(HEAD + question.len()).ok()?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message.resize(HEAD, 0); // no sequence, from nobody in particular
    message.extend(question);
    send(kernel.as_raw_fd(), &message, MsgFlags::empty()).ok()?;
    let mut answer = vec![0; 1024];
    // The kernel has answered before send(2) returned.
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    (kind == BY_FAMILY).then(|| answer.get(HEAD..length).map(<[u8]>::to_vec))?
}
