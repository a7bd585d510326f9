//! The probe's main loop.

use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;

use crate::wire::{read_call, write_answer};
use crate::{Call, Fields};

/// What a called function returned, taken apart into fields.
pub type Answer = io::Result<Fields>;

/// The descriptor at which every probe finds its socket.
pub const SOCKET_FD: i32 = 3;

/// Answers calls until the test closes the socket, then ends with 0.
///
/// A panic in a called function is not caught: the process ends with 101 and the stub's own
/// words, which is what the test wants to see.
pub fn serve(mut answer: impl FnMut(&Call) -> Answer) -> ! {
    let status = match open_socket().and_then(|socket| answer_all(socket, &mut answer)) {
        Ok(()) => 0,
        Err(_) => 2,
    };
    std::process::exit(status)
}

fn open_socket() -> io::Result<UnixStream> {
    // SAFETY: the test opened this descriptor for us and nobody else in this process uses it.
    let inherited = unsafe { UnixStream::from_raw_fd(SOCKET_FD) };
    // The clone is close-on-exec and the inherited one is closed here: programs that a called
    // function starts must not hold the wire.
    inherited.try_clone()
}

fn answer_all(mut socket: UnixStream, answer: &mut impl FnMut(&Call) -> Answer) -> io::Result<()> {
    while let Some(call) = read_call(&mut socket)? {
        let answer = answer(&call);
        write_answer(&mut socket, answer)?;
    }
    Ok(())
}
