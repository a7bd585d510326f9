//! Finds a socket in the tables of `/proc/PID/net`: its addresses, its state, its peer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::scene::Scene;
use super::{tcp_socket, unix_socket};
use crate::proc::{Fd, Process};

/// One row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Socket {
    /// `TCP 127.0.0.1:7777 (listening)`, `Unix stream /tmp/s`, ...
    pub(super) description: String,
    /// Bytes that came and were not received yet.
    pub(super) unread: Option<u64>,
    /// The inode of the socket at the other end, if it lives in the same network namespace.
    pub(super) peer: Option<u64>,
}

/// The socket behind a descriptor of `process`.
///
/// The tables of the internet protocols are long to walk even when they are empty, so only that of
/// the socket's protocol is read; all of them where the kernel does not tell which it is.
pub(super) fn find(scene: &Scene, process: Process, fd: &Fd) -> Option<Socket> {
    let inode = fd.inode()?;
    let told = process.protocol(fd.number);
    let may_be = |protocol: &str| told.as_deref().is_none_or(|told| told == protocol);
    if told.as_deref().is_none_or(|told| told.starts_with("UNIX"))
        && let Some(socket) = find_unix(scene, process, inode)
    {
        return Some(socket);
    }
    if told.as_deref().is_some_and(|told| told.starts_with("TCP"))
        && let Some(socket) = tcp_socket::ask(process, fd.number)
    {
        return Some(socket);
    }
    let tables = [
        ("TCP", "tcp", "TCP"),
        ("TCPv6", "tcp6", "TCP"),
        ("UDP", "udp", "UDP"),
        ("UDPv6", "udp6", "UDP"),
    ];
    tables
        .into_iter()
        .filter(|(protocol, ..)| may_be(protocol))
        .find_map(|(_, file, name)| inet(&scene.table(process, file)?, name, inode))
}

fn find_unix(scene: &Scene, process: Process, inode: u64) -> Option<Socket> {
    let Some(told) = unix_socket::ask(process, inode) else {
        return unix(&scene.table(process, "unix")?, inode);
    };
    Some(Socket {
        description: describe_unix(told.kind, told.name.as_deref(), told.is_listening),
        peer: told.peer,
        unread: told.unread,
    })
}

fn describe_unix(kind: i32, name: Option<&str>, is_listening: bool) -> String {
    let kind = match kind {
        libc::SOCK_STREAM => "stream",
        libc::SOCK_DGRAM => "datagram",
        _ => "seqpacket",
    };
    let listening = if is_listening { " (listening)" } else { "" };
    let name = name.unwrap_or("without a name");
    format!("Unix {kind} socket {name}{listening}")
}

/// One row: number, local and remote address, state, queues, ..., the inode as the tenth word.
struct Row<'a> {
    local: &'a str,
    remote: &'a str,
    state: &'a str,
    queues: &'a str,
    inode: u64,
}

fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let inode = words.get(9)?.parse().ok()?;
        let [_, local, remote, state, queues, ..] = words[..] else {
            return None;
        };
        Some(Row {
            local,
            remote,
            state,
            queues,
            inode,
        })
    })
}

fn inet(table: &str, name: &str, inode: u64) -> Option<Socket> {
    let row = rows(table).find(|row| row.inode == inode)?;
    let peer = rows(table)
        .find(|other| other.local == row.remote && other.remote == row.local)
        .map(|other| other.inode)
        .filter(|&other| other != 0);
    let local = address(row.local)?;
    let remote = address(row.remote)?;
    let state = u8::from_str_radix(row.state, 16).ok()?;
    let description = match (name, state) {
        ("UDP", UNCONNECTED) => format!("UDP {local}"),
        ("UDP", _) => format!("UDP {local} to {remote}"),
        _ => describe_tcp(local, Some(remote), state),
    };
    let unread = row
        .queues
        .split_once(':')
        .and_then(|(_, n)| u64::from_str_radix(n, 16).ok());
    Some(Socket {
        description,
        unread,
        peer,
    })
}

/// `TCP_CLOSE`, which is the state of a datagram socket without a peer.
const UNCONNECTED: u8 = 7;

/// Of the states only those that explain something; established is what a reader expects.
pub(super) fn describe_tcp(local: SocketAddr, remote: Option<SocketAddr>, state: u8) -> String {
    let (local, remote) = (canonical(local), remote.map(canonical));
    let state = match state {
        2 => " (connecting)",
        4 | 5 => " (we have shut our side down)",
        8 => " (the other side has shut down)",
        10 => return format!("TCP {local} (listening)"),
        _ => "",
    };
    match remote {
        Some(remote) => format!("TCP {local} to {remote}{state}"),
        None => format!("TCP {local}{state}"),
    }
}

/// An IPv4 address is shown as one, also if a socket for both kinds has it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `0100007F:1E61` is 127.0.0.1:7777: words in the byte order of the machine.
fn address(hex: &str) -> Option<SocketAddr> {
    let (ip, port) = hex.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = (0..ip.len() / 8)
        .map(|i| {
            u32::from_str_radix(ip.get(i * 8..i * 8 + 8)?, 16)
                .ok()
                .map(u32::to_ne_bytes)
        })
        .collect::<Option<_>>()?;
    let ip: IpAddr = match words.as_slice() {
        [v4] => Ipv4Addr::from(*v4).into(),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [*a, *b, *c, *d].concat().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

/// The table of Unix sockets: address, references, protocol, flags, type, state, inode, path.
/// Who is connected to whom is told by sock_diag(7) alone.
fn unix(table: &str, inode: u64) -> Option<Socket> {
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(6)?.parse::<u64>().ok()? != inode {
            return None;
        }
        let kind = i32::from_str_radix(words[4], 16).ok()?;
        let description = describe_unix(kind, words.get(7).copied(), words[3] == "00010000");
        Some(Socket {
            description,
            ..Socket::default()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
   1: 0100007F:1E61 0100007F:9C40 01 00000000:00000005 00:00000000 00000000     0        0 12 1
   2: 0100007F:9C40 0100007F:1E61 01 00000000:00000000 00:00000000 00000000     0        0 13 1
";

    #[test]
    #[cfg(target_endian = "little")]
    fn both_ends_of_a_connection_are_found() {
        let server = inet(TCP, "TCP", 12).expect("row 1");
        assert_eq!(server.description, "TCP 127.0.0.1:7777 to 127.0.0.1:40000");
        assert_eq!((server.peer, server.unread), (Some(13), Some(5)));
        let listener = inet(TCP, "TCP", 11).expect("row 0");
        assert_eq!(listener.description, "TCP 127.0.0.1:7777 (listening)");
        assert_eq!(listener.peer, None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_ipv6_address_is_shown_as_people_write_it() {
        let address = address("00000000000000000000000001000000:0050").expect("an address");
        assert_eq!(address.to_string(), "[::1]:80");
    }
}
