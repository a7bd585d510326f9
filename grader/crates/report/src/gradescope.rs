//! Gradescope's `results.json` for one submission.
//!
//! A hidden test is shown without name and output rather than with `visibility: hidden`: one
//! hidden test makes Gradescope hide the total, too.

use model::{LabGrade, LabStatus, Outcome, Points, SubmissionGrade, TestGrade};
use serde::Serialize;

use crate::shown::{Shown, adjustment};

#[derive(Serialize)]
struct Results {
    /// Overrides the sum of the tests: lateness and overrides are in it.
    score: Points,
    /// Seconds, rounded up.
    execution_time: u64,
    output: String,
    output_format: &'static str,
    tests: Vec<Row>,
    extra_data: Extra,
}

#[derive(Serialize)]
struct Extra {
    isolation: String,
    is_final: bool,
}

/// A row without score and maximum is for information: it neither gives nor costs points.
#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_score: Option<u32>,
    status: &'static str,
    name: String,
    number: String,
    output: String,
    output_format: &'static str,
}

/// The marks of one submission as Gradescope reads them.
pub fn gradescope(submission: &SubmissionGrade, isolation: &str) -> Vec<u8> {
    let labs = || submission.labs.iter();
    let wall_ms: u64 = labs()
        .flat_map(|lab| lab.tests.iter().map(|test| test.wall_ms))
        .sum();
    let mut output: Vec<String> = submission.notes.clone();
    for lab in labs() {
        let changes = lab.adjustments.iter();
        output.extend(changes.map(|change| format!("{}: {}", lab.lab, adjustment(lab, change))));
        if !lab.is_final() {
            let lab = &lab.lab;
            output.push(format!(
                "{lab}: not final, the grader failed, not your work"
            ));
        }
    }
    let rows = labs().enumerate().flat_map(|(at, lab)| rows(at + 1, lab));
    let results = Results {
        score: submission.score(),
        execution_time: wall_ms.div_ceil(1000),
        output: lines(&output.join("\n")),
        output_format: "text",
        tests: rows.collect(),
        extra_data: Extra {
            isolation: isolation.to_owned(),
            is_final: submission.is_final(),
        },
    };
    let mut bytes = serde_json::to_vec_pretty(&results).expect("results are plain data");
    bytes.push(b'\n');
    bytes
}

fn rows(number: usize, lab: &LabGrade) -> Vec<Row> {
    if lab.tests.is_empty() {
        return vec![whole_lab(number, lab)];
    }
    let rows = lab.tests.iter().map(|test| row(number, &lab.lab, test));
    rows.collect()
}

fn row(number: usize, lab: &str, test: &TestGrade) -> Row {
    let shown = Shown::of(test);
    let counts = test.outcome != Outcome::GraderFault;
    let passed = test.outcome.is_pass();
    Row {
        score: counts.then_some(test.score),
        max_score: counts.then_some(test.max_score),
        status: if passed { "passed" } else { "failed" },
        name: format!("{lab}: {}", shown.name.unwrap_or("a hidden test")),
        number: format!("{number}.{}", test.part),
        output: match (passed, shown.has_message()) {
            (true, _) => String::new(),
            (false, false) => shown.outcome.to_owned(),
            (false, true) => lines(&format!("{}\n{}", shown.outcome, shown.message)),
        },
        output_format: "text",
    }
}

fn whole_lab(number: usize, lab: &LabGrade) -> Row {
    let counts = lab.is_final();
    let said = match lab.status {
        LabStatus::Missing => "nothing was handed in",
        LabStatus::BuildError => "it does not compile",
        LabStatus::Rejected => "it could not be taken in",
        LabStatus::Graded | LabStatus::GraderFault => "not final: the grader failed",
    };
    Row {
        score: counts.then_some(lab.score),
        max_score: counts.then_some(lab.max_score),
        status: "failed",
        name: lab.lab.clone(),
        number: number.to_string(),
        output: lines(&format!("{said}\n{}", lab.detail)),
        output_format: "text",
    }
}

/// Gradescope wants `\n` alone.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
