//! Parts 3 to 6 under calls that are interrupted or cut short: the harness makes certain what the
//! kernel does rarely.

use harness::inject::{
    Eintr, Fails, Point, Rule, Short, accept, inject, poll, receive, send, socket,
};
use harness::{Bench, Check, faults};
use nix::errno::Errno;
use proptest::bool::ANY;

use crate::chunks::long_text;
use crate::server::Server;

/// Where a server that talks to a client can be disturbed.
fn talking() -> [Point; 2] {
    [receive().on(socket()), send().on(socket())]
}

/// Bytes of a client whose talk is disturbed: a few buffers.
const N_BYTES: usize = 60_000;

pub(crate) fn disturbed_calls_lose_no_client(bench: &Bench) -> Check {
    let bytes = long_text(bench, N_BYTES);
    for is_for_one in [true, false] {
        let [receiving, sending] = talking().map(|point| point.counts(1..=2));
        let n_bytes = bench.number(1..1000) as usize;
        for (rule, case) in [
            (
                inject(receiving.clone(), Eintr),
                "with recv(2) of the server interrupted",
            ),
            (
                inject(sending.clone(), Eintr),
                "with send(2) of the server interrupted",
            ),
            (
                inject(receiving, Short(n_bytes)),
                "with recv(2) of the server cut short",
            ),
            (
                inject(sending, Short(n_bytes)),
                "with send(2) of the server cut short",
            ),
            (
                inject(accept().counts(1..=2), Eintr),
                "with accept(2) of the server interrupted",
            ),
            (
                inject(accept(), Fails(Errno::ECONNABORTED)),
                "with ECONNABORTED from accept(2) of the server",
            ),
        ] {
            talk(bench, &bytes, is_for_one, vec![rule], case)?;
        }
    }
    for (rule, case) in [
        // Only a server for many has to wait for several descriptors.
        (
            inject(poll().counts(1..=3), Eintr),
            "with poll(2) of the server interrupted",
        ),
        // Nothing in the server tells it when the whole system has descriptors again: only time does.
        (
            inject(accept(), Fails(Errno::ENFILE)),
            "with ENFILE from accept(2) of the server",
        ),
    ] {
        talk(bench, &bytes, false, vec![rule], case)?;
    }
    let cases = (ANY, faults(talking().into(), 4));
    bench.property(8, cases, |(is_for_one, rules)| {
        let case = "with calls of the server interrupted or cut short";
        talk(bench, &bytes, is_for_one, rules, case)
    })
}

/// One client talks to a server whose calls are disturbed, and gets back all that it sends.
fn talk(bench: &Bench, bytes: &[u8], is_for_one: bool, rules: Vec<Rule>, case: &str) -> Check {
    let watch = bench.watch(rules, &talking())?;
    let once: &[&str] = if is_for_one { &["--once"] } else { &[] };
    let launch = bench.program(["serve"]).args(once);
    let launch = launch.args(["--tcp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch.watched(&watch, "server"))?;
    let talked = server
        .connect()
        .and_then(|client| client.swap_to_end(bytes, "a client"));
    talked.map_err(|stop| server.explained(stop).in_case(case))?;
    let totals = format!("served 1 failed 0 bytes {}", bytes.len());
    match is_for_one {
        true => server.ends_with(&totals, case),
        false => server.stops_with(&totals, case),
    }
}
