//! `report.html`: one self-contained page for the staff, nothing from the network.
//!
//! The summary and the class table are written as plain HTML. What belongs to one submission is
//! written as JSON beside them, and becomes a page only when somebody opens it, so that a class of
//! a thousand opens as fast as one of ten. The template escapes everything it is given, and the
//! script only ever sets text: whatever a submission said is never markup.

mod details;
mod lanes;
mod statistics;

use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use model::{LabGrade, LabStatus, SubmissionGrade};
use serde::Serialize;
use statistics::Statistics;

use crate::{Class, Document, Entry};

const TEMPLATE: &str = include_str!("html/page.html.jinja");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// One isolation level and how many tests ran on it.
#[derive(Clone, Debug, Serialize)]
pub struct BoxUse {
    /// Its letter.
    pub level: String,
    /// What it gives.
    pub description: String,
    /// What it does not promise.
    pub not_promised: Vec<String>,
    /// Tests that ran on it.
    pub n_tests: usize,
}

/// Where the template leaves room for the submissions.
const DATA: &str = "<!-- submissions -->";

/// The whole class on one page. It begins with summary and class table, so everything that follows
/// has to be known without its words; `boxes` are the isolation levels that tests ran on, most used
/// first.
pub fn html<W: Write>(
    out: W,
    class: &Class,
    bare: &mut dyn Iterator<Item = SubmissionGrade>,
    boxes: &[BoxUse],
) -> impl Document + use<W> {
    let frame = frame(class, bare, boxes);
    // The last one: names in the class table are escaped, but nobody should have to know that.
    let (head, tail) = frame.rsplit_once(DATA).unwrap_or((&frame, ""));
    Page {
        out,
        head: head.to_owned(),
        tail: tail.to_owned(),
        n_added: 0,
    }
}

struct Page<W> {
    out: W,
    /// The page before and after the data of the submissions.
    head: String,
    tail: String,
    n_added: usize,
}

impl<W: Write> Document for Page<W> {
    fn begin(&mut self) -> io::Result<()> {
        self.out.write_all(self.head.as_bytes())
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        // No `<`, so that nothing in the data can end its element.
        let data = details::of(entry).to_string().replace('<', "\\u003c");
        let at = self.n_added;
        self.n_added += 1;
        writeln!(
            self.out,
            "<script type=\"application/json\" id=\"d{at}\">{data}</script>"
        )
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(self.tail.as_bytes())
    }
}

/// The page without the data of the submissions.
fn frame(
    class: &Class,
    bare: &mut dyn Iterator<Item = SubmissionGrade>,
    boxes: &[BoxUse],
) -> String {
    let mut statistics = Statistics::new(&class.labs);
    let mut rows = Vec::new();
    for submission in bare {
        statistics.add(&submission);
        rows.push(Row::of(&submission, &class.labs));
    }
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let rendered = environment
        .template_from_named_str("report.html", TEMPLATE)
        .and_then(|template| {
            template.render(context! {
                style => Value::from_safe_string(STYLE.to_owned()),
                script => Value::from_safe_string(SCRIPT.to_owned()),
                labs => Value::from(Serde(statistics.labs())),
                hardest => Value::from(Serde(statistics.hardest())),
                outcomes => Value::from(Serde(statistics.outcomes())),
                boxes => Value::from(Serde(boxes)),
                rows => Value::from(Serde(rows)),
            })
        });
    rendered.expect("the template is part of this crate and tested")
}

/// One line of the class table.
#[derive(Serialize)]
struct Row {
    id: String,
    score: String,
    max_score: String,
    hundredths: u64,
    is_final: bool,
    cells: Vec<Cell>,
    /// `lab:status` and `lab:outcome`, for the filter.
    tokens: String,
}

#[derive(Serialize)]
struct Cell {
    text: String,
    status: &'static str,
    /// What the column is sorted by.
    value: i64,
    percent: u32,
}

impl Row {
    fn of(submission: &SubmissionGrade, labs: &[String]) -> Self {
        let grade = |name: &String| submission.labs.iter().find(|lab| lab.lab == *name);
        let cells = labs
            .iter()
            .map(|name| grade(name).map_or_else(Cell::none, Cell::of));
        let tokens: Vec<String> = submission.labs.iter().flat_map(tokens).collect();
        Self {
            id: submission.id.clone(),
            score: submission.score().to_string(),
            max_score: submission.max_score().to_string(),
            hundredths: submission.score().hundredths(),
            is_final: submission.is_final(),
            cells: cells.collect(),
            tokens: tokens.join(" "),
        }
    }
}

fn tokens(lab: &LabGrade) -> Vec<String> {
    let mut words: Vec<&str> = lab.tests.iter().map(|test| test.outcome.name()).collect();
    words.push(lab.status.name());
    words.sort_unstable();
    words.dedup();
    let words = words.into_iter();
    words.map(|word| format!("{}:{word}", lab.lab)).collect()
}

impl Cell {
    fn none() -> Self {
        Self {
            text: "–".into(),
            status: "missing",
            value: -1,
            percent: 0,
        }
    }

    fn of(lab: &LabGrade) -> Self {
        let has_mark = lab.status == LabStatus::Graded || lab.is_settled;
        let percent = (lab.score * 100).checked_div(lab.max_score).unwrap_or(0);
        Self {
            text: match has_mark {
                true => lab.score.to_string(),
                false => lab.status.name().replace('_', " "),
            },
            status: lab.status.name(),
            value: match lab.status {
                LabStatus::Missing => -1,
                _ => i64::from(lab.score),
            },
            percent: if has_mark { percent.min(100) } else { 0 },
        }
    }
}
