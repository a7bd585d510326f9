//! The class in numbers: how marks are spread, and how every test went.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::{LabGrade, LabStatus, Outcome, SubmissionGrade, TestGrade};
use serde::Serialize;

/// What is counted of a class while its submissions pass by.
pub(super) struct Statistics {
    labs: Vec<LabCount>,
    /// Every outcome and every status that somebody had.
    outcomes: BTreeSet<&'static str>,
}

struct LabCount {
    lab: String,
    max_score: Option<u32>,
    tenths: [usize; 10],
    scores: Vec<u32>,
    tests: Vec<TestCount>,
}

struct TestCount {
    id: String,
    part: u8,
    passed: usize,
    reached: usize,
    skipped: usize,
    others: BTreeMap<&'static str, usize>,
}

/// One lab over the whole class.
#[derive(Serialize)]
pub(super) struct LabStatistics<'a> {
    lab: &'a str,
    max_score: u32,
    /// Submissions that hold this lab.
    handed_in: usize,
    /// The mark in the middle of those, in points.
    median: u32,
    /// How many of them earned 0–10 %, … 90–100 %.
    tenths: [usize; 10],
    most: usize,
    tests: Vec<TestStatistics<'a>>,
}

/// One test over the whole class.
#[derive(Serialize)]
pub(super) struct TestStatistics<'a> {
    lab: &'a str,
    id: &'a str,
    part: u8,
    passed: usize,
    /// Submissions where it came to a verdict on the work.
    reached: usize,
    skipped: usize,
    /// Every other outcome, most frequent first.
    others: Vec<(String, usize)>,
}

impl Statistics {
    /// Nothing counted yet; labs in teaching order.
    pub(super) fn new(labs: &[String]) -> Self {
        let lab = |lab: &String| LabCount {
            lab: lab.clone(),
            max_score: None,
            tenths: [0; 10],
            scores: Vec::new(),
            tests: Vec::new(),
        };
        Self {
            labs: labs.iter().map(lab).collect(),
            outcomes: BTreeSet::new(),
        }
    }

    /// Counts one submission.
    pub(super) fn add(&mut self, submission: &SubmissionGrade) {
        for grade in &submission.labs {
            self.outcomes.insert(grade.status.name());
            let outcomes = grade.tests.iter().map(|test| test.outcome.name());
            self.outcomes.extend(outcomes);
            if let Some(lab) = self.labs.iter_mut().find(|lab| lab.lab == grade.lab) {
                lab.add(grade);
            }
        }
    }

    /// Every lab.
    pub(super) fn labs(&self) -> Vec<LabStatistics<'_>> {
        self.labs.iter().map(LabCount::sum).collect()
    }

    /// The ten tests that the smallest share passed, of those that reached them.
    pub(super) fn hardest(&self) -> Vec<TestStatistics<'_>> {
        let tests = self.labs().into_iter().flat_map(|lab| lab.tests);
        let mut tests: Vec<_> = tests.filter(|test| test.passed < test.reached).collect();
        // By the share that passed, without dividing.
        tests.sort_by(|a, b| (a.passed * b.reached).cmp(&(b.passed * a.reached)));
        tests.truncate(10);
        tests
    }

    /// What can be filtered by.
    pub(super) fn outcomes(&self) -> &BTreeSet<&'static str> {
        &self.outcomes
    }
}

impl LabCount {
    fn add(&mut self, grade: &LabGrade) {
        self.max_score.get_or_insert(grade.max_score);
        if !matches!(grade.status, LabStatus::Missing | LabStatus::Rejected) && grade.is_final() {
            let tenth = (grade.score * 10).checked_div(grade.max_score);
            self.tenths[tenth.unwrap_or(0).min(9) as usize] += 1;
            self.scores.push(grade.score);
        }
        for (at, test) in grade.tests.iter().enumerate() {
            // Most submissions have all tests, in the order of the rubric.
            let known = self.tests.get(at).is_some_and(|known| known.id == test.id);
            let place = match known {
                true => Some(at),
                false => self.tests.iter().position(|known| known.id == test.id),
            };
            let place = place.unwrap_or_else(|| {
                self.tests.push(TestCount::new(test));
                self.tests.len() - 1
            });
            self.tests[place].add(test.outcome);
        }
    }

    fn sum(&self) -> LabStatistics<'_> {
        let mut scores = self.scores.clone();
        scores.sort_unstable();
        let tests = self.tests.iter().map(|test| test.sum(&self.lab));
        LabStatistics {
            lab: &self.lab,
            max_score: self.max_score.unwrap_or(0),
            handed_in: scores.len(),
            median: scores.get(scores.len() / 2).copied().unwrap_or(0),
            most: self.tenths.into_iter().max().unwrap_or(0),
            tenths: self.tenths,
            tests: tests.collect(),
        }
    }
}

impl TestCount {
    fn new(test: &TestGrade) -> Self {
        Self {
            id: test.id.clone(),
            part: test.part,
            passed: 0,
            reached: 0,
            skipped: 0,
            others: BTreeMap::new(),
        }
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Skipped => self.skipped += 1,
            Outcome::GraderFault => {}
            outcome => {
                self.reached += 1;
                self.passed += usize::from(outcome.is_pass());
            }
        }
        if !outcome.is_pass() {
            *self.others.entry(outcome.name()).or_default() += 1;
        }
    }

    fn sum<'a>(&'a self, lab: &'a str) -> TestStatistics<'a> {
        let others = self.others.iter();
        let mut others: Vec<_> = others
            .map(|(name, n)| (name.replace('_', " "), *n))
            .collect();
        others.sort_by_key(|(_, n)| Reverse(*n));
        TestStatistics {
            lab,
            id: &self.id,
            part: self.part,
            passed: self.passed,
            reached: self.reached,
            skipped: self.skipped,
            others,
        }
    }
}
