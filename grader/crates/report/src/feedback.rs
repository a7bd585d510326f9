//! Feedback for one submitter, as Markdown: what passed, and what every failure teaches.

use model::{LabGrade, LabStatus, SubmissionGrade};

use crate::markdown::{block, inline, line};
use crate::shown::{Shown, adjustment};

/// The feedback of one submission. Whatever the submission said is shown as code, where no
/// Markdown and no HTML means anything.
pub fn feedback(submission: &SubmissionGrade) -> Vec<u8> {
    let mut out = String::new();
    let (score, max) = (submission.score(), submission.max_score());
    line(
        &mut out,
        format_args!("# {}: {score} of {max} points", inline(&submission.id)),
    );
    for note in &submission.notes {
        line(&mut out, format_args!("\nNote: {}", inline(note)));
    }
    for lab in &submission.labs {
        lab_feedback(&mut out, lab);
    }
    out.into_bytes()
}

fn lab_feedback(out: &mut String, lab: &LabGrade) {
    line(
        out,
        format_args!("\n## {}: {} of {}\n", lab.lab, lab.score, lab.max_score),
    );
    if let Some(weight) = lab.weight {
        let counts = lab.counts();
        line(
            out,
            format_args!("In the total it counts {counts} of {weight}.\n"),
        );
    }
    for change in &lab.adjustments {
        let change = adjustment(lab, change);
        line(out, format_args!("{}\n", inline(&change)));
    }
    match lab.status {
        LabStatus::Graded => {}
        LabStatus::GraderFault if lab.is_settled => {}
        LabStatus::GraderFault => line(
            out,
            format_args!("This mark is not final: the grader failed, not your work.\n"),
        ),
        LabStatus::Missing => {
            return line(out, format_args!("Nothing was handed in for this lab."));
        }
        LabStatus::BuildError => {
            line(
                out,
                format_args!("It does not compile. The compiler says:\n"),
            );
            return block(out, &lab.detail);
        }
        LabStatus::Rejected => {
            line(out, format_args!("The submission could not be taken in:\n"));
            return block(out, &lab.detail);
        }
    }
    let passed = lab
        .tests
        .iter()
        .filter(|test| test.outcome.is_pass())
        .count();
    line(
        out,
        format_args!(
            "{passed} of {} facts about the kernel hold.\n",
            lab.tests.len()
        ),
    );
    line(
        out,
        format_args!("| part | test | outcome | points |\n|--:|---|---|--:|"),
    );
    let shown: Vec<Shown<'_>> = lab.tests.iter().map(Shown::of).collect();
    for (test, shown) in lab.tests.iter().zip(&shown) {
        let name = match shown.name {
            Some(id) => format!("`{id}`"),
            None => "a hidden test".to_owned(),
        };
        line(
            out,
            format_args!(
                "| {} | {name} | {} | {}/{} |",
                test.part, shown.outcome, test.score, test.max_score
            ),
        );
    }
    for shown in shown.iter().filter(|shown| shown.has_message()) {
        let name = shown.name.unwrap_or_default();
        line(out, format_args!("\n### `{name}`: {}\n", shown.outcome));
        block(out, &shown.message.to_string());
    }
}
