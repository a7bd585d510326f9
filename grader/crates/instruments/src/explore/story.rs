//! What happened in one run, for the caller's judgement and for the reader of a finding.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::{Plan, Step};

/// One run under one plan.
#[derive(Clone, Debug)]
pub struct Story {
    /// The plan that it ran under.
    pub plan: Plan,
    /// Whether what the plan asks for really happened: the access to be held at was reached.
    pub happened: bool,
    /// What each program touched, in order.
    pub accesses: Vec<Vec<Access>>,
    /// How each program ended: its process number and the status that wait(2) gave.
    pub ends: Vec<(i32, Option<i32>)>,
    /// How the run as a whole ended.
    pub ending: Ending,
    /// What the plan did to the programs, sentence by sentence.
    pub lines: Vec<String>,
    /// What the programs are called, in their order.
    pub names: Vec<String>,
    /// What all of them did, in the order in which it really happened.
    pub steps: Vec<Step>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All programs have ended.
    Ended,
    /// Some of them slept for good, and were killed. The autopsy says on what.
    Asleep {
        /// One sentence a process.
        autopsy: Vec<String>,
    },
    /// They did far more than such programs need, and were killed.
    TooLong,
}

/// One access to shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What was touched.
    pub place: Place,
    /// How.
    pub kind: Kind,
    /// Whether there was another program that could have run instead.
    pub has_company: bool,
    /// Whether the code of a library of the system made it.
    pub by_library: bool,
    /// Whether the program called the kernel before its next access.
    pub then_calls: bool,
}

/// Eight bytes of shared memory, the same for every program that maps them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The object that is mapped.
    pub object: Rc<Object>,
    /// Where in it, in bytes.
    pub offset: u64,
}

/// What is mapped. It stays the same object when it gets or loses its name.
#[derive(Clone, Debug)]
pub struct Object {
    /// What makes it itself: the device, the inode, and whether that is a System V identifier,
    /// which may be the inode of something else, too.
    pub id: (String, u64, bool),
    /// The path that it was mapped by.
    pub name: String,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// What an instruction does to shared memory, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only looks.
    Load,
    /// It stores a value without looking.
    Store,
    /// It loads, works and stores, and others may come in between: `size` bytes.
    Update {
        /// How long its operand is.
        size: usize,
    },
    /// It does something else, or does it in one step.
    Other,
}

impl Story {
    /// How many accesses all programs made together.
    pub fn n_accesses(&self) -> u64 {
        self.accesses.iter().map(|own| own.len() as u64).sum()
    }

    /// What happened, in one line for a report.
    pub fn explain(&self) -> String {
        format!("schedule `{}`: {}", self.plan, self.lines.join("; "))
    }
}

impl Kind {
    /// How it is called in a sentence.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Update { .. } => "increment or other update",
            Self::Other => "access",
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.object.name.as_str() {
            // Shared anonymous memory appears under this made-up name.
            "" | "/dev/zero" => write!(f, "+{:#x}", self.offset),
            name => write!(f, "{name} +{:#x}", self.offset),
        }
    }
}
