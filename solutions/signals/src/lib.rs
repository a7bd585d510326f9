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
// SOLUTION
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Instant;
// END SOLUTION

use libc::c_int;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
// SOLUTION
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, killpg, raise, signal};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::unistd::{ForkResult, fork, pipe2, read, setpgid};
// END SOLUTION

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
    // SOLUTION todo!("signals part 1: install {handler:p} for signal {sig}, restart = {restart}")
    // SAFETY: a sigaction of zeros is valid: default disposition, empty mask, no flags.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
    new.sa_sigaction = handler as usize;
    new.sa_flags = if restart { libc::SA_RESTART } else { 0 };
    set_action(sig, &new, &mut old)?;
    Ok(old)
    // END SOLUTION
}

// SOLUTION
fn set_action(sig: c_int, new: &libc::sigaction, old: &mut libc::sigaction) -> io::Result<()> {
    // SAFETY: both pointers come from references; sigaction(2) checks the signal number.
    Errno::result(unsafe { libc::sigaction(sig, new, old) })?;
    Ok(())
}

/// How often each signal was delivered. Index 0 stays unused: there is no signal 0.
static COUNTS: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];

/// Atomic arithmetic takes no lock and allocates nothing, so it is safe in a handler.
extern "C" fn add_one(sig: c_int) {
    if let Some(count) = COUNTS.get(sig as usize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

// END SOLUTION
/// Counts every delivery of `sig` from now on; calls that can restart do. [`counted`] tells how
/// many there were.
///
/// You write the handler too. It must be safe at any moment: no lock, no allocation, no print.
///
/// # Errors
/// Those of [`install`].
pub fn count(sig: c_int) -> io::Result<()> {
    // SOLUTION todo!("signals part 2: count signal {sig}")
    install(sig, add_one, true)?;
    Ok(())
    // END SOLUTION
}

/// How many times `sig` was delivered since [`count`] was first called for it; 0 for a signal
/// that is not counted and for what is no signal.
pub fn counted(sig: c_int) -> u64 {
    // SOLUTION todo!("signals part 2: tell the count of signal {sig}")
    match usize::try_from(sig) {
        Ok(index) => COUNTS
            .get(index)
            .map_or(0, |count| count.load(Ordering::Relaxed)),
        Err(_) => 0,
    }
    // END SOLUTION
}

/// Puts the signal mask back as it was before [`block`], when dropped.
///
/// Guards nest: drop them in the opposite order of their making.
#[must_use = "dropping the guard puts the old mask back at once"]
pub struct MaskGuard {
    // What Drop needs to put things back.
    // SOLUTION
    old: SigSet,
    // END SOLUTION
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
    // SOLUTION todo!("signals part 3: block {sigs:?}")
    block_set(&sigs.iter().copied().collect())
    // END SOLUTION
}

// SOLUTION
fn block_set(set: &SigSet) -> io::Result<MaskGuard> {
    let old = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    Ok(MaskGuard {
        old,
        _this_thread: PhantomData,
    })
}

// END SOLUTION
impl Drop for MaskGuard {
    fn drop(&mut self) {
        // SOLUTION todo!("signals part 3: put the old mask back")
        // Setting a mask that the kernel handed out cannot fail.
        let _ = self.old.thread_set_mask();
        // END SOLUTION
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
    // SOLUTION todo!("signals part 4: wait for {sig} to set {flag:?}")
    let guard = block(&[sig])?;
    let mut while_asleep = guard.old;
    while_asleep.remove(sig);
    while !flag.load(Ordering::Acquire) {
        // The kernel swaps the mask and sleeps in one step, and swaps it back before it returns.
        while_asleep.suspend()?;
    }
    Ok(())
    // END SOLUTION
}

/// Sleeps for the whole of `time`, whatever handlers run meanwhile. Returns how many of them cut
/// the sleep short.
///
/// # Errors
/// `InvalidInput` for a time that the clock cannot reach; never `EINTR`.
pub fn sleep_fully(time: Duration) -> io::Result<u32> {
    // SOLUTION todo!("signals part 5: sleep for {time:?}")
    // An absolute end needs no arithmetic on what is left, and so loses nothing to rounding.
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    let end = now
        .checked_add(time)
        .filter(|end| i64::try_from(end.as_secs()).is_ok())
        .ok_or(io::ErrorKind::InvalidInput)?;
    let end = TimeSpec::from(end);
    let mut interruptions = 0;
    loop {
        match clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &end,
        ) {
            Ok(_) => return Ok(interruptions),
            Err(Errno::EINTR) => interruptions += 1,
            Err(error) => return Err(error.into()),
        }
    }
    // END SOLUTION
}

// SOLUTION
/// The signals noted since the last drain: bit n-1 is signal n. A set, as the kernel's own.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The write end of the living self-pipe, or -1.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Notes the signal, then wakes the main program.
///
/// The note does not travel in the pipe: a full pipe loses bytes, and the one lost could be the
/// only TERM. The byte only says "look", and a full pipe says that loudly enough.
extern "C" fn note(sig: c_int) {
    // The interrupted code may be about to read errno, and write(2) sets it when it fails.
    let errno = Errno::last_raw();
    ARRIVED.fetch_or(1 << (sig - 1), Ordering::Release);
    // SAFETY: one byte of a static string; a descriptor that is gone makes write fail, no more.
    unsafe { libc::write(WAKE.load(Ordering::Acquire), c"!".as_ptr().cast(), 1) };
    Errno::set_raw(errno);
}

// END SOLUTION
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
    // SOLUTION
    reader: OwnedFd,
    /// Only held: the handler reaches it through `WAKE`.
    _writer: OwnedFd,
    old: Vec<(Signal, libc::sigaction)>,
    // END SOLUTION
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
        // SOLUTION todo!("signals part 6: make a self-pipe for {sigs:?}")
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        WAKE.compare_exchange(-1, writer.as_raw_fd(), Ordering::AcqRel, Ordering::Relaxed)
            .map_err(|_| Errno::EBUSY)?;
        ARRIVED.store(0, Ordering::Release);
        // From here on, dropping the half-made value undoes what was done.
        let mut pipe = SelfPipe {
            reader,
            _writer: writer,
            old: Vec::new(),
        };
        for &sig in sigs {
            pipe.old.push((sig, install(sig as c_int, note, true)?));
        }
        Ok(pipe)
        // END SOLUTION
    }

    /// The signals that arrived since the last call: each once, however often it came, by
    /// ascending number. Never blocks; empty if there were none.
    ///
    /// None is ever lost, also when far more signals came than the pipe holds bytes.
    ///
    /// # Errors
    /// Those of `read(2)`, except `EINTR` and `EAGAIN`.
    pub fn drain(&self) -> io::Result<Vec<Signal>> {
        // SOLUTION todo!("signals part 6: drain the self-pipe")
        // First the bytes, then the set. The other way round, a signal between the two would
        // have its byte swallowed and its note left for a wake-up that never comes.
        let mut bytes = [0; 512];
        loop {
            match read(&self.reader, &mut bytes) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let arrived = ARRIVED.swap(0, Ordering::Acquire);
        let has_arrived = |sig: &Signal| arrived & (1 << (*sig as c_int - 1)) != 0;
        Ok(Signal::iterator().filter(has_arrived).collect())
        // END SOLUTION
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
        // SOLUTION todo!("signals part 6: wait for a signal or {input:?}")
        loop {
            let mut fds = vec![PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
            fds.extend(input.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let arrived = self.drain()?;
            if !arrived.is_empty() {
                return Ok(Event::Signals(arrived));
            }
            // After EINTR nothing is marked ready; end of file is marked as a hang-up.
            if fds.get(1).is_some_and(|input| input.any() == Some(true)) {
                return Ok(Event::Input);
            }
        }
        // END SOLUTION
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        // SOLUTION todo!("signals part 6: put the old dispositions back")
        // Last in, first out, so that a signal named twice ends with its first disposition.
        for (sig, old) in self.old.iter().rev() {
            // SAFETY: a sigaction of zeros is valid, and it is only written to.
            let mut ours = unsafe { mem::zeroed() };
            // The kernel handed `old` out for this very signal and takes it back.
            let _ = set_action(*sig as c_int, old, &mut ours);
        }
        WAKE.store(-1, Ordering::Release);
        // END SOLUTION
    }
}

// SOLUTION
/// `waitpid(2)` without its `EINTR`; `None` if nobody has ended yet.
///
/// nix's own `waitpid` fails for a child killed by a real-time signal, after the child is reaped.
fn wait_for(pid: c_int, flags: c_int) -> Result<Option<(Pid, WaitStatus)>, Errno> {
    let mut status = 0;
    let pid = loop {
        // SAFETY: `status` lives on this stack.
        match Errno::result(unsafe { libc::waitpid(pid, &mut status, flags) }) {
            Ok(0) => return Ok(None),
            Ok(pid) => break Pid::from_raw(pid),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    };
    let named = WaitStatus::from_raw(pid, status);
    Ok(Some((
        pid,
        named.unwrap_or(WaitStatus::Exited(pid, 128 + libc::WTERMSIG(status))),
    )))
}

// END SOLUTION
/// Reaps every child that has ended, calls `on` for each, and returns how many there were.
///
/// Never blocks. Signals do not queue: one `SIGCHLD` may stand for any number of children. To
/// have no child at all is no error. A death by a real-time signal, which [`Signal`] cannot
/// name, is reported as a shell does: `Exited` with 128 + its number.
///
/// # Errors
/// Those of `waitpid(2)`, except `ECHILD` and `EINTR`.
pub fn reap(on: &mut dyn FnMut(Pid, WaitStatus)) -> io::Result<usize> {
    // SOLUTION todo!("signals part 7: reap the children, callback at {:p}", &on)
    let mut reaped = 0;
    loop {
        match wait_for(-1, libc::WNOHANG) {
            Ok(Some((pid, status))) => on(pid, status),
            Ok(None) | Err(Errno::ECHILD) => return Ok(reaped),
            Err(error) => return Err(error.into()),
        }
        reaped += 1;
    }
    // END SOLUTION
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
    // SOLUTION todo!("signals part 8: start {cmd:?} and enter it in {kids:?}")
    if cmd.is_empty() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Made before the fork: the child only makes async-signal-safe calls.
    let argv: Vec<_> = cmd
        .iter()
        .map(|arg| arg.as_ptr())
        .chain([ptr::null()])
        .collect();
    let _masked = block_set(&SigSet::all())?;
    // SAFETY: the child makes async-signal-safe calls only, and ends in exec or _exit.
    let child = match unsafe { fork() }? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => exec_child(&argv),
    };
    // Both sides do it: neither may go on while the group does not exist. It fails once the child
    // has called exec, and then the child has done it itself.
    let _ = setpgid(child, child);
    kids.insert(child);
    Ok(child)
    // END SOLUTION
}

// SOLUTION
/// The child's side of the fork. `argv` ends in a null pointer.
fn exec_child(argv: &[*const libc::c_char]) -> ! {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    // First the dispositions, then the mask: a pending signal must not meet our handlers here.
    for sig in 1..=libc::SIGRTMAX() {
        // SAFETY: no handler is given. The signals that cannot be set stay as they are.
        unsafe { libc::signal(sig, libc::SIG_DFL) };
    }
    let _ = SigSet::empty().thread_set_mask();
    // SAFETY: `argv` holds valid C strings and ends in null; _exit runs none of our clean-up.
    unsafe {
        libc::execvp(argv[0], argv.as_ptr());
        libc::_exit(127)
    }
}

// END SOLUTION
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
    // SOLUTION todo!("signals part 9: shut down {kids:?} within {grace:?}")
    let deadline = Instant::now().checked_add(grace);
    // Blocked, so that a SIGCHLD between looking and sleeping stays pending for the sleep.
    let _masked = block(&[Signal::SIGCHLD])?;
    for pid in kids.pids() {
        send_group(pid, Signal::SIGTERM)?;
        // A stopped process acts on TERM only once it continues.
        send_group(pid, Signal::SIGCONT)?;
    }
    loop {
        for pid in kids.pids() {
            if has_ended(pid)? {
                finish(kids, pid)?;
            }
        }
        // Without a deadline (a grace beyond the clock), a year is as good as for ever.
        let left = deadline.map_or(Duration::from_secs(31_536_000), |end| {
            end.saturating_duration_since(Instant::now())
        });
        if kids.is_empty() || left.is_zero() {
            break;
        }
        wait_for_sigchld(left);
    }
    for pid in kids.pids() {
        finish(kids, pid)?;
    }
    Ok(())
    // END SOLUTION
}

// SOLUTION
/// Whether the child has ended. It is left unreaped: while it is a zombie, nobody else can get
/// its number, and the number still names its group.
fn has_ended(pid: Pid) -> io::Result<bool> {
    // SAFETY: a siginfo_t of zeros is valid; the kernel leaves si_pid 0 if nothing has changed.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` lives on this stack.
    Errno::result(unsafe { libc::waitid(libc::P_PID, pid.as_raw() as u32, &mut info, flags) })?;
    // SAFETY: waitid succeeded, so the fields for SIGCHLD are the ones in use.
    Ok(unsafe { info.si_pid() } != 0)
}

/// Kills the child and what is left of its group, reaps it and takes it out of the table.
fn finish(kids: &mut Table, pid: Pid) -> io::Result<()> {
    send_group(pid, Signal::SIGKILL)?;
    wait_for(pid.as_raw(), 0)?;
    kids.remove(pid);
    Ok(())
}

/// Signals the child's group. The child itself may have moved to another group or session.
fn send_group(pid: Pid, sig: Signal) -> io::Result<()> {
    match killpg(pid, sig) {
        Err(Errno::ESRCH) => Ok(nix::sys::signal::kill(pid, sig)?),
        sent => Ok(sent?),
    }
}

/// Sleeps until `SIGCHLD`, which must be blocked, is pending, or `left` is over. May return early.
fn wait_for_sigchld(left: Duration) {
    let set = SigSet::from_iter([Signal::SIGCHLD]);
    let left = TimeSpec::from(left);
    // SAFETY: both pointers come from references; a null siginfo is allowed.
    unsafe { libc::sigtimedwait(set.as_ref(), ptr::null_mut(), left.as_ref()) };
}

// END SOLUTION
/// Ends this process by `sig`, so that the parent sees a death by that signal, not an exit code.
///
/// Works also when `sig` is blocked, ignored or handled. A signal that does not end a process by
/// default leads to exit code 128 + its number. Nothing is flushed: do that first.
pub fn die_by(sig: Signal) -> ! {
    // SOLUTION todo!("signals part 10: die by {sig}")
    // SAFETY: no handler is given. SIGKILL and SIGSTOP cannot be set and need not be.
    let _ = unsafe { signal(sig, SigHandler::SigDfl) };
    let _ = SigSet::from_iter([sig]).thread_unblock();
    let _ = raise(sig);
    process::exit(128 + sig as c_int)
    // END SOLUTION
}
