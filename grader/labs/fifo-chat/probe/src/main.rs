//! Calls single functions of a submission's `fifo_chat` library and says what came back.
//!
//! It knows no expectation: which names, bytes and descriptors there are is the test's affair.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use fifo_chat::{Event, Flow, Hub, Lines, ensure_fifo, event_loop, open_reader, open_writer, post};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use probe::{Answer, Call, Fields, serve};

/// Events told by [`watch`]; a loop that spins may have millions.
const MAX_EVENTS: usize = 64;

fn main() {
    let mut opened: Vec<OwnedFd> = Vec::new();
    let mut hub = Hub::new(Path::new("."));
    serve(move |call| match call.name() {
        "ensure_fifo" => ensure_fifo(path(call)).map(|()| Fields::new()),
        "open_reader" => keep(open_reader(path(call))?, &mut opened),
        "open_writer" => {
            let deadline = Duration::from_millis(call.value(1));
            keep(open_writer(path(call), deadline)?, &mut opened)
        }
        "post" => {
            let (nick, text): (String, String) = (call.value(1), call.value(2));
            post(call.fd(0), &nick, &text).map(|()| Fields::new())
        }
        "lines" => Ok(lines(call)),
        "hub" => {
            hub = Hub::new(path(call));
            Ok(Fields::new())
        }
        "deliver" => {
            let from: String = call.value(0);
            let delivery = hub.deliver(&from, call.bytes(1))?;
            Ok(Fields::new()
                .value(delivery.sent)
                .value(delivery.full)
                .value(delivery.gone))
        }
        "members" => Ok(Fields::new().value(hub.members().join(" "))),
        "event_loop" => watch(call),
        "catch_usr1" => catch_usr1(),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// Argument 0 as a path.
fn path(call: &Call) -> &Path {
    Path::new(OsStr::from_bytes(call.bytes(0)))
}

/// Keeps a descriptor open for the test to look at, and tells its number.
fn keep(fd: OwnedFd, opened: &mut Vec<OwnedFd>) -> Answer {
    let number = fd.as_raw_fd();
    opened.push(fd);
    Ok(Fields::new().value(number))
}

/// Arguments: a number of pieces, the pieces. For each piece the number of lines it completed,
/// then the lines; or the kind of the error. At last how many lines `finish` has, and that line.
fn lines(call: &Call) -> Fields {
    let mut lines = Lines::default();
    let mut answer = Fields::new();
    for index in 0..call.value(0) {
        answer = match lines.push(call.bytes(1 + index)) {
            Ok(complete) => {
                let counted = answer.value(complete.len());
                complete.iter().fold(counted, Fields::bytes)
            }
            Err(error) => answer.value(format!("{:?}", error.kind())),
        };
    }
    let last = lines.finish();
    last.iter()
        .fold(answer.value(last.iter().len()), Fields::bytes)
}

/// Arguments: descriptors of the inbox and of standard input. Runs the loop until a piece from
/// the inbox holds a `!`, and tells the events: the bytes in one go, a `|` where the writers
/// left, a `$` where standard input ended.
fn watch(call: &Call) -> Answer {
    let (mut inbox, mut stdin) = (Vec::new(), Vec::new());
    let mut n_events = 0;
    event_loop(call.fd(0), call.fd(1), &mut |event| {
        n_events += 1;
        match event {
            Event::Inbox(bytes) => inbox.extend_from_slice(bytes),
            Event::WritersGone if n_events < MAX_EVENTS => inbox.push(b'|'),
            Event::Stdin(bytes) => stdin.extend_from_slice(bytes),
            Event::StdinEnd if n_events < MAX_EVENTS => stdin.push(b'$'),
            Event::WritersGone | Event::StdinEnd => {}
        }
        if inbox.contains(&b'!') {
            Flow::Stop
        } else {
            Flow::Go
        }
    })?;
    Ok(Fields::new().bytes(inbox).bytes(stdin))
}

/// From now on SIGUSR1 interrupts system calls and does nothing else.
fn catch_usr1() -> Answer {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing at all, so it may run anywhere.
    unsafe { sigaction(Signal::SIGUSR1, &action) }?;
    Ok(Fields::new())
}
