//! `report`: every format from one small fixed journal, byte by byte against committed files, and
//! each read back by a reader that knows nothing of the grader.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use predicates::prelude::*;
use serde_json::Value;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/run")
}

/// A copy of the run without its rules.
fn plain_run() -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    fs::copy(
        fixture().join("journal.jsonl"),
        run.path().join("journal.jsonl"),
    )
    .unwrap();
    run
}

fn grader(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"));
    command.args(args);
    command
}

/// What `report RUN` with these arguments prints.
fn report(run: &Path, args: &[&str]) -> Vec<u8> {
    let output = grader(&["report", run.to_str().unwrap()])
        .args(args)
        .assert()
        .code(0);
    output.get_output().stdout.clone()
}

/// Compares with a committed file, or writes it anew if BLESS is set.
fn is_as_committed(name: &str, bytes: &[u8]) {
    let path = fixture().join("expected").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_default();
    assert!(
        expected == bytes,
        "{name} is not as committed; it is now:\n{}",
        String::from_utf8_lossy(bytes)
    );
}

#[test]
fn every_format_is_byte_by_byte_as_committed() {
    let run = plain_run();
    for (format, name) in [
        ("csv", "grades.csv"),
        ("json", "results.json"),
        ("junit", "junit.xml"),
        ("markdown", "grades.md"),
    ] {
        is_as_committed(name, &report(run.path(), &["--format", format]));
        is_as_committed(
            &format!("ruled-{name}"),
            &report(&fixture(), &["--format", format]),
        );
    }
    let gradescope = ["--format", "gradescope", "--submission", "bob"];
    is_as_committed("gradescope-bob.json", &report(run.path(), &gradescope));
    is_as_committed(
        "ruled-gradescope-bob.json",
        &report(&fixture(), &gradescope),
    );
}

#[test]
fn feedback_reveals_as_much_as_the_course_says() {
    let run = plain_run();
    let feedback = |args: &[&str]| {
        report(run.path(), args);
        fs::read(run.path().join("feedback/bob.md")).unwrap()
    };
    for level in ["none", "category", "counterexample"] {
        let bytes = feedback(&["--reveal", level]);
        is_as_committed(&format!("feedback-{level}-bob.md"), &bytes);
        let text = String::from_utf8(bytes).unwrap();
        let says = |what: &str| text.contains(what);
        assert_eq!(says("the_end_arrives"), level != "none");
        assert_eq!(says("only a closed write end"), level != "none");
        assert_eq!(says("00 ff 0a"), level == "counterexample", "the input");
        assert_eq!(
            says("--seed"),
            level == "counterexample",
            "the seed makes the input"
        );
    }
    let rules = fixture().join("course.toml");
    let ruled = feedback(&["--course", rules.to_str().unwrap()]);
    is_as_committed("feedback-ruled-bob.md", &ruled);
    let ruled = String::from_utf8(ruled).unwrap();
    assert!(
        !ruled.contains("the_end_arrives"),
        "not even by its override:\n{ruled}"
    );
}

#[test]
fn junit_follows_its_schema_and_its_counts_add_up() {
    let Some(xmllint) = tool("xmllint") else {
        return;
    };
    for run in [plain_run().path(), &fixture()] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("junit.xml");
        report(
            run,
            &["--format", "junit", "--output", file.to_str().unwrap()],
        );
        let output = Command::new(&xmllint)
            .args(["--noout", "--nonet", "--schema"])
            .arg(fixture().join("junit.xsd"))
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let counts = |path: &str| {
            let output = Command::new(&xmllint)
                .args(["--xpath", path])
                .arg(&file)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        for (attribute, element) in [
            ("tests", "//testcase"),
            ("failures", "//failure"),
            ("errors", "//error"),
            ("skipped", "//skipped"),
        ] {
            let n = counts(&format!("count({element})"));
            assert_eq!(counts(&format!("string(/testsuites/@{attribute})")), n);
            assert_eq!(counts(&format!("sum(//testsuite/@{attribute})")), n);
        }
    }
}

/// A tool of the system; without it the test is skipped in the open, or fails if
/// `REPORT_NEEDS_TOOLS` is set.
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("REPORT_NEEDS_TOOLS").is_none(),
            "no {name} on this machine"
        );
        eprintln!("skipped: no {name} on this machine");
    }
    found
}

#[test]
fn a_spreadsheet_reads_every_row_and_meets_no_formula() {
    for run in [plain_run().path(), &fixture()] {
        let bytes = report(run, &["--format", "csv"]);
        let mut table = csv::Reader::from_reader(bytes.as_slice());
        let n_columns = table.headers().unwrap().len();
        let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 6);
        for row in &rows {
            assert_eq!(row.len(), n_columns);
            for cell in row {
                let first = cell.chars().next().unwrap_or(' ');
                assert!(!"=+-@\t\r\n".contains(first), "a formula begins {cell:?}");
            }
        }
    }
}

#[test]
fn gradescope_gets_only_fields_and_values_that_it_knows() {
    for run in [plain_run().path(), &fixture()] {
        let folder = tempfile::tempdir().unwrap();
        let args = ["--format", "gradescope", "--output"];
        let args = [&args[..], &[folder.path().to_str().unwrap()]].concat();
        report(run, &args);
        let mut n_files = 0;
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap().path();
            let value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            check_gradescope(&value).unwrap_or_else(|rule| panic!("{}: {rule}", file.display()));
            n_files += 1;
        }
        assert_eq!(n_files, 6);
    }
}

/// The rules of Gradescope's description of results.json that concern us.
fn check_gradescope(results: &Value) -> Result<(), String> {
    let rule = |holds: bool, text: &str| if holds { Ok(()) } else { Err(text.to_owned()) };
    let known = |value: &Value, known: &[&str]| {
        let mut keys = value.as_object().ok_or("an object is needed")?.keys();
        let unknown = keys.find(|key| !known.contains(&key.as_str()));
        unknown.map_or(Ok(()), |key| Err(format!("unknown field {key}")))
    };
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.contains('\r'));
    let formats = ["text", "html", "simple_format", "md", "ansi"];
    let is_format = |value: &Value| value.as_str().is_some_and(|name| formats.contains(&name));
    let top = [
        "score",
        "execution_time",
        "output",
        "output_format",
        "tests",
        "extra_data",
    ];
    known(results, &top)?;
    rule(results["score"].is_number(), "score is a number")?;
    rule(
        results["execution_time"].is_u64(),
        "execution_time is in whole seconds",
    )?;
    rule(text(&results["output"]), "output is text with \\n alone")?;
    rule(
        is_format(&results["output_format"]),
        "output_format has a known value",
    )?;
    rule(results["extra_data"].is_object(), "extra_data is an object")?;
    let tests = results["tests"].as_array().ok_or("tests is a list")?;
    rule(!tests.is_empty(), "some test is shown")?;
    for test in tests {
        let fields = [
            "score",
            "max_score",
            "status",
            "name",
            "number",
            "output",
            "output_format",
        ];
        known(test, &fields)?;
        rule(
            matches!(test["status"].as_str(), Some("passed" | "failed")),
            "status has two values",
        )?;
        rule(
            text(&test["name"]) && text(&test["output"]),
            "name and output are text",
        )?;
        rule(text(&test["number"]), "number is text")?;
        rule(
            is_format(&test["output_format"]),
            "output_format has a known value",
        )?;
        let points = (test.get("score"), test.get("max_score"));
        let sound = match points {
            (None, None) => true,
            (Some(score), Some(most)) => score.as_f64() <= most.as_f64() && score.is_number(),
            _ => false,
        };
        rule(
            sound,
            "score and max_score come together, and the score is not above",
        )?;
    }
    Ok(())
}

#[test]
fn gradescopes_total_is_the_sum_of_its_tests_where_no_rule_changes_it() {
    let run = plain_run();
    let bytes = report(
        run.path(),
        &["--format", "gradescope", "--submission", "bob"],
    );
    let bob: Value = serde_json::from_slice(&bytes).unwrap();
    let scores = bob["tests"].as_array().unwrap().iter();
    let sum: u64 = scores.filter_map(|test| test["score"].as_u64()).sum();
    assert_eq!(bob["score"], sum);
    assert_eq!(sum, 4);
}

#[test]
fn a_report_of_the_whole_run_writes_every_file_and_changes_no_journal() {
    let run = plain_run();
    report(run.path(), &[]);
    for file in [
        "results.json",
        "grades.csv",
        "report.html",
        "feedback/ann.md",
    ] {
        assert!(run.path().join(file).is_file(), "{file}");
    }
    let journal = |folder: &Path| fs::read(folder.join("journal.jsonl")).unwrap();
    assert_eq!(journal(run.path()), journal(&fixture()));
    assert!(!run.path().join(".lock").exists(), "a report needs no lock");
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let run = plain_run();
    let empty = tempfile::tempdir().unwrap();
    let missing = grader(&["report", empty.path().to_str().unwrap()]).assert();
    let said = |text: &'static str| predicate::str::contains(text);
    missing
        .code(1)
        .stderr(said("journal.jsonl").and(said("cargo lab grade SUBMISSIONS")));
    let folder = run.path().to_str().unwrap();
    let who = ["report", folder, "--format", "csv", "--submission", "amy"];
    grader(&who)
        .assert()
        .code(1)
        .stderr(said("called amy").and(said("ann, bob")));
    grader(&["report", folder, "--format", "gradescope"])
        .assert()
        .code(1)
        .stderr(said("--output FOLDER"));
    fs::write(
        run.path().join("course.toml"),
        "\n[labs.pipes]\nwieght = 3\n",
    )
    .unwrap();
    grader(&["report", folder]).assert().code(1).stderr(said(
        "course.toml line 3, key `wieght`: unknown field `wieght`",
    ));
}

#[test]
fn the_example_of_a_course_is_printed() {
    grader(&["report", "--example-course"])
        .assert()
        .code(0)
        .stdout(predicate::str::contains("[labs.pipes]"));
}
