//! What goes wrong in front of a TA: each time an exit code of 1, a message that names the thing
//! and says what to do, and nothing lost of what was graded before.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use assert_cmd::assert::Assert;
use model::{Gradebook, LabStatus, Outcome};
use predicates::prelude::*;
use tempfile::TempDir;

/// A test that takes next to no time.
const CHEAP: &str = "the_longest_record_fits_and_a_longer_one_writes_nothing";

/// A folder with `submissions` and `run` in it.
struct Desk(TempDir);

impl Desk {
    /// A desk with these empty archives handed in: the cheapest submissions there are.
    fn with_empty_archives(ids: &[&str]) -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(desk.submissions()).expect("a folder");
        for id in ids {
            desk.hand_in(&format!("{id}.zip"), EMPTY_ZIP);
        }
        desk
    }

    fn submissions(&self) -> PathBuf {
        self.0.path().join("submissions")
    }

    fn run(&self) -> PathBuf {
        self.0.path().join("run")
    }

    fn hand_in(&self, path: &str, bytes: &[u8]) {
        let file = self.submissions().join(path);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
        fs::write(file, bytes).expect("a file");
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.run().join("journal.jsonl")).expect("a journal")
    }

    fn gradebook(&self) -> Gradebook {
        let results = fs::read(self.run().join("results.json")).expect("results");
        serde_json::from_slice(&results).expect("a gradebook")
    }

    fn grade(&self) -> Assert {
        self.grade_with(&["--lab", "pipes", "--test", CHEAP])
    }

    fn grade_with(&self, args: &[&str]) -> Assert {
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
            .arg("grade")
            .arg(self.submissions())
            .arg("--run")
            .arg(self.run())
            .args(args)
            .assert()
    }
}

const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The first lab, solved.
fn solved_pipes() -> Vec<u8> {
    let solved = "fixtures/class/submissions/solved/labs/pipes/src/lib.rs";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(solved)).expect("the sample class")
}

/// An error of exit code 1 whose message holds all of these words.
fn refused(grade: Assert, words: &[&str]) {
    let mut grade = grade.code(1);
    for word in words {
        grade = grade.stderr(predicate::str::contains(*word));
    }
}

#[test]
fn a_missing_submissions_folder_is_named() {
    let desk = Desk::with_empty_archives(&[]);
    fs::remove_dir(desk.submissions()).unwrap();
    let folder = desk.submissions();
    refused(
        desk.grade(),
        &[folder.to_str().unwrap(), "No such file or directory"],
    );
    assert!(!desk.run().exists(), "nothing was graded, nothing is left");
}

#[test]
fn an_empty_submissions_folder_says_what_belongs_there() {
    let desk = Desk::with_empty_archives(&[]);
    let folder = desk.submissions();
    refused(
        desk.grade(),
        &[folder.to_str().unwrap(), "no submissions", "<lab>/src/*.rs"],
    );
}

#[test]
fn an_unknown_lab_or_test_is_named_with_those_there_are() {
    let desk = Desk::with_empty_archives(&["amy"]);
    refused(desk.grade_with(&["--lab", "pipse"]), &["pipse", "pipes"]);
    refused(
        desk.grade_with(&["--lab", "pipes", "--test", "no_such_test"]),
        &["no_such_test", CHEAP],
    );
}

#[test]
fn two_submissions_of_one_name_are_both_named() {
    let desk = Desk::with_empty_archives(&["amy"]);
    desk.hand_in("amy/pipes/src/lib.rs", b"");
    refused(
        desk.grade(),
        &[
            "called amy",
            "submissions/amy ",
            "submissions/amy.zip",
            "rename",
        ],
    );
}

#[test]
fn an_unreadable_archive_is_rejected_and_the_others_are_graded() {
    let desk = Desk::with_empty_archives(&[]);
    desk.hand_in("amy.zip", b"PK\x03\x04 and then the connection broke");
    desk.hand_in("bob.tar.gz", &[0x1f, 0x8b, 8, 0, 0, 0]);
    desk.hand_in("cid.rar", b"Rar!\x1a\x07\x01\x00");
    desk.hand_in("dan/pipes/src/lib.rs", &solved_pipes());
    desk.grade().code(0);

    let marks = desk.gradebook();
    let lab = |n: usize| &marks.submissions[n].labs[0];
    for (n, reason) in [
        (0, "the archive cannot be read"),
        (1, "the archive cannot be read"),
        (2, "neither a folder nor a .zip or .tar.gz"),
    ] {
        assert_eq!(lab(n).status, LabStatus::Rejected);
        assert!(lab(n).detail.contains(reason), "{}", lab(n).detail);
    }
    let tests = &lab(3).tests;
    let cheap = tests.iter().find(|test| test.id == CHEAP);
    assert_eq!(cheap.unwrap().outcome, Outcome::Pass);
}

#[test]
fn a_run_of_another_course_version_is_refused_and_kept() {
    let desk = Desk::with_empty_archives(&["amy"]);
    desk.grade().code(0);
    let path = desk.run().join("journal.jsonl");
    let ours = desk.journal();
    for (from, to, words) in [
        (
            "\"course\":\"",
            "\"course\":\"f00d",
            ["another version of this course", "new --run"],
        ),
        (
            "\"version\":1,",
            "\"version\":99,",
            ["has version 99", "new --run"],
        ),
    ] {
        let theirs = ours.replacen(from, to, 1);
        assert_ne!(theirs, ours);
        fs::write(&path, &theirs).unwrap();
        let run = desk.run();
        refused(desk.grade(), &[words[0], words[1], run.to_str().unwrap()]);
        assert_eq!(desk.journal(), theirs, "a journal of others is left alone");
    }
}

#[test]
fn two_graders_do_not_work_in_one_run() {
    let desk = Desk::with_empty_archives(&["amy"]);
    desk.grade().code(0);
    let before = desk.journal();
    let lock = File::open(desk.run().join(".lock")).unwrap();
    lock.lock().unwrap();
    let run = desk.run();
    refused(
        desk.grade(),
        &["another grader is working", run.to_str().unwrap()],
    );
    assert_eq!(desk.journal(), before);
    drop(lock);
    desk.grade().code(0);
}

#[test]
fn a_full_disk_loses_nothing_that_was_graded() {
    let desk = Desk::with_empty_archives(&["amy"]);
    fs::create_dir(desk.run()).unwrap();
    // No code comes with these, and a box cannot be opened in every user namespace.
    // So much to note that the journal's last page cannot take it.
    for n in 0..40 {
        fs::write(desk.0.path().join(format!("later-{n}.zip")), EMPTY_ZIP).unwrap();
    }
    let Some(mut shell) = shell_with_mounts() else {
        eprintln!("skipped: neither root nor user namespaces, so no small disk to fill");
        return;
    };
    let grader = env!("CARGO_BIN_EXE_grader");
    let script = format!(
        "set -e
         cd {}
         mount -t tmpfs -o size=512k tmpfs run
         grade() {{
             {grader} grade submissions --run run --lab pipes --test {CHEAP} --i-trust-this-code
         }}
         grade
         mv later-*.zip submissions
         dd if=/dev/zero of=run/filler bs=4k status=none 2>/dev/null || true
         code=0; grade 2>error || code=$?
         echo $code >code
         rm run/filler
         grade 2>resumed
         cp run/results.json .",
        desk.0.path().display()
    );
    let output = shell.arg(script).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = |name: &str| fs::read_to_string(desk.0.path().join(name)).unwrap();
    assert_eq!(text("code"), "1\n");
    let error = text("error");
    for word in [
        "run/journal.jsonl",
        "No space left on device",
        "is kept",
        "the same command",
    ] {
        assert!(error.contains(word), "{word}\n{error}");
    }
    let resumed = text("resumed");
    assert!(resumed.contains("resuming: "), "{resumed}");
    let marks: Gradebook = serde_json::from_str(&text("results.json")).unwrap();
    assert_eq!(marks.submissions.len(), 41);
}

#[test]
fn a_full_disk_for_builds_is_our_fault_and_open_until_somebody_decides() {
    let desk = Desk::with_empty_archives(&[]);
    desk.hand_in("dan/pipes/src/lib.rs", &solved_pipes());
    fs::create_dir(desk.0.path().join("tmp")).unwrap();
    let Some(mut shell) = shell_with_mounts() else {
        eprintln!("skipped: neither root nor user namespaces, so no small disk to fill");
        return;
    };
    let grader = env!("CARGO_BIN_EXE_grader");
    let script = format!(
        "set -e
         cd {}
         grade() {{
             {grader} grade submissions --run run --lab pipes --test {CHEAP} --i-trust-this-code
         }}
         mount -t tmpfs -o size=256k tmpfs tmp
         code=0; TMPDIR=$PWD/tmp grade || code=$?
         echo $code >code
         cp run/results.json before
         echo '[[override]]
submission = \"dan\"
lab = \"pipes\"
points = 5
author = \"Grace\"
reason = \"read by hand\"' >run/course.toml
         TMPDIR=$PWD/tmp grade
         rm run/course.toml
         umount tmp
         TMPDIR=$PWD/tmp grade",
        desk.0.path().display()
    );
    let output = shell.arg(script).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let text = |name: &str| fs::read_to_string(desk.0.path().join(name)).unwrap();
    assert_eq!(text("code"), "3\n", "{words}");
    assert!(words.contains("not final"), "{words}");
    let before: Gradebook = serde_json::from_str(&text("before")).unwrap();
    let lab = &before.submissions[0].labs[0];
    assert_eq!(lab.status, LabStatus::GraderFault, "{}", lab.detail);
    assert!(lab.detail.contains("TMPDIR"), "{}", lab.detail);
    let lab = &desk.gradebook().submissions[0].labs[0];
    assert_eq!(lab.status, LabStatus::Graded, "{}", lab.detail);
}

#[test]
fn a_read_only_run_is_named_before_anything_is_built() {
    let desk = Desk::with_empty_archives(&["amy"]);
    desk.grade().code(0);
    let before = desk.journal();
    let Some(mut shell) = shell_with_mounts() else {
        eprintln!("skipped: neither root nor user namespaces, so no read-only disk");
        return;
    };
    let script = format!(
        "set -e
         cd {}
         mount --bind run run
         mount -o remount,bind,ro run
         code=0; {} grade submissions --run run --lab pipes --i-trust-this-code 2>error || code=$?
         echo $code >code",
        desk.0.path().display(),
        env!("CARGO_BIN_EXE_grader")
    );
    // Root of a user namespace may not open every box; nothing is run here that needs one.
    let output = shell.arg(script).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let text = |name: &str| fs::read_to_string(desk.0.path().join(name)).unwrap();
    assert_eq!(text("code"), "1\n");
    let error = text("error");
    for word in ["run/", "Read-only file system", "choose a --run folder"] {
        assert!(error.contains(word), "{word}\n{error}");
    }
    assert!(!error.contains("preparing"), "{error}");
    assert_eq!(desk.journal(), before);
}

/// Everything on the disk is from the future: what a clock that was set back looks like.
#[test]
fn a_clock_that_went_back_neither_loses_nor_repeats_anything() {
    let desk = Desk::with_empty_archives(&["amy", "bob"]);
    desk.grade().code(0);
    let (journal, marks) = (desk.journal(), desk.gradebook());
    let future = SystemTime::now() + Duration::from_secs(10 * 365 * 24 * 3600);
    for folder in [desk.submissions(), desk.run(), desk.run().join("feedback")] {
        for entry in fs::read_dir(folder).unwrap() {
            let file = File::open(entry.unwrap().path()).unwrap();
            file.set_modified(future).unwrap();
        }
    }
    desk.hand_in("cid.zip", EMPTY_ZIP);
    desk.grade()
        .code(0)
        .stderr(predicate::str::contains("resuming: 2 of 3 labs are done"));
    assert!(desk.journal().starts_with(&journal), "appended to, no more");
    let submissions = desk.gradebook().submissions;
    assert_eq!(submissions[..2], marks.submissions);
    assert_eq!(submissions.len(), 3, "reports are replaced, however old");
}

#[test]
fn a_journal_cut_inside_its_last_record_is_repaired_and_said_so() {
    let desk = Desk::with_empty_archives(&["amy", "bob"]);
    desk.grade().code(0);
    let marks = desk.gradebook();
    let whole = desk.journal();
    let cut = &whole[..whole.len() - 20];
    fs::write(desk.run().join("journal.jsonl"), cut).unwrap();
    desk.grade()
        .code(0)
        .stderr(predicate::str::contains(
            "was cut short and has been dropped",
        ))
        .stderr(predicate::str::contains("resuming: 1 of 2 labs are done"));
    assert_eq!(desk.gradebook(), marks);
}

/// A shell that may mount, and whose mounts nobody else sees.
fn shell_with_mounts() -> Option<Command> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--user", "--map-root-user"]];
    ways.into_iter()
        .map(|args| {
            let mut unshare = Command::new("unshare");
            unshare.args(args).args(["sh", "-c"]);
            unshare
        })
        .find_map(|shell| {
            let mut trial = Command::new(shell.get_program());
            trial.args(shell.get_args());
            let works = trial.arg("mount -t tmpfs tmpfs /tmp").output();
            works
                .is_ok_and(|output| output.status.success())
                .then_some(shell)
        })
}
