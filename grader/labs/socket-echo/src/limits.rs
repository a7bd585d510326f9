//! Part 6, the edges: no descriptor left, and the end of the server.

use harness::{Bench, Check};
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
    client.expect_to_end(
        &bytes[..n_sent],
        "a client when the server was told to stop",
    )?;
    server.process.finish()?.expect_code(0, "told to stop")
}

/// A client that never ends has as long as the drain time says, and no longer.
pub(crate) fn a_silent_client_cannot_keep_the_server_from_stopping(bench: &Bench) -> Check {
    let launch = bench.program(["serve", "--drain", "100", "--tcp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch)?;
    let client = server.connect()?;
    client.send(b"hello\n")?;
    client.expect(b"hello\n", "a client")?;
    server.process.signal(libc::SIGTERM)?;
    server
        .process
        .finish()?
        .expect_code(0, "told to stop, with a drain time of 100 ms")?;
    client.expect_to_end(&[], "a client whose drain time is over")
}
