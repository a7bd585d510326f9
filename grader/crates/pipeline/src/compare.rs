//! Two runs compared: whose marks changed, in which test, and why. A pure function of two journals
//! and the rules beside them.

use std::collections::BTreeSet;

use model::{LabGrade, LabStatus, Outcome, SubmissionGrade, TestGrade};

use crate::gradebook::Marks;

/// What changed in one lab of one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabChange {
    /// The submission's id.
    pub submission: String,
    /// The lab's name.
    pub lab: String,
    /// The mark in the first run, in words.
    pub before: String,
    /// The mark in the second run, in words.
    pub after: String,
    /// What may explain it, none of them excluding another.
    pub reasons: Vec<Reason>,
    /// The tests that changed, in rubric order.
    pub tests: Vec<TestChange>,
}

/// What changed in one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestChange {
    /// The test's id.
    pub id: String,
    /// Outcome and points in the first run, in words.
    pub before: String,
    /// Outcome and points in the second run, in words.
    pub after: String,
}

/// Why a mark may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Other files were handed in.
    OtherCode,
    /// The runs were graded with other hidden tests, given files or another toolchain.
    OtherTests,
    /// The programs ran on another isolation level.
    OtherIsolation,
    /// A `course.toml` counts differently.
    OtherRules,
    /// The grader itself failed in one of the runs.
    GraderFault,
    /// The same code and the same tests had another verdict.
    Flake,
    /// Only one of the runs has it.
    OnlyInOne,
}

impl Reason {
    /// In words, without a full stop.
    pub fn words(self) -> &'static str {
        match self {
            Self::OtherCode => "other code was handed in",
            Self::OtherTests => {
                "other tests: the course, its toolchain or the choice of labs changed"
            }
            Self::OtherIsolation => "another isolation level",
            Self::OtherRules => "the same outcomes count differently by the rules in course.toml",
            Self::GraderFault => "the grader failed in one of the runs",
            Self::Flake => "a flake: the same code and the same tests had another verdict",
            Self::OnlyInOne => "only one of the runs has it",
        }
    }
}

/// Everything that differs between two runs, by submission and lab. Each run's own rules count.
pub fn compare<'a>(a: &'a Marks, b: &'a Marks) -> impl Iterator<Item = LabChange> + use<'a> {
    let ids: BTreeSet<&String> = a.ids().iter().chain(b.ids()).collect();
    ids.into_iter().flat_map(move |id| changes(a, b, id))
}

fn changes(a: &Marks, b: &Marks, id: &str) -> Vec<LabChange> {
    let (old, new) = (a.of(id), b.of(id));
    let labs = old.labs.iter().chain(&new.labs);
    let labs: BTreeSet<&str> = labs.map(|lab| lab.lab.as_str()).collect();
    let mut changes = Vec::new();
    for lab in labs {
        let (before, after) = (lab_of(&old, lab), lab_of(&new, lab));
        let tests = tests(before, after);
        if mark(before) == mark(after) && tests.is_empty() {
            continue;
        }
        let reasons = match (before, after) {
            (Some(before), Some(after)) => reasons(a, b, id, before, after),
            _ => vec![Reason::OnlyInOne],
        };
        changes.push(LabChange {
            submission: id.to_owned(),
            lab: lab.to_owned(),
            before: mark(before),
            after: mark(after),
            reasons,
            tests,
        });
    }
    changes
}

/// What may explain that two marks differ. Only if nothing else does, it is a flake.
fn reasons(a: &Marks, b: &Marks, id: &str, before: &LabGrade, after: &LabGrade) -> Vec<Reason> {
    let source = |marks: &Marks| {
        let seat = marks.run().journal().index().seat(id, &before.lab);
        seat.map(|seat| seat.source.clone())
    };
    let other_code = source(a) != source(b);
    let (run_a, run_b) = (a.run().header(), b.run().header());
    let other_tests = run_a.course != run_b.course;
    let other_level = run_a.isolation != run_b.isolation;
    let other_verdicts = before.status != after.status || !verdicts(before).eq(verdicts(after));
    let fault = [before, after].map(|lab| lab.status == LabStatus::GraderFault);
    let candidates = [
        (other_code, Reason::OtherCode),
        (other_tests, Reason::OtherTests),
        (other_level && other_verdicts, Reason::OtherIsolation),
        (fault.contains(&true) && other_verdicts, Reason::GraderFault),
    ];
    let holding = candidates.into_iter().filter(|(holds, _)| *holds);
    let reasons: Vec<Reason> = holding.map(|(_, reason)| reason).collect();
    match (reasons.is_empty(), other_verdicts) {
        (false, _) => reasons,
        (true, true) => vec![Reason::Flake],
        (true, false) => vec![Reason::OtherRules],
    }
}

fn verdicts(lab: &LabGrade) -> impl Iterator<Item = (&str, Outcome)> {
    lab.tests
        .iter()
        .map(|test| (test.id.as_str(), test.outcome))
}

fn lab_of<'a>(submission: &'a SubmissionGrade, name: &str) -> Option<&'a LabGrade> {
    submission.labs.iter().find(|lab| lab.lab == name)
}

fn mark(lab: Option<&LabGrade>) -> String {
    match lab {
        None => "nothing".into(),
        Some(lab) if lab.status == LabStatus::Graded => {
            format!("{} of {}", lab.score, lab.max_score)
        }
        Some(lab) => {
            let status = lab.status.name().replace('_', " ");
            format!("{status}, {} of {}", lab.score, lab.max_score)
        }
    }
}

fn tests(before: Option<&LabGrade>, after: Option<&LabGrade>) -> Vec<TestChange> {
    let old = before.map_or(&[][..], |lab| &lab.tests);
    let new = after.map_or(&[][..], |lab| &lab.tests);
    // A lab that has no tests in one run changed as a whole.
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let gone = old
        .iter()
        .filter(|test| !new.iter().any(|other| other.id == test.id));
    let ids: Vec<&str> = new
        .iter()
        .chain(gone)
        .map(|test| test.id.as_str())
        .collect();
    let said = |tests: &[TestGrade], id: &str| {
        let test = tests.iter().find(|test| test.id == id);
        test.map_or("no such test".to_owned(), |test| {
            format!("{} {}/{}", test.outcome, test.score, test.max_score)
        })
    };
    let change = |id: &str| TestChange {
        id: id.to_owned(),
        before: said(old, id),
        after: said(new, id),
    };
    ids.into_iter()
        .map(change)
        .filter(|change| change.before != change.after)
        .collect()
}
