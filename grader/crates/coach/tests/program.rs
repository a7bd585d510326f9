//! Running the lab's program to its end, and talking to one that runs.

use coach::{Lesson, Program, wait_until};
use instruments::proc::State;

const TALK: Lesson = Lesson {
    lab: "coach",
    part: 1,
    why: "",
    read: "",
    hints: ["question", "manual", "shape"],
};

fn sh(script: &str) -> Program {
    Program::new(&TALK, "sh").args(["-c", script])
}

#[test]
fn both_outputs_and_the_status_come_back() {
    let output = sh("cat; echo oops >&2; exit 3").run(b"input");
    assert_eq!(output.stdout, b"input");
    assert_eq!(output.stderr, b"oops\n");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn input_larger_than_a_pipe_does_not_block_the_output() {
    let input = vec![7; 3 << 20];
    assert_eq!(Program::new(&TALK, "cat").run(&input).stdout, input);
}

#[test]
fn a_program_that_does_not_read_its_input_is_fine() {
    assert_eq!(sh("echo done").run(&vec![7; 1 << 20]).stdout, b"done\n");
}

#[test]
fn output_beyond_sixteen_mebibytes_is_dropped() {
    assert_eq!(
        sh("head -c 20000000 /dev/zero").run(b"").stdout.len(),
        16 << 20
    );
}

#[test]
fn a_running_program_answers_line_by_line() {
    let mut echo = sh("while read line; do echo \"got $line\"; done; echo end").start();
    echo.write_stdin(b"one\n");
    assert_eq!(echo.read_line_stdout(), "got one");
    echo.write_stdin(b"two\n");
    assert_eq!(echo.read_line_stdout(), "got two");
    echo.close_stdin();
    assert_eq!(echo.read_line_stdout(), "end");
    let output = echo.wait();
    assert_eq!(output.stdout, b"got one\ngot two\nend\n");
    assert!(output.status.success());
}

#[test]
fn a_signal_reaches_it() {
    use std::os::unix::process::ExitStatusExt;
    let sleeper = Program::new(&TALK, "sleep").args(["1004"]).start();
    sleeper.signal(15);
    assert_eq!(sleeper.wait().status.signal(), Some(15));
}

#[test]
fn a_dropped_program_is_killed_with_its_children() {
    let mut shell = sh("sleep 1005 & echo $!; wait").start();
    let child = instruments::Process::new(shell.read_line_stdout().parse().unwrap());
    assert!(!child.has_ended());
    let pid = shell.pid();
    drop(shell);
    assert_eq!(instruments::Process::new(pid).state(), None);
    wait_until(&TALK, "the grandchild is dead", || child.has_ended());
}

#[test]
fn kernel_state_is_waited_for() {
    let cat = Program::new(&TALK, "cat").start();
    wait_until(&TALK, "cat sleeps in read(2)", || cat.process().is_asleep());
    assert_eq!(cat.process().state(), Some(State::Asleep));
    assert!(cat.wait().status.success());
}

#[test]
#[should_panic(expected = "read(2) on its standard output returned 0")]
fn a_line_after_the_end_fails_the_test() {
    sh("printf half").start().read_line_stdout();
}

#[test]
#[should_panic(expected = "starting /nowhere/prog")]
fn a_program_that_is_not_there_fails_the_test() {
    Program::new(&TALK, "/nowhere/prog").run(b"");
}
