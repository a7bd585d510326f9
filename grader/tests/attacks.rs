//! Hostile submissions hold, are judged as they deserve, and leave the rest of a class alone.
//!
//! A few of each kind run here; all of them with `cargo lab verify --attacks`. What they reach for
//! is laid out by the grader itself, and the last test shows that it would be seen to be reached.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

fn attack(names: &[&str], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grader"));
    command.args(["verify", "--attacks"]).args(more);
    for name in names {
        command.args(["--subject", name]);
    }
    command.current_dir(root()).output().expect("it starts")
}

fn said(output: &Output) -> String {
    let words = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&words).into_owned()
}

/// One of each kind, none of which takes long.
const FEW: [&str; 10] = [
    "archive-symlink",
    "confused-writer",
    "forged-record",
    "hostile-diagnostics",
    "include-str",
    "kill-a-bystander",
    "nested-parentheses",
    "posix-leftovers",
    "read-secrets",
    "system-v-leftovers",
];

#[test]
fn a_few_attacks_of_each_kind_hold_on_every_level_there_is() {
    let output = attack(&FEW, &[]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for name in FEW {
        assert!(
            said.lines()
                .any(|line| line.contains(name) && line.contains("held")),
            "{name} is not told about:\n{said}"
        );
    }
    let mut n_tried = 0;
    for level in ["A", "B", "C", "D", "E"] {
        let missing = said.contains(&format!("isolation {level}: not to be had here"));
        let held = format!("isolation {level}: {} held, 0 breached", FEW.len());
        n_tried += usize::from(said.contains(&held));
        assert!(missing || said.contains(&held), "level {level}:\n{said}");
    }
    assert!(n_tried > 0, "no level was tried:\n{said}");
}

#[test]
fn a_level_that_is_not_to_be_had_is_an_error() {
    // SAFETY: it takes nothing and cannot fail.
    let is_root = unsafe { libc::geteuid() == 0 };
    let level = if is_root { "E" } else { "D" };
    let output = attack(&FEW, &["--level", level]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("isolation {level}: not to be had")),
        "{said}"
    );
}

#[test]
fn without_a_box_every_control_is_seen_to_succeed() {
    let output = attack(
        &[
            "include-str",
            "kill-a-bystander",
            "posix-leftovers",
            "read-secrets",
        ],
        &["--i-trust-this-code"],
    );
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("0 held, 4 breached"), "{said}");
    assert!(said.contains("0 left behind"), "{said}");
}

#[test]
fn an_attack_that_nobody_wrote_is_an_error() {
    let output = attack(&["no-such-attack"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no attack is called no-such-attack"));
}

/// A class of these attacks, by name, or of all if none is named.
fn class(folder: &Path, attacks: &[&str]) -> PathBuf {
    let class = folder.join("submissions");
    let names: Vec<String> = attacks.iter().map(|name| (*name).to_owned()).collect();
    std::fs::create_dir(&class).expect("the course and the disk are in order");
    pipeline::hand_in(
        &pipeline::Course::open(root()).expect("the course and the disk are in order"),
        &names,
        &class,
    )
    .expect("the course and the disk are in order");
    class
}

/// Adds an honest submission: the reference as a student who has done everything would have it.
fn add_reference(class: &Path, name: &str, lab: &str) {
    let labs = authoring::lab::discover(root()).expect("the course and the disk are in order");
    let known = labs.iter().find(|its| its.name == lab).expect("a lab");
    let sources = authoring::student::complete(
        known,
        &known
            .sources(root())
            .expect("the course and the disk are in order"),
    )
    .expect("the course and the disk are in order");
    for file in &known.editable {
        add(
            &class.join(name).join(lab).join(file),
            sources[file].as_bytes(),
        );
    }
}

/// Adds an honest submission of one lab: somebody's own work, from the sample class.
fn add_sample(class: &Path, name: &str, from: &str, lab: &str) {
    let samples = root().join("grader/fixtures/class/submissions");
    let src = samples.join(from).join("src");
    for entry in std::fs::read_dir(src).expect("a sample") {
        let path = entry.expect("the course and the disk are in order").path();
        let file = class.join(name).join(lab).join("src");
        add(
            &file.join(path.file_name().expect("a file")),
            &std::fs::read(&path).expect("the course and the disk are in order"),
        );
    }
}

fn add(path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("a file is in a folder");
    std::fs::create_dir_all(folder).expect("the course and the disk are in order");
    std::fs::write(path, bytes).expect("the course and the disk are in order");
}

/// Grades a class and returns its results.
fn graded(class: &Path, run: &Path, more: &[&str]) -> Value {
    let killed_before = sandbox::killed_for_memory();
    let output = Command::new(env!("CARGO_BIN_EXE_grader"))
        .args(["grade", "--quiet"])
        .args(more)
        .arg(class)
        .arg("--run")
        .arg(run)
        .current_dir(root())
        .output()
        .expect("the course and the disk are in order");
    let results = std::fs::read(run.join("results.json")).expect("there are results");
    let results: Value = serde_json::from_slice(&results).expect("they are JSON");
    // Only level A bounds what a submission takes of the machine's memory. Where it was all taken, a
    // verdict program may have been killed twice; honest marks must not change even then.
    let was_short = killed_before != sandbox::killed_for_memory() && results["isolation"] != "A";
    let faults = faults(&results);
    assert!(
        output.status.success() || was_short,
        "{}{faults:#?}",
        said(&output)
    );
    results
}

/// What the grader could not judge.
fn faults(results: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for submission in results["submissions"].as_array().expect("a list") {
        for lab in submission["labs"].as_array().expect("a list") {
            let tests = lab["tests"].as_array().into_iter().flatten();
            let all = std::iter::once(lab).chain(tests);
            let is_fault = |it: &&Value| it.to_string().contains("grader_fault");
            faults.extend(
                all.filter(is_fault)
                    .map(|it| format!("{}: {it:#}", submission["id"])),
            );
        }
    }
    faults
}

/// So many honest submissions have the full marks of so many tests each, and nobody's words can
/// steer whoever reads them.
fn check_class(results: &Value, run: &Path, n_honest: usize, n_tests: usize) {
    let submissions = results["submissions"].as_array().expect("a list");
    let honest: Vec<&Value> = submissions
        .iter()
        .filter(|it| it["id"].as_str().expect("a text").starts_with("honest"))
        .collect();
    assert_eq!(honest.len(), n_honest, "{results:#}");
    for submission in honest {
        let labs = submission["labs"].as_array().expect("a list");
        let graded: Vec<&Value> = labs
            .iter()
            .filter(|lab| lab["status"] == "graded")
            .collect();
        let [lab] = graded[..] else {
            panic!("one lab was handed in: {submission:#}")
        };
        let tests = lab["tests"].as_array().expect("a list");
        assert!(tests.len() >= n_tests, "{submission:#}");
        for test in tests {
            assert_eq!(test["outcome"], "pass", "{}: {test:#}", submission["id"]);
            assert_eq!(test["score"], test["max_score"], "{test:#}");
        }
    }
    let mut reports = vec![run.join("report.html"), run.join("grades.csv")];
    let feedback =
        std::fs::read_dir(run.join("feedback")).expect("the course and the disk are in order");
    reports
        .extend(feedback.map(|entry| entry.expect("the course and the disk are in order").path()));
    for report in reports {
        let text = std::fs::read_to_string(&report).expect("the course and the disk are in order");
        let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        assert!(!text.contains(steers), "control characters in {report:?}");
        // In Markdown, a block of code may quote what it likes, and has to be one.
        let mut in_code = false;
        for line in text.lines() {
            in_code ^= line.trim_start().starts_with("```");
            let is_script = line.contains("<script>alert");
            assert!(!is_script || in_code, "a script in {report:?}: {line}");
        }
    }
}

#[test]
fn a_class_full_of_attacks_leaves_honest_marks_alone() {
    let folder = tempfile::tempdir().unwrap();
    let attacks = [
        "archive-device",
        "archive-gzip-bomb",
        "daemon",
        "disk-flood",
        "escape-codes",
        "forged-fault",
        "hostile-diagnostics",
        "kill-everybody",
        "nested-parentheses",
        "process-hog",
        "shared-memory-flood",
        "signal-queue-flood",
    ];
    let class = class(folder.path(), &attacks);
    add_reference(&class, "honest-one", "pipes");
    add_sample(&class, "honest-two", "solved-differently/pipes", "pipes");
    let run = folder.path().join("run");
    // Of the attacks, the tests they were made for; the honest would take the others as well.
    let tests = [
        "--lab",
        "pipes",
        "--test",
        "an_end_inside_a_record_is_bad_data",
        "--test",
        "the_longest_record_fits_and_a_longer_one_writes_nothing",
    ];
    check_class(&graded(&class, &run, &tests), &run, 2, 2);
}

/// Takes many minutes: `cargo test -p grader --test attacks -- --ignored`.
#[test]
#[ignore = "the whole corpus and five honest submissions, with the whole rubric of every lab"]
fn the_whole_corpus_as_one_class_leaves_honest_marks_alone() {
    let folder = tempfile::tempdir().unwrap();
    let class = class(folder.path(), &[]);
    assert!(std::fs::read_dir(&class).unwrap().count() >= 45);
    add_reference(&class, "honest-pipes", "pipes");
    add_reference(&class, "honest-echo", "socket-echo");
    for (name, from, lab) in [
        ("honest-signals", "solved-differently/signals", "signals"),
        ("honest-chat", "solved/labs/fifo-chat", "fifo-chat"),
        ("honest-shm", "solved-differently/shm", "shm"),
    ] {
        add_sample(&class, name, from, lab);
    }
    let run = folder.path().join("run");
    check_class(&graded(&class, &run, &[]), &run, 5, 16);
}

#[test]
fn every_attack_proves_a_promise_of_the_threat_model() {
    let page = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let folders = std::fs::read_dir(root().join("grader/attacks")).unwrap();
    let names = folders
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap());
    let unnamed: Vec<String> = names
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(unnamed.is_empty(), "not in the threat model: {unnamed:?}");
}
