//! WHY: the byte is the signal's number and a set is kept only for a full pipe, pselect(2) waits for the flag, and a child starts once its parent has entered it

use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

use libc::c_int;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, ppoll};
use nix::sys::select::pselect;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid, fork, getpid, setpgid};

mod names;
mod table;

pub use names::signal_number;
pub use table::Table;

pub fn install(
    sig: c_int,
    handler: extern "C" fn(c_int),
    restart: bool,
) -> io::Result<libc::sigaction> {
    let new = libc::sigaction {
        sa_sigaction: handler as usize,
        sa_flags: i32::from(restart) * libc::SA_RESTART,
        // SAFETY: zeros are an empty mask and no restorer.
        ..unsafe { mem::zeroed() }
    };
    exchange(sig, &new)
}

fn exchange(sig: c_int, new: &libc::sigaction) -> io::Result<libc::sigaction> {
    // SAFETY: zeros are an action; the kernel checks the number.
    let mut old = unsafe { mem::zeroed() };
    // SAFETY: two actions.
    Errno::result(unsafe { libc::sigaction(sig, new, &mut old) })?;
    Ok(old)
}

/// Low and high halves of the counts, for machines whose atomics have 32 bits.
static LOW: [AtomicU32; 128] = [const { AtomicU32::new(0) }; 128];
static HIGH: [AtomicU32; 128] = [const { AtomicU32::new(0) }; 128];

extern "C" fn one_more(sig: c_int) {
    let index = sig as usize & 127;
    if LOW[index].fetch_add(1, AcqRel) == u32::MAX {
        HIGH[index].fetch_add(1, AcqRel);
    }
}

pub fn count(sig: c_int) -> io::Result<()> {
    let _ = install(sig, one_more, true)?;
    Ok(())
}

pub fn counted(sig: c_int) -> u64 {
    let Some(index) = usize::try_from(sig).ok().filter(|index| *index < 128) else {
        return 0;
    };
    loop {
        let high = HIGH[index].load(Acquire);
        let low = LOW[index].load(Acquire);
        // A handler may have carried in between.
        if high == HIGH[index].load(Acquire) {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

#[must_use = "dropping the guard puts the old mask back at once"]
pub struct MaskGuard {
    old: SigSet,
    _this_thread: PhantomData<*const ()>,
}

fn masked(set: &SigSet) -> io::Result<MaskGuard> {
    let mut old = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(set), Some(&mut old))?;
    Ok(MaskGuard {
        old,
        _this_thread: PhantomData,
    })
}

pub fn block(sigs: &[Signal]) -> io::Result<MaskGuard> {
    let mut set = SigSet::empty();
    for &sig in sigs {
        set.add(sig);
    }
    masked(&set)
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        let restored = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.old), None);
        debug_assert_eq!(restored, Ok(()));
    }
}

pub fn wait_flag(flag: &AtomicBool, sig: Signal) -> io::Result<()> {
    let guard = block(&[sig])?;
    let mut asleep = guard.old;
    asleep.remove(sig);
    loop {
        if flag.load(Acquire) {
            return Ok(());
        }
        // Of no descriptor, with the mask of the sleep: it only ever ends by a handler.
        match pselect(0, None, None, None, None, Some(&asleep)) {
            Err(Errno::EINTR) | Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub fn sleep_fully(time: Duration) -> io::Result<u32> {
    let end = Instant::now()
        .checked_add(time)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the clock ends before that"))?;
    let mut cut_short = 0;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(cut_short);
        }
        // A year at a time: not every kernel takes more.
        let left = left.min(Duration::from_secs(365 * 86_400));
        match ppoll(&mut [], Some(TimeSpec::from_duration(left)), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => cut_short += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Signals(Vec<Signal>),
    Input,
}

pub struct SelfPipe {
    reader: File,
    writer: File,
    old: Vec<(Signal, libc::sigaction)>,
}

const NOBODY: i32 = -1;
static WRITER: AtomicI32 = AtomicI32::new(NOBODY);
/// What did not fit into the pipe: signals 1 to 31.
static OVERFLOW: AtomicU32 = AtomicU32::new(0);

extern "C" fn tell(sig: c_int) {
    let errno = Errno::last_raw();
    let byte = sig as u8;
    // SAFETY: one byte.
    let n = unsafe { libc::write(WRITER.load(Acquire), (&raw const byte).cast(), 1) };
    if n != 1 {
        // The pipe is full, so poll returns without another byte.
        OVERFLOW.fetch_or(1 << sig, AcqRel);
    }
    Errno::set_raw(errno);
}

impl SelfPipe {
    pub fn new(sigs: &[Signal]) -> io::Result<SelfPipe> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_fd(), writer.as_fd()] {
            let flags = OFlag::from_bits_retain(fcntl(end, FcntlArg::F_GETFL)?);
            fcntl(end, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        let number = writer.as_raw_fd();
        if WRITER
            .compare_exchange(NOBODY, number, AcqRel, Acquire)
            .is_err()
        {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        OVERFLOW.store(0, Release);
        let mut made = SelfPipe {
            reader: File::from(std::os::fd::OwnedFd::from(reader)),
            writer: File::from(std::os::fd::OwnedFd::from(writer)),
            old: Vec::with_capacity(sigs.len()),
        };
        for &sig in sigs {
            let old = install(sig as c_int, tell, true)?;
            made.old.push((sig, old));
        }
        Ok(made)
    }

    pub fn drain(&self) -> io::Result<Vec<Signal>> {
        let mut seen = 0;
        let mut bytes = vec![0; 1 << 16];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(n) => seen = bytes[..n].iter().fold(seen, |seen, byte| seen | 1 << byte),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        // After the bytes: a signal that finds the pipe full now has a byte of its own to wake us.
        seen |= OVERFLOW.swap(0, AcqRel);
        Ok((1..32)
            .filter(|number| seen & 1 << number != 0)
            .filter_map(|number| Signal::try_from(number).ok())
            .collect())
    }

    pub fn wait(&self, input: Option<BorrowedFd<'_>>) -> io::Result<Event> {
        let pipe = PollFd::new(self.reader.as_fd(), PollFlags::POLLIN);
        let mut fds: Vec<_> = [pipe]
            .into_iter()
            .chain(input.map(|fd| PollFd::new(fd, PollFlags::POLLIN)))
            .collect();
        loop {
            let polled = nix::poll::poll(&mut fds, PollTimeout::NONE);
            if polled == Err(Errno::EINTR) {
                continue;
            }
            polled?;
            let signals = self.drain()?;
            if !signals.is_empty() {
                return Ok(Event::Signals(signals));
            }
            if let Some(input) = fds.get(1)
                && input.revents() != Some(PollFlags::empty())
            {
                return Ok(Event::Input);
            }
        }
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        for (sig, old) in self.old.drain(..).rev() {
            let _ = exchange(sig as c_int, &old);
        }
        // Only now does no handler need the descriptor.
        let _ = self.writer.flush();
        WRITER.store(NOBODY, Release);
    }
}

/// Reaps one child that has ended, if there is one.
fn next_dead(which: libc::pid_t, flags: c_int) -> Result<Option<WaitStatus>, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: room for a status; nobody asks for the usage.
        let pid = unsafe { libc::wait4(which, &mut status, flags, ptr::null_mut()) };
        let pid = match Errno::result(pid) {
            Err(Errno::EINTR) => continue,
            Ok(0) => return Ok(None),
            pid => Pid::from_raw(pid?),
        };
        let unnamed = |_| WaitStatus::Exited(pid, 128 + libc::WTERMSIG(status));
        return Ok(Some(
            WaitStatus::from_raw(pid, status).unwrap_or_else(unnamed),
        ));
    }
}

pub fn reap(on: &mut dyn FnMut(Pid, WaitStatus)) -> io::Result<usize> {
    let mut dead = Vec::new();
    let end = loop {
        match next_dead(-1, libc::WNOHANG) {
            Ok(Some(status)) => dead.push(status),
            Ok(None) | Err(Errno::ECHILD) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let n = dead.len();
    for status in dead {
        on(status.pid().expect("it is somebody's"), status);
    }
    end?;
    Ok(n)
}

pub fn spawn_child(kids: &mut Table, cmd: &[CString]) -> io::Result<Pid> {
    let Some(program) = cmd.first() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "nothing to start"));
    };
    let mut argv: Vec<*const libc::c_char> = Vec::new();
    argv.extend(cmd.iter().map(|arg| arg.as_ptr()));
    argv.push(ptr::null());
    // The child waits at this gate until it is in the table.
    let (mut gate, opener) = io::pipe()?;
    let _masked = masked(&SigSet::all())?;
    // SAFETY: the child makes system calls only.
    let child = match unsafe { fork() }? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            drop(opener);
            let _ = gate.read(&mut [0]);
            // SAFETY: no handler is given, and the strings are valid and end in null.
            unsafe {
                let default: libc::sigaction = mem::zeroed();
                for sig in 1..=64 {
                    libc::sigaction(sig, &default, ptr::null_mut());
                }
                let _ = SigSet::empty().thread_set_mask();
                libc::execvp(program.as_ptr(), argv.as_ptr());
                libc::_exit(127)
            }
        }
    };
    // It cannot have become another program yet.
    if let Err(error) = setpgid(child, child) {
        drop(opener);
        let _ = nix::sys::signal::kill(child, Signal::SIGKILL);
        let _ = next_dead(child.as_raw(), 0);
        return Err(error.into());
    }
    kids.insert(child);
    drop(opener);
    Ok(child)
}

/// A signal for everybody in the group of a child that nobody has reaped.
fn tell_all(child: Pid, sig: Signal) -> io::Result<()> {
    match nix::sys::signal::killpg(child, sig) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub fn shutdown(kids: &mut Table, grace: Duration) -> io::Result<()> {
    let start = Instant::now();
    for child in kids.pids() {
        tell_all(child, Signal::SIGTERM)?;
        tell_all(child, Signal::SIGCONT)?;
    }
    while !kids.is_empty() {
        let is_over = start.elapsed() >= grace;
        for child in kids.pids() {
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let is_alive = match waitid(Id::Pid(child), look) {
                Ok(status) => status == WaitStatus::StillAlive,
                // It has ended by a signal without a name.
                Err(Errno::EINVAL) => false,
                Err(error) => return Err(error.into()),
            };
            if is_alive && !is_over {
                continue;
            }
            tell_all(child, Signal::SIGKILL)?;
            next_dead(child.as_raw(), 0)?;
            kids.remove(child);
        }
        if !kids.is_empty() {
            let left = grace.saturating_sub(start.elapsed());
            // Not by SIGCHLD, which others may want: a look every few milliseconds.
            thread::sleep(left.min(Duration::from_millis(5)));
        }
    }
    Ok(())
}

pub fn die_by(sig: Signal) -> ! {
    // SAFETY: zeros are the default action.
    let _ = exchange(sig as c_int, &unsafe { mem::zeroed() });
    let mut only = SigSet::all();
    only.remove(sig);
    // Nobody else's handler may come first.
    let _ = only.thread_set_mask();
    let _ = nix::sys::signal::kill(getpid(), sig);
    // SAFETY: _exit ends the process.
    unsafe { libc::_exit(128 + sig as c_int) }
}
