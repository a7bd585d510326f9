//! The class as Markdown: a table of marks, for a wiki or an issue of the staff.

use model::{Gradebook, LabGrade, LabStatus};

use crate::markdown::{inline, line};

/// One row a submission, one column a lab.
pub fn markdown(gradebook: &Gradebook) -> Vec<u8> {
    let labs = crate::labs_of(gradebook);
    let mut out = String::new();
    let n = gradebook.submissions.len();
    line(&mut out, format_args!("# Grades of {n} submissions\n"));
    let level = inline(&gradebook.isolation);
    line(
        &mut out,
        format_args!("They ran on isolation level {level}.\n"),
    );
    let heads: String = labs
        .iter()
        .map(|lab| format!(" {} |", inline(lab)))
        .collect();
    line(&mut out, format_args!("| submission |{heads} total |"));
    line(
        &mut out,
        format_args!("|---|{}--:|", "--:|".repeat(labs.len())),
    );
    for submission in &gradebook.submissions {
        let mark = |lab: &&str| {
            let grade = submission.labs.iter().find(|grade| grade.lab == *lab);
            format!(" {} |", grade.map_or("–".to_owned(), cell))
        };
        let marks: String = labs.iter().map(mark).collect();
        let (score, max_score) = (submission.score(), submission.max_score());
        let open = if submission.is_final() {
            ""
        } else {
            ", not final"
        };
        let id = inline(&submission.id);
        line(
            &mut out,
            format_args!("| {id} |{marks} {score} of {max_score}{open} |"),
        );
    }
    out.into_bytes()
}

fn cell(lab: &LabGrade) -> String {
    match lab.status {
        LabStatus::Graded => format!("{} of {}", lab.score, lab.max_score),
        _ if lab.is_settled => format!("{} of {}", lab.score, lab.max_score),
        status => status.name().replace('_', " "),
    }
}
