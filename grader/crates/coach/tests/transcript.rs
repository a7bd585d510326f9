//! Handouts that keep what they promise, and some that do not.

use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use coach::transcript::{Counts, replay};
use instruments::proc::all_processes;

/// Replays one block with these lines; gives the counts, or what the panic says.
fn session(lines: &str) -> Result<Counts, String> {
    handout(&format!("# A lab\n\n```console\n{lines}\n```\n"))
}

fn handout(text: &str) -> Result<Counts, String> {
    let folder = tempfile::tempdir().expect("make a folder");
    let readme = folder.path().join("README.md");
    fs::write(&readme, text).expect("write the handout");
    catch_unwind(|| replay(&readme, &[("cat2", Path::new("/bin/cat"))])).map_err(|panic| {
        panic
            .downcast_ref::<String>()
            .expect("a message")
            .replace(folder.path().to_str().expect("a path in UTF-8"), "")
    })
}

#[track_caller]
fn passes(lines: &str) {
    assert_eq!(
        session(lines),
        Ok(Counts {
            replayed: 1,
            skipped: 0
        })
    );
}

#[test]
fn both_outputs_come_in_their_order_and_programs_are_called_by_name() {
    passes("$ echo one; echo two >&2; echo three | cat2\none\ntwo\nthree");
}

#[test]
fn a_session_is_one_shell_in_an_empty_folder() {
    passes("$ ls\n$ x=5\n$ echo $x > file; ls\nfile\n$ false\n$ echo $? $(cat file)\n1 5");
}

#[test]
fn a_command_goes_on_over_several_lines() {
    passes("$ for i in 1 2; do\n>   echo $i\n> done\n1\n2\n$ cat <<E\n> two\n> E\ntwo");
}

#[test]
fn output_without_a_newline_and_open_places_are_compared_too() {
    passes("$ printf half\nhalf\n$ echo pid $$ ends\npid [..] ends\n$ seq 9\n1\n...\n9");
}

#[test]
fn a_job_in_the_background_does_not_keep_the_session_open() {
    let seconds = format!("1000.{}", std::process::id());
    passes(&format!("$ sleep {seconds} & echo started\nstarted"));
    let sleeps = |pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line == format!("sleep\0{seconds}\0").as_bytes()
    };
    assert!(
        !all_processes()
            .into_iter()
            .any(|p| !p.has_ended() && sleeps(p.pid()))
    );
}

#[test]
fn another_output_is_told_with_its_line() {
    let fault = session("$ true\n$ echo yes\nno").expect_err("another output");
    assert_eq!(
        fault,
        "\n/README.md:5: `$ echo yes`\nexpected:\n    no\ngot:\n    yes\n"
    );
}

#[test]
fn a_shell_that_ends_early_is_told() {
    let fault = session("$ echo last words; exit 3\nlast words\n$ echo more\nmore");
    let fault = fault.expect_err("commands are left");
    assert!(
        fault.contains("README.md:4: the shell ended before or in"),
        "{fault}"
    );
    assert!(fault.contains("last words"), "{fault}");
}

#[test]
fn a_missing_tool_skips_its_block_only() {
    let block = "```console\n$ true\n```\n";
    let text = format!("<!-- needs: sh, no-such-tool -->\n{block}<!-- needs: sh -->\n{block}");
    assert_eq!(
        handout(&text),
        Ok(Counts {
            replayed: 1,
            skipped: 1
        })
    );
}

#[test]
fn a_session_that_hangs_is_explained() {
    if env::var_os("INSIDE").is_some() {
        session("$ true\n$ echo first; mkfifo f; cat < f\nfirst")
            .map(|_| ())
            .unwrap();
        return;
    }
    // A deadline of its own, which the other tests here must not share.
    let itself = std::process::Command::new(env::current_exe().unwrap())
        .args([
            "a_session_that_hangs_is_explained",
            "--exact",
            "--nocapture",
        ])
        .env("INSIDE", "1")
        .env("COACH_DEADLINE", "0.5")
        .output()
        .unwrap();
    let text = String::from_utf8(itself.stderr).unwrap();
    assert!(!itself.status.success());
    for phrase in [
        "README.md:5: `$ echo first",
        "it never ended",
        "O_RDONLY) on a FIFO",
    ] {
        assert!(text.contains(phrase), "no {phrase:?} in\n{text}");
    }
}
