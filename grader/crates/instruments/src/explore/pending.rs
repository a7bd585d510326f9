//! An access between the fault by which the explorer hears of it and the moment it is made.

use super::step::{Change, Deed, Event, Operand};
use super::story::Access;
use super::tracee::Tracee;

/// An access that a thread is about to make.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) access: Access,
    pub(super) address: u64,
    /// How long the operand is, where that is known for certain.
    pub(super) size: Option<usize>,
    /// What it had loaded already when it was interrupted.
    pub(super) loaded: Option<u64>,
    /// What the plan does when it goes on with this access.
    pub(super) deed: Option<Deed>,
}

impl Pending {
    /// What it touches.
    pub(super) fn operand(&self) -> Operand {
        let first = (self.address & 7) as u8;
        let end = self.size.map_or(8, |size| (first + size as u8).min(8));
        Operand {
            place: self.access.place.clone(),
            bytes: first..end,
        }
    }

    /// What the operand holds now, if that is known for certain.
    pub(super) fn value(&self, thread: &Tracee) -> Option<u64> {
        let size = self.size?;
        let first = self.address & 7;
        // The word with all of it is in the mapping; what follows may not be.
        if first + size as u64 > 8 {
            return None;
        }
        let word = thread.peek(self.address - first).ok()?;
        Some(word >> (8 * first) & (u64::MAX >> (64 - 8 * size)))
    }

    /// How the operand has changed since its value was `before`.
    pub(super) fn change(&self, thread: &Tracee, before: Option<u64>) -> Option<Change> {
        let after = self.value(thread);
        let both = before.zip(after);
        both.map(|(before, after)| Change { before, after })
    }

    /// The access before it is made.
    pub(super) fn about(&self) -> Event {
        Event::About(self.access.kind, self.operand())
    }

    /// The access once it was made.
    pub(super) fn touched(&self, change: Option<Change>) -> Event {
        Event::Touched(self.access.kind, self.operand(), change)
    }
}
