//! What becomes of a test in which the verdict program fails, shown with one that does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use authoring::lab::Lab;
use model::{Limits, Rubric};

use super::*;
use crate::{SourceTree, Stop};

fn kit(test: &str) -> Kit {
    let row = RubricRow {
        id: test.into(),
        part: 1,
        points: 1,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: String::new(),
        read: String::new(),
        hint: Default::default(),
    };
    Kit {
        lab: Lab {
            name: "lab".into(),
            title: String::new(),
            order: 1,
            editable: Vec::new(),
            dir: String::new(),
            dependencies: Vec::new(),
        },
        rubric: Rubric {
            lab: "lab".into(),
            rows: vec![row],
        },
        digest: String::new(),
        given: SourceTree::new(),
        stub: SourceTree::new(),
        probe: Vec::new(),
        orders: None,
        deps: PathBuf::new(),
        externs: BTreeMap::new(),
        verdict_program: Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run/verdict.sh"),
        sysroot: PathBuf::new(),
        root: PathBuf::new(),
        stop: Stop::default(),
    }
}

/// The verdicts that are noted, and how often the program was called for them.
fn verdicts(test: &str) -> (Vec<Outcome>, usize) {
    let seat = tempfile::tempdir().unwrap();
    let options = TestOptions {
        parallel: 2,
        slots: Slots::new(1, 2),
        ..TestOptions::new(Level::None, 1)
    };
    let noted = Mutex::new(Vec::new());
    run_tests(
        &kit(test),
        seat.path(),
        &options,
        BTreeMap::new(),
        |_, judged| {
            noted.lock().unwrap().push(judged.0.outcome);
            Ok::<(), Stopped>(())
        },
    )
    .unwrap();
    let calls = fs::read_to_string(seat.path().join("calls")).unwrap();
    (noted.into_inner().unwrap(), calls.lines().count())
}

#[test]
fn a_fault_of_ours_is_tried_again_before_anything_is_noted() {
    assert_eq!(verdicts("fails_once"), (vec![Outcome::Pass], 2));
}

#[test]
fn a_fault_that_comes_again_is_noted_as_ours() {
    assert_eq!(verdicts("fails_always"), (vec![Outcome::GraderFault], 2));
}
