//! From verdicts to points.

use crate::{LabGrade, LabStatus, Outcome, Rubric, TestGrade};

/// The grade of one lab from its test grades, given in rubric order.
///
/// A test counts all or nothing; one that this machine cannot run counts for nobody, and the lab
/// has fewer points to earn. One `grader_fault` makes the whole lab `grader_fault`: its
/// score is then a lower bound, and says so by its status.
pub fn score(rubric: &Rubric, tests: Vec<TestGrade>) -> LabGrade {
    let faulty = tests
        .iter()
        .any(|test| test.outcome == Outcome::GraderFault);
    LabGrade {
        lab: rubric.lab.clone(),
        status: if faulty {
            LabStatus::GraderFault
        } else {
            LabStatus::Graded
        },
        score: tests.iter().map(|test| test.score).sum(),
        max_score: rubric.max_score() - not_tested(rubric, &tests),
        detail: String::new(),
        weight: None,
        adjustments: Vec::new(),
        is_settled: false,
        tests,
    }
}

/// Points of the tests that this machine cannot run.
fn not_tested(rubric: &Rubric, tests: &[TestGrade]) -> u32 {
    let is_missing = |test: &&TestGrade| test.outcome == Outcome::Unavailable;
    let points = |test: &TestGrade| {
        let row = rubric.rows.iter().find(|row| row.id == test.id);
        row.map_or(0, |row| row.points)
    };
    tests.iter().filter(is_missing).map(points).sum()
}
