//! From the journal to marks, one submission at a time: marks can be made again without running
//! anything, and a class is never in memory as a whole.

use std::collections::BTreeMap;

use model::{LabGrade, Outcome, Policy, Record, Reveal, Rubric, SubmissionGrade, TestGrade, score};
use report::{Class, Entry};
use sandbox::Level;

use crate::index::Seat;
use crate::journal::Journal;
use crate::reading::Run;
use crate::store::StoreError;

/// The marks of one run by the rules of one course.
#[derive(Debug)]
pub struct Marks {
    run: Run,
    policy: Policy,
    /// With the points of the course.
    rubrics: Vec<Rubric>,
    ids: Vec<String>,
}

impl Marks {
    /// The marks of the submissions in `ids`, in that order.
    pub(crate) fn new(run: Run, ids: Vec<String>, policy: Policy) -> Self {
        let mut rubrics = run.header().rubrics.clone();
        policy.weigh(&mut rubrics);
        Self {
            run,
            policy,
            rubrics,
            ids,
        }
    }

    /// Leaves out every submission that is not in `ids`.
    pub fn retain(&mut self, ids: &[String]) {
        self.ids.retain(|id| ids.contains(id));
    }

    /// The run that they are made from.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The submissions, in the order in which they are told.
    pub(crate) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What reports say of the class as a whole.
    pub fn class(&self) -> Class {
        let index = self.run.journal().index();
        let isolation = &self.run.header().isolation;
        let level: Result<Level, _> = isolation.parse();
        let missing = level.map(Level::not_promised).unwrap_or_default();
        let is_there = |lab: &&String| self.ids.iter().any(|id| index.seat(id, lab).is_some());
        let labs = self.rubrics.iter().map(|rubric| &rubric.lab);
        Class {
            isolation: isolation.clone(),
            not_promised: missing.iter().map(|text| (*text).to_owned()).collect(),
            labs: labs.filter(is_there).cloned().collect(),
            n_submissions: self.ids.len(),
        }
    }

    /// Every submission without its words: notes, details and messages are empty.
    pub fn bare(&self) -> impl Iterator<Item = SubmissionGrade> {
        self.ids.iter().map(|id| self.of(id))
    }

    /// Every submission with its words and what verdicts were made from, except for passed tests,
    /// of which there is nothing to tell.
    pub fn told(&self) -> impl Iterator<Item = Result<Entry, StoreError>> {
        self.ids
            .iter()
            .map(|id| with_words(self.of(id), self.run.journal()))
    }

    /// One submission without its words.
    pub(crate) fn of(&self, id: &str) -> SubmissionGrade {
        let index = self.run.journal().index();
        let labs = self.rubrics.iter().filter_map(|rubric| {
            let seat = index.seat(id, &rubric.lab)?;
            Some(lab_grade(rubric, seat))
        });
        let mut submission = SubmissionGrade {
            id: id.to_owned(),
            notes: Vec::new(),
            labs: labs.collect(),
        };
        self.policy.adjust(&mut submission);
        submission
    }
}

fn lab_grade(rubric: &Rubric, seat: &Seat) -> LabGrade {
    if let Some((status, _)) = seat.ended {
        return LabGrade {
            lab: rubric.lab.clone(),
            status,
            score: 0,
            max_score: rubric.max_score(),
            detail: String::new(),
            weight: None,
            adjustments: Vec::new(),
            is_settled: false,
            tests: Vec::new(),
        };
    }
    let tests = rubric
        .rows
        .iter()
        .zip(&seat.tests)
        .filter_map(|(row, mark)| {
            let mark = mark.as_ref()?;
            Some(TestGrade {
                id: row.id.clone(),
                part: row.part,
                outcome: mark.outcome,
                score: if mark.outcome.is_pass() {
                    row.points
                } else {
                    0
                },
                max_score: row.points,
                message: Default::default(),
                reveal: Reveal::default(),
                seed: mark.seed,
                wall_ms: mark.wall_ms,
                cpu_ms: mark.cpu_ms,
            })
        });
    score(rubric, tests.collect())
}

/// Reads what [`Marks::of`] leaves out.
fn with_words(mut grade: SubmissionGrade, journal: &Journal) -> Result<Entry, StoreError> {
    let index = journal.index();
    if let Some(&place) = index.taken_in().get(&grade.id)
        && let Record::Submission { notes, .. } = journal.record(place)?
    {
        grade.notes = notes;
    }
    let mut evidence = BTreeMap::new();
    for (n_lab, lab) in grade.labs.iter_mut().enumerate() {
        let Some(seat) = index.seat(&grade.id, &lab.lab) else {
            continue;
        };
        if let Some((_, place)) = seat.ended
            && let Record::Lab { detail, .. } = journal.record(place)?
        {
            lab.detail = detail;
        }
        let marks = seat.tests.iter().flatten();
        for (n_test, (test, mark)) in lab.tests.iter_mut().zip(marks).enumerate() {
            if mark.outcome.is_pass() {
                continue;
            }
            if let Record::Test {
                verdict,
                evidence: seen,
                ..
            } = journal.record(mark.place)?
            {
                test.message = verdict.message;
                evidence.extend(seen.map(|seen| ((n_lab, n_test), seen)));
            }
        }
    }
    Ok(Entry { grade, evidence })
}

/// A test of ours that failed has no verdict yet: it is run again when grading goes on. So is one
/// that lacked an instrument, for that may be on another machine.
pub(crate) fn is_final(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::GraderFault | Outcome::Skipped | Outcome::Unavailable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use model::LabStatus;
    use std::fs::File;

    /// The marks of alice, who has these verdicts on the tests a and b, each with its words.
    fn marks(folder: &std::path::Path, outcomes: [Outcome; 2]) -> Marks {
        let test = |(id, outcome): (&str, Outcome)| {
            sample::test("s", id, outcome, format!("{id} ended with {outcome}"))
        };
        let path = folder.join("journal.jsonl");
        let options = File::options().create(true).read(true).append(true).clone();
        let file = options.open(&path).unwrap();
        let (mut journal, _) = Journal::read(path, file).unwrap();
        journal.append(&[sample::header()]).unwrap();
        let records: Vec<Record> = ["a", "b"].into_iter().zip(outcomes).map(test).collect();
        journal.append(&records).unwrap();
        let run = Run::new(folder, journal);
        Marks::new(run, vec!["alice".into()], Policy::default())
    }

    #[test]
    fn a_fault_of_ours_makes_the_mark_open_instead_of_zero() {
        let folder = tempfile::tempdir().unwrap();
        let marks = marks(folder.path(), [Outcome::Pass, Outcome::GraderFault]);
        let lab = &marks.of("alice").labs[0];
        assert_eq!((lab.status, lab.score), (LabStatus::GraderFault, 2));
    }

    #[test]
    fn words_are_read_for_whatever_did_not_pass_and_come_with_their_own_test() {
        let folder = tempfile::tempdir().unwrap();
        let marks = marks(folder.path(), [Outcome::Pass, Outcome::Leak]);
        let words = |grade: &SubmissionGrade| {
            let tests = grade.labs[0].tests.iter();
            tests
                .map(|test| test.message.what.clone())
                .collect::<Vec<_>>()
        };
        let bare: Vec<SubmissionGrade> = marks.bare().collect();
        assert_eq!(words(&bare[0]), ["", ""]);
        let told: Vec<Entry> = marks.told().map(Result::unwrap).collect();
        assert_eq!(words(&told[0].grade), ["", "b ended with leak"]);
    }
}
