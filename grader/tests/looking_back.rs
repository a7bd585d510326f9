//! `diff` and `explain`: what changed between two runs and why, and why one verdict is what it is.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use predicates::prelude::*;

fn journal() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/run/journal.jsonl");
    fs::read_to_string(path).unwrap()
}

fn run_with(journal: &str) -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    fs::write(run.path().join("journal.jsonl"), journal).unwrap();
    run
}

fn grader(command: &str, args: &[&str]) -> Assert {
    let mut grader = assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"));
    grader.arg(command).args(args).assert()
}

fn diff(a: &Path, b: &Path) -> Assert {
    grader("diff", &[a.to_str().unwrap(), b.to_str().unwrap()])
}

/// The journal with one line changed: the one that holds all of `with`.
fn changed(with: &[&str], from: &str, to: &str) -> String {
    let journal = journal();
    let is_wanted = |line: &&str| with.iter().all(|part| line.contains(part));
    let line = journal.lines().find(is_wanted).expect("a line");
    assert!(line.contains(from), "{line}");
    journal.replace(line, &line.replacen(from, to, 1))
}

const ANNS: [&str; 2] = [r#""submission":"ann""#, r#""test":"the_end_arrives""#];

#[test]
fn a_run_does_not_differ_from_itself() {
    let run = run_with(&journal());
    diff(run.path(), run.path())
        .code(0)
        .stdout("nothing differs\n");
}

#[test]
fn every_reason_for_another_mark_is_told_apart() {
    let before = run_with(&journal());
    let fail = (r#""outcome":"pass""#, r#""outcome":"fail""#);
    let flake = changed(&ANNS, fail.0, fail.1);
    let recoded = flake.replace(r#""source":"ann-pipes""#, r#""source":"ann-pipes-2""#);
    let retested = flake.replace("c0ffee", "decade");
    let faulty = changed(&ANNS, fail.0, r#""outcome":"grader_fault""#);
    for (journal, why, is_flake) in [
        (&flake, "why: a flake", true),
        (&recoded, "why: other code was handed in", false),
        (&retested, "why: other tests", false),
        (&faulty, "why: the grader failed", false),
    ] {
        let after = run_with(journal);
        let said = diff(before.path(), after.path()).code(1);
        said.stdout(
            predicate::str::contains("ann pipes: 10 of 10 → ")
                .and(predicate::str::contains("the_end_arrives: pass 3/3 → "))
                .and(predicate::str::contains(why))
                .and(predicate::str::contains("bob").not())
                .and(predicate::str::contains("cid").not()),
        );
        let runs = [before.path(), after.path()].map(|run| run.to_str().unwrap());
        let only_flakes = grader("diff", &[runs[0], runs[1], "--only-flakes"]);
        only_flakes.code(i32::from(is_flake));
    }
}

#[test]
fn another_rule_and_an_absent_submission_are_told_apart_too() {
    let before = run_with(&journal());
    let after = run_with(&journal());
    let rules = "[labs.pipes.tests.the_end_arrives]\npoints = 4\n";
    fs::write(after.path().join("course.toml"), rules).unwrap();
    diff(before.path(), after.path())
        .code(1)
        .stdout(predicate::str::contains("count differently by the rules"));

    let journal = journal();
    let others = journal.lines().filter(|line| !line.contains(r#""eve""#));
    let without_eve: Vec<&str> = others.collect();
    let after = run_with(&(without_eve.join("\n") + "\n"));
    diff(before.path(), after.path()).code(1).stdout(
        predicate::str::contains("eve pipes: rejected, 0 of 10 → nothing")
            .and(predicate::str::contains("only one of the runs has it")),
    );
}

#[test]
fn a_run_that_is_not_there_is_trouble_and_no_answer() {
    let run = run_with(&journal());
    diff(run.path(), &run.path().join("no"))
        .code(2)
        .stderr(predicate::str::contains("no run to read"));
}

#[test]
fn explain_tells_the_five_fields_and_the_evidence() {
    let run = run_with(&journal());
    let run = run.path().to_str().unwrap();
    let said = |text: &'static str| predicate::str::contains(text);
    grader("explain", &[run, "bob", "the_end_arrives"])
        .code(0)
        .stdout(
            said("deadlock")
                .and(said("expected: the test ends by itself"))
                .and(said("seed 12, 1130 ms, 8 ms of CPU, isolation B"))
                .and(said("pipes cat: still running when the test was over"))
                .and(said("stderr: pipes: waiting"))
                .and(said("killed then: 1"))
                .and(said("bob the_end_arrives --replay")),
        );
    let who = "=1+cmd|'<img src=x onerror=window.hostile=1>\"&amp;";
    let hostile = grader("explain", &[run, who, "bytes_arrive_unchanged"]).code(0);
    hostile.stdout(said("crash").and(said("\u{1b}").not()));
}

#[test]
fn explain_says_what_there_is_instead_of_what_is_missing() {
    let run = run_with(&journal());
    let run = run.path().to_str().unwrap();
    let said = |text: &'static str| predicate::str::contains(text);
    for (who, test, words) in [
        ("amy", "the_end_arrives", "there are"),
        ("bob", "the_end", "there are bytes_arrive_unchanged"),
        ("cid", "the_end_arrives", "build_error: error[E0425]"),
    ] {
        grader("explain", &[run, who, test])
            .code(1)
            .stderr(said(words));
    }
    grader("explain", &[run, "bob", "the_end_arrives", "--replay"])
        .code(1)
        .stderr(said("--lab pipes --test the_end_arrives --seed 12"));
}

/// A test that needs no other and is over at once.
const CHEAP: &str = "a_later_program_holds_no_end_of_the_pipe";

#[test]
fn a_replay_runs_the_graded_files_with_the_same_seed() {
    let desk = tempfile::tempdir().unwrap();
    let src = desk.path().join("submissions/ann/pipes/src");
    fs::create_dir_all(&src).unwrap();
    let solved = "fixtures/class/submissions/solved/labs/pipes/src/lib.rs";
    let solved = Path::new(env!("CARGO_MANIFEST_DIR")).join(solved);
    fs::copy(solved, src.join("lib.rs")).unwrap();
    let path = |name: &str| desk.path().join(name).to_str().unwrap().to_owned();
    let (run, submissions) = (path("run"), path("submissions"));
    let one = ["--lab", "pipes", "--test", CHEAP, "--seed", "77"];
    let grade = || {
        let args = [&[submissions.as_str(), "--run", &run], &one[..]].concat();
        grader("grade", &args)
    };
    grade_obeys_the_rules_in_the_run_folder(Path::new(&run), grade);
    fs::remove_dir_all(&submissions).unwrap();

    let replay = ["ann", CHEAP, "--replay"];
    let replay = || grader("explain", &[&[run.as_str()], &replay[..]].concat());
    let told = replay().code(0);
    let text = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert_eq!(text.matches("evidence: seed 77,").count(), 2, "{text}");
    assert!(text.contains("the same outcome"), "{text}");

    // A verdict that does not come again is said, and has an exit code of its own.
    let journal = Path::new(&run).join("journal.jsonl");
    let ours = fs::read_to_string(&journal).unwrap();
    fs::write(
        &journal,
        ours.replace(r#""outcome":"pass""#, r#""outcome":"fail""#),
    )
    .unwrap();
    replay()
        .code(4)
        .stdout(predicate::str::contains("fail before, pass now"));

    let other = ours.replace(r#""course":""#, r#""course":"0ther"#);
    fs::write(&journal, other).unwrap();
    replay()
        .code(1)
        .stderr(predicate::str::contains("have changed since"));
}

/// Wrong rules stop it before anything is graded; right ones are in its marks.
fn grade_obeys_the_rules_in_the_run_folder(run: &Path, grade: impl Fn() -> Assert) {
    fs::create_dir(run).unwrap();
    let rules = run.join("course.toml");
    fs::write(&rules, "[labs.pipes]\nweigth = 7\n").unwrap();
    let said = predicate::str::contains("course.toml line 2, key `weigth`");
    grade().code(1).stderr(said);
    assert!(!run.join("journal.jsonl").exists());
    fs::write(&rules, "[labs.pipes]\nweight = 7\n").unwrap();
    grade().code(0);
    let marks = fs::read(run.join("results.json")).unwrap();
    let marks: serde_json::Value = serde_json::from_slice(&marks).unwrap();
    assert_eq!(marks["submissions"][0]["labs"][0]["weight"], 7);
}
