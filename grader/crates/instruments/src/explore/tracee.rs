//! One traced thread: the few ptrace(2) requests that the explorer needs, with their waits.
//!
//! It decides nothing. `ESRCH` from any of them means that the thread was killed and its end is
//! still to be waited for.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::instruction::LONGEST;
use super::pending::Pending;
use super::story::Access;

/// What a thread may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is stopped and may go on.
    Ready,
    /// It sleeps in a system call.
    Blocked,
    /// It is gone.
    Ended,
}

pub(super) struct Tracee {
    pub(super) pid: Pid,
    /// What it is called in the story.
    pub(super) name: String,
    /// Which address space it lives in.
    pub(super) space: usize,
    pub(super) state: State,
    /// Whether it is stopped at the entry of this system call.
    pub(super) entering: Option<i64>,
    /// Whether a call is to be made again once the memory that it points to is open.
    pub(super) repeats: bool,
    pub(super) pending: Option<Pending>,
    /// Signals that came while something else was done with it.
    pub(super) signals: Vec<Signal>,
    pub(super) accesses: Vec<Access>,
    pub(super) precedence: i64,
    /// Accesses since it last made a system call: many in a row are a spin.
    pub(super) n_in_a_row: u32,
    pub(super) status: Option<i32>,
}

impl Tracee {
    pub(super) fn new(pid: Pid, name: String, space: usize, precedence: i64) -> Self {
        Self {
            pid,
            name,
            space,
            state: State::Ready,
            entering: None,
            repeats: false,
            pending: None,
            signals: Vec::new(),
            accesses: Vec::new(),
            precedence,
            n_in_a_row: 0,
            status: None,
        }
    }

    /// Waits for its next stop or its end.
    pub(super) fn wait(&self) -> nix::Result<WaitStatus> {
        loop {
            match waitpid(self.pid, Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) => {}
                result => return result,
            }
        }
    }

    /// Its next stop or end if it is there already.
    pub(super) fn poll(&self) -> nix::Result<Option<WaitStatus>> {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        match waitpid(self.pid, Some(flags))? {
            WaitStatus::StillAlive => Ok(None),
            status => Ok(Some(status)),
        }
    }

    /// Whether it rests: sleeps in the kernel until an event, or is stopped. A sleep that no signal
    /// ends is for a disk and short, but for a parent that waits for its vfork(2) child.
    pub(super) fn is_asleep(&self) -> bool {
        let stat = std::fs::read(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The name before it may hold anything, brackets too.
        let end = stat.iter().rposition(|&byte| byte == b')');
        let state = end.and_then(|end| stat.get(end + 2));
        match state {
            Some(b'S' | b'T' | b't') => true,
            Some(b'D') => matches!(self.entering, Some(libc::SYS_vfork | libc::SYS_clone)),
            _ => false,
        }
    }

    /// Lets it run to its next system call, fault or signal, and hands it a signal that waits.
    pub(super) fn resume(&mut self) -> nix::Result<()> {
        let signal = (!self.signals.is_empty()).then(|| self.signals.remove(0));
        ptrace::syscall(self.pid, signal)
    }

    /// Runs one instruction. Signals that come meanwhile are kept for later; `false` means that
    /// it stopped at a fault of its own and has not run.
    pub(super) fn step(&mut self) -> nix::Result<bool> {
        ptrace::step(self.pid, None)?;
        match self.wait()? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(true),
            WaitStatus::Stopped(
                _,
                Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGILL | Signal::SIGFPE,
            ) => Ok(false),
            WaitStatus::Stopped(_, signal) => {
                self.signals.push(signal);
                self.step()
            }
            status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                self.end(status);
                Err(Errno::ESRCH)
            }
            _ => self.step(),
        }
    }

    /// The fault that it is stopped at, and the address of it. A signal that a process has sent has
    /// some number there.
    pub(super) fn fault(&self) -> nix::Result<(Signal, u64)> {
        let info = ptrace::getsiginfo(self.pid)?;
        // SAFETY: what the kernel sends for a fault has an address; any other reads as some number.
        let address = unsafe { info.si_addr() } as u64;
        Ok((Signal::try_from(info.si_signo)?, address))
    }

    /// Makes it call the kernel, at the address of some `syscall` instruction of its program. Only
    /// while it is not entering a call of its own. Gives back what the kernel returned.
    pub(super) fn call(&mut self, gate: u64, number: i64, args: [u64; 3]) -> nix::Result<i64> {
        let before = ptrace::getregs(self.pid)?;
        let mut registers = before;
        registers.rax = number.cast_unsigned();
        registers.orig_rax = u64::MAX; // no call of its own is to be restarted
        [registers.rdi, registers.rsi, registers.rdx] = args;
        registers.rip = gate;
        ptrace::setregs(self.pid, registers)?;
        self.step()?;
        let result = ptrace::getregs(self.pid)?.rax;
        ptrace::setregs(self.pid, before)?;
        Ok(result.cast_signed())
    }

    /// The eight bytes at `address`, whatever the protection of the memory.
    pub(super) fn peek(&self, address: u64) -> nix::Result<u64> {
        let word = ptrace::read(self.pid, address as ptrace::AddressType)?;
        Ok(word.cast_unsigned())
    }

    /// Writes the low `size` bytes of `value` to memory that is open.
    pub(super) fn poke(&self, address: u64, value: u64, size: usize) -> nix::Result<()> {
        let mask = if size >= 8 {
            u64::MAX
        } else {
            (1 << (8 * size)) - 1
        };
        let word = self.peek(address)? & !mask | value & mask;
        ptrace::write(self.pid, address as ptrace::AddressType, word.cast_signed())
    }

    /// The address of the `syscall` instruction by which it is in a call, if it is in one.
    pub(super) fn gate_of_call(&self) -> Option<u64> {
        let gate = ptrace::getregs(self.pid).ok()?.rip.checked_sub(2)?;
        let code = self.peek(gate).ok()?.to_ne_bytes();
        code.starts_with(&[0x0f, 0x05]).then_some(gate)
    }

    /// The bytes of the instruction that comes next.
    pub(super) fn code(&self) -> nix::Result<[u8; LONGEST + 1]> {
        let rip = ptrace::getregs(self.pid)?.rip;
        let mut code = [0; LONGEST + 1];
        code[..8].copy_from_slice(&self.peek(rip)?.to_ne_bytes());
        // The last instruction of a mapping has nothing behind it.
        let rest = self.peek(rip + 8).unwrap_or(0);
        code[8..].copy_from_slice(&rest.to_ne_bytes());
        Ok(code)
    }

    pub(super) fn end(&mut self, status: WaitStatus) {
        self.state = State::Ended;
        self.pending = None;
        self.status = match status {
            WaitStatus::Exited(_, code) => Some(code << 8),
            WaitStatus::Signaled(_, signal, _) => Some(signal as i32),
            _ => None,
        };
    }
}
