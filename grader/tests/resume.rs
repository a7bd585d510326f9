//! kill -9 of the grader: nothing graded is lost, nothing is left running, and the same command
//! goes on where it stopped.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use instruments::{PidFd, Process};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

/// One submission with one lab solved.
fn submissions(folder: &Path) -> PathBuf {
    let lab = authoring::lab::discover(root()).unwrap().remove(0);
    let sources = authoring::student::complete(&lab, &lab.sources(root()).unwrap()).unwrap();
    let src = folder.join("submissions/alice").join(&lab.name).join("src");
    std::fs::create_dir_all(&src).unwrap();
    std::fs::write(src.join("lib.rs"), &sources["src/lib.rs"]).unwrap();
    folder.join("submissions")
}

fn grader(submissions: &Path, run: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grader"));
    command.arg("grade").arg(submissions).arg("--run").arg(run);
    command.args(["--lab", "pipes", "--jobs", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn tests_in_journal(run: &Path) -> Vec<(String, String)> {
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    let whole = journal.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let records = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| record["record"] == "test")
        .map(|record| {
            let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (field(&record["test"]), field(&record["verdict"]["outcome"]))
        })
        .collect()
}

/// Processes below `pid`; those that end while we look need no watching.
fn below(pid: u32) -> Vec<PidFd> {
    let tree = Process::new(pid as i32).descendants();
    tree.into_iter()
        .filter_map(|process| PidFd::open(process.pid()).ok())
        .collect()
}

#[test]
fn a_killed_run_is_resumed_and_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let submissions = submissions(folder.path());
    let run = folder.path().join("run");
    let mut killed = grader(&submissions, &run).spawn().unwrap();
    while tests_in_journal(&run).len() < 3 {
        assert!(
            killed.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        thread::sleep(Duration::from_millis(1));
    }
    let children = below(killed.id());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = tests_in_journal(&run);
    for child in children {
        while !child.has_ended() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    assert!(grader(&submissions, &run).status().unwrap().success());
    let after = tests_in_journal(&run);
    assert_eq!(after[..before.len()], before, "what was graded is kept");
    let mut ids: Vec<&String> = after.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), after.len(), "no test was graded twice");
    let wrong: Vec<_> = after
        .iter()
        .filter(|(_, outcome)| outcome != "pass")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    let journal = std::fs::read(run.join("journal.jsonl")).unwrap();
    assert!(grader(&submissions, &run).status().unwrap().success());
    assert_eq!(
        std::fs::read(run.join("journal.jsonl")).unwrap(),
        journal,
        "nothing left to do"
    );
}
