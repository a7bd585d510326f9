//! What was seen while a test ran: the only thing a verdict is made from.

use serde::{Deserialize, Serialize};

use crate::Timeline;

/// Everything one run of one hidden test left to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// How the verdict program ended.
    pub ended: Ended,
    /// Every process of the submission that the test started, in starting order.
    pub programs: Vec<Program>,
    /// The seed of everything random in this run.
    pub seed: u64,
    /// Wall time of the whole test, in milliseconds.
    pub wall_ms: u64,
    /// CPU time of verdict program and submission together, in milliseconds.
    pub cpu_ms: u64,
    /// The isolation rung the test ran on.
    pub isolation: String,
    /// Processes of the submission that were still alive at the end and had to be killed.
    pub survivors: u32,
    /// The recorded calls that matter, if the test recorded any, or the accesses under the schedule
    /// that failed.
    #[serde(default, skip_serializing_if = "Timeline::is_empty")]
    pub timeline: Timeline,
    /// Faults that were never injected, because the programs ended well before they came there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<String>,
}

/// How the verdict program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ended {
    /// It ran the test to its end and found nothing wrong.
    Clean,
    /// It found something wrong.
    Found {
        /// The first thing that was wrong.
        finding: Finding,
    },
    /// The deadline passed; the autopsy says who waits for what.
    Deadline {
        /// One sentence a process: what it is blocked on and who holds the other end.
        autopsy: Vec<String>,
        /// Whether every process slept without any timer, so that nothing could ever move.
        deadlocked: bool,
    },
    /// This machine lacks an instrument that the test needs: nothing was found out.
    Unavailable {
        /// What is missing.
        text: String,
    },
    /// The verdict program itself failed: never the student's fault.
    Fault {
        /// What went wrong with us.
        text: String,
    },
}

/// One thing that was wrong, in the words the test's author chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of wrong.
    pub symptom: Symptom,
    /// What happened, in the kernel's words.
    pub what: String,
    /// What the contract asks for.
    pub expected: String,
    /// What was seen instead.
    pub got: String,
}

/// The kind of a finding; `judge` turns it into an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// A wrong answer.
    Wrong,
    /// Something was left behind.
    Leak,
    /// Spinning or polling where sleep is asked for.
    BusyWait,
    /// Not the mechanism the lab is about.
    Mechanism,
    /// Ended before the work was done.
    EarlyExit,
    /// A limit of the box was hit.
    Limit,
    /// Reached for the grader.
    Tamper,
}

/// One process of the submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its command line, as the test wrote it.
    pub argv: Vec<String>,
    /// How it ended, if it did before the test was over.
    pub end: ProgramEnd,
    /// Whether the test itself sent it a signal or closed its box.
    pub ended_by_test: bool,
    /// The last lines of its standard error, lossy, at most 2 KiB.
    pub stderr_tail: String,
}

/// How a process of the submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramEnd {
    /// Still running when the test was over.
    Running,
    /// exit(2) with this code.
    Exited(i32),
    /// Killed by this signal.
    Signaled(i32),
}
