//! Submissions that behave differently, with sources of one age, graded many at a time and again
//! under another load: everybody gets the verdicts of their own code, the same each time.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeMap;
use std::path::Path;

use model::{LabStatus, Outcome};
use pipeline::{
    Course, GradeOptions, Graded, Kit, Load, Made, SourceTree, Subject, vary, write_long_ago,
};

/// Quick ones, each of which catches a wrong solution that the others let pass.
const TESTS: [&str; 4] = [
    "the_longest_record_fits_and_a_longer_one_writes_nothing",
    "an_end_inside_a_record_is_bad_data",
    "a_writer_whose_reader_has_gone_ends_with_an_error",
    "a_length_from_outside_takes_no_memory",
];

#[test]
fn everybody_gets_the_verdicts_of_their_own_code_whatever_the_load() {
    campaign(6, 2);
}

/// `MIXED=1000 ROUNDS=1 cargo test -p grader --test mixed -- --ignored --nocapture` for stale or
/// swapped programs; `MIXED=50 ROUNDS=20` for verdicts that change with the load.
#[test]
#[ignore = "a campaign: set MIXED, 200 if absent, and ROUNDS, 1 if absent"]
fn a_large_class_gets_the_verdicts_of_its_own_code_whatever_the_load() {
    let number = |name, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (n_submissions, n_rounds) = (number("MIXED", 200), number("ROUNDS", 1));
    campaign(n_submissions, n_rounds);
    eprintln!("{n_submissions} submissions, {n_rounds} rounds: no verdict of other code");
}

/// Grades a class of so many, so many times, each time with another number of jobs and another
/// load beside it. What is expected of each submission is known.
fn campaign(n_submissions: usize, n_rounds: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let course = Course::open(root).unwrap();
    let kits = course
        .kits(&course.select(&["pipes".into()]).unwrap())
        .unwrap();
    let kinds = kinds(&course, &kits[0]);
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    for number in 0..n_submissions {
        let (_, sources) = &kinds[number % kinds.len()];
        let sources = vary(sources, number, Made::Good);
        let submission = submissions.join(format!("s{number:04}"));
        write_long_ago(&submission, "pipes", &sources).unwrap();
    }
    let mut wrong = Vec::new();
    for round in 0..n_rounds {
        let run = folder.path().join(format!("run-{round}"));
        let n_jobs = [2, 8, 1, 4][round % 4];
        let _load = Load::start([0, 2, 4][round % 3]);
        let graded = grade(&course, &submissions, &run, n_jobs);
        for (number, submission) in graded.marks.bare().enumerate() {
            let (caught_by, _) = &kinds[number % kinds.len()];
            let lab = &submission.labs[0];
            assert_eq!(lab.status, LabStatus::Graded, "{}", lab.detail);
            assert_eq!(lab.tests.len(), TESTS.len());
            let outcomes: BTreeMap<&str, Outcome> = lab
                .tests
                .iter()
                .map(|test| (test.id.as_str(), test.outcome))
                .collect();
            for (test, outcome) in outcomes {
                if outcome.is_pass() == caught_by.iter().any(|id| id == test) {
                    let id = &submission.id;
                    wrong.push(format!("round {round} {id} {test}: {outcome}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The reference, and every wrong solution that one of the tests is there for: the tests that
/// catch it, and its sources.
fn kinds(course: &Course, kit: &Kit) -> Vec<(Vec<String>, SourceTree)> {
    let wrong = course.root.join("grader/labs/pipes/wrong");
    let mut subjects = vec![(Vec::new(), Subject::Reference)];
    for wrong in authoring::wrong::read_dir(&wrong).unwrap() {
        // What else catches it is not run here.
        if wrong.caught_by.len() == 1 && TESTS.contains(&wrong.caught_by[0].as_str()) {
            subjects.push((wrong.caught_by.clone(), Subject::Wrong(wrong)));
        }
    }
    assert!(subjects.len() > TESTS.len());
    subjects
        .into_iter()
        .map(|(caught, subject)| (caught, pipeline::sources(course, kit, &subject).unwrap()))
        .collect()
}

fn grade(course: &Course, submissions: &Path, run: &Path, n_jobs: usize) -> Graded {
    let helper = Path::new(env!("CARGO_BIN_EXE_grader"));
    let mut options = GradeOptions::new(helper, n_jobs);
    options.labs = vec!["pipes".into()];
    options.tests.only = TESTS.map(str::to_owned).to_vec();
    pipeline::grade(course, submissions, run, &options, &|_| {}).unwrap()
}
