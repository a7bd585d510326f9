//! What a stop of a program means: a call, an access, a birth, a signal, an end.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::Explorer;
use super::calls::{gives_way, maps_memory, points_further, shares_memory};
use super::holding::PATIENCE;
use super::instruction;
use super::pending::Pending;
use super::space::Space;
use super::step::Event;
use super::story::Access;
use super::tracee::{State, Tracee};
use crate::Process;

impl Explorer {
    /// Takes note of a stop.
    pub(super) fn note(&mut self, index: usize, status: WaitStatus) -> nix::Result<()> {
        self.tracees[index].state = State::Ready;
        self.may_wake |= !matches!(status, WaitStatus::Stopped(_, Signal::SIGSEGV));
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                self.tracees[index].end(status);
                self.take_down(index, Event::Ended, None);
                Ok(())
            }
            WaitStatus::PtraceSyscall(_) => self.note_call(index),
            WaitStatus::PtraceEvent(_, signal, event) => self.note_event(index, signal, event),
            WaitStatus::Stopped(_, Signal::SIGSEGV) => self.note_fault(index),
            WaitStatus::Stopped(_, signal) => {
                self.tracees[index].signals.push(signal);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn note_event(
        &mut self,
        index: usize,
        signal: Signal,
        event: i32,
    ) -> nix::Result<()> {
        let tracee = &mut self.tracees[index];
        match event {
            libc::PTRACE_EVENT_FORK => self.born(index, false),
            libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => self.born(index, true),
            libc::PTRACE_EVENT_EXEC => {
                tracee.space = self.spaces.len();
                self.spaces.push(Space::default());
                Ok(())
            }
            libc::PTRACE_EVENT_STOP if signal != Signal::SIGTRAP => {
                // Stopped by a signal until somebody continues it, as it would be without us.
                tracee.state = State::Blocked;
                // SAFETY: takes no memory of ours.
                let listening =
                    unsafe { libc::ptrace(libc::PTRACE_LISTEN, tracee.pid.as_raw(), 0, 0) };
                Errno::result(listening).map(drop)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn born(&mut self, parent: usize, shares_memory: bool) -> nix::Result<()> {
        let tracee = &self.tracees[parent];
        let child = Pid::from_raw(ptrace::getevent(tracee.pid)? as i32);
        let space = match shares_memory {
            true => tracee.space,
            false => {
                let copy = self.spaces[tracee.space].fork();
                self.spaces.push(copy);
                self.spaces.len() - 1
            }
        };
        let number = self.tracees.len();
        let precedence = self.plan.precedence(number);
        let mut born = Tracee::new(child, format!("process {number}"), space, precedence);
        if born.wait().is_err() {
            born.state = State::Ended;
        }
        self.alarm.add(child.as_raw());
        self.tracees.push(born);
        Ok(())
    }

    pub(super) fn note_call(&mut self, index: usize) -> nix::Result<()> {
        let tracee = &mut self.tracees[index];
        let space = &mut self.spaces[tracee.space];
        let registers = ptrace::getregs(tracee.pid)?;
        if let Some(number) = tracee.entering.take() {
            if tracee.repeats {
                // The call did nothing; now it is made again with the memory open.
                space.open_all(tracee)?;
                let mut again = registers;
                again.rax = number.cast_unsigned();
                again.rip -= 2;
                return ptrace::setregs(tracee.pid, again);
            }
            if maps_memory(number) && shares_memory(number, &registers, space) {
                space.refresh(Process::new(tracee.pid.as_raw()));
            }
            return Ok(());
        }
        // The instruction is two bytes long.
        space.gate = Some(registers.rip - 2);
        let number = registers.orig_rax.cast_signed();
        tracee.entering = Some(number);
        tracee.n_in_a_row = 0;
        if let Some(last) = tracee.accesses.last_mut() {
            last.then_calls = true;
        }
        if let Some(held) = &mut self.held {
            let cost = if gives_way(number) { PATIENCE / 4 } else { 1 };
            held.patience = held.patience.saturating_sub(cost);
        }
        let args = [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ];
        let points_there = args.iter().any(|&arg| space.has(arg)) || points_further(number);
        if points_there && !tracee.repeats && !maps_memory(number) {
            tracee.repeats = true;
            let mut none = registers;
            none.orig_rax = u64::MAX;
            ptrace::setregs(tracee.pid, none)?;
        } else {
            tracee.repeats = false;
        }
        if gives_way(number) {
            self.send_to_the_end(index);
        }
        Ok(())
    }

    pub(super) fn note_fault(&mut self, index: usize) -> nix::Result<()> {
        let has_company = self
            .tracees
            .iter()
            .enumerate()
            .any(|(other, tracee)| other != index && tracee.state != State::Ended);
        let tracee = &mut self.tracees[index];
        let space = &self.spaces[tracee.space];
        let (signal, address) = tracee.fault()?;
        let is_access = signal == Signal::SIGSEGV && space.is_closed(address);
        let Some(place) = space.place(address).filter(|_| is_access) else {
            tracee.signals.push(signal); // its own
            return Ok(());
        };
        let code = tracee.code()?;
        let access = Access {
            place,
            kind: instruction::kind(&code),
            has_company,
            by_library: space.is_library(ptrace::getregs(tracee.pid)?.rip),
            then_calls: false,
        };
        tracee.accesses.push(access.clone());
        tracee.n_in_a_row += 1;
        tracee.pending = Some(Pending {
            access,
            address,
            size: instruction::operand_size(&code),
            loaded: None,
            deed: None,
        });
        self.n_accesses += 1;
        if let Some(held) = &mut self.held {
            held.patience = held.patience.saturating_sub(1);
        }
        self.apply_plan(index)
    }
}
