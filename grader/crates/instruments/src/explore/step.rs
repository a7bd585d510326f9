//! What the programs of one run did, one event after the other: the order that a schedule forced.

use std::fmt;
use std::ops::Range;

use super::story::{Kind, Place};
use crate::autopsy::call_name;

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which program, as an index into [`Story::names`](super::Story::names).
    pub who: usize,
    /// What it did.
    pub event: Event,
    /// What the plan did to the program there.
    pub deed: Option<Deed>,
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is about to touch this, and has not done it yet.
    About(Kind, Operand),
    /// It has touched this.
    Touched(Kind, Operand, Option<Change>),
    /// It goes on, and not with an access.
    GoesOn,
    /// It waits until the others see what it has stored.
    Fences,
    /// It sleeps in the system call of this number.
    Sleeps(i64),
    /// It is gone.
    Ended,
}

/// What an instruction touches, more exactly than a place tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The eight bytes that it is in, or begins in.
    pub place: Place,
    /// Which of them; all from the first on where its size is not known.
    pub bytes: Range<u8>,
}

/// What an operand was before an access and what it was after that. Both are as long as the
/// operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the program found there.
    pub before: u64,
    /// What it left there.
    pub after: u64,
}

/// What a plan did to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It stays where it is and the others run.
    Held,
    /// Its store is kept from the others for a while.
    KeptBack,
    /// So many of its stores reach the others only now.
    Reached(usize),
    /// It runs again.
    LetGo,
    /// It runs again, and undoes so many stores of the others to the place that it stores to.
    Undoes(usize),
}

impl Step {
    /// Whether its program touches something and changes nothing.
    pub fn only_looks(&self) -> bool {
        match &self.event {
            Event::About(Kind::Load, _) | Event::Touched(Kind::Load, ..) => true,
            Event::Touched(Kind::Other, _, Some(change)) => change.before == change.after,
            _ => false,
        }
    }

    /// How it has touched a part of this, if it has.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn touched(&self, operand: &Operand) -> Option<Kind> {
        match &self.event {
            Event::Touched(kind, own, _) if own.overlaps(operand) => Some(*kind),
            _ => None,
        }
    }

    /// What was touched there, or is about to be.
    pub fn operand(&self) -> Option<&Operand> {
        match &self.event {
            Event::About(_, operand) | Event::Touched(_, operand, _) => Some(operand),
            Event::GoesOn | Event::Fences | Event::Sleeps(_) | Event::Ended => None,
        }
    }
}

impl Operand {
    /// Whether it has a byte in common with another one.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.place == other.place
            && self.bytes.start < other.bytes.end
            && other.bytes.start < self.bytes.end
    }
}

/// Its first byte, with the last part of the object's path: columns of a timeline are narrow.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Place {
            offset: self.place.offset + u64::from(self.bytes.start),
            ..self.place.clone()
        };
        let told = first.to_string();
        f.write_str(told.rsplit('/').next().unwrap_or_default())
    }
}

/// The event, without the deed: `load ring +0x40: 3`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Event::About(kind, operand) => {
                let verb = match kind {
                    Kind::Other => "touch",
                    kind => verb(*kind),
                };
                write!(f, "about to {verb} {operand}")
            }
            Event::Touched(kind, operand, None) => write!(f, "{} {operand}", verb(*kind)),
            Event::Touched(kind, operand, Some(change)) => {
                // Whose operand is known works in one step: see `operand_size`.
                let verb = match kind {
                    Kind::Other => "atomic",
                    kind => verb(*kind),
                };
                write!(f, "{verb} {operand}: ")?;
                let (before, after) = (number(change.before), number(change.after));
                match kind {
                    Kind::Load | Kind::Store => f.write_str(&after),
                    _ if before == after => f.write_str(&after),
                    _ => write!(f, "{before} -> {after}"),
                }
            }
            Event::GoesOn => f.write_str("goes on"),
            Event::Fences => f.write_str("finishes its stores"),
            Event::Sleeps(call) => write!(f, "sleeps in {}", call_name(*call)),
            Event::Ended => f.write_str("has ended"),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::KeptBack => f.write_str("others do not see it"),
            Self::Reached(1) => f.write_str("others see 1 store now"),
            Self::Reached(n) => write!(f, "others see {n} stores now"),
            Self::LetGo => f.write_str("let go"),
            Self::Undoes(1) => f.write_str("1 update lost"),
            Self::Undoes(n) => write!(f, "{n} updates lost"),
        }
    }
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Load => "load",
        Kind::Store => "store",
        Kind::Update { .. } => "update",
        Kind::Other => "access",
    }
}

/// Counters as people count, anything longer by its bits.
fn number(value: u64) -> String {
    match value {
        0..1_000_000 => value.to_string(),
        _ => format!("{value:#x}"),
    }
}
