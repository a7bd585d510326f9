//! `grades.csv`: one row a submission, one column a lab, for spreadsheets.

use std::io::{self, Write};

use crate::{Class, Document, Entry};

/// The marks as a table: `submission`, a column of points and one of status for each lab, then
/// `total` and `max`. A mark that is not final because of us is left empty.
pub fn grades_csv<W: Write>(out: W, class: &Class) -> impl Document + use<W> {
    Table {
        out: csv::Writer::from_writer(out),
        labs: class.labs.clone(),
    }
}

struct Table<W: Write> {
    out: csv::Writer<W>,
    labs: Vec<String>,
}

impl<W: Write> Document for Table<W> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(self.out.write_record(header(&self.labs))?)
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let submission = &entry.grade;
        let mut row = vec![guarded(&submission.id)];
        for lab in &self.labs {
            let grade = submission.labs.iter().find(|grade| grade.lab == *lab);
            row.push(match grade {
                Some(grade) if grade.is_final() => grade.score.to_string(),
                _ => String::new(),
            });
            row.push(grade.map_or("", |grade| grade.status.name()).to_owned());
        }
        row.push(if submission.is_final() {
            submission.score().to_string()
        } else {
            String::new()
        });
        row.push(submission.max_score().to_string());
        Ok(self.out.write_record(row)?)
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn header(labs: &[String]) -> Vec<String> {
    let columns = labs
        .iter()
        .flat_map(|lab| [lab.clone(), format!("{lab} status")]);
    let ends = ["total".to_owned(), "max".to_owned()];
    std::iter::once("submission".to_owned())
        .chain(columns)
        .chain(ends)
        .collect()
}

/// What a spreadsheet may take for the beginning of a formula, also in its full-width form.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A name that a spreadsheet would take for a formula gets a quote in front.
fn guarded(text: &str) -> String {
    if text.starts_with(FORMULA) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
