//! What a student reads when a public test is red: each of them has been seen failing against a
//! fitting mistake, and its words are kept in `grader/labs/<lab>/public/<test>.txt`.
//!
//! The mistakes of a lab are one crate, `public/mistakes.patch` on the solution, and the variable
//! `MISTAKE` chooses one of them: so a lab is built once and not once for each test. The tests run
//! as plain `cargo test` runs them, in a published tree. After a change of words, write the files
//! anew and read the difference:
//!
//! ```text
//! WRITE_MESSAGES=1 cargo test -p grader --test messages && git diff grader/labs/*/public
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, fs, thread};

use authoring::lab::Lab;
use authoring::{lab, student, wrong};
use coach::record::{self, Entry, Taught};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

/// A student's tree whose labs make mistakes. It stays where it is from one run to the next, so
/// that little is compiled again.
fn tree_with_mistakes(labs: &[Lab]) -> PathBuf {
    let tree = root().join("target/student-mistakes");
    // What the last run changed in it must not be taken for a student's work.
    let _none = fs::remove_dir_all(tree.join("labs"));
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
        .arg("publish")
        .arg(&tree)
        .assert()
        .success();
    for lab in labs {
        let sources = lab.sources(root()).expect("the solution");
        let patches = wrong::read_dir(&folder(lab)).expect("public/mistakes.patch");
        let [mistakes] = patches.as_slice() else {
            panic!("{}: one patch holds all mistakes", lab.name);
        };
        let sources = mistakes.apply(&sources).expect("the patch applies");
        let sources = student::complete(lab, &sources).expect("the markers are in order");
        for (path, text) in sources {
            let path = tree.join("labs").join(&lab.name).join(path);
            // A file that is as it was keeps its age, and cargo its work.
            fs::write(path, text).expect("write the lab");
        }
    }
    tree
}

/// Not shared with other trees: cargo tells packages apart by their place in the tree, so one would
/// run what the other has built.
fn target() -> PathBuf {
    root().join("target/student-mistakes-build")
}

fn folder(lab: &Lab) -> PathBuf {
    root().join("grader/labs").join(&lab.name).join("public")
}

/// The programs that hold the public tests, by lab.
fn build(tree: &Path, labs: &[Lab]) -> Vec<(String, PathBuf)> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--locked", "--no-run", "--test", "public"]);
    command.arg("--message-format=json-render-diagnostics");
    for lab in labs {
        command.args(["-p", &lab.name]);
    }
    let output = command
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target())
        .env_remove("CARGO_MANIFEST_DIR")
        .stderr(Stdio::piped())
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artifacts
        .filter(|artifact| artifact["target"]["name"] == "public")
        .filter_map(|artifact| {
            let manifest = Path::new(artifact["manifest_path"].as_str()?);
            let lab = manifest.parent()?.file_name()?.to_str()?.to_owned();
            Some((lab, PathBuf::from(artifact["executable"].as_str()?)))
        })
        .collect()
}

fn names(program: &Path) -> Vec<String> {
    let listed = Command::new(program)
        .args(["--list", "--format=terse"])
        .output();
    let listed = listed.expect("the tests list themselves").stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// What is shown when `test` meets the mistake that is made for it; none if it passes.
fn message(program: &Path, test: &str) -> Option<String> {
    let output = Command::new(program)
        .args(["--exact", test])
        .current_dir(env::temp_dir())
        .env("MISTAKE", test)
        .env("COACH_DEADLINE", "4")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the test starts");
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let heading = format!("---- {test} stdout ----\n");
    let own = said.split_once(&heading).map_or(&*said, |(_, own)| own);
    let own = own.split("\n\nfailures:\n").next().unwrap_or_default();
    Some(normal(own.trim()) + "\n")
}

/// The text without what differs from run to run and from machine to machine.
fn normal(text: &str) -> String {
    let target = target().display().to_string();
    let text = text.replace(&target, "TARGET");
    let lines = text.lines().filter(|line| {
        let is_note = line.starts_with("note: run with `RUST_BACKTRACE");
        // Numbers of threads, and where in a file that students do not open.
        !is_note && !line.starts_with("thread '")
    });
    let lines: Vec<String> = lines
        .map(|line| without_numbers(&without_temporary_names(line)))
        .collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// `/tmp/.tmpFrP1P9/hub.fifo` is `TEMPORARY/hub.fifo`.
fn without_temporary_names(line: &str) -> String {
    let start = env::temp_dir().join(".tmp").display().to_string();
    let mut pieces = line.split(&start);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |line, piece| {
        let own: String = piece.chars().skip(6).collect();
        line + "TEMPORARY" + &own
    })
}

/// Pids, times, ports, counters and the like become `N`; numbers that a test speaks of stay.
fn without_numbers(line: &str) -> String {
    let is_measured = MEASURED.iter().any(|sign| line.contains(sign));
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..start]);
        let number = rest[start..].split(|c: char| !c.is_ascii_digit()).next();
        let mut number = number.unwrap_or_default();
        let fraction = &rest[start + number.len()..];
        if let Some(digits) = fraction.strip_prefix('.')
            && digits.starts_with(|c: char| c.is_ascii_digit())
        {
            let n_digits = digits.chars().take_while(char::is_ascii_digit).count();
            number = &rest[start..start + number.len() + 1 + n_digits];
        }
        let is_long = number.len() > 2 && !KEPT.contains(&number);
        out.push_str(if is_measured || is_long { "N" } else { number });
        rest = &rest[start + number.len()..];
    }
    out + rest
}

/// In a line with one of these, every number is the machine's.
const MEASURED: [&str; 5] = ["(pid ", "\"cpu_us\"", "still waiting after", "Pid(", "µs"];

/// Sizes, modes, errors and exit codes that tests speak of.
const KEPT: [&str; 13] = [
    "100", "101", "110", "111", "143", "600", "640", "4092", "4096", "5000", "65536", "1048576",
    "50331648",
];

#[test]
fn each_public_test_fails_with_its_words_against_a_fitting_mistake() {
    let labs = lab::discover(root()).unwrap();
    let tree = tree_with_mistakes(&labs);
    let programs = build(&tree, &labs);
    assert_eq!(programs.len(), labs.len(), "each lab has public tests");
    let cases: Vec<(&str, &Path, String)> = programs
        .iter()
        .flat_map(|(lab, program)| {
            let names = names(program).into_iter();
            names.map(move |test| (lab.as_str(), program.as_path(), test))
        })
        .collect();
    for (lab, program) in &programs {
        let lessons = lessons(program);
        assert_eq!(
            lessons.len(),
            names(program).len(),
            "{lab}: one lesson a test"
        );
        for taught in lessons {
            let words = [&taught.why, &taught.read, &taught.again].into_iter();
            let is_told = words.chain(&taught.hints).all(|text| !text.is_empty());
            assert!(is_told && taught.part > 0, "{lab}: {taught:?}");
        }
    }
    let queue = Mutex::new(cases.iter());
    let wrong = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        // They mostly wait.
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((lab, program, test)) = next else {
                        return;
                    };
                    if let Some(complaint) = compare(lab, program, test) {
                        wrong.lock().unwrap().insert(complaint);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{}\n\nIf the new words are right: WRITE_MESSAGES=1 cargo test -p grader --test messages",
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
    assert!(cases.len() >= 45, "{} public tests", cases.len());
}

fn compare(lab: &str, program: &Path, test: &str) -> Option<String> {
    let path = root()
        .join("grader/labs")
        .join(lab)
        .join(format!("public/{test}.txt"));
    let Some(said) = message(program, test) else {
        return Some(format!("{lab} {test} passes with its mistake"));
    };
    if env::var_os("WRITE_MESSAGES").is_some() {
        fs::write(&path, &said).expect("write the message");
        return None;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    (kept != said).then(|| {
        format!(
            "{lab} {test} says:\n{said}\nand {} has:\n{kept}",
            path.display()
        )
    })
}

/// What the tests of a program teach, told without running them.
fn lessons(program: &Path) -> Vec<Taught> {
    let record = tempfile::NamedTempFile::new().expect("a file for the lessons");
    let told = Command::new(program)
        .env(record::RECORD, record.path())
        .env(record::LESSONS_ONLY, "1")
        .output()
        .expect("the tests start");
    assert!(told.status.success(), "{}: {told:?}", program.display());
    let text = fs::read_to_string(record.path()).expect("the lessons");
    let entries = record::entries(&text).into_iter();
    let lessons = entries.map(|entry| match entry {
        Entry::Lesson(taught) => taught,
        other => panic!("a test that only tells its lesson told {other:?}"),
    });
    lessons.collect()
}

#[test]
fn every_kept_message_belongs_to_a_public_test() {
    for lab in lab::discover(root()).unwrap() {
        let tests = fs::read_to_string(root().join(&lab.dir).join("tests/public.rs")).unwrap();
        for entry in fs::read_dir(folder(&lab)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(test) = name.strip_suffix(".txt") else {
                continue;
            };
            assert!(
                tests.contains(&format!("fn {test}()")),
                "{} has a message for {test}, which is no test",
                lab.name
            );
        }
    }
}
