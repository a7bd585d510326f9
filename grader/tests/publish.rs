//! The published tree, used as a student uses it: by cargo alone, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// `cargo` in a student's tree. The target folder is kept from one run of this test to the next.
fn cargo(tree: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(args)
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
