//! Part 4, one call at a time: what a line looks like in the pipe, and what is no line.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;

use harness::{Bench, Check, Fields, Probe, Reply, ensure, ensure_eq, wrong};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

use crate::chat::bytes_in;

/// The longest line, its newline included.
const MAX_LINE: usize = 4096;

/// Where the probe finds the writing end.
const FD: i32 = 4;

fn post(nick: &str, text: &str) -> Fields {
    Fields::new().value(FD).value(nick).value(text)
}

/// Letters that nobody could know.
fn letters(bench: &Bench, n_bytes: usize) -> String {
    bench
        .bytes(n_bytes)
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

/// A pipe whose reading end the test keeps, and a probe that holds the writing end.
fn probe_with_pipe(bench: &Bench, flags: OFlag) -> Check<(File, Probe)> {
    let (reader, writer) = pipe2(flags | OFlag::O_CLOEXEC)?;
    Ok((reader.into(), bench.probe().fd(FD, writer).connect()?))
}

/// In packet mode a pipe keeps every write(2) apart: one read(2) returns one of them.
pub(crate) fn a_line_is_one_write(bench: &Bench) -> Check {
    let (mut reader, mut probe) = probe_with_pipe(bench, OFlag::O_DIRECT)?;
    for n_bytes in [0, 1, 300, MAX_LINE - "ann\t\n".len()] {
        let text = letters(bench, n_bytes);
        probe.value("post", post("ann", &text))?;
        let case = format!("post of a text of {n_bytes} bytes");
        if bytes_in(&reader) == 0 {
            return Err(wrong(case, "a line in the pipe", "nothing in the pipe"));
        }
        let mut packet = vec![0; 2 * MAX_LINE];
        let n_read = reader.read(&mut packet)?;
        let rest = bytes_in(&reader);
        ensure(
            rest == 0,
            &case,
            format!("one write(2) of {} bytes", n_bytes + 5),
            format!("{n_read} bytes in the first write(2), {rest} in others"),
        )?;
        let got = String::from_utf8_lossy(&packet[..n_read]);
        ensure_eq(case, format!("ann\t{text}\n"), got.into_owned())?;
    }
    Ok(())
}

/// Newline, tab, a nick that is none, a line over 4096 bytes: refused, and nothing is written.
pub(crate) fn what_cannot_be_one_line_is_refused(bench: &Bench) -> Check {
    let (reader, mut probe) = probe_with_pipe(bench, OFlag::empty())?;
    let longest = letters(bench, MAX_LINE - "ann\t\n".len());
    let cases = [
        ("ann", "two\nlines", "a text with a newline"),
        ("ann", "two\tfields", "a text with a tab"),
        ("ann\nbob", "hello", "a nick with a newline"),
        ("ann\tbob", "hello", "a nick with a tab"),
        ("", "hello", "an empty nick"),
        ("../ann", "hello", "a nick that leads out of the folder"),
        (
            "ann",
            &format!("{longest}x"),
            "a line of 4097 bytes, newline included",
        ),
    ];
    for (nick, text, case) in cases {
        let kind = probe.error("post", post(nick, text), case)?;
        ensure_eq(
            format!("the error of post for {case}"),
            "InvalidInput",
            &kind,
        )?;
        let what = format!("the pipe after post was given {case}");
        ensure_eq(what, "0 bytes", &format!("{} bytes", bytes_in(&reader)))?;
    }
    match probe.call("post", post("ann", &longest))? {
        Reply::Value(_) => {}
        Reply::Error { text, .. } => {
            return Err(wrong(
                "post of a line of 4096 bytes, newline included",
                "Ok",
                text,
            ));
        }
    }
    ensure_eq(
        "bytes in the pipe after a line of 4096 bytes",
        MAX_LINE,
        bytes_in(&reader),
    )
}

/// EPIPE is told, not swallowed and not a death.
pub(crate) fn a_hub_that_has_gone_is_an_error(bench: &Bench) -> Check {
    let (reader, mut probe) = probe_with_pipe(bench, OFlag::empty())?;
    drop(reader);
    let kind = probe.error(
        "post",
        post("ann", "hello"),
        "into a pipe that nobody reads",
    )?;
    ensure_eq(
        "the error of post into a pipe that nobody reads",
        "BrokenPipe",
        &kind,
    )
}

/// A signal that arrives while post waits for room does not lose the line.
pub(crate) fn a_signal_does_not_lose_a_line(bench: &Bench) -> Check {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let mut reader = File::from(reader);
    let filled = fill(&writer)?;
    let mut probe = bench.probe().fd(FD, writer).connect()?;
    probe.value("catch_usr1", Fields::new())?;
    let text = letters(bench, 1000);
    probe.send("post", &post("ann", &text))?;
    for _ in 0..3 {
        probe.process.until_asleep()?;
        probe.process.signal(libc::SIGUSR1)?;
    }
    probe.process.until_asleep()?;

    let mut bytes = vec![0; filled];
    reader.read_exact(&mut bytes)?;
    let case = "post that a signal interrupted while the pipe was full";
    match probe.receive("post")? {
        Reply::Value(_) => {}
        Reply::Error { text, .. } => return Err(wrong(case, "the line is sent", text)),
    }
    let mut got = vec![0; bytes_in(&reader)];
    reader.read_exact(&mut got)?;
    let got = String::from_utf8_lossy(&got).into_owned();
    ensure_eq(case, format!("ann\t{text}\n"), got)
}

/// Fills a pipe to its last byte, and says how many there were.
fn fill(writer: &OwnedFd) -> Check<usize> {
    let flags = OFlag::from_bits_retain(fcntl(writer, FcntlArg::F_GETFL)?);
    fcntl(writer, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let mut file = File::from(writer.try_clone()?);
    let mut filled = 0;
    let error = loop {
        match file.write(&[b'.'; MAX_LINE]) {
            Ok(n_bytes) => filled += n_bytes,
            Err(error) => break error,
        }
    };
    fcntl(writer, FcntlArg::F_SETFL(flags))?;
    if error.kind() == ErrorKind::WouldBlock {
        Ok(filled)
    } else {
        Err(error.into())
    }
}
