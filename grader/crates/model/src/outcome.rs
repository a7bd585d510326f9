//! Every way a test can end. The whole failure space is here, "our fault" included.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one test of one submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The contract held.
    Pass,
    /// A wrong answer.
    Fail,
    /// The deadline passed while something could still have moved.
    Hang,
    /// Everybody sleeps and nobody can ever wake anybody.
    Deadlock,
    /// A panic, or death by a signal nobody sent.
    Crash,
    /// A process, descriptor or IPC object was left behind.
    Leak,
    /// Waiting by spinning or polling where the contract asks for sleep.
    BusyWait,
    /// The right answer by another mechanism than the lab's.
    Mechanism,
    /// A limit of the box was hit: memory, output, processes, CPU.
    Limit,
    /// The program ended well before its work was done.
    EarlyExit,
    /// The submission reached for the grader.
    Tamper,
    /// Not run, because a test it builds on failed.
    Skipped,
    /// The stub is still in place.
    NotAttempted,
    /// The submission does not compile.
    BuildError,
    /// The submission could not be taken in.
    Rejected,
    /// This machine lacks an instrument that the test needs: its points count for nobody.
    Unavailable,
    /// Our own fault: never costs points.
    GraderFault,
}

impl Outcome {
    /// The name used in every file the grader writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Hang => "hang",
            Self::Deadlock => "deadlock",
            Self::Crash => "crash",
            Self::Leak => "leak",
            Self::BusyWait => "busy_wait",
            Self::Mechanism => "mechanism",
            Self::Limit => "limit",
            Self::EarlyExit => "early_exit",
            Self::Tamper => "tamper",
            Self::Skipped => "skipped",
            Self::NotAttempted => "not_attempted",
            Self::BuildError => "build_error",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::GraderFault => "grader_fault",
        }
    }

    /// Whether the points of the test are earned.
    pub fn is_pass(self) -> bool {
        self == Self::Pass
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
