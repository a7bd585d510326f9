//! Part 7: datagrams.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use harness::{Bench, Check, ensure, wrong};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;

use crate::peer::same_bytes;
use crate::server::Server;

/// Datagrams of telling sizes from two senders in turn: each gets its own back, once and whole.
pub(crate) fn every_datagram_goes_back_to_its_sender(bench: &Bench) -> Check {
    let server = Server::start(bench, bench.program(["serve", "--udp", "127.0.0.1:0"]))?;
    let Ok(address) = server.address.parse::<SocketAddr>() else {
        return Err(wrong("`serve --udp`", "listening IP:PORT", server.address));
    };
    let socket = || -> Check<UdpSocket> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let senders = [socket()?, socket()?];
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
        }
        Ok(())
    })
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
