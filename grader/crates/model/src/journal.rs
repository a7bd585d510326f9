//! The journal's records: one JSON object a line, each with all it needs to be understood alone.

use serde::{Deserialize, Serialize};

use crate::{Evidence, LabStatus, Rubric, Verdict};

/// Version of the journal this program writes. A RUN of another version is refused by name.
pub const JOURNAL_VERSION: u32 = 1;

/// One line of `journal.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "most records are of the largest kind, Test"
)]
pub enum Record {
    /// The first line: what this run grades, and with what.
    Run {
        /// [`JOURNAL_VERSION`] of the writer.
        version: u32,
        /// Digest of the course: every lab's hidden tests, given files and toolchain.
        course: String,
        /// The isolation rung.
        isolation: String,
        /// The rubrics of the labs graded, in teaching order.
        rubrics: Vec<Rubric>,
    },
    /// A submission was taken in.
    Submission {
        /// Its id.
        id: String,
        /// Files left out.
        notes: Vec<String>,
        /// Why the whole submission was refused.
        rejected: Option<String>,
    },
    /// A lab of a submission came to an end before any test.
    Lab {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
        /// Digest of the submitted files of this lab.
        source: String,
        /// Why there are no tests.
        status: LabStatus,
        /// The compiler's words, or the reason of a refusal.
        detail: String,
    },
    /// One hidden test has its verdict.
    Test {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
        /// Digest of the submitted files of this lab.
        source: String,
        /// The test's id.
        test: String,
        /// The verdict.
        verdict: Verdict,
        /// What it was made from; absent for a skipped test.
        evidence: Option<Evidence>,
    },
}
