//! Part 8: the client, against servers of the test's own.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use harness::{Bench, Check, Input, Output};
use proptest::strategy::Strategy;

use crate::chunks::{Chunks, chunks, long_text};
use crate::peer::same_bytes;
use crate::server::socket_path;

/// A server that treats its clients, one after the other, as told.
fn serve_with(bench: &Bench, treat: fn(UnixStream) -> io::Result<()>) -> Check<PathBuf> {
    let path = socket_path(bench)?;
    let listener = UnixListener::bind(&path)?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&path, everybody)?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that breaks off is judged by what the test sees of it.
            let _ = treat(client);
        }
    });
    Ok(path)
}

/// Sends everything back as it comes.
fn echo(mut client: UnixStream) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            n => client.write_all(&buffer[..n])?,
        }
    }
}

/// Sends everything back once the client has ended its input.
fn echo_late(mut client: UnixStream) -> io::Result<()> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes)?;
    client.write_all(&bytes)
}

/// Far more than the kernel holds between the two, each way. The last byte ends no line.
pub(crate) fn eight_mebibytes_go_both_ways(bench: &Bench) -> Check {
    let received = bench.folder("big")?.join("received");
    let mut bytes = long_text(bench, 8 << 20);
    // After the last end of a line comes too little to leave any buffer by itself.
    bytes.extend(b"\n\0");
    let mut client = bench
        .program(["connect"])
        .arg(serve_with(bench, echo)?)
        .stdin(Input::Pipe)
        .stdout(Output::Fd(File::create(&received)?.into()))
        .start()?;
    client.feed(&bytes)?;
    // The input ends only now, so this is not about how the connection ends.
    let n_received = || fs::metadata(&received).map_or(0, |file| file.len());
    bench.until(|| client.exit().is_some() || n_received() >= bytes.len() as u64);
    client.finish()?.expect_code(0, "with 8 MiB of input")?;
    same_bytes(
        &bytes,
        &fs::read(&received)?,
        "`connect` with 8 MiB of input",
    )
}

/// The server answers only after the end of the input, and the client still takes it all.
pub(crate) fn answers_come_in_after_the_end_of_the_input(bench: &Bench) -> Check {
    let bytes = bench.bytes(100 * 1024);
    let client = bench
        .program(["connect"])
        .arg(serve_with(bench, echo_late)?);
    let done = client.run(&bytes)?;
    done.expect_code(0, "to a server that answers at the end")?;
    same_bytes(
        &bytes,
        &done.stdout,
        "`connect` to a server that answers at the end",
    )
}

/// What has come back is written out while the input is still open.
pub(crate) fn answers_do_not_wait_for_the_input(bench: &Bench) -> Check {
    let path = serve_with(bench, echo)?;
    let some = chunks().prop_filter("something to say", |Chunks(chunks)| !chunks.is_empty());
    bench.property(4, some, |Chunks(chunks)| {
        let launch = bench.program(["connect"]).arg(&path).stdin(Input::Pipe);
        let mut client = launch.start()?;
        let mut sent = Vec::new();
        for chunk in chunks {
            client.feed(&chunk)?;
            sent.extend(chunk);
            let what = format!("the answers to {} bytes", sent.len());
            client.until_stdout(&what, |got| got.len() >= sent.len())?;
        }
        let done = client.finish()?;
        same_bytes(&sent, &done.stdout, "`connect` piece by piece")?;
        done.expect_code(0, "at the end of its input")
    })
}
