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
    let mut grade = LabGrade {
        lab: rubric.lab.clone(),
        status: if faulty {
            LabStatus::GraderFault
        } else {
            LabStatus::Graded
        },
        score: tests.iter().map(|test| test.score).sum(),
        max_score: rubric.max_score(),
        detail: String::new(),
        weight: None,
        adjustments: Vec::new(),
        is_settled: false,
        tests,
    };
    grade.max_score -= grade.not_tested();
    grade
}
