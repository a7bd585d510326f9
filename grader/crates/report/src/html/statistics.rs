//! The class in numbers: how marks are spread, and how every test went.

use std::collections::{BTreeMap, BTreeSet};

use model::{Gradebook, LabStatus, Outcome};
use serde::Serialize;

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
#[derive(Clone, Serialize)]
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

/// Every lab in teaching order.
pub(super) fn labs(gradebook: &Gradebook) -> Vec<LabStatistics<'_>> {
    let names = crate::labs_of(gradebook);
    names.into_iter().map(|name| lab(gradebook, name)).collect()
}

fn lab<'a>(gradebook: &'a Gradebook, name: &'a str) -> LabStatistics<'a> {
    let grades = gradebook.submissions.iter().flat_map(|of| &of.labs);
    let grades: Vec<_> = grades.filter(|grade| grade.lab == name).collect();
    let mut tenths = [0; 10];
    let mut scores = Vec::new();
    let mut tests: Vec<TestStatistics<'a>> = Vec::new();
    let mut counts: Vec<BTreeMap<&str, usize>> = Vec::new();
    for grade in &grades {
        if !matches!(grade.status, LabStatus::Missing | LabStatus::Rejected) && grade.is_final() {
            let tenth = (grade.score * 10).checked_div(grade.max_score);
            tenths[tenth.unwrap_or(0).min(9) as usize] += 1;
            scores.push(grade.score);
        }
        for (at, test) in grade.tests.iter().enumerate() {
            // All submissions have the tests in the order of the rubric.
            let known = tests.get(at).is_some_and(|known| known.id == test.id);
            let at = match known {
                true => at,
                false => match tests.iter().position(|known| known.id == test.id) {
                    Some(at) => at,
                    None => {
                        tests.push(TestStatistics {
                            lab: name,
                            id: &test.id,
                            part: test.part,
                            passed: 0,
                            reached: 0,
                            skipped: 0,
                            others: Vec::new(),
                        });
                        counts.push(BTreeMap::new());
                        tests.len() - 1
                    }
                },
            };
            let statistics = &mut tests[at];
            match test.outcome {
                Outcome::Skipped => statistics.skipped += 1,
                Outcome::GraderFault => {}
                outcome => {
                    statistics.reached += 1;
                    statistics.passed += usize::from(outcome.is_pass());
                }
            }
            if !test.outcome.is_pass() {
                *counts[at].entry(test.outcome.name()).or_default() += 1;
            }
        }
    }
    for (test, counts) in tests.iter_mut().zip(counts) {
        let others = counts
            .into_iter()
            .map(|(name, n)| (name.replace('_', " "), n));
        test.others = others.collect();
        test.others.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    }
    scores.sort_unstable();
    LabStatistics {
        lab: name,
        max_score: grades.first().map_or(0, |grade| grade.max_score),
        handed_in: scores.len(),
        median: scores.get(scores.len() / 2).copied().unwrap_or(0),
        most: tenths.into_iter().max().unwrap_or(0),
        tenths,
        tests,
    }
}

/// The ten tests that the smallest share passed, of those that reached them.
pub(super) fn hardest(gradebook: &Gradebook) -> Vec<TestStatistics<'_>> {
    let tests = labs(gradebook).into_iter().flat_map(|lab| lab.tests);
    let mut tests: Vec<_> = tests.filter(|test| test.passed < test.reached).collect();
    // By the share that passed, without dividing.
    tests.sort_by(|a, b| (a.passed * b.reached).cmp(&(b.passed * a.reached)));
    tests.truncate(10);
    tests
}

/// Every outcome and every status that somebody had, for the filter.
pub(super) fn outcomes(gradebook: &Gradebook) -> Vec<&'static str> {
    let labs = || gradebook.submissions.iter().flat_map(|of| &of.labs);
    let outcomes = labs().flat_map(|lab| lab.tests.iter().map(|test| test.outcome.name()));
    let statuses = labs().map(|lab| lab.status.name());
    let names: BTreeSet<&str> = outcomes.chain(statuses).collect();
    names.into_iter().collect()
}
