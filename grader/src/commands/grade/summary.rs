//! What is printed when a class is graded: a line for each submission, a table of the labs.

use model::{Gradebook, LabGrade, LabStatus, SubmissionGrade};

use crate::show::{self, BAD, GOOD, STRONG, styled};

/// Prints both.
pub(crate) fn print(gradebook: &Gradebook) {
    for submission in &gradebook.submissions {
        show::line(one(submission));
    }
    for line in table(gradebook) {
        show::line(line);
    }
}

/// One submission in a line.
fn one(submission: &SubmissionGrade) -> String {
    let labs = submission.labs.iter().map(|lab| match lab.status {
        LabStatus::Graded if lab.score == lab.max_score => {
            format!("{} {}", lab.lab, styled(GOOD, lab.score))
        }
        LabStatus::Graded => format!("{} {}/{}", lab.lab, lab.score, lab.max_score),
        status => format!("{} {}", lab.lab, styled(BAD, status.name())),
    });
    let total = format!("{:>4}/{}", submission.score(), submission.max_score());
    let labs: Vec<String> = labs.collect();
    format!(
        "{} {:<28} {}",
        styled(STRONG, total),
        submission.id,
        labs.join("  ")
    )
}

/// One row a lab: how many were graded, how well, and what became of the others.
fn table(gradebook: &Gradebook) -> Vec<String> {
    const WITHOUT_MARK: [LabStatus; 4] = [
        LabStatus::Missing,
        LabStatus::BuildError,
        LabStatus::Rejected,
        LabStatus::GraderFault,
    ];
    let mut names: Vec<&str> = Vec::new();
    let grades = || gradebook.submissions.iter().flat_map(|s| &s.labs);
    for grade in grades() {
        if !names.contains(&grade.lab.as_str()) {
            names.push(&grade.lab);
        }
    }
    let statuses = WITHOUT_MARK.map(LabStatus::name);
    let mut lines = vec![format!(
        "\n{:<14} {:>7} {:>6} {:>12} {}",
        "lab",
        "graded",
        "full",
        "median",
        statuses.map(|name| format!("{name:>13}")).concat()
    )];
    for name in names {
        let of_lab: Vec<&LabGrade> = grades().filter(|grade| grade.lab == name).collect();
        let count = |status| of_lab.iter().filter(|lab| lab.status == status).count();
        let mut scores: Vec<u32> = of_lab
            .iter()
            .filter(|lab| lab.status == LabStatus::Graded)
            .map(|lab| lab.score)
            .collect();
        scores.sort_unstable();
        let max = of_lab.first().map_or(0, |lab| lab.max_score);
        let n_full = scores.iter().filter(|score| **score == max).count();
        let median = match scores.get(scores.len() / 2) {
            Some(median) => format!("{median}/{max}"),
            None => "-".to_owned(),
        };
        let others = WITHOUT_MARK.map(|status| format!("{:>13}", count(status)));
        lines.push(format!(
            "{name:<14} {:>7} {n_full:>6} {median:>12} {}",
            scores.len(),
            others.concat()
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(id: &str, status: LabStatus, score: u32) -> SubmissionGrade {
        SubmissionGrade {
            id: id.into(),
            notes: Vec::new(),
            labs: vec![LabGrade {
                lab: "pipes".into(),
                status,
                score,
                max_score: 9,
                detail: String::new(),
                weight: None,
                adjustments: Vec::new(),
                is_settled: false,
                tests: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_lab_without_a_mark_is_counted_and_never_averaged_as_zero() {
        let gradebook = Gradebook {
            version: Gradebook::VERSION,
            isolation: "B".into(),
            not_promised: Vec::new(),
            submissions: vec![
                submission("amy", LabStatus::Graded, 9),
                submission("bob", LabStatus::Graded, 7),
                submission("cid", LabStatus::Graded, 8),
                submission("dan", LabStatus::GraderFault, 0),
            ],
        };
        let table = table(&gradebook);
        let row: Vec<&str> = table[1].split_whitespace().collect();
        assert_eq!(row, ["pipes", "3", "1", "8/9", "0", "0", "0", "1"]);
    }
}
