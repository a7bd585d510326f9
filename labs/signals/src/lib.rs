//! Signals: handlers that do almost nothing, sleeps that lose no wake-up, children that are
//! always reaped.
//!
//! The kernel keeps, for each process, a *set* of pending signals. A handler may interrupt your
//! program between any two instructions, in the middle of `malloc` or `println!`, so it may only
//! use what is async-signal-safe: atomics, `write(2)` and little else. Everything else is left to
//! the main program, which must learn about a signal without a gap between looking and sleeping.
//!
//! | Part | You write | It is about |
//! |--|--|--|
//! | 1 | [`install`] | a disposition, and which calls restart |
//! | 2 | [`count`], [`counted`] | a handler that is safe |
//! | 3 | [`block`], [`MaskGuard`] | the mask, and putting it back |
//! | 4 | [`wait_flag`] | checking and sleeping as one step |
//! | 5 | [`sleep_fully`] | `EINTR` and the time that is left |
//! | 6 | [`SelfPipe`] | signals as something to poll |
//! | 7 | [`reap`] | one `SIGCHLD`, many children |
//! | 8 | [`spawn_child`] | what a child inherits |
//! | 9 | [`shutdown`] | process groups; ask, wait, insist |
//! | 10 | [`die_by`] | telling your parent the truth |
//!
//! [`Table`], [`Event`] and [`signal_number`] are given, and so is `main.rs`. The whole lab is
//! about processes with one thread: a signal sent to a process may be handled by any of its
//! threads that does not block it.

mod names;
mod table;

use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use libc::c_int;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

pub use names::signal_number;
pub use table::Table;

/// Makes `handler` the disposition of `sig` and returns the old one, so that a caller can put it
/// back.
///
/// No other signal is blocked while the handler runs. With `restart`, system calls that can
/// restart after the handler do so (`SA_RESTART`); without it they fail with `EINTR`.
/// `sig` is a number because [`Signal`] has no names for real-time signals.
///
/// # Errors
/// `EINVAL` for what is no signal, and for `SIGKILL` and `SIGSTOP`.
pub fn install(
    sig: c_int,
    handler: extern "C" fn(c_int),
    restart: bool,
) -> io::Result<libc::sigaction> {
    todo!("signals part 1: install {handler:p} for signal {sig}, restart = {restart}")
}

/// Counts every delivery of `sig` from now on; calls that can restart do. [`counted`] tells how
/// many there were.
///
/// You write the handler too. It must be safe at any moment: no lock, no allocation, no print.
///
/// # Errors
/// Those of [`install`].
pub fn count(sig: c_int) -> io::Result<()> {
    todo!("signals part 2: count signal {sig}")
}

/// How many times `sig` was delivered since [`count`] was first called for it; 0 for a signal
/// that is not counted and for what is no signal.
pub fn counted(sig: c_int) -> u64 {
    todo!("signals part 2: tell the count of signal {sig}")
}

/// Puts the signal mask back as it was before [`block`], when dropped.
///
/// Guards nest: drop them in the opposite order of their making.
#[must_use = "dropping the guard puts the old mask back at once"]
pub struct MaskGuard {
    // What Drop needs to put things back.
    /// The mask belongs to one thread, so the guard must stay in it: not `Send`.
    _this_thread: PhantomData<*const ()>,
}

/// Adds `sigs` to the signals that this thread blocks, until the guard is dropped.
///
/// A blocked signal is not lost: it stays pending, once however often it was sent.
///
/// # Errors
/// None in practice; those of `pthread_sigmask(3)`.
pub fn block(sigs: &[Signal]) -> io::Result<MaskGuard> {
    todo!("signals part 3: block {sigs:?}")
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        todo!("signals part 3: put the old mask back")
    }
}

/// Sleeps until `flag` is true; a handler for `sig` sets it. Returns at once if it already is.
///
/// The check and the sleep are one step for `sig`: a signal that comes between them, or that was
/// pending and blocked before the call, still ends the sleep. Other signals do not end it. The
/// flag stays set and the mask is the old one afterwards.
///
/// # Errors
/// Those of `pthread_sigmask(3)`; never `EINTR`.
pub fn wait_flag(flag: &AtomicBool, sig: Signal) -> io::Result<()> {
    todo!("signals part 4: wait for {sig} to set {flag:?}")
}

/// Sleeps for the whole of `time`, whatever handlers run meanwhile. Returns how many of them cut
/// the sleep short.
///
/// # Errors
/// `InvalidInput` for a time that the clock cannot reach; never `EINTR`.
pub fn sleep_fully(time: Duration) -> io::Result<u32> {
    todo!("signals part 5: sleep for {time:?}")
}

/// Given: what [`SelfPipe::wait`] saw first.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// These signals arrived, as [`SelfPipe::drain`] returns them; never empty.
    Signals(Vec<Signal>),
    /// The input can be read without blocking, or is at end of file.
    Input,
}

/// Turns signals into something that `poll(2)` can wait for: the handler writes a byte to a
/// pipe, the main program polls the other end.
///
/// One lives at a time, for a handler can only reach statics. Dropping it puts the old
/// dispositions back.
pub struct SelfPipe {
    // Both ends of the pipe, and what Drop needs to put things back.
}

impl SelfPipe {
    /// Takes note of `sigs` from now on. Both ends of the pipe are close-on-exec, neither blocks.
    ///
    /// The handler keeps the promises of every good handler: it never blocks, also when nobody
    /// drains, and the code it interrupts still finds its own `errno`.
    ///
    /// # Errors
    /// `EBUSY` while another `SelfPipe` lives; those of `pipe2(2)` and [`install`]. After an
    /// error all dispositions are the old ones.
    pub fn new(sigs: &[Signal]) -> io::Result<SelfPipe> {
        todo!("signals part 6: make a self-pipe for {sigs:?}")
    }

    /// The signals that arrived since the last call: each once, however often it came, by
    /// ascending number. Never blocks; empty if there were none.
    ///
    /// None is ever lost, also when far more signals came than the pipe holds bytes.
    ///
    /// # Errors
    /// Those of `read(2)`, except `EINTR` and `EAGAIN`.
    pub fn drain(&self) -> io::Result<Vec<Signal>> {
        todo!("signals part 6: drain the self-pipe")
    }

    /// Sleeps until a signal arrives or `input` can be read. When both hold, the signals come
    /// first. Without an input only a signal ends the sleep.
    ///
    /// Returns for a signal also when no input ever comes, and does not use the processor while
    /// it waits.
    ///
    /// # Errors
    /// Those of `poll(2)` and [`SelfPipe::drain`]; never `EINTR`.
    pub fn wait(&self, input: Option<BorrowedFd<'_>>) -> io::Result<Event> {
        todo!("signals part 6: wait for a signal or {input:?}")
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        todo!("signals part 6: put the old dispositions back")
    }
}

/// Reaps every child that has ended, calls `on` for each, and returns how many there were.
///
/// Never blocks. Signals do not queue: one `SIGCHLD` may stand for any number of children. To
/// have no child at all is no error. A death by a real-time signal, which [`Signal`] cannot
/// name, is reported as a shell does: `Exited` with 128 + its number.
///
/// # Errors
/// Those of `waitpid(2)`, except `ECHILD` and `EINTR`.
pub fn reap(on: &mut dyn FnMut(Pid, WaitStatus)) -> io::Result<usize> {
    todo!("signals part 7: reap the children, callback at {:p}", &on)
}

/// Starts `cmd` (the program, looked up in `PATH`, and its arguments) as a child in a process
/// group of its own, and enters it in `kids`.
///
/// Signals are blocked from before the fork until the child is in the table, so no handler can
/// meet a child that the table does not know, and none runs in the child before it is another
/// program. The child starts with nothing blocked and every disposition at its default, also
/// `SIGPIPE`, which Rust programs ignore. If the program cannot be run, the child exits with 127.
///
/// # Errors
/// `InvalidInput` for an empty `cmd`; those of `fork(2)`.
pub fn spawn_child(kids: &mut Table, cmd: &[CString]) -> io::Result<Pid> {
    todo!("signals part 8: start {cmd:?} and enter it in {kids:?}")
}

/// Ends all children in `kids`: asks each group with `SIGTERM`, waits, and kills with `SIGKILL`
/// whoever is left after `grace`. Reaps them; `kids` is empty afterwards.
///
/// Returns as soon as the last child has ended. When a child ends, the rest of its group is
/// killed at once. Other processes are never signalled: not the caller's own group, and no
/// process that got the number of a reaped child. A handler that runs meanwhile changes nothing.
/// Until then it sleeps: a loop that only looks takes the CPU that the children need to clean up.
///
/// # Errors
/// Those of `kill(2)` and `waitid(2)`; never `EINTR`.
pub fn shutdown(kids: &mut Table, grace: Duration) -> io::Result<()> {
    todo!("signals part 9: shut down {kids:?} within {grace:?}")
}

/// Ends this process by `sig`, so that the parent sees a death by that signal, not an exit code.
///
/// Works also when `sig` is blocked, ignored or handled. A signal that does not end a process by
/// default leads to exit code 128 + its number. Nothing is flushed: do that first.
pub fn die_by(sig: Signal) -> ! {
    todo!("signals part 10: die by {sig}")
}
