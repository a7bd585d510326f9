//! What looking at a finished run takes: little memory, however large the class and whatever its
//! submissions said. The peak is the kernel's own figure of a process that was waited for.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]
#![expect(
    clippy::print_stderr,
    reason = "the figures are what the large run is for"
)]

#[path = "browser/class.rs"]
mod class;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Most memory that a grader may have, in MiB.
const GOAL: u64 = 100;

/// The most memory, in MiB, that the grader had in a call that ends with this code.
fn peak(args: &[&str], expected: i32) -> u64 {
    let mut grader = Command::new(env!("CARGO_BIN_EXE_grader"));
    let grader = grader.args(args).stdout(Stdio::null());
    let id = grader.spawn().unwrap().id().cast_signed();
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::uninit());
    // SAFETY: both places are ours and large enough, and nobody else waits for this child.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!(waited, id, "{}", io::Error::last_os_error());
    assert!(libc::WIFEXITED(status), "status {status}");
    assert_eq!(libc::WEXITSTATUS(status), expected, "{args:?}");
    // SAFETY: wait4 has succeeded, so it has filled it in.
    let kib = unsafe { usage.assume_init() }.ru_maxrss;
    u64::try_from(kib).unwrap() / 1024
}

/// Everything that looks at a run of so many submissions with five labs, each below the limit.
fn looking_takes_at_most(limit: u64, n_submissions: usize) {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    for run in [&a, &b] {
        fs::create_dir(run).unwrap();
    }
    class::write_journal(&a.join("journal.jsonl"), n_submissions, 5, 23);
    // Where one run has a pass, the other has none: as many differences as there can be. Line by
    // line, because a process begins with the peak of the one that started it.
    let journal = BufReader::new(File::open(a.join("journal.jsonl")).unwrap());
    let mut turned = BufWriter::new(File::create(b.join("journal.jsonl")).unwrap());
    for line in journal.lines() {
        let line = line.unwrap();
        let line = line.replace(r#""outcome":"pass""#, r#""outcome":"leak""#);
        writeln!(turned, "{line}").unwrap();
    }
    turned.into_inner().unwrap();
    let [a, b] = [&a, &b].map(|run| run.to_str().unwrap());
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let gradescope = shown(&folder.path().join("gradescope"));
    let test = "the_end_of_stream_number_4_reaches_the_last_stage";
    let mut calls = vec![
        (vec!["report", a], 0),
        (
            vec![
                "report",
                b,
                "--format",
                "gradescope",
                "--output",
                &gradescope,
            ],
            0,
        ),
        (vec!["diff", a, b], 1),
        (
            vec!["explain", a, "student-0009", test, "--lab", "lab-0"],
            0,
        ),
    ];
    // Where nobody passes anything, there is most to tell.
    for format in ["html", "csv", "json", "junit", "markdown"] {
        calls.push((vec!["report", b, "--format", format], 0));
    }
    for (args, code) in calls {
        let peak = peak(&args, code);
        let words: Vec<&str> = args
            .iter()
            .copied()
            .filter(|word| !word.starts_with('/'))
            .collect();
        eprintln!(
            "{n_submissions} submissions: {}: {peak} MiB",
            words.join(" ")
        );
        assert!(peak <= limit, "{args:?} took {peak} MiB, more than {limit}");
    }
}

/// A hundred submissions are a journal of 8 MB. Together they may take what ten times as many may
/// not exceed: what a grader has without any, below 20 MiB, and a tenth of the rest.
#[test]
fn a_small_class_takes_its_share_of_the_memory_that_a_large_one_may() {
    const EMPTY: u64 = 20;
    looking_takes_at_most(EMPTY + (GOAL - EMPTY) / 10, 100);
}

#[test]
#[ignore = "a minute of CPU: `cargo test -p grader --test memory -- --ignored --nocapture`"]
fn a_class_of_a_thousand_with_five_labs_takes_less_than_the_goal() {
    looking_takes_at_most(GOAL, 1000);
}
