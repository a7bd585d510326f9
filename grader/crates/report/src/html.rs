//! `report.html`: one self-contained page for the staff, nothing from the network.
//!
//! The template escapes everything it is given; whatever a submission said is only ever text.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use model::{Gradebook, LabGrade, Outcome, SubmissionGrade};
use serde::Serialize;

use crate::lanes::Lanes;

const TEMPLATE: &str = include_str!("report.html.jinja");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The whole class on one page.
pub fn html(gradebook: &Gradebook) -> Vec<u8> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let rows: Vec<Row<'_>> = gradebook.submissions.iter().map(Row::of).collect();
    let page = environment
        .template_from_named_str("report.html", TEMPLATE)
        .and_then(|template| {
            template.render(context! {
                style => Value::from_safe_string(STYLE.to_owned()),
                script => Value::from_safe_string(SCRIPT.to_owned()),
                isolation => gradebook.isolation.as_str(),
                submissions => Value::from(Serde(rows)),
                labs => Value::from(Serde(labs(gradebook))),
                hardest => Value::from(Serde(hardest(gradebook))),
            })
        });
    page.expect("the template is part of this crate and tested")
        .into_bytes()
}

/// One line of the class table, and what it opens.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    score: u32,
    max_score: u32,
    notes: &'a [String],
    labs: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    grade: &'a LabGrade,
    status: &'static str,
    passed: usize,
    tests: Vec<TestView<'a>>,
}

#[derive(Serialize)]
struct TestView<'a> {
    id: &'a str,
    part: u8,
    outcome: &'static str,
    score: u32,
    max_score: u32,
    seed: u64,
    fields: Vec<(&'static str, &'a str)>,
    lanes: Option<Lanes>,
}

impl<'a> Row<'a> {
    fn of(submission: &'a SubmissionGrade) -> Self {
        Self {
            id: &submission.id,
            score: submission.score(),
            max_score: submission.max_score(),
            notes: &submission.notes,
            labs: submission.labs.iter().map(Cell::of).collect(),
        }
    }
}

impl<'a> Cell<'a> {
    fn of(grade: &'a LabGrade) -> Self {
        let tests = grade.tests.iter().map(|test| TestView {
            id: &test.id,
            part: test.part,
            outcome: test.outcome.name(),
            score: test.score,
            max_score: test.max_score,
            seed: test.seed,
            fields: test.message.fields().collect(),
            lanes: Lanes::of(&test.message.timeline),
        });
        Self {
            status: grade.status.name(),
            passed: grade
                .tests
                .iter()
                .filter(|test| test.outcome.is_pass())
                .count(),
            tests: tests.collect(),
            grade,
        }
    }
}

/// Each lab's name, points, and marks in tenths: how many submissions earned 0–10 %, … 90–100 %.
#[derive(Serialize)]
struct LabView {
    lab: String,
    max_score: u32,
    tenths: [usize; 10],
    most: usize,
}

fn labs(gradebook: &Gradebook) -> Vec<LabView> {
    let mut views: Vec<LabView> = Vec::new();
    for grade in gradebook
        .submissions
        .iter()
        .flat_map(|submission| &submission.labs)
    {
        let at = views
            .iter()
            .position(|view| view.lab == grade.lab)
            .unwrap_or_else(|| {
                let (lab, max_score) = (grade.lab.clone(), grade.max_score);
                views.push(LabView {
                    lab,
                    max_score,
                    tenths: [0; 10],
                    most: 0,
                });
                views.len() - 1
            });
        let tenth = (grade.score * 10)
            .checked_div(grade.max_score)
            .unwrap_or(0)
            .min(9);
        views[at].tenths[tenth as usize] += 1;
    }
    for view in &mut views {
        view.most = view.tenths.iter().copied().max().unwrap_or(0);
    }
    views
}

/// The tests that the fewest submissions passed, of those that reached them.
#[derive(Serialize)]
struct Hard<'a> {
    lab: &'a str,
    id: &'a str,
    passed: usize,
    reached: usize,
}

fn hardest(gradebook: &Gradebook) -> Vec<Hard<'_>> {
    let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for lab in gradebook
        .submissions
        .iter()
        .flat_map(|submission| &submission.labs)
    {
        for test in &lab.tests {
            let (passed, reached) = counts.entry((&lab.lab, &test.id)).or_default();
            let counts = !matches!(test.outcome, Outcome::Skipped | Outcome::GraderFault);
            *passed += usize::from(test.outcome.is_pass());
            *reached += usize::from(counts);
        }
    }
    let mut hardest: Vec<Hard<'_>> = counts
        .into_iter()
        .map(|((lab, id), (passed, reached))| Hard {
            lab,
            id,
            passed,
            reached,
        })
        .filter(|hard| hard.passed < hard.reached)
        .collect();
    // By the share that passed, without dividing.
    hardest.sort_by(|a, b| (a.passed * b.reached).cmp(&(b.passed * a.reached)));
    hardest.truncate(10);
    hardest
}
