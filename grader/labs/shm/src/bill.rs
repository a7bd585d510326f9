//! Part 5: what moves the bytes, by the kernel's own counters.

use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::PathBuf;

use harness::{Bench, Check, Process, Symptom, found};
use instruments::Process as Seen;
use instruments::proc::read_u64;

const MIB: u64 = 1 << 20;
const BYTES: u64 = 64 * MIB;

/// 64 MiB through a pipe are 64 MiB of write(2); through shared memory they are next to none.
pub(crate) fn each_way_is_what_it_says(bench: &Bench) -> Check {
    for (via, at_least, below) in [("pipe", BYTES, u64::MAX), ("shm", 0, MIB)] {
        let bench_program = start(bench, via, BYTES)?;
        bench_program.until_line("{")?;
        // What cannot be read is no evidence.
        if let Some(io) = bench_program.proc().io()
            && (io.wchar < at_least || io.wchar >= below)
        {
            return Err(found(
                Symptom::Mechanism,
                format!("wchar of `{}` in /proc/PID/io", bench_program.command()),
                match via {
                    "pipe" => format!("at least {at_least}: every byte goes through write(2)"),
                    _ => format!("below {below}: the bytes go through shared memory"),
                },
                io.wchar.to_string(),
            ));
        }
        let done = bench_program.finish()?;
        done.expect_code(0, "when its input ends")?;
    }
    shared_memory_moves_the_bytes(bench)
}

fn start(bench: &Bench, via: &str, bytes: u64) -> Check<Process> {
    bench
        .program(["bench", "--via", via, "--bytes", &bytes.to_string()])
        .stdin(harness::Input::Pipe)
        .start()
}

/// Watches a transfer that does not end: two processes map one object without a name, and the
/// count of items in it goes up.
fn shared_memory_moves_the_bytes(bench: &Bench) -> Check {
    let receiver = start(bench, "shm", 1 << 60)?;
    let mut pair = None;
    bench.until(|| {
        pair = shared_buffer(receiver.proc());
        receiver.exit().is_some() || receiver.proc().maps().is_none() || pair.is_some()
    });
    let Some(Buffer {
        sender,
        address,
        inode,
    }) = pair
    else {
        // Ended: a finding. Not to be read: no evidence.
        return if receiver.exit().is_some() {
            receiver.until_asleep()
        } else {
            Ok(())
        };
    };
    let count = || read_u64(receiver.proc(), address + 16);
    if count().is_some() {
        let moved = BYTES / CHUNK;
        bench.until(|| receiver.exit().is_some() || count().is_none_or(|count| count >= moved));
    }
    let written = [receiver.proc(), sender]
        .iter()
        .filter_map(|p| p.io())
        .map(|io| io.wchar)
        .sum();
    // Not a submission's fault that its sender outlives it: this test ends both.
    let sender = nix::unistd::Pid::from_raw(sender.pid());
    receiver.kill()?;
    let _ = nix::sys::signal::kill(sender, nix::sys::signal::Signal::SIGKILL);
    if written >= MIB {
        return Err(found(
            Symptom::Mechanism,
            "wchar of sender and receiver after 64 MiB via shm",
            format!("below {MIB}"),
            u64::to_string(&written),
        ));
    }
    let Some(name) = name_of(inode)? else {
        return Ok(());
    };
    Err(found(
        Symptom::Leak,
        "`shm bench --via shm`, killed in the middle of a transfer",
        "its buffer had no name any more, so nothing is left in /dev/shm",
        name.display().to_string(),
    ))
}

/// The name by which an object can still be found. The name in /proc/PID/maps is the one it was
/// opened by, which an object that was linked later never had.
fn name_of(inode: u64) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir("/dev/shm")? {
        let entry = entry?;
        if entry.ino() == inode {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Bytes in one item of a transfer, as the handout says.
const CHUNK: u64 = 64 * 1024;

/// The object through which a transfer goes.
struct Buffer {
    sender: Seen,
    /// Where the receiver has it.
    address: u64,
    inode: u64,
}

/// The large object in /dev/shm that the receiver shares with its child.
fn shared_buffer(receiver: Seen) -> Option<Buffer> {
    let mappings = |process: Seen| {
        let maps = process.maps().unwrap_or_default().into_iter();
        maps.filter(|m| {
            let size = m.range.end - m.range.start;
            m.is_shared() && m.is_writable() && m.name.starts_with("/dev/shm/") && size > CHUNK
        })
    };
    let sender = receiver.children().into_iter().next()?;
    let ours = mappings(receiver).next()?;
    mappings(sender)
        .any(|theirs| theirs.inode == ours.inode)
        .then_some(Buffer {
            sender,
            address: ours.range.start,
            inode: ours.inode,
        })
}
