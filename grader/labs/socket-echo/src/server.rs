//! A running server of the submission, and clients for it.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use harness::{Bench, Check, Launch, Process, Stop, Symptom, ensure, found, wrong};

use crate::peer::{MAX_CPU, Peer};

/// Watched for so many looks, at least.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(3);

/// More CPU time than a server needs from its panic to its end.
const LAST_STEPS: Duration = Duration::from_millis(30);

/// A server that has said where it listens.
pub(crate) struct Server<'a> {
    bench: &'a Bench,
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl<'a> Server<'a> {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(bench: &'a Bench, launch: Launch) -> Check<Self> {
        let process = launch.start()?;
        let address = process.until_line("listening ")?;
        Ok(Self {
            bench,
            process,
            address,
        })
    }

    /// A server for many TCP clients on a port of the kernel's choice.
    pub(crate) fn tcp(bench: &'a Bench) -> Check<Self> {
        Self::start(bench, bench.program(["serve", "--tcp", "127.0.0.1:0"]))
    }

    /// A server for many Unix clients.
    pub(crate) fn unix(bench: &'a Bench, path: &Path) -> Check<Self> {
        Self::start(bench, bench.program(["serve", "--unix"]).arg(path))
    }

    /// A new client.
    pub(crate) fn connect(&self) -> Check<Peer<'a>> {
        let connected = match self.address.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).map(|stream| Peer::new(self.bench, stream)),
            Err(_) => {
                UnixStream::connect(&self.address).map(|stream| Peer::new(self.bench, stream))
            }
        };
        connected.map_err(|error| {
            self.explained(wrong(
                format!("connect(2) to `{}`", self.process.command()),
                "a connection: it says that it listens there",
                error.to_string(),
            ))
        })
    }

    /// What a client has found, and how the server ended, if that is the reason.
    pub(crate) fn explained(&self, stop: Stop) -> Stop {
        let Stop::Found(mut finding) = stop else {
            return stop;
        };
        // Who is ending has lost its sockets a little before it has ended.
        let proc = self.process.proc();
        let busy = proc.cpu().unwrap_or_default() + LAST_STEPS;
        self.bench
            .until(|| self.process.exit().is_some() || proc.is_asleep() || proc.cpu() > Some(busy));
        if let Some(exit) = self.process.exit() {
            let stderr = self.process.stderr_so_far();
            finding.got += &format!("; the server ended with {}: {}", exit.status, stderr.trim());
        }
        Stop::Found(finding)
    }

    /// Sends `bytes` for a client that receives nothing, until the server waits: it cannot take
    /// more, or it has taken everything in. Returns how many were sent.
    pub(crate) fn stuff(&self, client: &Peer<'_>, bytes: &[u8]) -> Check<usize> {
        client.stuff(&self.process, bytes)
    }

    /// A new client gets its line back.
    pub(crate) fn answers(&self, case: &str) -> Check {
        let client = self.connect()?;
        let mut line = self.bench.bytes(20);
        line.push(b'\n');
        let answered = client.send(&line).and_then(|()| client.expect(&line, case));
        answered.map_err(|stop| self.explained(stop))
    }

    /// A busy wait if it uses CPU time while it waits for what `what` says. It may look around now
    /// and then: unlike in a sound sleep, wake-ups do not count.
    ///
    /// On a busy machine a spinning server gets little CPU time in any window. But it is never
    /// asleep, so it is watched until it has used enough to be sure.
    pub(crate) fn rests(&self, what: &str) -> Check {
        let proc = self.process.proc();
        let Some(before) = proc.cpu() else {
            return Ok(()); // what cannot be read is no evidence
        };
        let used = || {
            proc.cpu()
                .map_or(Duration::ZERO, |now| now.saturating_sub(before))
        };
        let (mut n_looks, mut n_asleep) = (0, 0);
        while used() < MAX_CPU {
            thread::sleep(LOOK);
            n_looks += 1;
            n_asleep += u32::from(proc.is_asleep() || self.process.exit().is_some());
            if n_looks >= LOOKS && 2 * n_asleep > n_looks {
                return Ok(());
            }
        }
        Err(found(
            Symptom::BusyWait,
            format!("`{}` does not rest: {what}", self.process.command()),
            "it sleeps, at next to no CPU time",
            format!("{} ms of CPU time, seldom asleep", used().as_millis()),
        ))
    }

    /// Tells it to stop, waits for its end and compares the totals, the last line that it says.
    pub(crate) fn stops_with(self, totals: &str, case: &str) -> Check {
        self.process.signal(libc::SIGTERM)?;
        self.ends_with(totals, case)
    }

    /// Waits for its end and compares the beginning of the last line that it says: its totals.
    pub(crate) fn ends_with(self, totals: &str, case: &str) -> Check {
        let done = self.process.finish()?;
        done.expect_code(0, case)?;
        let said = String::from_utf8_lossy(&done.stdout);
        let last = said.lines().last().unwrap_or_default();
        ensure(
            last.starts_with(totals),
            format!("the totals of `{}`, {case}", done.command),
            totals,
            last,
        )
    }

    /// How many descriptors it has open, if the kernel tells.
    pub(crate) fn n_fds(&self) -> Option<usize> {
        self.process.proc().fds().map(|fds| fds.len())
    }
}

/// A path for a socket in a fresh folder.
pub(crate) fn socket_path(bench: &Bench) -> Check<PathBuf> {
    let path = bench.folder("s")?.join("echo");
    let n_bytes = path.as_os_str().len();
    ensure(
        n_bytes <= 107,
        "the path of a socket",
        "at most 107 bytes",
        n_bytes.to_string(),
    )?;
    Ok(path)
}
