//! Sockets, and waiting for several descriptors.

use libc::*;

use crate::case::{EPOLL_WAIT, PAUSE, POLL, folder, path, victim};

#[test]
pub(crate) fn a_server_that_nobody_connects_to() {
    let case = victim("tcp-accept", "").asleep_in("", SYS_accept4);
    case.is_stuck_and_says(&[
        "is blocked in accept4(3) on TCP 127.0.0.1:",
        "(listening): no client has connected",
    ]);
    let folder = folder();
    let path = path(&folder, "server");
    let case = victim("unix-accept", &path).asleep_in("", SYS_accept4);
    case.is_stuck_and_says(&[&format!(
        "on Unix stream socket {path} (listening): no client"
    )]);
}

#[test]
pub(crate) fn a_server_whose_client_is_silent() {
    let case = victim("tcp-recv", "").asleep_in("server", SYS_recvfrom);
    case.asleep_in("client", PAUSE).is_stuck_and_says(&[
        "server (pid ",
        "is blocked in recvfrom(5) on TCP 127.0.0.1:",
        "nothing has come",
        "the other end is open in: client (pid ",
    ]);
}

#[test]
pub(crate) fn a_client_whose_server_does_not_read() {
    let case = victim("tcp-send", "").asleep_in("", SYS_sendto);
    case.is_stuck_and_says(&["on TCP 127.0.0.1:", "the peer does not read", "fd 5"]);
}

#[test]
pub(crate) fn a_client_that_does_not_fit_into_the_backlog() {
    let folder = folder();
    let path = path(&folder, "full");
    let case = victim("unix-connect", &path).asleep_in("", SYS_connect);
    case.is_stuck_and_says(&[&format!("to {path}: the server's backlog is full")]);
}

#[test]
pub(crate) fn both_ends_of_a_socket_pair() {
    let case = victim("unix-recv", "").asleep_in("", SYS_recvfrom);
    case.asleep_in("friend", PAUSE).is_stuck_and_says(&[
        "is blocked in recvfrom(3) on Unix stream socket without a name: nothing has come",
        "friend (pid ",
    ]);
}

#[test]
pub(crate) fn a_datagram_that_never_comes() {
    let case = victim("udp-recv", "").asleep_in("", SYS_recvfrom);
    case.is_stuck_and_says(&[
        "is blocked in recvfrom(3) on UDP 127.0.0.1:",
        "nothing has come",
    ]);
}

#[test]
pub(crate) fn several_descriptors_at_once() {
    let case = victim("poll", "").asleep_in("", POLL);
    case.is_stuck_and_says(&[
        "is blocked in poll, and nothing has happened on: fd 3 pipe:[",
        "(POLLIN; write end open in: victim (pid ",
        "fd 5 Unix stream socket",
    ]);
    let case = victim("poll-with-timeout", "").asleep_in("", POLL);
    case.may_end_and_says(&["is blocked in poll"]);
    let case = victim("select", "").asleep_in("", SYS_pselect6);
    case.is_stuck_and_says(&["is blocked in pselect6", "fd 3 pipe:[", "(read; write end"]);
    let case = victim("epoll", "").asleep_in("", EPOLL_WAIT);
    case.is_stuck_and_says(&[
        "is blocked in epoll_wait",
        "fd 3 pipe:[",
        "(EPOLLIN; write end",
    ]);
}

#[test]
pub(crate) fn a_time_limit_of_the_socket_itself_is_seen() {
    let case = victim("udp-recv-with-a-limit", "").asleep_in("", SYS_recvfrom);
    case.may_end_and_says(&["is blocked in recvfrom(3) on UDP 127.0.0.1:"]);
}

#[test]
pub(crate) fn both_write_and_nobody_reads() {
    // What one sends wakes the other for a moment, so each is looked at after the other's last.
    let case = victim("unix-full-both-ways", "")
        .asleep_in("ping", SYS_sendto)
        .asleep_in("pong", SYS_sendto)
        .asleep_in("ping", SYS_sendto)
        .asleep_in("pong", SYS_sendto);
    case.is_stuck_and_says(&[
        "ping (pid ",
        "is blocked in sendto(3) on Unix stream socket without a name: the buffers are full and the peer does not read",
        " bytes have come that it has not read itself",
        "the other end is open in: pong (pid ",
    ]);
    case.says(&["a circle: ping (pid ", "), in sendto waits for pong (pid "]);
}
