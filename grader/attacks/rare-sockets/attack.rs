//! Sockets that talk to the kernel, to the wire and to the hypervisor.

use crate::kit::refused;

fn open() {
    let families = [
        ("netlink", libc::AF_NETLINK, libc::SOCK_RAW),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW),
        ("alg", libc::AF_ALG, libc::SOCK_SEQPACKET),
        ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM),
        ("raw", libc::AF_INET, libc::SOCK_RAW),
    ];
    for (name, family, kind) in families {
        let fd = unsafe { libc::socket(family, kind, 0) };
        refused(&format!("it opened a {name} socket"), fd.into());
    }
}

before_main!(open);
