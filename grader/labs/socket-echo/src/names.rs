//! Parts 1 and 2: addresses and names that clients find a server by.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use harness::{Bench, Check, Fields, Symptom, ensure, ensure_eq, found};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, connect, getpeername, listen, socket,
};

use crate::server::{Server, socket_path};

/// Of n + 2 clients that nobody accepts, n + 1 are connected and the last one waits.
pub(crate) fn the_backlog_is_as_long_as_asked(bench: &Bench) -> Check {
    let backlog = bench.number(1..5);
    let mut probe = bench.probe().connect()?;
    let args = Fields::new().value("127.0.0.1:0").value(backlog);
    let port = probe
        .value("listen_tcp", args)?
        .parse::<u16>(0)
        .unwrap_or_default();
    let what = format!("connect(2) to listen_tcp(127.0.0.1:0, {backlog}), nobody accepts");

    let address = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let mut clients = Vec::new();
    for _ in 0..backlog + 2 {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let client = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        match connect(client.as_raw_fd(), &address) {
            Ok(()) | Err(Errno::EINPROGRESS) => clients.push(client),
            Err(errno) => return ensure(false, what, "the kernel takes it", errno.desc()),
        }
        // One after the other, so that it is the last one that has to wait.
        if clients.len() as u64 <= backlog + 1 {
            bench.until(|| is_connected(&clients[clients.len() - 1]));
        }
    }
    // A connection on the loopback is there in microseconds, and a refused one is not tried again
    // for a second.
    thread::sleep(Duration::from_millis(200));
    let connected = clients.iter().filter(|client| is_connected(client)).count();
    ensure_eq(
        what,
        format!("{} connected", backlog + 1),
        format!("{connected} connected"),
    )
}

fn is_connected(client: &OwnedFd) -> bool {
    getpeername::<SockaddrIn>(client.as_raw_fd()).is_ok()
}

/// A server that closed its connections first gets the same port again at once.
pub(crate) fn a_restarted_server_gets_its_port_back(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let client = server.connect()?;
    let line = [&bench.bytes(30)[..], b"\n"].concat();
    let answered = client
        .send(&line)
        .and_then(|()| client.expect(&line, "a client"));
    answered.map_err(|stop| server.explained(stop))?;
    let Server {
        process, address, ..
    } = server;
    process.kill()?;
    client.expect_to_end(&[], "a client whose server was killed")?;
    drop(client);
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or_default();
    bench.until(|| has_old_connection(port));

    let server = Server::start(bench, bench.program(["serve", "--tcp", &address]))?;
    server.answers("a client of the restarted server")
}

/// Whether the kernel remembers a connection of this local port in TIME_WAIT.
fn has_old_connection(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next().unwrap_or_default();
        local.ends_with(&format!(":{port:04X}")) && columns.nth(1) == Some("06")
    })
}

/// A name that a killed server left behind is no obstacle.
pub(crate) fn a_stale_name_is_taken_over(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    Server::unix(bench, &path)?.process.kill()?;
    Server::unix(bench, &path)?.answers("a client of the second server")
}

/// A second server on a live name gives up, and the first one does not notice.
pub(crate) fn a_live_name_is_left_alone(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    let first = Server::unix(bench, &path)?;
    let second = bench.program(["serve", "--unix"]).arg(&path).start()?;
    // A thief would go on and serve: it is as good as ended once it says that it listens.
    bench.until(|| second.exit().is_some() || !second.stdout_so_far().is_empty());
    ensure(
        second.exit().is_some(),
        "a second server on the path of a live one",
        "exit code 5: the address is in use",
        "it listens there, too",
    )?;
    second
        .finish()?
        .expect_code(5, "on the path of a live server")?;
    first.answers("a client of the first server, after a second one tried its path")?;
    a_busy_name_is_left_alone(bench)
}

/// So does a second server on the name of one whose backlog is full: it must not wait for room.
fn a_busy_name_is_left_alone(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    let listener = UnixListener::bind(&path)?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&path, everybody)?;
    // The shortest backlog there is: one connection waits, and the next one would have to.
    listen(&listener, Backlog::new(0)?)?;
    let _waiting = UnixStream::connect(&path)?;
    let second = bench.program(["serve", "--unix"]).arg(&path).start()?;
    second
        .finish()?
        .expect_code(5, "on the path of a live server with a full backlog")?;
    ensure(
        path.exists(),
        "a server on the path of a live one with a full backlog",
        "the name stays",
        "the name is gone",
    )
}

/// Connecting to a plain file is refused as well, and it is no stale socket.
pub(crate) fn a_file_that_is_no_socket_is_left_alone(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    let text = bench.bytes(40);
    fs::write(&path, &text)?;
    let done = {
        let server = bench.program(["serve", "--unix"]).arg(&path).start()?;
        bench.until(|| server.exit().is_some() || !server.stdout_so_far().is_empty());
        match server.exit() {
            Some(_) => server.finish()?,
            None => {
                return ensure(
                    false,
                    "a server on the path of a plain file",
                    "exit code 5, and the file is still there",
                    "it listens there, and the file is gone",
                );
            }
        }
    };
    done.expect_code(5, "on the path of a plain file")?;
    let kept = fs::read(&path).is_ok_and(|now| now == text);
    ensure(
        kept,
        "a plain file where a server was to listen",
        "the file as it was",
        "it is not",
    )
}

/// The name belongs to another server by now, so the one that goes leaves it.
pub(crate) fn an_old_server_leaves_the_name_of_the_new_one(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    let old = Server::unix(bench, &path)?;
    // A server that has ended by itself has taken its name along.
    ensure(
        fs::remove_file(&path).is_ok(),
        "the path of a running server",
        "a socket",
        "no such name",
    )?;
    let new = Server::unix(bench, &path)?;
    old.process.signal(libc::SIGTERM)?;
    old.process.finish()?.expect_code(0, "told to stop")?;
    ensure(
        path.exists(),
        "an old server ends while a new one listens on the same path",
        "the name of the new server stays",
        "the name is gone",
    )?;
    new.answers("a client of the new server")
}

/// Told to stop, a server removes the name that it made.
pub(crate) fn a_stopped_server_takes_its_name_along(bench: &Bench) -> Check {
    let path = socket_path(bench)?;
    let server = Server::unix(bench, &path)?;
    server.answers("a client")?;
    let is_socket = fs::symlink_metadata(&path).is_ok_and(|name| name.file_type().is_socket());
    ensure(
        is_socket,
        "the path of a running server",
        "a socket",
        "no socket",
    )?;
    server.process.signal(libc::SIGTERM)?;
    server.process.finish()?.expect_code(0, "told to stop")?;
    if path.exists() {
        return Err(found(
            Symptom::Leak,
            "a server was told to stop by SIGTERM",
            "its name goes with it",
            "the name is still there",
        ));
    }
    Ok(())
}
