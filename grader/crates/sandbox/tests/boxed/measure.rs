//! What a box costs: run by hand as `boxed measure LEVEL`, not by the tests.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::{Command, Level};

use crate::bench::{open, wait};

const ROUNDS: usize = 300;

/// Prints medians: a program from start to reaped, without a box and in one; and what opening and
/// closing the box took.
pub(crate) fn run(level: Level) {
    // Without a box first: afterwards this process is in one.
    let plain = median(|| {
        let status = std::process::Command::new("/bin/true")
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    });
    let started = Instant::now();
    let sandbox = open(level);
    let opened = started.elapsed();
    let boxed = median(|| {
        let child = sandbox.spawn(Command::new("/bin/true")).unwrap();
        assert!(wait(&child).status.success());
    });
    let started = Instant::now();
    sandbox.close();
    let closed = started.elapsed();
    println!("plain {plain:?}, boxed {boxed:?}, open {opened:?}, close {closed:?}");
}

fn median(once: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            once();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}
