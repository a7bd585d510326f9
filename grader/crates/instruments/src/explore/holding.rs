//! What a plan does to a program: holds it, lets the others run, and lets it go on.

use nix::sys::ptrace;
use nix::sys::signal::Signal;

use super::instruction::drains_stores;
use super::store_buffer::{Progress, StoreBuffer};
use super::story::{Access, Kind};
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
        tracee.pending = Some(pending);
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
        self.lines.extend(self.lost_updates(&held));
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

    /// What the held program undoes when it goes on: it loaded a place, and is about to store there
    /// without having seen what the others have stored meanwhile.
    fn lost_updates(&self, held: &Held) -> Option<String> {
        let tracee = &self.tracees[held.who];
        let pending = tracee.pending.as_ref()?;
        let place = &pending.access.place;
        let is_there = |access: &&Access| access.place == *place;
        // The pending access is the last one of its own.
        let own = tracee.accesses.split_last()?.1;
        let before = own.iter().rev().find(is_there)?;
        if (pending.access.kind, before.kind) != (Kind::Store, Kind::Load) {
            return None;
        }
        let others = (self.tracees.iter().enumerate()).filter(|(index, _)| *index != held.who);
        let since = others.flat_map(|(index, other)| {
            let n_before = held.before.get(index).copied().unwrap_or(0);
            other.accesses.get(n_before..).unwrap_or_default()
        });
        let stores = since.filter(|access| access.kind != Kind::Load);
        let lost = match stores.filter(is_there).count() {
            0 => return None,
            1 => "one update is lost".to_owned(),
            n => format!("{n} updates are lost"),
        };
        let name = &tracee.name;
        Some(format!(
            "{name} stores to {place} what it made of the old value: {lost}"
        ))
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

    pub(super) fn make_buffered_access(&mut self, index: usize) -> nix::Result<()> {
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
}
