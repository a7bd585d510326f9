//! What a student reads when a public test is red, and that nothing is left running.

use std::path::PathBuf;
use std::process::Command;

use instruments::proc::all_processes;

/// Runs one specimen as `cargo test NAME` would and gives everything that is shown.
fn run(name: &str, more: &[&str]) -> (bool, String) {
    run_within("60", name, more)
}

fn run_within(deadline: &str, name: &str, more: &[&str]) -> (bool, String) {
    let output = Command::new(specimens())
        .args([name, "--exact", "--ignored"])
        .args(more)
        .env("COACH_DEADLINE", deadline)
        .env(SPECIMEN, id(name))
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("what this test needs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8(text).expect("what this test needs"),
    )
}

/// The other test binary of this package, built beside this one.
fn specimens() -> PathBuf {
    let here = std::env::current_exe().expect("what this test needs");
    let built = std::fs::read_dir(here.parent().expect("what this test needs"))
        .expect("what this test needs")
        .flatten()
        .filter(|entry| {
            let name = entry
                .file_name()
                .into_string()
                .expect("what this test needs");
            name.starts_with("specimens-") && !name.contains('.')
        });
    built
        .max_by_key(|entry| {
            entry
                .metadata()
                .expect("what this test needs")
                .modified()
                .expect("what this test needs")
        })
        .expect("what this test needs")
        .path()
}

#[track_caller]
fn red(name: &str, phrases: &[&str]) -> String {
    check(run(name, &[]), phrases)
}

/// The same for a specimen that only its deadline ends.
#[track_caller]
fn hangs(name: &str, phrases: &[&str]) {
    check(run_within("2", name, &[]), phrases);
}

#[track_caller]
fn check((passed, text): (bool, String), phrases: &[&str]) -> String {
    assert!(!passed, "{text}");
    for phrase in phrases {
        assert!(text.contains(phrase), "no {phrase:?} in\n{text}");
    }
    text
}

/// Whether anything that this specimen started still runs; children inherit its environment.
fn is_left(specimen: &str) -> bool {
    let wanted = format!("{SPECIMEN}={}", id(specimen));
    all_processes().into_iter().any(|process| {
        let path = format!("/proc/{}/environ", process.pid());
        let environment = std::fs::read(path).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|entry| entry == wanted.as_bytes())
            && !process.has_ended()
    })
}

/// Tells the specimens of this run from those of another.
fn id(specimen: &str) -> String {
    format!("{}-{specimen}", std::process::id())
}

const SPECIMEN: &str = "SPECIMEN";

#[test]
fn a_test_that_passes_passes() {
    let (passed, text) = run("passes", &["--nocapture"]);
    assert!(passed, "{text}");
    assert!(text.contains("said on the way"), "{text}");
}

#[test]
fn it_is_found_one_test_at_a_time_and_in_a_module_too() {
    let (passed, text) = run("passes", &["--test-threads=1"]);
    assert!(passed, "{text}");
    let (passed, text) = run("inner::is_in_a_module", &["--test-threads=1"]);
    assert!(!passed && text.contains("seen in the module"), "{text}");
}

#[test]
fn a_stub_says_so_once_and_points_at_the_test() {
    let text = red("is_not_written_yet", &["tests/specimens.rs:", "FAILED"]);
    assert_eq!(
        text.matches("not yet implemented: pipes part 3").count(),
        1,
        "{text}"
    );
    assert_eq!(text.matches("panicked at").count(), 1, "{text}");
    assert_eq!(text.matches("running 1 test").count(), 1, "{text}");
}

#[test]
fn a_wrong_answer_shows_its_five_fields_once() {
    let text = red(
        "is_wrong",
        &[
            "what: read(2) on an empty pipe",
            "expected: 8",
            "got: 3",
            "why: end-of-file",
            "again: cargo test -p pipes is_wrong",
        ],
    );
    assert_eq!(text.matches("expected: 8").count(), 1, "{text}");
}

#[test]
fn a_hang_names_the_call_its_object_and_the_holder() {
    let text = red(
        "holds_its_own_write_end",
        &[
            "what: the test (pid ",
            "is blocked in read(",
            "which is empty; the write end is still open in: the test (pid ",
            "It holds the write end itself, fd ",
            "so end-of-file can never come",
            "expected: the test ends by itself",
            "nothing runs and no timer is set",
            "got: still waiting after ",
            "why: end-of-file comes when",
            "again: cargo test -p pipes holds_its_own_write_end",
            "tests/specimens.rs:",
        ],
    );
    let at_the_deadline = text.contains("still waiting after 60");
    assert!(!at_the_deadline, "a deadlock needs no deadline: {text}");
}

#[test]
fn nothing_is_left_after_a_hang() {
    hangs(
        "leaves_an_escaped_process_and_hangs",
        &["expected: pigs fly", "got: still waiting"],
    );
    assert!(!is_left("leaves_an_escaped_process_and_hangs"));
}

#[test]
fn nothing_is_left_after_a_pass() {
    let (passed, text) = run("leaves_an_escaped_process_and_passes", &[]);
    assert!(passed, "{text}");
    assert!(!is_left("leaves_an_escaped_process_and_passes"));
}

#[test]
fn a_death_by_signal_is_told_in_kernel_words() {
    red(
        "dies_by_a_signal",
        &["killed by SIGBUS: you touched a page past the end of the object"],
    );
}

#[test]
fn exit_in_the_body_is_not_a_pass() {
    red(
        "ends_early_and_claims_success",
        &["ended before the test did: exit status 0"],
    );
}

#[test]
fn a_second_body_in_the_same_test_runs_too() {
    red("has_a_second_body_that_fails", &["the second body ran"]);
}

#[test]
fn a_body_in_a_function_of_its_own_is_found_by_the_name_of_the_thread() {
    red(
        "calls_through_a_function",
        &["the body of a function that is no test"],
    );
}

#[test]
fn a_signal_to_the_process_meets_the_thread_of_the_body() {
    let (passed, text) = run("gets_its_own_signals", &[]);
    assert!(passed, "{text}");
}

#[test]
fn a_program_that_hangs_is_explained_with_what_it_said() {
    hangs(
        "program_never_ends",
        &[
            "is blocked in wait4",
            "cat (pid ",
            "is blocked in read(0) on pipe:[",
            "the write end is still open in: sleep (pid ",
            "expected: sh ends by itself",
            "its standard error: on my way",
        ],
    );
    assert!(!is_left("program_never_ends"));
}

#[test]
fn a_program_that_leaves_its_output_open_is_told_who_has_it() {
    hangs(
        "program_leaves_its_output_open",
        &["has ended, but its output is still open in: sleep"],
    );
    assert!(!is_left("program_leaves_its_output_open"));
}

#[test]
fn a_line_that_never_comes_is_a_hang() {
    hangs(
        "program_says_nothing",
        &[
            "cat (pid ",
            "is blocked in read(0)",
            "expected: a line on the standard output of cat",
        ],
    );
}
