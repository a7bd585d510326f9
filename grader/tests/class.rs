//! The sample class: what the README's main command makes of it, compared with the marks that
//! `fixtures/class/expected.toml` states, and what a second call of the same command does.

use std::fs;
use std::path::{Path, PathBuf};

use model::{Gradebook, LabGrade, LabStatus, Outcome};
use predicates::prelude::*;
use toml::{Table, Value};

fn class() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/class")
}

fn grade(run: &Path) -> assert_cmd::assert::Assert {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
        .arg("grade")
        .arg(class().join("submissions"))
        .arg("--run")
        .arg(run)
        .assert()
}

fn expected() -> Vec<Table> {
    let text = fs::read_to_string(class().join("expected.toml")).expect("a file");
    let table: Table = text.parse().expect("expected.toml is TOML");
    let submissions = table["submission"].as_array().expect("[[submission]]");
    let table = |value: &Value| value.as_table().expect("a table").clone();
    submissions.iter().map(table).collect()
}

#[test]
fn the_sample_class_gets_its_marks_and_nothing_is_graded_twice() {
    let run = tempfile::tempdir().unwrap();
    grade(run.path()).code(0);
    let results = fs::read(run.path().join("results.json")).unwrap();
    let gradebook: Gradebook = serde_json::from_slice(&results).unwrap();
    let wrong = differences(&expected(), &gradebook);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));

    for report in ["journal.jsonl", "grades.csv", "report.html"] {
        let length = fs::metadata(run.path().join(report)).unwrap().len();
        assert!(length > 0, "{report} is empty");
    }
    every_result_names_its_isolation(run.path(), &gradebook);
    for submission in &gradebook.submissions {
        let feedback = run.path().join(format!("feedback/{}.md", submission.id));
        assert!(feedback.is_file(), "{} is missing", feedback.display());
    }
    a_forged_report_changes_nothing(&gradebook);

    let journal = || fs::read(run.path().join("journal.jsonl")).unwrap();
    let before = journal();
    let n_labs: usize = gradebook.submissions.iter().map(|s| s.labs.len()).sum();
    grade(run.path())
        .code(0)
        .stderr(predicate::str::contains(format!(
            "resuming: {n_labs} of {n_labs} labs are done"
        )));
    assert!(journal() == before, "something was graded twice");
    assert_eq!(
        fs::read(run.path().join("results.json")).unwrap(),
        results,
        "the same journal gives the same reports"
    );
}

/// The level is in every piece of evidence, and in the reports with what it could not promise.
fn every_result_names_its_isolation(run: &Path, gradebook: &Gradebook) {
    let level: sandbox::Level = gradebook.isolation.parse().expect("a level");
    assert_eq!(gradebook.not_promised, level.not_promised());
    let page = fs::read_to_string(run.join("report.html")).expect("a report");
    for missing in level.not_promised() {
        assert!(page.contains(missing), "{missing} is not in the report");
    }
    let mut n_evidence = 0;
    let journal = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    for line in journal.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("a record");
        let evidence = record.get("evidence").filter(|its| !its.is_null());
        if let Some(evidence) = evidence {
            assert_eq!(evidence["isolation"], *gradebook.isolation, "{line}");
            n_evidence += 1;
        }
    }
    assert!(n_evidence > 0);
}

/// Whoever prints a report or a verdict of their own earns what an untouched stub earns.
fn a_forged_report_changes_nothing(gradebook: &Gradebook) {
    for submission in &gradebook.submissions {
        if submission.id.starts_with("forges-") {
            let tests = submission.labs.iter().flat_map(|lab| &lab.tests);
            let believed: Vec<&str> = tests
                .filter(|test| test.outcome == Outcome::Pass || test.score > 0)
                .map(|test| test.id.as_str())
                .collect();
            assert!(believed.is_empty(), "{}: {believed:#?}", submission.id);
        }
    }
}

/// One line for everything that is not as stated.
fn differences(expected: &[Table], gradebook: &Gradebook) -> Vec<String> {
    let id = |submission: &Table| submission["id"].as_str().expect("an id").to_owned();
    let mut stated: Vec<String> = expected.iter().map(id).collect();
    stated.sort();
    let graded = gradebook.submissions.iter().map(|s| s.id.clone());
    let graded: Vec<String> = graded.collect();
    if stated != graded {
        return vec![format!(
            "submissions\n  expected: {stated:?}\n       got: {graded:?}"
        )];
    }
    let mut wrong = Vec::new();
    for submission in expected {
        let id = id(submission);
        let marks = gradebook.submissions.iter().filter(|s| s.id == id);
        for lab in marks.flat_map(|marks| &marks.labs) {
            let lab_wrong = compare(submission, lab);
            wrong.extend(
                lab_wrong
                    .iter()
                    .map(|line| format!("{id} {}: {line}", lab.lab)),
            );
        }
    }
    wrong
}

/// What is wrong with one lab: a lab that is not stated is missing, or refused with the whole.
fn compare(submission: &Table, lab: &LabGrade) -> Vec<String> {
    assert!(submission["why"].as_str().is_some(), "a line of why");
    let empty = Table::new();
    let stated = match submission.get(&lab.lab) {
        Some(stated) => stated.as_table().expect("a table for each lab"),
        None => &empty,
    };
    let text = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let (status, detail) = match text(submission, "rejected") {
        Some(reason) => (LabStatus::Rejected.name().to_owned(), Some(reason)),
        None if stated.is_empty() => (LabStatus::Missing.name().to_owned(), None),
        None => (
            text(stated, "status").unwrap_or_else(|| LabStatus::Graded.name().to_owned()),
            text(stated, "detail"),
        ),
    };
    let mut wrong = Vec::new();
    let mut differs = |what: &str, expected: &str, got: &str| {
        wrong.push(format!("{what}\n  expected: {expected}\n       got: {got}"));
    };
    if lab.status.name() != status {
        differs(
            "status",
            &status,
            &format!("{} {}", lab.status.name(), lab.detail),
        );
    }
    if let Some(detail) = detail.filter(|detail| !lab.detail.contains(detail)) {
        differs("detail", &detail, &lab.detail);
    }
    let score = match stated.get("score") {
        None => 0,
        Some(Value::String(full)) if full == "full" => i64::from(lab.max_score),
        Some(score) => score.as_integer().expect("a number of points, or \"full\""),
    };
    if i64::from(lab.score) != score {
        let lost: Vec<String> = lab
            .tests
            .iter()
            .filter(|test| test.outcome != Outcome::Pass)
            .map(|test| format!("\n            {} {}", test.outcome, test.id))
            .collect();
        let got = format!("{} of {}{}", lab.score, lab.max_score, lost.concat());
        differs("score", &score.to_string(), &got);
    }
    let tests = stated.get("tests").and_then(Value::as_table);
    for (id, outcome) in tests.into_iter().flatten() {
        let outcome = outcome.as_str().expect("the name of an outcome");
        match lab.tests.iter().find(|test| test.id == *id) {
            Some(test) if test.outcome.name() == outcome => {}
            Some(test) => {
                let message = format!("{}\n{}", test.outcome, test.message);
                differs(id, outcome, &message.replace('\n', "\n            "));
            }
            None => differs(id, outcome, "no such test"),
        }
    }
    wrong
}
