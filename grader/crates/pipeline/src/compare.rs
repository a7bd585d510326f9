//! Two runs compared: whose marks changed, in which test, and why. A pure function of two journals
//! and the rules beside them.

use std::collections::{BTreeMap, BTreeSet};

use model::{Gradebook, LabGrade, LabStatus, Outcome, TestGrade};

use crate::gradebook::{SeatRecords, seats};
use crate::{Run, RunError};

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
///
/// # Errors
/// If a `course.toml` is wrong.
pub fn compare(a: &Run, b: &Run) -> Result<Vec<LabChange>, RunError> {
    let (book_a, book_b) = (a.gradebook(&a.policy(None)?), b.gradebook(&b.policy(None)?));
    let (labs_a, labs_b) = (by_seat(&book_a), by_seat(&book_b));
    let (seats_a, seats_b) = (seats(a.records()), seats(b.records()));
    let mut changes = Vec::new();
    let keys: BTreeSet<&(&str, &str)> = labs_a.keys().chain(labs_b.keys()).collect();
    for &key in keys {
        let (before, after) = (labs_a.get(&key).copied(), labs_b.get(&key).copied());
        let tests = tests(before, after);
        if mark(before) == mark(after) && tests.is_empty() {
            continue;
        }
        let source = |seats: &BTreeMap<_, SeatRecords<'_>>| {
            seats.get(&key).map(|seat| seat.source.to_owned())
        };
        let other_code = source(&seats_a) != source(&seats_b);
        let reasons = match (before, after) {
            (Some(before), Some(after)) => reasons(a, b, before, after, other_code),
            _ => vec![Reason::OnlyInOne],
        };
        changes.push(LabChange {
            submission: key.0.to_owned(),
            lab: key.1.to_owned(),
            before: mark(before),
            after: mark(after),
            reasons,
            tests,
        });
    }
    Ok(changes)
}

/// What may explain that two marks differ. Only if nothing else does, it is a flake.
fn reasons(a: &Run, b: &Run, before: &LabGrade, after: &LabGrade, other_code: bool) -> Vec<Reason> {
    let ((tests_a, level_a, _), (tests_b, level_b, _)) = (a.header(), b.header());
    let other_verdicts = before.status != after.status || !verdicts(before).eq(verdicts(after));
    let fault = [before, after].map(|lab| lab.status == LabStatus::GraderFault);
    let candidates = [
        (other_code, Reason::OtherCode),
        (tests_a != tests_b, Reason::OtherTests),
        (level_a != level_b && other_verdicts, Reason::OtherIsolation),
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

fn by_seat(book: &Gradebook) -> BTreeMap<(&str, &str), &LabGrade> {
    let submissions = book.submissions.iter();
    let labs = submissions.flat_map(|submission| {
        let labs = submission.labs.iter();
        labs.map(|lab| ((submission.id.as_str(), lab.lab.as_str()), lab))
    });
    labs.collect()
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
