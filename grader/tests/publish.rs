//! The published tree, used as a student uses it: by cargo alone, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use authoring::student;
use predicates::prelude::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

fn publish(args: &[&str]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
        .arg("publish")
        .args(args)
        .assert()
}

/// Trees that are built in one target folder take turns: cargo tells packages apart by their place
/// in the tree, so of two at a time each would run what the other has built.
static TURN: Mutex<()> = Mutex::new(());

/// `cargo` in a student's tree. The target folder is kept from one run of this test to the next.
fn cargo(tree: &Path, args: &[&str]) -> Output {
    cargo_with(tree, args, &[])
}

fn cargo_with(tree: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO"))
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", root().join("target/student-tree"))
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .expect("cargo starts")
}

fn texts(tree: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a published tree is text that can be read") {
            let path = entry
                .expect("a published tree is text that can be read")
                .path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((
                    path.clone(),
                    std::fs::read_to_string(path)
                        .expect("a published tree is text that can be read"),
                )),
            }
        }
    }
    found
}

#[test]
fn a_student_tree_fails_honestly_and_passes_with_the_reference() {
    let _turn = TURN.lock();
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path();
    publish(&[tree.to_str().unwrap()])
        .success()
        .stdout(predicate::str::contains("published"));

    let red = cargo(tree, &["test", "--locked", "-p", "pipes"]);
    let said = String::from_utf8_lossy(&red.stdout);
    assert!(!red.status.success());
    assert!(said.contains("not yet implemented: pipes part 1"), "{said}");
    assert!(
        !String::from_utf8_lossy(&red.stderr).contains("warning"),
        "stubs compile silently"
    );

    let lab = authoring::lab::discover(root()).unwrap().remove(0);
    let reference = student::complete(&lab, &lab.sources(root()).unwrap()).unwrap();
    std::fs::write(tree.join("labs/pipes/src/lib.rs"), &reference["src/lib.rs"]).unwrap();
    let green = cargo(tree, &["test", "--locked", "-p", "pipes"]);
    assert!(
        green.status.success(),
        "{}",
        String::from_utf8_lossy(&green.stdout)
    );
}

/// Writes the reference solution of pipes into a student's tree, with `from` replaced by `to`.
fn hand_in_pipes(tree: &Path, from: &str, to: &str) {
    let labs = authoring::lab::discover(root()).expect("the labs are in order");
    let sources = labs[0].sources(root()).expect("the solution can be read");
    let reference = student::complete(&labs[0], &sources).expect("the markers are in order");
    let text = &reference["src/lib.rs"];
    assert!(text.contains(from), "the solution has {from:?}");
    let file = tree.join("labs/pipes/src/lib.rs");
    std::fs::write(file, text.replacen(from, to, 1)).expect("write the lab");
}

fn said(output: &Output) -> String {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The six lines of a message that a student reads.
fn fields(text: &str) -> Vec<String> {
    let labels = [
        "what: ",
        "expected: ",
        "got: ",
        "why: ",
        "read: ",
        "again: ",
    ];
    let is_field = |line: &&str| {
        labels
            .iter()
            .any(|label| line.trim_start().starts_with(label))
    };
    text.lines().filter(is_field).map(str::to_owned).collect()
}

/// Writes the reference solution of the lab `name` into a student's tree.
fn solve(tree: &Path, name: &str) {
    let labs = authoring::lab::discover(root()).expect("the labs are in order");
    let lab = authoring::lab::named(&labs, name).expect("there is such a lab");
    let sources = lab.sources(root()).expect("the solution can be read");
    let reference = student::complete(lab, &sources).expect("the markers are in order");
    let file = tree.join("labs").join(name).join("src/lib.rs");
    std::fs::write(file, &reference["src/lib.rs"]).expect("write the lab");
}

#[test]
fn students_compare_the_data_paths_with_their_own_functions() {
    let _turn = TURN.lock();
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path();
    publish(&[tree.to_str().unwrap()]).success();
    let compare = |via: &str| {
        let few = ["--sizes", "64", "--mib", "1", "--repeat", "1"];
        cargo(
            tree,
            &[&["lab", "compare", "--via", via], &few[..]].concat(),
        )
    };

    // Untouched: what no lab moves is measured, what is a stub is named.
    let stubs = compare("pipe,mqueue,shm-semaphores");
    let text = said(&stubs);
    assert_eq!(stubs.status.code(), Some(3), "{text}");
    for phrase in [
        "messages of 64 B",
        "not measured: pipe with 64 B: not yet implemented: pipes part 1",
        "not measured: shm-semaphores with 64 B: not yet implemented: shm part 4",
    ] {
        assert!(text.contains(phrase), "no {phrase:?} in {text}");
    }
    assert_eq!(compare("pipe,tcp").status.code(), Some(1));

    solve(tree, "pipes");
    solve(tree, "shm");
    let solved = compare("pipe,shm-semaphores,shm-spinning");
    let text = String::from_utf8_lossy(&solved.stdout);
    assert_eq!(solved.status.code(), Some(0), "{}", said(&solved));
    for mechanism in ["pipe", "shm-semaphores", "shm-spinning"] {
        let row = format!("\n  {mechanism} ");
        assert!(text.contains(&row), "no row of {mechanism} in {text}");
    }
    assert!(!text.contains("not measured"), "{text}");

    std::fs::write(tree.join("labs/shm/src/lib.rs"), "fn half(").unwrap();
    let broken = compare("pipe");
    assert_eq!(broken.status.code(), Some(4), "{}", said(&broken));
    assert!(said(&broken).contains("could not build datapath-labs"));
}

/// In one test, because all of it needs the same tree to be built.
#[test]
fn the_students_commands_work_in_a_student_tree() {
    let _turn = TURN.lock();
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path();
    publish(&[tree.to_str().unwrap()]).success();
    let lab = |args: &[&str]| cargo(tree, &[&["lab"], args].concat());

    // Untouched: red, every test not attempted, the next step and the hidden tests told.
    let stub = lab(&["check", "pipes"]);
    let text = said(&stub);
    assert_eq!(stub.status.code(), Some(1), "{text}");
    for phrase in [
        "1 of 12 kernel facts learnt",
        "not yet",
        "the stub at labs/pipes/src/lib.rs:",
        "next: part 1, read README part 1",
        "hidden tests (part 1: ",
        "box: level ",
    ] {
        assert!(text.contains(phrase), "no {phrase:?} in {text}");
    }

    // The same test by plain cargo and by `check`: the same fields.
    hand_in_pipes(tree, "from_le_bytes", "from_be_bytes");
    let test = "read_record_gives_back_records_and_then_none";
    let checked = said(&lab(&["check", "pipes", "--test", test]));
    let plain = said(&cargo(tree, &["test", "-p", "pipes", test]));
    assert_eq!(fields(&checked).len(), 6, "{checked}");
    assert_eq!(fields(&checked), fields(&plain), "{checked}\n{plain}");

    // A hang explains itself, with no flag and no command but cargo's.
    hand_in_pipes(
        tree,
        "            Ok(0) => break,\n",
        "            Ok(0) => {}\n",
    );
    let test = "cat_copies_its_input";
    for args in [
        ["test", "-p", "pipes", test].as_slice(),
        &["lab", "check", "pipes", "--test", test],
    ] {
        let hung = cargo_with(tree, args, &[("COACH_DEADLINE", "3")]);
        let text = said(&hung);
        assert!(!hung.status.success(), "{text}");
        assert!(text.contains("pipes (pid "), "no process is named: {text}");
    }

    // What does not compile has an exit code of its own, and hints are there all the same.
    std::fs::write(tree.join("labs/pipes/src/lib.rs"), "fn half(").unwrap();
    let broken = lab(&["check", "pipes"]);
    assert_eq!(broken.status.code(), Some(3), "{}", said(&broken));
    assert!(said(&broken).contains("labs/pipes/src/lib.rs"));
    for phrase in [
        "a question: ",
        "where to read: ",
        "the shape: ",
        "all three",
    ] {
        let hint = lab(&["hint", "pipes", test]);
        assert!(hint.status.success(), "{}", said(&hint));
        assert!(
            said(&hint).contains(phrase),
            "no {phrase:?} in {}",
            said(&hint)
        );
    }
    let taken = std::fs::read_to_string(tree.join(".lab/hints.jsonl")).unwrap();
    assert_eq!(taken.lines().count(), 3, "each hint is noted once: {taken}");
    assert_eq!(lab(&["hint", "pipes", "no_such"]).status.code(), Some(2));

    // Solved: green, and for scripts as events.
    hand_in_pipes(tree, "", "");
    let green = lab(&["check", "pipes", "--json"]);
    assert_eq!(green.status.code(), Some(0), "{}", said(&green));
    let events = String::from_utf8_lossy(&green.stdout).into_owned();
    let last = events.lines().last().unwrap_or_default();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["event"], "finished");
    assert_eq!(last["learnt"], last["facts"]);
    assert_eq!(lab(&["check", "pipe"]).status.code(), Some(2));
}

#[test]
fn nothing_that_grades_is_in_a_student_tree() {
    let tree = tempfile::tempdir().unwrap();
    publish(&[tree.path().to_str().unwrap()]).success();
    let labs = authoring::lab::discover(root()).unwrap();
    for (path, text) in texts(tree.path()) {
        let path = path
            .strip_prefix(tree.path())
            .unwrap()
            .display()
            .to_string();
        for word in [
            "// SOLUTION",
            "// END SOLUTION",
            "<!-- SOLUTION",
            "CAUGHT-BY",
            "harness::",
        ] {
            assert!(!text.contains(word), "{path} holds {word:?}");
        }
        assert!(
            !path.contains("wrong/") && !path.contains("grader/labs"),
            "{path}"
        );
        assert!(!path.ends_with("transcripts.rs"), "{path}");
        for lab in &labs {
            assert!(
                !text.contains(&format!("{}_solution", lab.name.replace('-', "_"))),
                "{path}"
            );
        }
    }
}

#[test]
fn a_closed_lab_is_published_with_its_solution_and_answers() {
    let tree = tempfile::tempdir().unwrap();
    let dir = tree.path().to_str().unwrap();
    publish(&[dir, "--solutions", "pipes,shm"]).success();
    let solution = std::fs::read_to_string(tree.path().join("solutions/pipes/src/lib.rs")).unwrap();
    assert!(!solution.contains("SOLUTION") && !solution.contains("todo!("));
    let handout = std::fs::read_to_string(tree.path().join("labs/pipes/README.md")).unwrap();
    let answers = std::fs::read_to_string(tree.path().join("solutions/pipes/README.md")).unwrap();
    assert!(answers.lines().count() > handout.lines().count());
    assert!(!tree.path().join("solutions/signals").exists());
    // The same folder without solutions again: what was published before goes away.
    publish(&[dir])
        .success()
        .stdout(predicate::str::contains("removed solutions/pipes"));
    assert!(!tree.path().join("solutions/pipes/src/lib.rs").exists());
}

#[test]
fn a_foreign_folder_and_an_unknown_lab_are_refused_by_name() {
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("thesis.txt"), "mine").unwrap();
    let dir = tree.path().to_str().unwrap();
    publish(&[dir])
        .code(1)
        .stderr(predicate::str::contains("is not empty"));
    let new = tree.path().join("new");
    publish(&[new.to_str().unwrap(), "--solutions", "pipe"])
        .code(1)
        .stderr(predicate::str::contains("there is no lab `pipe`"));
}
