//! Part 7: datagrams.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use harness::inject::{Fails, Point, call, inject};
use harness::{Bench, Check, ensure, wrong};
use nix::errno::Errno;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;

use crate::peer::same_bytes;
use crate::server::Server;

/// Datagrams of telling sizes from two senders in turn: each gets its own back, once and whole.
pub(crate) fn every_datagram_goes_back_to_its_sender(bench: &Bench) -> Check {
    let server = Server::start(bench, bench.program(["serve", "--udp", "127.0.0.1:0"]))?;
    let address = address(&server)?;
    let senders = [sender()?, sender()?];
    let (n_served, n_bytes_served) = (Cell::new(0), Cell::new(0));
    let text = bench.bytes(70_000);
    let one = (any::<bool>(), select(vec![0, 1, 1472, 8000, 65_507]));
    bench.property(32, vec(one, 1..7), |datagrams| {
        for (second, n_bytes) in datagrams {
            let (sender, other) = (
                &senders[usize::from(second)],
                &senders[usize::from(!second)],
            );
            let start = bench.number(0..4000) as usize;
            let bytes = &text[start..start + n_bytes];
            sender.send_to(bytes, address)?;
            let mut answer = None;
            bench.until(|| {
                answer = receive(sender);
                answer.is_some() || receive_is_pending(other) || server.process.exit().is_some()
            });
            let case = format!("a datagram of {n_bytes} bytes");
            match answer.or_else(|| receive(sender)) {
                Some(answer) => same_bytes(bytes, &answer, &case)?,
                None if server.process.exit().is_some() => server.process.until_asleep()?,
                None => {
                    let got = "a datagram for another sender";
                    return Err(wrong(case, "an answer to its sender", got));
                }
            }
            server.process.until_asleep()?;
            ensure(
                !receive_is_pending(sender) && !receive_is_pending(other),
                case,
                "one answer",
                "another datagram after the answer",
            )?;
            n_served.set(n_served.get() + 1);
            n_bytes_served.set(n_bytes_served.get() + n_bytes);
        }
        Ok(())
    })?;
    let (n_served, n_bytes) = (n_served.get(), n_bytes_served.get());
    let totals = format!("served {n_served} failed 0 bytes {n_bytes}");
    server.stops_with(&totals, "told to stop")?;
    an_answer_that_cannot_be_sent_ends_nothing(bench)
}

/// A firewall may forbid an answer: the next datagram is answered all the same.
fn an_answer_that_cannot_be_sent_ends_nothing(bench: &Bench) -> Check {
    let forbidden = inject(answer().counts(1..=1), Fails(Errno::EPERM));
    let watch = bench.watch([forbidden], &[])?;
    let launch = bench.program(["serve", "--udp", "127.0.0.1:0"]);
    let server = Server::start(bench, launch.watched(&watch, "server"))?;
    let (address, sender) = (address(&server)?, sender()?);
    sender.send_to(&bench.bytes(20), address)?;
    let bytes = bench.bytes(30);
    sender.send_to(&bytes, address)?;
    let mut answer = None;
    bench.until(|| {
        answer = receive(&sender);
        answer.is_some() || server.process.exit().is_some()
    });
    let case = "the second of two datagrams, the first of which cannot be answered";
    same_bytes(&bytes, &answer.unwrap_or_default(), case)?;
    let case = "told to stop, one of two answers could not be sent";
    server.stops_with("served 1 failed 1 bytes 30", case)
}

/// A datagram out, however it is done, several at once included.
fn answer() -> Point {
    let numbers = &[libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg];
    call("answer", numbers)
}

fn address(server: &Server<'_>) -> Check<SocketAddr> {
    let parsed = server.address.parse();
    parsed.map_err(|_| wrong("`serve --udp`", "listening IP:PORT", &server.address))
}

fn sender() -> Check<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn receive(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 70_000];
    let n = socket.recv(&mut buffer).ok()?;
    buffer.truncate(n);
    Some(buffer)
}

fn receive_is_pending(socket: &UdpSocket) -> bool {
    let peeked = socket.peek(&mut [0; 1]);
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
