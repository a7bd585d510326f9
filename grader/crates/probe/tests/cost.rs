//! What one case of a property costs through a probe that runs already, beside a process for each.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use probe::{Fields, Reply, SOCKET_FD, read_reply, serve, write_call};

/// Set in the process that is the probe.
const SERVES: &str = "PROBE_COST_SERVES";

#[test]
fn a_probe_that_runs_answers_every_case() {
    let (child, socket) = start();
    for_each_case(&socket, 20);
    end(child, socket);
}

#[test]
#[ignore = "figures: `cargo test -p probe --profile grade --test cost -- --ignored --nocapture`"]
fn measure_a_case() {
    const ROUNDS: usize = 9;
    let (mut running, mut spawned) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (child, socket) = start();
        for_each_case(&socket, 100);
        running.push(time(|| for_each_case(&socket, 2_000)) / 2_000);
        end(child, socket);
        spawned.push(
            time(|| {
                for _ in 0..50 {
                    let (child, socket) = start();
                    for_each_case(&socket, 1);
                    end(child, socket);
                }
            }) / 50,
        );
    }
    let (running, spawned) = (median(running), median(spawned));
    eprintln!("a case in a running probe {running:?}, a process for each {spawned:?}");
    eprintln!(
        "ratio {:.4}; medians of {ROUNDS} rounds",
        running.as_secs_f64() / spawned.as_secs_f64()
    );
}

/// Not a test: what [`start`] starts.
#[test]
#[ignore = "the other process of the tests above"]
fn probe() {
    if std::env::var_os(SERVES).is_some() {
        serve(|call| {
            assert_eq!(call.name(), "echo");
            Ok(Fields::new()
                .bytes(call.bytes(0))
                .value(call.value::<u32>(1)))
        });
    }
}

fn start() -> (Child, UnixStream) {
    let (ours, its) = UnixStream::pair().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "probe"])
        .env(SERVES, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let wire = its.as_raw_fd();
    // SAFETY: dup2 may be called between fork and exec, and `its` is open until the child has it.
    unsafe {
        command.pre_exec(move || match libc::dup2(wire, SOCKET_FD) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    (command.spawn().unwrap(), ours)
}

fn end(mut child: Child, socket: UnixStream) {
    drop(socket);
    assert!(child.wait().unwrap().success());
}

/// So many calls, one after the other, each with other bytes.
fn for_each_case(mut socket: &UnixStream, n_cases: u32) {
    for case in 0..n_cases {
        let args = Fields::new().bytes([case as u8; 64]).value(case);
        write_call(&mut socket, "echo", &args).unwrap();
        let reply = read_reply(&mut socket).unwrap().unwrap();
        assert_eq!(reply, Reply::Value(args));
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
