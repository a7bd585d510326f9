//! `cargo lab compare`, as a student or a teacher types it.

use predicates::prelude::*;

fn compare(args: &[&str]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
        .arg("compare")
        .args(args)
        .assert()
}

#[test]
fn a_comparison_prints_a_table_and_leaves_a_page_a_plot_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("paths");
    compare(&[
        "--via",
        "pipe,shm-spinning",
        "--sizes",
        "64,4K",
        "--repeat",
        "2",
    ])
    .success()
    .stdout(predicate::str::contains("messages of 4 KiB"));
    let small = [
        "--via", "pipe,tcp", "--sizes", "4K", "--mib", "1", "--repeat", "1",
    ];
    compare(&[&small[..], &["--floor", "--out", out.to_str().unwrap()]].concat())
        .success()
        .stdout(predicate::str::contains("times the time"));
    let figures = std::fs::read(out.join("compare.json")).unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&figures).unwrap();
    assert_eq!(figures["rows"].as_array().unwrap().len(), 2);
    assert_eq!(figures["floor"].as_array().unwrap().len(), 1);
    assert_eq!(figures["missing"].as_array().unwrap().len(), 0);
    let page = std::fs::read_to_string(out.join("compare.html")).unwrap();
    assert!(page.contains("TCP over loopback") && page.contains("4 KiB"));
    assert!(out.join("compare.svg").is_file());
}

#[test]
fn functions_that_are_not_written_yet_are_named_and_the_rest_is_measured() {
    let few = ["--sizes", "64", "--mib", "1", "--repeat", "1"];
    let stubs = ["--student", "--via", "pipe,mqueue,shm-semaphores"];
    compare(&[&stubs[..], &few].concat())
        .code(3)
        .stdout(predicate::str::contains("mqueue"))
        .stdout(predicate::str::contains(
            "not yet implemented: pipes part 1",
        ))
        .stdout(predicate::str::contains("not yet implemented: shm part 4"));
}

#[test]
fn wrong_names_and_sizes_are_told_what_there_is() {
    compare(&["--via", "pigeon"])
        .code(2)
        .stderr(predicate::str::contains("unix-datagram"));
    compare(&["--sizes", "3"])
        .code(2)
        .stderr(predicate::str::contains("64, 4K or 1M"));
    compare(&["--repeat", "0"]).code(2);
}
