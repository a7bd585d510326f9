//! Hangs or races in the way its first argument tells, for the tests of autopsy and explorer. The
//! second argument is whatever that way needs: a path, a name, the number of an object.

#![expect(
    clippy::unwrap_used,
    reason = "it belongs to the tests, and a panic is their failure"
)]

mod files;
mod pipes;
mod processes;
mod races;
mod sockets;
mod system_v;
mod words;

use std::fs;
use std::process::exit;

use nix::unistd::{ForkResult, Pid, fork, pause};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let way = arguments.next().expect("the way to hang");
    let with = arguments.next().unwrap_or_default();
    let ways = [
        pipes::hang,
        sockets::hang,
        processes::hang,
        words::hang,
        system_v::hang,
        files::hang,
        races::run,
    ];
    let known = ways.into_iter().any(|hang| hang(&way, &with));
    assert!(known, "no such way to hang: {way}");
}

/// Takes a name for ps(1), and for the autopsy.
fn call_me(name: &str) {
    fs::write("/proc/self/comm", name).unwrap();
}

/// Runs `body` in a child of that name.
fn child(name: &str, body: impl FnOnce()) -> Pid {
    // SAFETY: this program has one thread wherever it calls this.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            call_me(name);
            body();
            exit(0)
        }
    }
}

fn for_ever() -> ! {
    loop {
        pause();
    }
}
