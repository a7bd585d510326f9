//! The explorer itself: one run of some programs under a plan.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity, sched_yield};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::alarm::Alarm;
use super::calls::may_sleep;
use super::holding::Held;
use super::space::Space;
use super::step::{Deed, Event, Step};
use super::store_buffer::StoreBuffer;
use super::story::{Ending, Story};
use super::tracee::{State, Tracee};
use super::{Plan, Unavailable};
use crate::Process;
use crate::proc::seize;

/// Processor time after which the programs are ended: some loop of theirs never ends.
const LIMIT: Duration = Duration::from_secs(2);

/// Accesses and calls after which they are ended: a small program makes some hundred.
const MOST_STEPS: u64 = 50_000;

/// Some programs, traced, and what happens to them under one plan.
///
/// All of it must be used from one thread, for ptrace(2) knows its tracer as a thread.
pub struct Explorer {
    pub(super) plan: Plan,
    pub(super) tracees: Vec<Tracee>,
    pub(super) spaces: Vec<Space>,
    pub(super) alarm: Alarm,
    /// Where this thread could run before; during a run it shares one processor with the
    /// programs, since a switch between processors costs more than the rest of an access.
    pub(super) affinity: Option<CpuSet>,
    pub(super) cpu: usize,
    pub(super) held: Option<Held>,
    pub(super) happened: bool,
    pub(super) n_accesses: u64,
    pub(super) n_steps: u64,
    /// Whether something has happened that may have woken a sleeper: a call or an end, but never
    /// an access.
    pub(super) may_wake: bool,
    pub(super) buffer: Option<StoreBuffer>,
    pub(super) lines: Vec<String>,
    pub(super) steps: Vec<Step>,
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
            happened: matches!(plan, Plan::InOrder { .. }),
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
            steps: Vec::new(),
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
        let id = Pid::from_raw(pid);
        seize(id, Options::PTRACE_O_EXITKILL)
            .map_err(|error| Unavailable::Forbidden { pid, error })?;
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
            names: self.tracees.iter().map(|t| t.name.clone()).collect(),
            steps: std::mem::take(&mut self.steps),
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
    pub(super) fn advance(&mut self, index: usize) {
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
    pub(super) fn bury(&mut self, index: usize) {
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
        let sleeper = tracee.entering.filter(|&call| may_sleep(call));
        tracee.resume()?;
        match sleeper {
            None => {
                let status = tracee.wait()?;
                self.note(index, status)
            }
            Some(call) => match Self::wait_or_sleep(tracee)? {
                Some(status) => self.note(index, status),
                None => {
                    tracee.state = State::Blocked;
                    self.take_down(index, Event::Sleeps(call), None);
                    Ok(())
                }
            },
        }
    }

    /// Adds to the story what a program has just done. There are no more of these than steps that
    /// a run may take, and a few for each hold.
    pub(super) fn take_down(&mut self, who: usize, event: Event, deed: Option<Deed>) {
        self.steps.push(Step { who, event, deed });
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
    pub(super) fn settle(&mut self) {
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
