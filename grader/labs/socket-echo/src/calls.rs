//! Parts 3 to 5: single functions, called through the probe.

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use harness::{Bench, Check, Fields, Probe, Reply, ensure, ensure_eq, wrong};
use nix::sys::resource::Resource;

use crate::chunks::{Chunks, chunks, long_text};
use crate::peer::Peer;

/// The probe's first descriptor of ours.
const FD: i32 = 4;
/// How many clients wait at once.
const N_WAITING: usize = 3;

/// A probe with one end of a new connection at [`FD`], and the other end.
fn probe_and_peer(bench: &Bench) -> Check<(Probe, Peer<'_>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let probe = bench.probe().fd(FD, theirs).connect()?;
    Ok((probe, Peer::new(bench, ours)))
}

/// Each accepted descriptor is the connection of the client whose turn it is.
pub(crate) fn accept_conn_takes_clients_in_their_order(bench: &Bench) -> Check {
    // The listener and its clients are ours, so that nobody else knows what each client says.
    let name: String = bench
        .bytes(16)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let address = SocketAddr::from_abstract_name(name)?;
    let listener = UnixListener::bind_addr(&address)?;
    let mut clients = Vec::new();
    for _ in 0..N_WAITING {
        let mut client = UnixStream::connect_addr(&address)?;
        let word = bench.bytes(16);
        client.write_all(&word)?;
        clients.push((client, word));
    }

    let mut probe = bench.probe().fd(FD, listener).connect()?;
    let said = probe.value("accept_each", Fields::new().value(FD).value(N_WAITING))?;
    for (turn, (_, word)) in clients.iter().enumerate() {
        let whose = match clients.iter().position(|(_, word)| word == said.get(turn)) {
            Some(client) => format!("client {}", client + 1),
            None => format!("nobody: {} bytes that no client sent", said.get(turn).len()),
        };
        ensure(
            said.get(turn) == word,
            format!("accept_conn, {N_WAITING} clients wait, call {}", turn + 1),
            format!("the connection of client {}", turn + 1),
            whose,
        )?;
    }
    Ok(())
}

/// Nobody waits: a non-blocking listener says so, and that is no error.
pub(crate) fn accept_conn_without_a_client_is_not_now(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    let accepted = probe.value("accept_nobody", Fields::new())?;
    let what = "accept_conn on a non-blocking listener, nobody has connected";
    ensure_eq(what, Some(false), accepted.parse::<bool>(0))
}

/// No descriptor is free: the client waits on, and is there as soon as one is.
pub(crate) fn accept_conn_without_a_free_descriptor_is_not_now(bench: &Bench) -> Check {
    let mut probe = bench
        .probe()
        .rlimit(Resource::RLIMIT_NOFILE, 24)
        .connect()?;
    let accepted = probe.value("accept_without_descriptors", Fields::new())?;
    let what = "accept_conn while a client waits and no descriptor is free";
    ensure_eq(what, Some(false), accepted.parse::<bool>(0))?;
    let what = "accept_conn once descriptors are free again";
    ensure_eq(what, Some(true), accepted.parse::<bool>(1))
}

/// More than the way holds, to a reader that comes late.
pub(crate) fn send_all_sends_everything(bench: &Bench) -> Check {
    let (mut probe, peer) = probe_and_peer(bench)?;
    let bytes = long_text(bench, 1 << 20);
    probe.send("send_all", &Fields::new().value(FD).bytes(&bytes))?;
    probe.process.until_asleep()?;
    let early = match probe.has_answered()? {
        true => Some(probe.receive("send_all")?),
        false => None,
    };
    // After an error the rest never comes: to wait for it would hide the cause.
    if let Some(Reply::Error { text, .. }) = early {
        let what = "send_all of 1 MiB to a reader who comes late";
        return Err(wrong(what, "it waits for room", text));
    }
    peer.expect(&bytes, "a reader of send_all")?;
    match early.map_or_else(|| probe.receive("send_all"), Ok)? {
        Reply::Value(_) => Ok(()),
        Reply::Error { text, .. } => Err(wrong("send_all to a reader", "Ok", text)),
    }
}

/// A closed peer is an error to return, and no signal.
pub(crate) fn send_all_reports_a_closed_peer(bench: &Bench) -> Check {
    let (mut probe, peer) = probe_and_peer(bench)?;
    drop(peer);
    let args = Fields::new().value(FD).bytes(bench.bytes(100));
    let kind = probe.error(
        "send_all",
        args,
        "the peer has closed, SIGPIPE is not ignored",
    )?;
    ensure_eq(
        "the error of send_all to a closed peer",
        "BrokenPipe",
        kind.as_str(),
    )
}

/// Every piece comes back before the next one goes, whatever it is made of.
pub(crate) fn echo_conn_gives_every_piece_back_at_once(bench: &Bench) -> Check {
    bench.property(24, chunks(), |Chunks(chunks)| {
        let (mut probe, peer) = probe_and_peer(bench)?;
        probe.send("echo_conn", &Fields::new().value(FD))?;
        for chunk in &chunks {
            peer.send(chunk)?;
            peer.expect(chunk, "a client that sends piece by piece")?;
        }
        peer.end_input()?;
        ended_with(&mut probe, chunks.iter().map(Vec::len).sum())
    })
}

/// The client ends its input while most of its bytes are still on their way.
pub(crate) fn echo_conn_ends_one_direction_after_the_other(bench: &Bench) -> Check {
    let (mut probe, peer) = probe_and_peer(bench)?;
    let bytes = long_text(bench, 1 << 20);
    probe.send("echo_conn", &Fields::new().value(FD))?;
    let n_sent = peer.stuff(&probe.process, &bytes)?;
    if probe.has_answered()? {
        // The end will not come: the answer tells more than a wait for it.
        return ended_with(&mut probe, n_sent);
    }
    peer.end_input()?;
    // The probe keeps a descriptor of the connection, so only shutdown(2) can tell the end.
    let case = "a client that ends its input";
    peer.expect(&bytes[..n_sent], case)?;
    bench.until(|| peer.has_more() || probe.has_answered().unwrap_or(true));
    ensure(
        peer.has_more(),
        "the connection when echo_conn has returned",
        "shut down, so that the client sees the end",
        "open, and the client waits for more",
    )?;
    peer.expect_to_end(&[], case)?;
    ended_with(&mut probe, n_sent)?;
    echo_conn_reports_a_broken_connection(bench)
}

/// A client that closes with bytes unread breaks the connection, which is no end of input.
fn echo_conn_reports_a_broken_connection(bench: &Bench) -> Check {
    let (mut probe, peer) = probe_and_peer(bench)?;
    probe.send("echo_conn", &Fields::new().value(FD))?;
    // No line ends in there: who waits for one has answered nothing.
    let mut bytes = bench.bytes(100);
    bytes.retain(|&byte| byte != b'\n');
    peer.send(&bytes)?;
    bench.until(|| peer.has_more());
    drop(peer);
    match probe.receive("echo_conn")? {
        Reply::Error { .. } => Ok(()),
        Reply::Value(_) => Err(wrong(
            "echo_conn, the client closes without taking what came back",
            "the error of the broken connection",
            "Ok",
        )),
    }
}

fn ended_with(probe: &mut Probe, n_bytes: usize) -> Check {
    let echoed = match probe.receive("echo_conn")? {
        Reply::Value(values) => values.parse::<usize>(0),
        Reply::Error { text, .. } => return Err(wrong("echo_conn", "Ok", text)),
    };
    ensure(
        echoed == Some(n_bytes),
        "the value of echo_conn",
        format!("Ok({n_bytes})"),
        format!("{echoed:?}"),
    )
}
