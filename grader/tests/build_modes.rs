//! rustc called directly and plain cargo: programs that get the same verdicts. For every subject
//! there is, `cargo lab verify --build cargo` says the same.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeMap;
use std::path::Path;

use model::{Outcome, Verdict};
use pipeline::{BuildMode, Course, TestOptions, VerifyOptions};

/// Compiles, and is caught by two tests.
const SUBJECT: &str = "m04_short_read_is_the_end";

#[test]
fn cargo_and_direct_calls_of_rustc_give_the_same_verdicts() {
    let direct = outcomes(BuildMode::Direct);
    let cargo = outcomes(BuildMode::Cargo);
    assert_eq!(direct, cargo);
    let count = |pass| direct.values().filter(|its| its.is_pass() == pass).count();
    assert!(count(true) > 5 && count(false) > 1, "{direct:?}");
}

#[test]
fn submissions_are_not_compiled_outside_the_box_by_mistake() {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
        .args(["grade", "submissions", "--run", "run", "--build", "cargo"])
        .assert()
        .code(1)
        .stderr(predicates::str::contains("--i-trust-this-code"));
}

fn outcomes(build: BuildMode) -> BTreeMap<String, Outcome> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let helper = Path::new(env!("CARGO_BIN_EXE_grader"));
    let options = VerifyOptions {
        labs: vec!["pipes".into()],
        subjects: vec![SUBJECT.into()],
        mutants: false,
        caught: false,
        repeat: 1,
        jobs: 1,
        tests: TestOptions {
            build,
            seed: Some(1),
            ..TestOptions::new(sandbox::best_level(helper).0, 1)
        },
        helper: helper.to_owned(),
    };
    let course = Course::open(root).unwrap();
    let results = pipeline::verify(&course, &options, &|_| {}).unwrap();
    let problems: Vec<_> = results.iter().flat_map(|result| &result.problems).collect();
    assert!(problems.is_empty(), "{build:?}: {problems:#?}");
    let outcome = |(id, test): (&String, &Verdict)| (id.clone(), test.outcome);
    results[0].tests.iter().map(outcome).collect()
}
