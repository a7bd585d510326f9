//! What is printed when a class is graded: a line for each submission, a table of the labs.

use model::{LabGrade, LabStatus, SubmissionGrade};

use crate::show::{self, BAD, GOOD, STRONG, styled};

/// Prints both.
pub(crate) fn print(submissions: impl Iterator<Item = SubmissionGrade>) {
    let mut table = Table::default();
    for submission in submissions {
        show::line(one(&submission));
        submission.labs.iter().for_each(|lab| table.add(lab));
    }
    table.lines().iter().for_each(show::line);
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
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    lab: String,
    max_score: u32,
    /// Of those that were graded.
    scores: Vec<u32>,
    /// How often each of [`WITHOUT_MARK`].
    others: [usize; WITHOUT_MARK.len()],
}

const WITHOUT_MARK: [LabStatus; 4] = [
    LabStatus::Missing,
    LabStatus::BuildError,
    LabStatus::Rejected,
    LabStatus::GraderFault,
];

impl Table {
    fn add(&mut self, grade: &LabGrade) {
        let known = self.rows.iter().position(|row| row.lab == grade.lab);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row {
                lab: grade.lab.clone(),
                max_score: grade.max_score,
                scores: Vec::new(),
                others: Default::default(),
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        match WITHOUT_MARK
            .iter()
            .position(|status| *status == grade.status)
        {
            Some(status) => row.others[status] += 1,
            None => row.scores.push(grade.score),
        }
    }

    fn lines(mut self) -> Vec<String> {
        let statuses = WITHOUT_MARK.map(|status| format!("{:>13}", status.name()));
        let head = format!(
            "\n{:<14} {:>7} {:>6} {:>12} {}",
            "lab",
            "graded",
            "full",
            "median",
            statuses.concat()
        );
        let rows = self.rows.iter_mut().map(Row::line);
        std::iter::once(head).chain(rows).collect()
    }
}

impl Row {
    fn line(&mut self) -> String {
        let (scores, max) = (&mut self.scores, self.max_score);
        scores.sort_unstable();
        let n_full = scores.iter().filter(|score| **score == max).count();
        let median = match scores.get(scores.len() / 2) {
            Some(median) => format!("{median}/{max}"),
            None => "-".to_owned(),
        };
        let others = self.others.map(|n| format!("{n:>13}"));
        format!(
            "{:<14} {:>7} {n_full:>6} {median:>12} {}",
            self.lab,
            scores.len(),
            others.concat()
        )
    }
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
        let mut table = Table::default();
        for submission in [
            submission("amy", LabStatus::Graded, 9),
            submission("bob", LabStatus::Graded, 7),
            submission("cid", LabStatus::Graded, 8),
            submission("dan", LabStatus::GraderFault, 0),
        ] {
            table.add(&submission.labs[0]);
        }
        let table = table.lines();
        let row: Vec<&str> = table[1].split_whitespace().collect();
        assert_eq!(row, ["pipes", "3", "1", "8/9", "0", "0", "0", "1"]);
    }
}
