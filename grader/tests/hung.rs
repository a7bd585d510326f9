//! A submission whose every program hangs costs the detection of a deadlock, and no deadlines.

use std::path::Path;

use model::Outcome;
use pipeline::{Course, GradeOptions, Made, Subject, TestOptions, vary, write_long_ago};

#[test]
fn every_hidden_test_of_a_hung_submission_is_ended_as_a_deadlock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let helper = Path::new(env!("CARGO_BIN_EXE_grader"));
    let course = Course::open(root).unwrap();
    let kits = course.kits(&course.select(&[]).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    for kit in &kits {
        let reference = pipeline::sources(&course, kit, &Subject::Reference).unwrap();
        let hung = vary(&reference, 0, Made::Hung);
        write_long_ago(&submissions.join("hung"), &kit.lab.name, &hung).unwrap();
    }
    let options = GradeOptions {
        labs: Vec::new(),
        tests: TestOptions::new(sandbox::best_level(helper).0, 2),
        helper: helper.to_owned(),
    };
    let run = folder.path().join("run");
    let graded = pipeline::grade(&course, &submissions, &run, &options, &|_| {}).unwrap();
    let mut n_deadlocks = 0;
    let mut others = Vec::new();
    for submission in graded.marks.bare() {
        for lab in &submission.labs {
            for test in &lab.tests {
                match test.outcome {
                    Outcome::Deadlock => n_deadlocks += 1,
                    // It needs one that hung.
                    Outcome::Skipped => {}
                    other => others.push(format!("{} {}: {other}", lab.lab, test.id)),
                }
            }
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    assert!(n_deadlocks > 10 * kits.len(), "{n_deadlocks}");
}
