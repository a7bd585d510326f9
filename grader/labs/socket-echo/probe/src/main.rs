//! Calls single functions of a submission's `socket_echo` library and says what came back.
//!
//! It knows no expectation. Sockets that the calls need beside the one under test are made with
//! std only, so that nothing but the function under test can be wrong.

use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use nix::sys::signal::{SigHandler, Signal, signal};
use probe::{Answer, Call, Fields, serve};

fn main() {
    let mut listeners = Vec::new();
    serve(|call| match call.name() {
        "listen_tcp" => listen_tcp(call, &mut listeners),
        "accept_nobody" => accept_nobody(),
        "accept_without_descriptors" => accept_without_descriptors(),
        "accept_each" => accept_each(call),
        "send_all" => send_all(call),
        "echo_conn" => echo_conn(call),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// Arguments: an address, a backlog. Listens and goes on listening; gives back the port.
fn listen_tcp(call: &Call, listeners: &mut Vec<TcpListener>) -> Answer {
    let listener = TcpListener::from(socket_echo::listen_tcp(call.value(0), call.value(1))?);
    let port = listener.local_addr()?.port();
    listeners.push(listener);
    Ok(Fields::new().value(port))
}

/// Accepts from a non-blocking listener that nobody has connected to: whether there was a client.
fn accept_nobody() -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let accepted = socket_echo::accept_conn(listener.as_fd())?;
    Ok(Fields::new().value(accepted.is_some()))
}

/// Accepts while a client waits and no descriptor is free, then with descriptors free again:
/// whether there was a client, each time.
fn accept_without_descriptors() -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _client = TcpStream::connect(listener.local_addr()?)?;
    let mut fill = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        fill.push(file);
    }
    let without = socket_echo::accept_conn(listener.as_fd())?.is_some();
    drop(fill);
    let with = socket_echo::accept_conn(listener.as_fd())?.is_some();
    Ok(Fields::new().value(without).value(with))
}

/// Arguments: a listener, how many clients wait there. Accepts each and gives back what it said.
fn accept_each(call: &Call) -> Answer {
    let mut said = Fields::new();
    for _ in 0..call.value(1) {
        let mut bytes = [0; 64];
        let n = match socket_echo::accept_conn(call.fd(0))? {
            Some(client) => File::from(client).read(&mut bytes)?,
            None => 0,
        };
        said = said.bytes(&bytes[..n]);
    }
    Ok(said)
}

/// Arguments: a descriptor, bytes. Sends them, with the signal of a closed peer not ignored.
fn send_all(call: &Call) -> Answer {
    // SAFETY: the default disposition runs no handler.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    socket_echo::send_all(call.fd(0), call.bytes(1))?;
    Ok(Fields::new())
}

/// Argument: a descriptor, of which the function gets a duplicate. Gives back the byte count.
fn echo_conn(call: &Call) -> Answer {
    let echoed = socket_echo::echo_conn(call.fd(0).try_clone_to_owned()?)?;
    Ok(Fields::new().value(echoed))
}
