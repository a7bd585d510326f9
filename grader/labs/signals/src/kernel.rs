//! Small questions about signals and processes of the box that several tests ask.
//!
//! It sees processes by their numbers outside of the box. What cannot be read is no evidence of
//! anything.

use harness::Bench;
use instruments::proc::{Process, State};
use nix::errno::Errno;

/// The numbers of the signals in a set as /proc shows it, in order.
pub(crate) fn numbers(set: u64) -> Vec<i32> {
    (1..=64)
        .filter(|signal| set & (1 << (signal - 1)) != 0)
        .collect()
}

/// Whether it runs this program, by the name that exec gives.
pub(crate) fn runs(process: Process, program: &str) -> bool {
    process.name().as_deref() == Some(program)
}

/// Sends a signal, which may be a real-time one, to a process that is not the test's own child. One
/// that is gone is left alone.
pub(crate) fn send(process: Process, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill takes two numbers and checks them.
    match Errno::result(unsafe { libc::kill(process.pid(), signal) }) {
        Err(Errno::ESRCH) => Ok(()),
        sent => sent.map(drop),
    }
}

/// Its state once it does nothing more: it sleeps, is stopped, or has ended.
///
/// A program that exec has just started still runs for a while, and so does one that a signal
/// wakes up to end it. Looking at once would take the first for dead and the second for alive.
pub(crate) fn state_at_rest(bench: &Bench, process: Process) -> Option<State> {
    bench.until(|| {
        process.has_ended() || matches!(process.state(), Some(State::Asleep | State::Stopped))
    });
    process.state()
}
