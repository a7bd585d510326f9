//! The gradebook: what `results.json` holds, and what every report is made from.

use serde::{Deserialize, Serialize};

use crate::{Adjustment, Message, Outcome, Points, Reveal};

/// The marks of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gradebook {
    /// Version of this form; readers refuse what they do not know.
    pub version: u32,
    /// The isolation rung the submissions ran on.
    pub isolation: String,
    /// What that rung could not promise, each a sentence without its full stop.
    #[serde(default)]
    pub not_promised: Vec<String>,
    /// One entry a submission, ordered by id.
    pub submissions: Vec<SubmissionGrade>,
}

impl Gradebook {
    /// The version this program writes.
    pub const VERSION: u32 = 1;
}

/// The marks of one submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionGrade {
    /// The name of its folder or archive, without the ending.
    pub id: String,
    /// What the staff should know about how it was taken in: files left out, and why.
    pub notes: Vec<String>,
    /// One entry a graded lab.
    pub labs: Vec<LabGrade>,
}

impl SubmissionGrade {
    /// Points earned over all labs, each counting its weight.
    pub fn score(&self) -> Points {
        self.labs.iter().map(LabGrade::counts).sum()
    }

    /// Points that could be earned over all labs.
    pub fn max_score(&self) -> Points {
        let most = |lab: &LabGrade| Points::whole(lab.weight.unwrap_or(lab.max_score));
        self.labs.iter().map(most).sum()
    }

    /// Whether no mark is missing because of us.
    pub fn is_final(&self) -> bool {
        self.labs.iter().all(LabGrade::is_final)
    }
}

/// The marks of one lab of one submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabGrade {
    /// The lab's name.
    pub lab: String,
    /// How far grading came.
    pub status: LabStatus,
    /// Points earned.
    pub score: u32,
    /// Points that could be earned.
    pub max_score: u32,
    /// Why there are no tests, or the compiler's words; empty when graded.
    pub detail: String,
    /// What the lab counts in the total, if the course does not leave that to its points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// What came between the points of the tests and the score: lateness, overrides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// Whether a person set the whole mark, so that it is final whatever the status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_settled: bool,
    /// One entry a hidden test, in rubric order.
    pub tests: Vec<TestGrade>,
}

impl LabGrade {
    /// What this lab adds to the total.
    pub fn counts(&self) -> Points {
        match self.weight {
            Some(weight) => Points::share(weight, self.score, self.max_score),
            None => Points::whole(self.score),
        }
    }

    /// Points of the tests that the machine could not run: no part of `max_score`.
    pub fn not_tested(&self) -> u32 {
        let is_missing = |test: &&TestGrade| test.outcome == Outcome::Unavailable;
        let missing = self.tests.iter().filter(is_missing);
        missing.map(|test| test.max_score).sum()
    }

    /// Whether the mark is not open because of a fault of ours.
    pub fn is_final(&self) -> bool {
        self.is_settled || self.status != LabStatus::GraderFault
    }
}

/// How far the grading of one lab came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabStatus {
    /// Every test has a verdict.
    Graded,
    /// The submission holds nothing for this lab.
    Missing,
    /// It does not compile.
    BuildError,
    /// It could not be taken in.
    Rejected,
    /// At least one test has no verdict because of us: the mark is not final.
    GraderFault,
}

impl LabStatus {
    /// The name used in every file the grader writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graded => "graded",
            Self::Missing => "missing",
            Self::BuildError => "build_error",
            Self::Rejected => "rejected",
            Self::GraderFault => "grader_fault",
        }
    }
}

/// The mark of one hidden test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestGrade {
    /// The test's id.
    pub id: String,
    /// The part of the handout it belongs to.
    pub part: u8,
    /// How it ended.
    pub outcome: Outcome,
    /// Points earned.
    pub score: u32,
    /// Points that could be earned.
    pub max_score: u32,
    /// What the student is told.
    pub message: Message,
    /// How much of it the submitter is shown.
    #[serde(default, skip_serializing_if = "Reveal::is_default")]
    pub reveal: Reveal,
    /// The seed of everything random in the run; 0 where nothing ran.
    pub seed: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
}
