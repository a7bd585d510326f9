//! The explorer itself: one run of some programs under a plan.

use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity, sched_yield};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::alarm::Alarm;
use super::instruction::{self, drains_stores};
use super::seize::seize;
use super::space::Space;
use super::store_buffer::{Progress, StoreBuffer};
use super::story::{Access, Ending, Kind, Story};
use super::tracee::{Pending, State, Tracee};
use super::{Plan, Point, Unavailable};
use crate::Process;

/// Processor time after which the programs are ended: some loop of theirs never ends.
const LIMIT: Duration = Duration::from_secs(2);

/// Accesses and calls after which they are ended: a small program makes some hundred.
const MOST_STEPS: u64 = 50_000;

/// A program that is held goes on after so many accesses and calls of the others: they spin or
/// poll, and wait for it.
const PATIENCE: u32 = 400;

/// So many accesses without a call are a spin: the others get their turn.
const SPIN: u32 = 300;

/// Some programs, traced, and what happens to them under one plan.
///
/// All of it must be used from one thread, for ptrace(2) knows its tracer as a thread.
pub struct Explorer {
    plan: Plan,
    tracees: Vec<Tracee>,
    spaces: Vec<Space>,
    alarm: Alarm,
    /// Where this thread could run before; during a run it shares one processor with the
    /// programs, since a switch between processors costs more than the rest of an access.
    affinity: Option<CpuSet>,
    cpu: usize,
    held: Option<Held>,
    happened: bool,
    n_accesses: u64,
    n_steps: u64,
    /// Whether something has happened that may have woken a sleeper: a call or an end, but never
    /// an access.
    may_wake: bool,
    buffer: Option<StoreBuffer>,
    lines: Vec<String>,
}

/// The program that is held, and what the others do meanwhile.
struct Held {
    who: usize,
    patience: u32,
    /// How many accesses each program had made when this one was held.
    before: Vec<usize>,
}

impl std::fmt::Debug for Explorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.tracees.iter().map(|t| t.name.as_str()).collect();
        let mut shown = f.debug_struct("Explorer");
        shown.field("plan", &self.plan).field("programs", &names);
        shown.finish_non_exhaustive()
    }
}

impl Explorer {
    /// No programs yet.
    pub fn new(plan: Plan) -> Self {
        let affinity = sched_getaffinity(Pid::from_raw(0)).ok();
        let explorer = Self {
            happened: matches!(plan, Plan::InOrder { .. } | Plan::Random { .. }),
            plan,
            tracees: Vec::new(),
            spaces: Vec::new(),
            alarm: Alarm::after(LIMIT),
            affinity,
            // The scheduler has put us where there is room.
            cpu: sched_getcpu().unwrap_or(0),
            held: None,
            n_accesses: 0,
            n_steps: 0,
            may_wake: true,
            buffer: None,
            lines: Vec::new(),
        };
        explorer.pin(Pid::from_raw(0));
        explorer
    }

    /// Takes a program in, which is stopped or asleep at a point before anything that matters. It
    /// goes on in [`run`](Self::run).
    ///
    /// # Errors
    /// If the kernel does not let us trace it.
    pub fn adopt(&mut self, pid: i32, name: &str) -> Result<(), Unavailable> {
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        let id = Pid::from_raw(pid);
        seize(id, options).map_err(|errno| Unavailable::Forbidden { pid, errno })?;
        self.pin(id);
        self.alarm.add(pid);
        let precedence = self.plan.precedence(self.tracees.len());
        let mut tracee = Tracee::new(id, name.to_owned(), self.spaces.len(), precedence);
        let mut space = Space::default();
        // It sleeps or is stopped; whatever it is, this makes it report.
        let interrupted = ptrace::interrupt(id).and_then(|()| tracee.wait());
        if !matches!(
            interrupted,
            Ok(WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..))
        ) {
            tracee.state = State::Ended;
        }
        space.refresh(Process::new(pid));
        space.gate = tracee.gate_of_call();
        self.spaces.push(space);
        self.tracees.push(tracee);
        Ok(())
    }

    /// Runs the programs until all have ended or none can ever go on; then whoever is left is
    /// killed.
    pub fn run(mut self) -> Story {
        for tracee in &self.tracees {
            let _ended_before = kill(tracee.pid, Signal::SIGCONT);
        }
        let ending = loop {
            if std::mem::take(&mut self.may_wake) {
                self.settle();
            }
            if self.alarm.went_off() || self.n_steps > MOST_STEPS {
                break Ending::TooLong;
            }
            match self.choose() {
                Some(next) => self.advance(next),
                None if self.held.is_some() => self.release(),
                None if self.tracees.iter().all(|t| t.state == State::Ended) => {
                    break Ending::Ended;
                }
                None => {
                    if let Some(autopsy) = self.asleep_for_good() {
                        break Ending::Asleep { autopsy };
                    }
                }
            }
        };
        self.kill_the_rest();
        Story {
            plan: self.plan.clone(),
            happened: self.happened,
            accesses: self
                .tracees
                .iter_mut()
                .map(|t| std::mem::take(&mut t.accesses))
                .collect(),
            ends: self
                .tracees
                .iter()
                .map(|t| (t.pid.as_raw(), t.status))
                .collect(),
            ending,
            lines: std::mem::take(&mut self.lines),
        }
    }

    /// Who goes on: of those that may, the one with the highest precedence.
    fn choose(&self) -> Option<usize> {
        let held = self.held.as_ref();
        if held.is_some_and(|held| held.patience == 0) {
            return None;
        }
        let may_go = |&index: &usize| {
            self.tracees[index].state == State::Ready && held.is_none_or(|held| held.who != index)
        };
        (0..self.tracees.len())
            .filter(may_go)
            .max_by_key(|&index| (self.tracees[index].precedence, std::cmp::Reverse(index)))
    }

    /// Lets a program make its pending access, or run to its next one or its next call.
    fn advance(&mut self, index: usize) {
        self.n_steps += 1;
        let result = match self.tracees[index].pending.is_some() {
            true => self.make_access(index),
            false => self.resume(index),
        };
        if result.is_err() {
            self.bury(index);
        }
    }

    /// A request failed because the program was killed: takes note of its end.
    fn bury(&mut self, index: usize) {
        let tracee = &mut self.tracees[index];
        while tracee.state != State::Ended {
            match tracee.wait() {
                Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => {
                    tracee.end(status)
                }
                Ok(_) => {}
                Err(_) => tracee.state = State::Ended,
            }
        }
    }

    fn resume(&mut self, index: usize) -> nix::Result<()> {
        let tracee = &mut self.tracees[index];
        if tracee.entering.is_none() && !tracee.repeats {
            let space = &mut self.spaces[tracee.space];
            space.close_all(tracee)?;
        }
        let may_sleep = tracee.entering.is_some_and(may_sleep);
        tracee.resume()?;
        match may_sleep {
            false => {
                let status = tracee.wait()?;
                self.note(index, status)
            }
            true => match Self::wait_or_sleep(tracee)? {
                Some(status) => self.note(index, status),
                None => {
                    tracee.state = State::Blocked;
                    Ok(())
                }
            },
        }
    }

    /// The next stop, or `None` once it sleeps.
    fn wait_or_sleep(tracee: &Tracee) -> nix::Result<Option<WaitStatus>> {
        let mut n_asleep = 0;
        for look in 0_u32.. {
            if let Some(status) = tracee.poll()? {
                return Ok(Some(status));
            }
            // It shares this processor, so it runs when we do not.
            match look {
                0..8 => sched_yield()?,
                _ => std::thread::sleep(Duration::from_micros(20)),
            }
            n_asleep = if tracee.is_asleep() { n_asleep + 1 } else { 0 };
            if n_asleep == 2 {
                // It may have stopped between the two questions.
                return tracee.poll();
            }
        }
        Ok(None)
    }

    /// Takes in those that were blocked and have been woken. Whoever was just woken by another
    /// one is waited for until it stops, so that a run does not depend on who is quicker.
    fn settle(&mut self) {
        for index in 0..self.tracees.len() {
            while self.tracees[index].state == State::Blocked {
                let tracee = &self.tracees[index];
                // Asked first: whoever stops after that is found by the poll.
                let is_asleep = tracee.is_asleep();
                match tracee.poll() {
                    Ok(Some(status)) => {
                        if self.note(index, status).is_err() {
                            self.bury(index);
                        }
                    }
                    Ok(None) if is_asleep => break,
                    Ok(None) => {
                        let _always_works = sched_yield();
                    }
                    Err(_) => self.tracees[index].state = State::Ended,
                }
            }
        }
    }

    /// Everybody sleeps. `Some` with the reasons if that can never change.
    fn asleep_for_good(&mut self) -> Option<Vec<String>> {
        for _ in 0..50 {
            self.may_wake = false;
            std::thread::sleep(Duration::from_micros(200));
            self.settle();
            if self.tracees.iter().any(|t| t.state == State::Ready) {
                return None;
            }
        }
        let alive = self.tracees.iter().filter(|t| t.state != State::Ended);
        let pids: Vec<i32> = alive.map(|t| t.pid.as_raw()).collect();
        let autopsy = crate::explain(&pids);
        autopsy.all_asleep_without_timer.then_some(autopsy.lines)
    }

    /// Takes note of a stop.
    fn note(&mut self, index: usize, status: WaitStatus) -> nix::Result<()> {
        self.tracees[index].state = State::Ready;
        self.may_wake |= !matches!(status, WaitStatus::Stopped(_, Signal::SIGSEGV));
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                self.tracees[index].end(status);
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

    fn note_event(&mut self, index: usize, signal: Signal, event: i32) -> nix::Result<()> {
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

    fn born(&mut self, parent: usize, shares_memory: bool) -> nix::Result<()> {
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

    fn note_call(&mut self, index: usize) -> nix::Result<()> {
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

    fn note_fault(&mut self, index: usize) -> nix::Result<()> {
        let has_company = self
            .tracees
            .iter()
            .enumerate()
            .any(|(other, tracee)| other != index && tracee.state != State::Ended);
        let tracee = &mut self.tracees[index];
        let space = &self.spaces[tracee.space];
        let info = ptrace::getsiginfo(tracee.pid)?;
        // SAFETY: a SIGSEGV that the kernel sent has an address; any other reads as some number.
        let address = unsafe { info.si_addr() } as u64;
        let Some(place) = space.place(address).filter(|_| space.is_closed(address)) else {
            tracee.signals.push(Signal::SIGSEGV); // its own
            return Ok(());
        };
        let kind = instruction::kind(&tracee.code()?);
        let access = Access {
            place,
            kind,
            has_company,
            then_calls: false,
        };
        tracee.accesses.push(access.clone());
        tracee.n_in_a_row += 1;
        tracee.pending = Some(Pending {
            access,
            address,
            loaded: None,
        });
        self.n_accesses += 1;
        if let Some(held) = &mut self.held {
            held.patience = held.patience.saturating_sub(1);
        }
        self.apply_plan(index)
    }

    /// A program is about to make an access: interrupts it if the plan says so.
    fn apply_plan(&mut self, index: usize) -> nix::Result<()> {
        let number = self.tracees[index].accesses.len() as u64;
        match &self.plan {
            Plan::Held { who, at } if (*who, *at) == (index, Point::Before(number)) => {
                self.happened = true;
                self.hold(index)?;
            }
            Plan::Delayed { who, access, loads } if (*who, *access) == (index, number) => {
                self.buffer = Some(StoreBuffer::new(index, *loads));
            }
            Plan::Random { changes, .. } if changes.contains(&self.n_accesses) => {
                self.interrupt(index)?;
                self.send_to_the_end(index);
            }
            _ => {}
        }
        if self.tracees[index].n_in_a_row > SPIN {
            self.tracees[index].n_in_a_row = 0;
            self.send_to_the_end(index);
        }
        Ok(())
    }

    fn send_to_the_end(&mut self, index: usize) {
        let lowest = self.tracees.iter().map(|t| t.precedence).min().unwrap_or(0);
        self.tracees[index].precedence = lowest - 1;
    }

    fn hold(&mut self, index: usize) -> nix::Result<()> {
        self.interrupt(index)?;
        let before = self.tracees.iter().map(|t| t.accesses.len()).collect();
        self.held = Some(Held {
            who: index,
            patience: PATIENCE,
            before,
        });
        Ok(())
    }

    /// Others will run before this one's pending access: an update has loaded its operand.
    fn interrupt(&mut self, index: usize) -> nix::Result<()> {
        let tracee = &mut self.tracees[index];
        let Some(mut pending) = tracee.pending.take() else {
            return Ok(());
        };
        if let Kind::Update { .. } = pending.access.kind {
            pending.loaded = Some(tracee.peek(pending.address)?);
        }
        self.lines.push(format!(
            "{} is held before its {} of {}",
            tracee.name,
            pending.access.kind.name(),
            pending.access.place,
        ));
        tracee.pending = Some(pending);
        Ok(())
    }

    /// Nobody else can go on: the held program does.
    fn release(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        for (index, tracee) in self.tracees.iter().enumerate() {
            let before = held.before.get(index).copied().unwrap_or(0);
            let n_accesses = tracee.accesses.len() - before;
            if index == held.who || n_accesses == 0 && tracee.state != State::Blocked {
                continue;
            }
            let then = match tracee.state {
                State::Ready => "still runs",
                State::Blocked => "sleeps",
                State::Ended => "has ended",
            };
            let name = &tracee.name;
            self.lines
                .push(format!("{name} makes {n_accesses} accesses and {then}"));
        }
        if let Some(buffer) = self.buffer.take() {
            self.lines.push(format!(
                "{} of its stores reach the others now",
                buffer.len()
            ));
            if buffer
                .drain(&mut self.tracees[held.who], &mut self.spaces)
                .is_err()
            {
                self.bury(held.who);
            }
        }
        if self.tracees[held.who].state == State::Ready {
            self.advance(held.who);
        }
    }

    fn make_access(&mut self, index: usize) -> nix::Result<()> {
        if self
            .buffer
            .as_ref()
            .is_some_and(|buffer| buffer.owner() == index)
        {
            return self.make_buffered_access(index);
        }
        let tracee = &mut self.tracees[index];
        let space = &mut self.spaces[tracee.space];
        let Some(pending) = tracee.pending.take() else {
            return Ok(());
        };
        space.open(tracee, pending.address)?;
        if let (Some(loaded), Kind::Update { size }) = (pending.loaded, pending.access.kind) {
            let now = tracee.peek(pending.address)?;
            let differs = (now ^ loaded) << (8 * (8 - size.min(8))) != 0;
            if differs {
                self.lines.push(format!(
                    "{} goes on with the value of {} that it had loaded before: what the others \
                     have stored there is lost",
                    tracee.name, pending.access.place,
                ));
                tracee.poke(pending.address, loaded, size)?;
            }
        }
        let place = pending.access.place.clone();
        let kind = pending.access.kind.name();
        // One instruction may touch two regions; a fault that is not ours is met again later.
        while !tracee.step()? {
            let info = ptrace::getsiginfo(tracee.pid)?;
            // SAFETY: as in `note_fault`.
            let address = unsafe { info.si_addr() } as u64;
            if !space.is_closed(address) {
                tracee.signals.push(Signal::SIGSEGV);
                return Ok(());
            }
            space.open(tracee, address)?;
        }
        space.close_all(tracee)?;
        let number = tracee.accesses.len() as u64;
        if matches!(&self.plan, Plan::Held { who, at } if (*who, *at) == (index, Point::After(number)))
        {
            self.happened = true;
            self.lines.push(format!(
                "{} is held after its {kind} of {place}",
                tracee.name
            ));
            self.hold(index)?;
        }
        Ok(())
    }

    fn make_buffered_access(&mut self, index: usize) -> nix::Result<()> {
        let Some(mut buffer) = self.buffer.take() else {
            return Ok(());
        };
        let tracee = &mut self.tracees[index];
        match buffer.access(tracee, &mut self.spaces)? {
            Progress::Over => return Ok(()),
            Progress::Goes => {}
            Progress::Overtaken => {
                self.happened = true;
                let last = tracee.accesses.last();
                self.lines.push(format!(
                    "{} has loaded {} while {} of its own stores are not seen by the others",
                    tracee.name,
                    last.map_or_else(String::new, |access| access.place.to_string()),
                    buffer.len(),
                ));
                self.buffer = Some(buffer);
                return self.hold(index);
            }
        }
        // Fences and locked instructions need not touch shared memory, so they are looked for.
        while !drains_stores(&tracee.code()?) {
            if !tracee.step()? {
                self.buffer = Some(buffer);
                return self.note_fault(index);
            }
        }
        buffer.drain(tracee, &mut self.spaces)
    }

    fn pin(&self, pid: Pid) {
        let mut one = CpuSet::new();
        // Only the speed depends on it.
        let _ignored = one
            .set(self.cpu)
            .and_then(|()| sched_setaffinity(pid, &one));
    }

    fn kill_the_rest(&mut self) {
        self.alarm.kill_now();
        for index in 0..self.tracees.len() {
            self.bury(index);
        }
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        self.kill_the_rest();
        if let Some(all) = &self.affinity {
            let _only_speed = sched_setaffinity(Pid::from_raw(0), all);
        }
    }
}

/// Whether a call that changes what is mapped concerns shared memory. Looking at all mappings
/// takes long, and a program makes dozens of private ones while it starts.
fn shares_memory(number: i64, registers: &libc::user_regs_struct, space: &Space) -> bool {
    match number {
        libc::SYS_mmap => registers.r10 & libc::MAP_SHARED as u64 != 0 || space.has(registers.rax),
        libc::SYS_munmap => space.has(registers.rdi),
        _ => true,
    }
}

/// Calls that change what is mapped.
fn maps_memory(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_mmap | libc::SYS_munmap | libc::SYS_mremap | libc::SYS_shmat | libc::SYS_shmdt
    )
}

/// Calls whose arguments point to further pointers.
fn points_further(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_readv | libc::SYS_writev | libc::SYS_sendmsg | libc::SYS_recvmsg
    )
}

/// Calls by which a program says that it waits for others without sleeping until they act.
fn gives_way(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_sched_yield | libc::SYS_nanosleep | libc::SYS_clock_nanosleep
    )
}

/// All but the calls that a program makes most often while it starts and that never sleep.
fn may_sleep(number: i64) -> bool {
    !matches!(
        number,
        libc::SYS_mmap
            | libc::SYS_mprotect
            | libc::SYS_munmap
            | libc::SYS_brk
            | libc::SYS_close
            | libc::SYS_fstat
            | libc::SYS_newfstatat
            | libc::SYS_pread64
            | libc::SYS_rt_sigaction
            | libc::SYS_rt_sigprocmask
            | libc::SYS_sigaltstack
            | libc::SYS_arch_prctl
            | libc::SYS_set_tid_address
            | libc::SYS_set_robust_list
            | libc::SYS_rseq
            | libc::SYS_prlimit64
            | libc::SYS_getrandom
            | libc::SYS_access
            | libc::SYS_exit_group
    )
}
