//! The rubric: what a lab's verdict program says about its own tests.

use serde::{Deserialize, Serialize};

/// All hidden tests of one lab, in the order they are run: cheap ones first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rubric {
    /// The lab's name, as in `labs/<lab>`.
    pub lab: String,
    /// One row a test.
    pub rows: Vec<RubricRow>,
}

impl Rubric {
    /// Points of the whole lab.
    pub fn max_score(&self) -> u32 {
        self.rows.iter().map(|row| row.points).sum()
    }
}

/// One hidden test without its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RubricRow {
    /// A sentence a student can read: `writer_gets_epipe_after_reader_closes`.
    pub id: String,
    /// The part of the handout it belongs to, from 1.
    pub part: u8,
    /// Points it is worth.
    pub points: u32,
    /// Tests that must pass before this one is worth running.
    pub needs: Vec<String>,
    /// What the test may use.
    pub limits: Limits,
    /// The rule behind the test, in one sentence.
    pub why: String,
    /// Where to read about it.
    pub read: String,
    /// Three hints: a question, a pointer into the manual, the shape of the solution.
    pub hint: [String; 3],
}

/// What one test may use. Deadlines only give up: they are never what is graded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time in milliseconds after which the test is given up.
    pub deadline_ms: u64,
    /// Bytes of standard output or error kept per program; more is a `limit`.
    pub output_bytes: u64,
}

impl Limits {
    /// Ten seconds and one MiB of output.
    pub const DEFAULT: Self = Self {
        deadline_ms: 10_000,
        output_bytes: 1 << 20,
    };

    /// The same limits with another deadline, in seconds.
    pub const fn seconds(self, seconds: u64) -> Self {
        Self {
            deadline_ms: seconds * 1000,
            ..self
        }
    }
}
