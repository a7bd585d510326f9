//! Part 6, the edges: no descriptor left, and the end of the server.

use harness::{Bench, Check, ensure_eq};
use nix::sys::resource::Resource;

use crate::chunks::long_text;
use crate::server::{Server, socket_path};

/// Thirty clients where there is room for about ten: no crash, no spin, and everybody has a turn.
pub(crate) fn out_of_descriptors_clients_wait_for_their_turn(bench: &Bench) -> Check {
    let launch = bench.program(["serve", "--tcp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch.rlimit(Resource::RLIMIT_NOFILE, 16))?;
    let clients: Vec<_> = (0..30).map(|_| server.connect()).collect::<Check<_>>()?;
    server.rests("30 clients wait and only about ten of them fit in")?;
    for client in clients {
        let line = [&bench.bytes(30)[..], b"\n"].concat();
        client.swap_to_end(&line, "one of 30 clients of a server with 16 descriptors")?;
    }
    no_more_than_asked_are_let_in(bench)
}

/// How many clients a server may have open.
const N_CLIENTS: usize = 3;

/// Five clients where three are allowed: with each that leaves, one more has its turn.
fn no_more_than_asked_are_let_in(bench: &Bench) -> Check {
    let launch = bench.program(["serve", "--tcp", "127.0.0.1:0", "--clients"]);
    let server = Server::start(bench, launch.arg(N_CLIENTS.to_string()))?;
    let line = [&bench.bytes(30)[..], b"\n"].concat();
    let mut clients = Vec::new();
    for _ in 0..N_CLIENTS + 2 {
        let client = server.connect()?;
        client.send(&line)?;
        if clients.len() < N_CLIENTS {
            client.expect(&line, "one of the clients that are allowed")?;
        }
        clients.push(client);
    }
    for n_gone in 0..2 {
        server.rests("as many clients as are allowed are open, and others wait")?;
        let waiting = &clients[N_CLIENTS + n_gone..];
        let n_answered = waiting.iter().filter(|client| client.has_more()).count();
        ensure_eq(
            format!("{N_CLIENTS} clients are open, which is what --clients allows"),
            format!("0 of {} more are served", waiting.len()),
            format!("{n_answered} of {} more are served", waiting.len()),
        )?;
        clients[n_gone].swap_to_end(&[], "a client that makes room")?;
        waiting[0].expect(&line, "a client that had to wait for its turn")?;
    }
    Ok(())
}

/// SIGTERM comes while the server holds bytes that its client has not read yet.
pub(crate) fn told_to_stop_the_server_finishes_its_clients(bench: &Bench) -> Check {
    let launch = bench.program(["serve", "--drain", "600000", "--unix"]);
    let server = Server::start(bench, launch.arg(socket_path(bench)?))?;
    let client = server.connect()?;
    let bytes = long_text(bench, 1 << 20);
    let n_sent = server.stuff(&client, &bytes)?;
    client.end_input()?;
    server.process.signal(libc::SIGTERM)?;
    client
        .expect_to_end(&bytes[..n_sent], "a client")
        .map_err(|stop| stop.in_case("when the server was told to stop"))?;
    let totals = format!("served 1 failed 0 bytes {n_sent}");
    server.ends_with(&totals, "told to stop")
}

/// A client that never ends has as long as the drain time says, and no longer.
pub(crate) fn a_silent_client_cannot_keep_the_server_from_stopping(bench: &Bench) -> Check {
    let launch = bench.program(["serve", "--drain", "100", "--tcp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch)?;
    let client = server.connect()?;
    client.send(b"hello\n")?;
    client.expect(b"hello\n", "a client")?;
    let case = "told to stop, with a drain time of 100 ms";
    server.stops_with("served 0 failed 1 bytes 6", case)?;
    client.expect_cut_off("a client whose drain time is over")
}
