//! The class as Markdown: a table of marks, for a wiki or an issue of the staff.

use std::io::{self, Write};

use model::{LabGrade, LabStatus};

use crate::markdown::inline;
use crate::{Class, Document, Entry};

/// One row a submission, one column a lab.
pub fn markdown<W: Write>(out: W, class: &Class) -> impl Document + use<W> {
    Summary {
        out,
        class: class.clone(),
    }
}

struct Summary<W> {
    out: W,
    class: Class,
}

impl<W: Write> Document for Summary<W> {
    fn begin(&mut self) -> io::Result<()> {
        let Self { out, class } = self;
        writeln!(out, "# Grades of {} submissions\n", class.n_submissions)?;
        let level = inline(&class.isolation);
        writeln!(out, "They ran on isolation level {level}.\n")?;
        let heads = class.labs.iter().map(|lab| format!(" {} |", inline(lab)));
        let heads: String = heads.collect();
        writeln!(out, "| submission |{heads} total |")?;
        writeln!(out, "|---|{}--:|", "--:|".repeat(class.labs.len()))
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let submission = &entry.grade;
        let mark = |lab: &String| {
            let grade = submission.labs.iter().find(|grade| grade.lab == *lab);
            format!(" {} |", grade.map_or("–".to_owned(), cell))
        };
        let marks: String = self.class.labs.iter().map(mark).collect();
        let (score, max_score) = (submission.score(), submission.max_score());
        let open = if submission.is_final() {
            ""
        } else {
            ", not final"
        };
        let id = inline(&submission.id);
        let total = format_args!("{score} of {max_score}{open}");
        writeln!(self.out, "| {id} |{marks} {total} |")
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cell(lab: &LabGrade) -> String {
    match lab.status {
        LabStatus::Graded => format!("{} of {}", lab.score, lab.max_score),
        _ if lab.is_settled => format!("{} of {}", lab.score, lab.max_score),
        status => status.name().replace('_', " "),
    }
}
