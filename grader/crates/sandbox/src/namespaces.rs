//! Namespaces: moving the room into its own, and mapping ids into a user namespace.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Gid, Uid};

use crate::step::{AtStep, StepError};

/// Moves the calling process into the room's namespaces. It must have one thread.
///
/// Root needs no user namespace for that; anyone else gets one in which it keeps its own ids.
pub(crate) fn enter_room() -> Result<(), StepError> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    let room = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS;
    if uid.is_root() {
        unshare(room).at("unshare mount, ipc, net and uts namespaces")?;
    } else {
        unshare(room | CloneFlags::CLONE_NEWUSER)
            .at("unshare user, mount, ipc, net and uts namespaces")?;
        map_ids("self", uid.as_raw(), uid.as_raw(), gid.as_raw())?;
    }
    raise_loopback()?;
    let name = "box";
    // SAFETY: the kernel reads so many bytes of the name.
    let result = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    Errno::result(result).at("set the host name").map(drop)
}

/// Bounds the System V objects of the calling process's IPC namespace. They outlive their
/// processes and no limit of a process counts them. Where the kernel or a container does not let
/// us, a control group has to do.
pub(crate) fn bound_system_v(shared_bytes: u64) {
    let pages = (shared_bytes / 4096).to_string();
    for (setting, value) in [
        ("shmall", pages.as_str()),
        ("msgmni", "64"),
        ("sem", "250 8000 100 64"),
    ] {
        let _ = std::fs::write(format!("/proc/sys/kernel/{setting}"), value);
    }
}

/// Makes `uid` and `gid` known in the user namespace of `process` (a folder of `/proc`): the user
/// as `inner_uid`, the group likewise if the two differ from what they are outside.
pub(crate) fn map_ids(process: &str, inner_uid: u32, uid: u32, gid: u32) -> Result<(), StepError> {
    let inner_gid = if inner_uid == uid { gid } else { inner_uid };
    let write = |file: &str, text: String| {
        let path = format!("/proc/{process}/{file}");
        std::fs::write(&path, text).at(format!("write {path}"))
    };
    // Without this, an unprivileged process must not map its group.
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("{inner_uid} {uid} 1"))?;
    write("gid_map", format!("{inner_gid} {gid} 1"))
}

/// A new network namespace has a loopback interface that is down: no 127.0.0.1.
fn raise_loopback() -> Result<(), StepError> {
    let step = "raise the loopback interface";
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .at(step)?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(result).at(step).map(drop)
}
