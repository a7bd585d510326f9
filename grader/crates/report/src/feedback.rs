//! Feedback for one submitter, as Markdown: what passed, and what every failure teaches.

use std::fmt::Write;

use model::{LabGrade, LabStatus, Outcome, SubmissionGrade, TestGrade};

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
    match lab.status {
        LabStatus::Graded => {}
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
    for test in &lab.tests {
        line(
            out,
            format_args!(
                "| {} | `{}` | {} | {}/{} |",
                test.part, test.id, test.outcome, test.score, test.max_score
            ),
        );
    }
    let told = |test: &&TestGrade| !matches!(test.outcome, Outcome::Pass | Outcome::Skipped);
    for test in lab.tests.iter().filter(told) {
        line(out, format_args!("\n### `{}`: {}\n", test.id, test.outcome));
        block(out, &test.message.to_string());
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes every line");
}

/// A fenced block whose fence is longer than any run of backticks inside.
fn block(out: &mut String, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    line(
        out,
        format_args!("{fence}text\n{}\n{fence}", text.trim_end()),
    );
}

/// Text within a line, without what Markdown or HTML would act on.
fn inline(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
