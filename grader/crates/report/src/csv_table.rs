//! `grades.csv`: one row a submission, one column a lab, for spreadsheets.

use std::collections::BTreeSet;

use model::Gradebook;

/// The marks as a table: `submission`, a column of points and one of status for each lab, then
/// `total` and `max`. A mark that is not final because of us is left empty.
pub fn grades_csv(gradebook: &Gradebook) -> Vec<u8> {
    let mut seen = BTreeSet::new();
    let all_labs = gradebook
        .submissions
        .iter()
        .flat_map(|submission| &submission.labs);
    let labs: Vec<&str> = all_labs
        .map(|lab| lab.lab.as_str())
        .filter(|&lab| seen.insert(lab))
        .collect();
    let mut rows = vec![header(&labs)];
    for submission in &gradebook.submissions {
        let mut row = vec![guarded(&submission.id)];
        let mut is_final = true;
        for lab in &labs {
            let grade = submission.labs.iter().find(|grade| grade.lab == *lab);
            let open = grade.is_some_and(|grade| grade.status == model::LabStatus::GraderFault);
            is_final &= !open;
            row.push(match grade {
                Some(grade) if !open => grade.score.to_string(),
                _ => String::new(),
            });
            row.push(grade.map_or("", |grade| grade.status.name()).to_owned());
        }
        row.push(if is_final {
            submission.score().to_string()
        } else {
            String::new()
        });
        row.push(submission.max_score().to_string());
        rows.push(row);
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table
            .write_record(row)
            .expect("memory takes every record, all of one length");
    }
    table.into_inner().expect("memory has nothing to flush")
}

fn header(labs: &[&str]) -> Vec<String> {
    let columns = labs
        .iter()
        .flat_map(|lab| [(*lab).to_owned(), format!("{lab} status")]);
    let ends = ["total".to_owned(), "max".to_owned()];
    std::iter::once("submission".to_owned())
        .chain(columns)
        .chain(ends)
        .collect()
}

/// A name that a spreadsheet would take for a formula gets a quote in front.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
