//! What a plan does to a program: holds it, lets the others run, and lets it go on.

use nix::sys::signal::Signal;

use super::instruction::drains_stores;
use super::step::{Deed, Event, Operand, Step};
use super::store_buffer::{Progress, StoreBuffer};
use super::story::Kind;
use super::tracee::State;
use super::{Explorer, Plan, Point};

/// A program that is held goes on after so many accesses and calls of the others: they spin or
/// poll, and wait for it.
pub(super) const PATIENCE: u32 = 400;

/// So many accesses without a call are a spin: the others get their turn.
const SPIN: u32 = 300;

/// The program that is held, and what the others do meanwhile.
pub(super) struct Held {
    pub(super) who: usize,
    pub(super) patience: u32,
    /// How many accesses each program had made when this one was held.
    pub(super) before: Vec<usize>,
}

impl Explorer {
    /// A program is about to make an access: interrupts it if the plan says so.
    pub(super) fn apply_plan(&mut self, index: usize) -> nix::Result<()> {
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
                self.happened = true;
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

    pub(super) fn send_to_the_end(&mut self, index: usize) {
        let lowest = self.tracees.iter().map(|t| t.precedence).min().unwrap_or(0);
        self.tracees[index].precedence = lowest - 1;
    }

    pub(super) fn hold(&mut self, index: usize) -> nix::Result<()> {
        let is_before_access = self.tracees[index].pending.is_some();
        self.interrupt(index)?;
        if let Some(last) = self.steps.last_mut().filter(|_| !is_before_access) {
            last.deed = Some(Deed::Held); // it has just been made
        }
        let before = self.tracees.iter().map(|t| t.accesses.len()).collect();
        self.held = Some(Held {
            who: index,
            patience: PATIENCE,
            before,
        });
        Ok(())
    }

    /// Others will run before this one's pending access: an update has loaded its operand.
    pub(super) fn interrupt(&mut self, index: usize) -> nix::Result<()> {
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
        let event = pending.about();
        pending.deed = Some(Deed::LetGo);
        tracee.pending = Some(pending);
        self.take_down(index, event, Some(Deed::Held));
        Ok(())
    }

    /// Nobody else can go on: the held program does.
    pub(super) fn release(&mut self) {
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
        self.tell_lost_updates(&held);
        let mut deed = None;
        if let Some(buffer) = self.buffer.take() {
            self.lines.push(format!(
                "{} of its stores reach the others now",
                buffer.len()
            ));
            deed = Some(Deed::Reached(buffer.len()));
            if buffer
                .drain(&mut self.tracees[held.who], &mut self.spaces)
                .is_err()
            {
                self.bury(held.who);
            }
        }
        if self.tracees[held.who].state == State::Ready {
            if self.tracees[held.who].pending.is_none() {
                self.take_down(held.who, Event::GoesOn, deed);
            }
            self.advance(held.who);
        }
    }

    /// What the held program undoes when it goes on: it loaded a place, and is about to store there
    /// without having seen what the others have stored meanwhile.
    fn tell_lost_updates(&mut self, held: &Held) {
        let tracee = &self.tracees[held.who];
        let Some(pending) = &tracee.pending else {
            return;
        };
        let operand = pending.operand();
        let own = self.steps.iter().rev().filter(|step| step.who == held.who);
        let kind = |step: &Step| step.touched(&operand);
        let has_loaded = own.filter_map(kind).next() == Some(Kind::Load);
        if pending.access.kind != Kind::Store || !has_loaded {
            return;
        }
        let n_lost = n_stored_meanwhile(&self.steps, held.who, &operand);
        let lost = match n_lost {
            0 => return,
            1 => "one update is lost".to_owned(),
            n => format!("{n} updates are lost"),
        };
        self.lines.push(format!(
            "{} stores to {} what it made of the old value: {lost}",
            tracee.name, pending.access.place,
        ));
        if let Some(pending) = &mut self.tracees[held.who].pending {
            pending.deed = Some(Deed::Undoes(n_lost));
        }
    }

    pub(super) fn make_access(&mut self, index: usize) -> nix::Result<()> {
        if self
            .buffer
            .as_ref()
            .is_some_and(|buffer| buffer.owner() == index)
        {
            return self.make_buffered_access(index);
        }
        let tracee = &mut self.tracees[index];
        let space = &mut self.spaces[tracee.space];
        let Some(mut pending) = tracee.pending.take() else {
            return Ok(());
        };
        space.open(tracee, pending.address)?;
        if let (Some(loaded), Kind::Update { size }) = (pending.loaded, pending.access.kind) {
            let now = tracee.peek(pending.address)?;
            let differs = (now ^ loaded) << (8 * (8 - size.min(8))) != 0;
            if differs {
                let n_lost = n_stored_meanwhile(&self.steps, index, &pending.operand());
                // What the kernel has stored is in nobody's steps.
                pending.deed = Some(Deed::Undoes(n_lost.max(1)));
                self.lines.push(format!(
                    "{} goes on with the value of {} that it had loaded before: what the others \
                     have stored there is lost",
                    tracee.name, pending.access.place,
                ));
                tracee.poke(pending.address, loaded, size)?;
            }
        }
        let before = pending.value(tracee);
        // One instruction may touch two regions; a fault that is not ours is met again later.
        while !tracee.step()? {
            let (signal, address) = tracee.fault()?;
            if signal != Signal::SIGSEGV || !space.is_closed(address) {
                tracee.signals.push(signal); // its own
                return Ok(());
            }
            space.open(tracee, address)?;
        }
        let change = pending.change(tracee, before);
        space.close_all(tracee)?;
        let number = tracee.accesses.len() as u64;
        self.take_down(index, pending.touched(change), pending.deed);
        if matches!(&self.plan, Plan::Held { who, at } if (*who, *at) == (index, Point::After(number)))
        {
            self.happened = true;
            self.lines.push(format!(
                "{} is held after its {} of {}",
                self.tracees[index].name,
                pending.access.kind.name(),
                pending.access.place,
            ));
            self.hold(index)?;
        }
        Ok(())
    }

    pub(super) fn make_buffered_access(&mut self, index: usize) -> nix::Result<()> {
        let Some(mut buffer) = self.buffer.take() else {
            return Ok(());
        };
        let tracee = &mut self.tracees[index];
        let Some(pending) = tracee.pending.take() else {
            self.buffer = Some(buffer);
            return Ok(());
        };
        let (progress, change) = buffer.access(tracee, &mut self.spaces, &pending)?;
        let deed = match (&progress, pending.access.kind) {
            (Progress::Over, _) if buffer.len() > 0 => Some(Deed::Reached(buffer.len())),
            (Progress::Goes, Kind::Store) => Some(Deed::KeptBack),
            _ => pending.deed,
        };
        self.take_down(index, pending.touched(change), deed);
        match progress {
            Progress::Over => return Ok(()),
            Progress::Goes => {}
            Progress::Overtaken => {
                self.happened = true;
                self.lines.push(format!(
                    "{} has loaded {} while {} of its own stores are not seen by the others",
                    self.tracees[index].name,
                    pending.access.place,
                    buffer.len(),
                ));
                self.buffer = Some(buffer);
                return self.hold(index);
            }
        }
        // Fences and locked instructions need not touch shared memory, so they are looked for.
        let tracee = &mut self.tracees[index];
        while !drains_stores(&tracee.code()?) {
            if !tracee.step()? {
                self.buffer = Some(buffer);
                return self.note_fault(index);
            }
        }
        let n_stores = buffer.len();
        buffer.drain(tracee, &mut self.spaces)?;
        if n_stores > 0 {
            self.take_down(index, Event::Fences, Some(Deed::Reached(n_stores)));
        }
        Ok(())
    }
}

/// How often others have stored to something since a program was interrupted.
fn n_stored_meanwhile(steps: &[Step], who: usize, operand: &Operand) -> usize {
    let since = steps.iter().rev().take_while(|step| step.who != who);
    let kinds = since.filter_map(|step| step.touched(operand));
    kinds.filter(|kind| *kind != Kind::Load).count()
}
