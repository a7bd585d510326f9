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
        for rule in [
            inject(receiving.clone(), Eintr),
            inject(sending.clone(), Eintr),
            inject(receiving, Short(n_bytes)),
            inject(sending, Short(n_bytes)),
            inject(accept().counts(1..=2), Eintr),
            inject(accept(), Fails(Errno::ECONNABORTED)),
        ] {
            talk(bench, &bytes, is_for_one, vec![rule])?;
        }
    }
    // Only a server for many has to wait for several descriptors.
    talk(
        bench,
        &bytes,
        false,
        vec![inject(poll().counts(1..=3), Eintr)],
    )?;
    // Nothing in the server tells it when the whole system has descriptors again: only time does.
    talk(
        bench,
        &bytes,
        false,
        vec![inject(accept(), Fails(Errno::ENFILE))],
    )?;
    let cases = (ANY, faults(talking().into(), 4));
    bench.property(8, cases, |(is_for_one, rules)| {
        talk(bench, &bytes, is_for_one, rules)
    })
}

/// One client talks to a server whose calls are disturbed, and gets back all that it sends.
fn talk(bench: &Bench, bytes: &[u8], is_for_one: bool, rules: Vec<Rule>) -> Check {
    let watch = bench.watch(rules, &talking())?;
    let once: &[&str] = if is_for_one { &["--once"] } else { &[] };
    let launch = bench.program(["serve"]).args(once);
    let launch = launch.args(["--tcp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch.watched(&watch, "server"))?;
    let case = "a client of a server whose calls are interrupted or cut short";
    server.connect()?.swap_to_end(bytes, case)?;
    let totals = format!("served 1 failed 0 bytes {}", bytes.len());
    let case = "after calls that were interrupted or cut short";
    match is_for_one {
        true => server.ends_with(&totals, case),
        false => server.stops_with(&totals, case),
    }
}
