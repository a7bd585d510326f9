//! Children, signals, time and threads.

use std::process::Command;

use instruments::explain;
use instruments::proc::State;
use libc::SYS_rt_sigtimedwait;
use libc::{SYS_clock_nanosleep, SYS_futex, SYS_read, SYS_rt_sigsuspend, SYS_wait4};

use crate::case::{PAUSE, victim};

#[test]
pub(crate) fn a_parent_that_waits() {
    let case = victim("wait", "")
        .asleep_in("boss", SYS_wait4)
        .asleep_in("worker", PAUSE);
    case.is_stuck_and_says(&[
        "boss (pid ",
        "is blocked in wait4 until child ",
        "its children: worker (pid ",
        "sleeps in pause",
    ]);
}

#[test]
pub(crate) fn a_child_that_nobody_waits_for() {
    let case = victim("zombie", "")
        .in_state(State::Zombie)
        .asleep_in("careless", PAUSE);
    case.says(&[
        "is a zombie: it has ended, and careless (pid ",
        "has not waited for it",
    ]);
}

#[test]
pub(crate) fn a_process_that_was_stopped() {
    let case = victim("stopped", "").in_state(State::Stopped);
    case.is_stuck_and_says(&["is stopped by a signal", "SIGCONT"]);
}

#[test]
pub(crate) fn an_endless_loop() {
    let case = victim("spin", "").in_state(State::Running);
    case.may_end_and_says(&["is running: it used ", " ms of CPU in ", "busy waiting"]);
}

#[test]
pub(crate) fn polling_instead_of_waiting() {
    let case = victim("polling", "").asleep_in("", SYS_clock_nanosleep);
    case.may_end_and_says(&["(clock_nanosleep)", "it polls instead of waiting"]);
}

/// It waits elsewhere, too, and computes a little; a look meets it there every fifth time.
#[test]
pub(crate) fn a_restless_process_is_told_by_its_longest_sleep() {
    let case = victim("restless", "").asleep_in("", SYS_clock_nanosleep);
    for _ in 0..20 {
        case.may_end_and_says(&["(clock_nanosleep)", "it polls instead of waiting"]);
    }
}

#[test]
pub(crate) fn a_plain_sleep() {
    let case = victim("sleep", "").asleep_in("", SYS_clock_nanosleep);
    case.may_end_and_says(&["sleeps for 1234 s (clock_nanosleep)"]);
}

#[test]
pub(crate) fn waiting_for_a_signal() {
    let case = victim("pause", "").asleep_in("", PAUSE);
    case.is_stuck_and_says(&["waits for a signal (pause; none of those it lets in has a handler)"]);
    let case = victim("sigsuspend", "").asleep_in("", SYS_rt_sigsuspend);
    case.is_stuck_and_says(&[
        "waits for a signal (sigsuspend; lets in SIGUSR1); pending and blocked: SIGUSR2",
    ]);
    let case = victim("sigwait", "").asleep_in("", SYS_rt_sigtimedwait);
    case.is_stuck_and_says(&["sigwait for SIGTERM); pending, but not among them: SIGUSR2"]);
}

#[test]
pub(crate) fn the_thread_behind_a_join() {
    let case = victim("join", "")
        .asleep_in("", SYS_futex)
        .asleep_in("", SYS_read);
    case.is_stuck_and_says(&[", thread worker, is blocked in read(3) on pipe:["]);
    assert_eq!(case.autopsy().lines.len(), 1);
}

/// All of them are looked at, and not all of them told.
#[test]
pub(crate) fn a_deadlock_of_many_threads() {
    let case = victim("many-threads", "").until_asleep_in(SYS_read, 20);
    case.is_stuck_and_says(&[", is blocked in read(3) on pipe:["]);
    case.says(&[" has 14 more threads"]);
}

#[test]
pub(crate) fn a_process_that_is_gone() {
    let mut child = Command::new("true").spawn().expect("start true");
    child.wait().expect("wait for it");
    let autopsy = explain(&[child.id().cast_signed()]);
    assert!(
        autopsy.lines.is_empty() && !autopsy.all_asleep_without_timer,
        "{autopsy:?}"
    );
}

#[test]
pub(crate) fn a_process_is_called_by_the_number_it_knows() {
    let script = "exec sh -c 'echo $$; read line'";
    let boxed = [
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "sh",
        "-c",
        script,
    ];
    let mut child = Command::new("unshare")
        .args(boxed)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("start unshare");
    let mut pid = String::new();
    let stdout = child.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut pid).expect("a line");
    // Where namespaces are forbidden there is nothing to see.
    if pid == "1\n" {
        let autopsy = explain(&[child.id().cast_signed()]);
        let text = autopsy.lines.join("\n");
        assert!(
            text.contains("sh (pid 1) is blocked in read(0) on pipe:["),
            "{text}"
        );
    }
    drop(child.stdin.take());
    child.wait().expect("wait for it");
}

#[test]
pub(crate) fn whoever_is_prepared_for_an_alarm_may_have_set_one() {
    let case = victim("pause-with-an-alarm", "").asleep_in("", PAUSE);
    case.may_end_and_says(&["waits for a signal (pause"]);
}
