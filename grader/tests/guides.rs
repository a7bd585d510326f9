//! The guides' own commands, run as they stand there: what a TA and a writer of labs are told to
//! type works, and prints what the page says.

mod listed;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use coach::transcript::{Place, replay_at};

/// A session may compile; this only gives up.
const PATIENCE: Duration = Duration::from_secs(600);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

/// Replays the sessions of a page of the book in `folder`; what it compiles goes into `target`.
fn replay(page: &str, folder: &Path, target: &Path) {
    let bin = tempfile::tempdir().expect("a folder");
    let cargo = bin.path().join("cargo");
    std::fs::write(&cargo, cargo_script(target)).expect("a script");
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755))
        .expect("a script that may run");
    let place = Place {
        folder: Some(folder),
        patience: Some(PATIENCE),
    };
    let page = root().join("docs").join(page);
    let counts = replay_at(&page, &[("cargo", &cargo)], &place);
    assert!(counts.replayed > 0, "a guide without a session");
}

/// This repository's own, so that nothing is compiled twice.
fn target() -> &'static Path {
    let grader = Path::new(env!("CARGO_BIN_EXE_grader"));
    grader.ancestors().nth(2).expect("target/debug/grader")
}

/// A cargo whose `lab` is the grader under test.
fn cargo_script(target: &Path) -> String {
    let grader = env!("CARGO_BIN_EXE_grader");
    format!(
        "#!/bin/sh\nexport CARGO_TARGET_DIR='{}'\nunset CARGO_MANIFEST_DIR\nif [ \"$1\" = lab ]; \
         then shift; exec '{grader}' \"$@\"; fi\nexec '{}' \"$@\"\n",
        target.display(),
        env!("CARGO")
    )
}

#[test]
fn the_ta_guide_grades_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let class = root().join("grader/fixtures/class/submissions");
    let handed_in = folder.path().join("handed-in");
    std::fs::create_dir(&handed_in).unwrap();
    copy(&class, &["ignores-short-reads".into()], &handed_in);
    std::fs::rename(handed_in.join("ignores-short-reads"), handed_in.join("bob")).unwrap();
    replay("ta.md", folder.path(), target());
}

#[test]
fn the_page_of_the_data_paths_is_true() {
    let folder = tempfile::tempdir().unwrap();
    replay("data-paths.md", folder.path(), target());
}

#[test]
fn a_lab_is_made_in_a_copy_of_the_repository_by_following_the_page() {
    // Always the same path: cargo then knows what it has compiled before.
    let copied = root().join("target/new-lab");
    if copied.exists() {
        std::fs::remove_dir_all(&copied).unwrap();
    }
    std::fs::create_dir_all(&copied).unwrap();
    copy(root(), &listed::files(root()), &copied);
    let page = std::fs::read_to_string(root().join("docs/new-lab.md")).unwrap();
    let files = files_in(&page);
    assert_eq!(files.len(), 11, "a file a block");
    for (path, text) in files {
        let path = copied.join(path);
        assert!(!path.exists(), "{} is there already", path.display());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let formatted = Command::new(env!("CARGO"))
        .args([
            "fmt",
            "--check",
            "-p",
            "turnstile-solution",
            "-p",
            "turnstile-tests",
        ])
        .args(["-p", "turnstile-probe"])
        .current_dir(&copied)
        .output()
        .unwrap();
    let differences = String::from_utf8_lossy(&formatted.stdout);
    assert!(
        formatted.status.success(),
        "the page is not as rustfmt has it: {differences}"
    );
    // Cargo tells packages apart by their place in the workspace: with one target folder, this
    // repository would run what the copy has built.
    replay("new-lab.md", &copied, &root().join("target/new-lab-build"));
    std::fs::remove_dir_all(&copied).unwrap();
}

/// The files that a page gives: a line with nothing but a path, in bold and as code, then a block.
fn files_in(page: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut path = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let named = line
            .strip_prefix("**`")
            .and_then(|line| line.strip_suffix("`**"));
        if named.is_some() {
            path = named;
        } else if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let Some(path) = path.take() {
                files.push((path.to_owned(), block.join("\n") + "\n"));
            }
        }
    }
    files
}

/// Copies `paths` in `from`, with their times and modes.
fn copy(from: &Path, paths: &[PathBuf], to: &Path) {
    let copied = Command::new("cp")
        .args(["--archive", "--parents", "--target-directory"])
        .arg(to)
        .args(paths)
        .current_dir(from)
        .status()
        .expect("cp starts");
    assert!(copied.success());
}

/// Pages whose sessions are run elsewhere: the handouts' by their labs' own tests, the front page's
/// by `.ci/run`, the student guide's in the tree that students clone, by `publish.rs`.
const RUN_ELSEWHERE: [&str; 1] = ["student/README.md"];

/// Pages whose sessions are replayed here.
const REPLAYED: [&str; 3] = ["data-paths.md", "new-lab.md", "ta.md"];

#[test]
fn every_page_of_the_book_with_a_session_is_run_by_a_test() {
    let docs = root().join("docs");
    for page in listed::files(root()) {
        let Ok(page) = page.strip_prefix("docs") else {
            continue;
        };
        let Ok(text) = std::fs::read_to_string(docs.join(page)) else {
            continue;
        };
        let has_session = text.lines().any(|line| line.trim() == "```console");
        let name = page.to_string_lossy();
        let is_run = [&REPLAYED[..], &RUN_ELSEWHERE].concat().contains(&&*name);
        assert_eq!(has_session, is_run, "docs/{name}");
    }
}
