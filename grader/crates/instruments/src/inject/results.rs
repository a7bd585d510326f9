//! Learns what announced calls returned: the kernel announces a call before it is made, and only a
//! tracer is told of its end.
//!
//! A program is taken in as it starts, at a call that the C library makes once after every exec.
//! Before its exec it is still the sandbox's code, under another user id perhaps, and may not be
//! traced. From there on all its threads and descendants stop at both ends of every call.
//!
//! A traced process wakes up for signals that it ignores, too, and the kernel then begins most
//! calls again: such a call is announced twice and is still the same one. The few that fail with
//! EINTR instead, such as `epoll_wait` and `sigtimedwait`, would do so after SIGSTOP and SIGCONT,
//! so programs must bear it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

use crate::inject::Entry;
use crate::inject::recorder::Shared;
use crate::proc::{Process, read_u32, seize};

/// Made once by every program, by its C library, and never sleeps.
pub(crate) const AT_THE_START: i64 = libc::SYS_set_tid_address;

/// The kernel's own words for "a signal came first; make the call again, or fail with EINTR".
const INTERRUPTED: std::ops::RangeInclusive<i64> = -516..=-512;

/// Traces the program of this thread, which waits for an answer to its announcement, and all that
/// it starts, until the last of them has ended.
///
/// # Errors
/// EPERM where the kernel does not let us.
pub(crate) fn follow(shared: &Arc<Shared>, tid: i32) -> io::Result<()> {
    // ptrace(2) knows its tracer as a thread.
    let (attached, answer) = sync_channel(1);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("results".into())
        .spawn(move || serve(&shared, Pid::from_raw(tid), &attached))?;
    answer.recv().map_err(io::Error::other)?
}

fn serve(shared: &Shared, first: Pid, attached: &SyncSender<io::Result<()>>) {
    let done = seize(first, Options::empty())
        // It stops when its call is over; from there it goes on from call to call.
        .and_then(|()| Ok(ptrace::interrupt(first)?));
    let is_attached = done.is_ok();
    if attached.send(done).is_err() || !is_attached {
        return;
    }
    loop {
        match next_stop() {
            Ok((tid, status)) => go_on(shared, tid, status),
            Err(Errno::EINTR) => {}
            Err(_) => return, // nobody is left
        }
    }
}

/// Waits for the next stop or end of a thread that this thread traces. nix's `waitpid` fails at a
/// stop by a real-time signal, which it has no name for.
fn next_stop() -> nix::Result<(Pid, i32)> {
    let mut status = 0;
    let flags = libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: `status` lives on this stack.
    let tid = Errno::result(unsafe { libc::waitpid(-1, &raw mut status, flags) })?;
    Ok((Pid::from_raw(tid), status))
}

/// Takes note of a stop and lets the thread go on. Whoever was killed meanwhile needs nothing.
fn go_on(shared: &Shared, tid: Pid, status: i32) {
    if !libc::WIFSTOPPED(status) {
        return;
    }
    const AT_A_CALL: i32 = libc::SIGTRAP | 0x80;
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    let (request, signal) = match (event, signal) {
        (0, AT_A_CALL) => {
            note(shared, tid);
            (libc::PTRACE_SYSCALL, 0)
        }
        (0, signal) => (libc::PTRACE_SYSCALL, signal),
        // Stopped by a signal until somebody continues it, as it would be without us.
        (libc::PTRACE_EVENT_STOP, signal) if signal != libc::SIGTRAP => (libc::PTRACE_LISTEN, 0),
        _ => (libc::PTRACE_SYSCALL, 0),
    };
    // SAFETY: both requests take a number and no memory of ours.
    unsafe { libc::ptrace(request, tid.as_raw(), 0, libc::c_long::from(signal)) };
}

/// The thread stands at one of the two ends of a call.
fn note(shared: &Shared, tid: Pid) {
    let Ok(info) = ptrace::syscall_info(tid) else {
        return;
    };
    let mut book = shared.book();
    let Some(&place) = book.unfinished.get(&tid.as_raw()) else {
        return;
    };
    let call = book.log.entries[place].call.cast_unsigned();
    match info.op {
        // SAFETY: at the start of a call this is the part that the kernel has filled in.
        libc::PTRACE_SYSCALL_INFO_ENTRY if unsafe { info.u.entry.nr } != call => {
            // A handler has run since: the call was not just begun again.
            book.unfinished.remove(&tid.as_raw());
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: as above, at the end of a call.
            let returned = unsafe { info.u.exit.sval };
            let is_interrupted = INTERRUPTED.contains(&returned);
            if !is_interrupted {
                book.unfinished.remove(&tid.as_raw());
            }
            let entry = &mut book.log.entries[place];
            entry.returned = Some(match is_interrupted {
                true => -i64::from(libc::EINTR),
                false => returned,
            });
            entry.reaped = reaped(Process::new(tid.as_raw()), entry);
        }
        _ => {}
    }
}

/// The child whose number is free again after this call, as its caller knows it.
fn reaped(thread: Process, entry: &Entry) -> Option<i32> {
    const STOPS: u64 = (libc::WSTOPPED | libc::WCONTINUED) as u64;
    /// Where a `siginfo_t` of a child has its number.
    const SI_PID: u64 = 16;
    let args = entry.args;
    match (entry.call, entry.returned?) {
        (libc::SYS_wait4, pid @ 1..) if args[2] & STOPS == 0 => i32::try_from(pid).ok(),
        (libc::SYS_waitid, 0) if args[3] & (STOPS | libc::WNOWAIT as u64) == 0 => {
            let number = read_u32(thread, args[2] + SI_PID)?.cast_signed();
            (number != 0).then_some(number)
        }
        _ => None,
    }
}
