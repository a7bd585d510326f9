//! Which isolation levels there are here is told with reasons, and nothing is graded below the one
//! that was asked for.

use std::path::Path;
use std::process::{Command, Output};

/// The grader where nobody gets namespaces, as in most containers.
fn grader_without_namespaces(args: &[&str]) -> Output {
    grader_on("no-namespaces", args)
}

/// The grader on a machine that gives less.
fn grader_on(machine: &str, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Command::new(env!("CARGO_BIN_EXE_grader"))
        .args(["__within", machine])
        .args(args)
        .current_dir(root.expect("grader/ is in the repository"))
        .output()
        .expect("it starts")
}

fn said(output: &Output) -> String {
    let words = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&words).into_owned()
}

#[test]
fn the_doctor_names_every_level_and_why_it_is_not_to_be_had() {
    let output = grader_without_namespaces(&["doctor"]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for level in ["A", "B", "C", "D", "E"] {
        let line = format!("isolation {level}: ");
        let told = said.lines().find_map(|its| its.strip_prefix(&line));
        let told = told.unwrap_or_else(|| panic!("level {level} is missing:\n{said}"));
        let reason = told.strip_prefix("not available: ").unwrap_or(told);
        assert!(
            told.starts_with("works (") || reason.contains(": "),
            "{told}"
        );
    }
    assert!(said.contains("isolation A: not available: "), "{said}");
    assert!(said.contains("submissions run on "), "{said}");
    assert!(said.contains("  not promised: "), "{said}");
}

#[test]
fn nothing_is_graded_below_the_level_that_was_asked_for() {
    let run = tempfile::tempdir().unwrap();
    let run = run.path().join("run");
    let samples = "grader/fixtures/class/submissions";
    let folder = run.to_str().expect("a temporary folder has a plain name");
    let output =
        grader_without_namespaces(&["grade", samples, "--isolation", "A", "--run", folder]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("this machine cannot isolate submissions as A asks for"),
        "{said}"
    );
    assert!(said.contains("\n  A: "), "without a reason: {said}");
    assert!(!run.exists(), "it began all the same");
}

/// The tests of shm that play schedules, which takes tracing.
const EXPLORES: &str = "an_item_that_was_pushed_comes_out_before_the_end";

#[test]
fn where_nobody_may_trace_a_test_that_has_to_is_not_run_and_says_so() {
    let told = said(&grader_on("no-tracing", &["doctor"]));
    assert!(
        told.contains("\nschedules of shared memory: not available: the kernel does not let"),
        "{told}"
    );
    assert!(told.contains("\nfaults in system calls: works"), "{told}");

    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let run = run.to_str().expect("a temporary folder has a plain name");
    let (samples, lab) = ("grader/fixtures/class/submissions", "shm");
    let args = [
        "grade", samples, "--run", run, "--lab", lab, "--test", EXPLORES,
    ];
    let graded = grader_on("no-tracing", &args);
    let results = std::fs::read_to_string(format!("{run}/results.json"))
        .unwrap_or_else(|error| panic!("{error}: {}", said(&graded)));
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let submissions = results["submissions"].as_array().unwrap();
    let solved = submissions.iter().find(|it| it["id"] == "solved").unwrap();
    let lab = &solved["labs"][0];
    assert_eq!(lab["status"], "graded", "{lab:#}");
    assert_eq!(lab["tests"][0]["outcome"], "unavailable", "{lab:#}");
    assert_eq!(lab["score"], 0, "{lab:#}");
    let text = lab["tests"][0]["message"].to_string();
    assert!(text.contains("does not let this process trace"), "{text}");

    assert_eq!(lab["tests"][0]["max_score"], 0, "{lab:#}");
    assert!(lab["weight"].is_null(), "{lab:#}");

    // The course may have its points move to the lab's other tests.
    std::fs::write(format!("{run}/course.toml"), "unavailable = \"move\"\n").unwrap();
    let reported = grader_on("whole", &["report", run]);
    assert!(reported.status.success(), "{}", said(&reported));
    let results = std::fs::read_to_string(format!("{run}/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let submissions = results["submissions"].as_array().unwrap();
    let solved = submissions.iter().find(|it| it["id"] == "solved").unwrap();
    let moved = &solved["labs"][0];
    assert_eq!(moved["max_score"], lab["max_score"], "{moved:#}");
    assert!(
        moved["weight"].as_u64() > lab["max_score"].as_u64(),
        "{moved:#}"
    );
}
