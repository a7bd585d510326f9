//! Part 6, the work itself: several clients, each with its own pace, and all bytes come back.

use std::thread;
use std::time::Duration;

use harness::{Bench, Check, Symptom, ensure, found};

use crate::chunks::{Chunks, chunks, long_text};
use crate::server::{Server, socket_path};

/// The smallest thing that a server for many does, and what the other tests build on.
pub(crate) fn a_line_comes_back(bench: &Bench) -> Check {
    Server::tcp(bench)?.answers("a client that sent a line")
}

/// Pieces of any size come back before the next one goes, to a TCP and a Unix client in turn.
pub(crate) fn every_piece_comes_back_at_once(bench: &Bench) -> Check {
    let servers = [
        Server::tcp(bench)?,
        Server::unix(bench, &socket_path(bench)?)?,
    ];
    bench.property(24, chunks(), |Chunks(chunks)| {
        let clients = [servers[0].connect()?, servers[1].connect()?];
        for chunk in &chunks {
            for client in &clients {
                client.send(chunk)?;
                client.expect(chunk, "a client that sends piece by piece")?;
            }
        }
        Ok(())
    })
}

/// The client ends its input while much of what it sent waits on the way, and reads to the end.
pub(crate) fn the_end_of_input_ends_one_direction_only(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let bytes = long_text(bench, 300 * 1024);
    let client = server.connect()?;
    client.swap_to_end(&bytes, "a client that ends its input")?;
    server.answers("the next client")?;

    let server = Server::unix(bench, &socket_path(bench)?)?;
    let bytes = long_text(bench, 1 << 20);
    let client = server.connect()?;
    let n_sent = server.stuff(&client, &bytes)?;
    client.end_input()?;
    client.expect_to_end(
        &bytes[..n_sent],
        "a client that ends its input before it reads",
    )?;
    server.answers("the next client")
}

/// The client reads nothing until the server cannot send any more, and then everything.
pub(crate) fn a_client_that_reads_late_loses_nothing(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let client = server.connect()?;
    let bytes = long_text(bench, 32 << 20);
    let n_sent = server.stuff(&client, &bytes)?;
    client.expect(&bytes[..n_sent], "a client that reads late")?;
    let more = long_text(bench, 1000);
    client.send(&more)?;
    client.expect(&more, "the same client, which now reads")
}

/// One client says nothing at all, and the next one is served.
pub(crate) fn a_silent_client_holds_up_nobody(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let silent = server.connect()?;
    server.answers("a client that came after a silent one")?;
    let line = [&bench.bytes(30)[..], b"\n"].concat();
    silent.send(&line)?;
    silent.expect(&line, "the client that was silent so far")
}

/// Two dozen clients are open at the same time; the last one is answered first.
///
/// Not more: a server with a thread for each direction of each client is right as well, and a box
/// holds 64 threads.
pub(crate) fn two_dozen_clients_are_served_at_once(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let mut clients = Vec::new();
    for _ in 0..24 {
        let line = [&bench.bytes(50)[..], b"\n"].concat();
        clients.push((server.connect()?, line));
    }
    for (client, line) in &clients {
        client.send(line)?;
    }
    for (client, line) in clients.iter().rev() {
        client.expect(line, "one of 24 clients")?;
    }
    Ok(())
}

/// A server with an idle client and nothing to do.
pub(crate) fn without_work_the_server_sleeps(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    let client = server.connect()?;
    client.send(b"once\n")?;
    client.expect(b"once\n", "a client")?;
    let what = "its only client says nothing";
    server.rests(what)?;
    server
        .process
        .sleeps_soundly(Duration::from_millis(300), what)
}

/// How much memory a server may use that one client tries to fill.
const MAX_RSS_KIB: u64 = 32 * 1024;

/// A client pushes 64 MiB and never reads: the server takes a little, sleeps, and serves others.
pub(crate) fn a_client_that_never_reads_fills_nothing(bench: &Bench) -> Check {
    let server = Server::unix(bench, &socket_path(bench)?)?;
    let client = server.connect()?;
    let bytes = long_text(bench, 64 << 20);
    let n_sent = server.stuff(&client, &bytes)?;
    // What cannot be read is no evidence.
    let rss = resident_kib(&server).unwrap_or_default();
    if rss >= MAX_RSS_KIB {
        return Err(found(
            Symptom::Limit,
            "a client sends and never reads",
            format!("the server keeps one buffer for it, all in all under {MAX_RSS_KIB} KiB"),
            format!("{} KiB taken from it, {rss} KiB resident", n_sent / 1024),
        ));
    }
    server.rests("one client never reads and nobody else is there")?;
    server.answers("a client beside one that never reads")
}

fn resident_kib(server: &Server<'_>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.pid())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Fifty clients reset their connections in the middle of the echo.
pub(crate) fn clients_that_abort_take_nothing_with_them(bench: &Bench) -> Check {
    let server = Server::tcp(bench)?;
    server.answers("the first client")?;
    let before = server.n_fds();
    let bytes = bench.bytes(64 * 1024);
    for _ in 0..50 {
        let client = server
            .connect()
            .map_err(|stop| stop.in_case("after clients that aborted"))?;
        let aborted = client.offer(&bytes).and_then(|_| client.abort());
        aborted.map_err(|stop| server.explained(stop).in_case("after clients that aborted"))?;
    }
    // A server that gives up may still have answered the first one in the same round.
    for who in ["a client", "the second client"] {
        let answered = server.answers(who);
        answered.map_err(|stop| stop.in_case("after 50 clients that aborted"))?;
    }
    let after = n_fds_in_the_end(&server, before)?;
    if after <= before {
        // Each reset finds the server with bytes to take or to give, or waiting for more.
        return server.stops_with("served 3 failed 50 ", "50 clients have aborted");
    }
    Err(found(
        Symptom::Leak,
        "50 clients have aborted and are gone",
        format!(
            "{} open descriptors, as before them",
            before.unwrap_or_default()
        ),
        format!("{} open descriptors", after.unwrap_or_default()),
    ))
}

/// How many descriptors the server has once they are no more than `enough`, or once it has nothing
/// left to do.
fn n_fds_in_the_end(server: &Server<'_>, enough: Option<usize>) -> Check<Option<usize>> {
    // The last ones may still be on their way out: look again for a while.
    for _ in 0..50 {
        let n_fds = server.n_fds();
        if n_fds <= enough {
            return Ok(n_fds);
        }
        thread::sleep(Duration::from_millis(10));
    }
    // On a busy machine that is no time: whoever still has something to close is not asleep.
    server.process.until_asleep()?;
    Ok(server.n_fds())
}

/// Every socket that the server has would be closed by execve(2).
pub(crate) fn no_program_inherits_a_socket(bench: &Bench) -> Check {
    let servers = [
        Server::tcp(bench)?,
        Server::unix(bench, &socket_path(bench)?)?,
    ];
    for server in &servers {
        let client = server.connect()?;
        client.send(b"hello\n")?;
        client.expect(b"hello\n", "a client")?;
        let fds = server.process.proc().fds().unwrap_or_default();
        let is_socket = |target: &str| target.starts_with("socket:");
        let open: Vec<_> = fds
            .iter()
            .filter(|fd| is_socket(&fd.target) && fd.flags.is_some() && !fd.is_close_on_exec())
            .map(|fd| fd.number.to_string())
            .collect();
        ensure(
            open.is_empty(),
            format!(
                "the sockets of `{}` with one client",
                server.process.command()
            ),
            "close-on-exec on all of them",
            format!("not on descriptor {}", open.join(", ")),
        )?;
    }
    Ok(())
}
