//! Ctrl-C, SIGTERM, and a second grader that wants the same RUN folder meanwhile.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use instruments::Process;

use crate::desk::{Desk, below, wait_for_the_end_of};

#[test]
fn ctrl_c_and_sigterm_leave_nothing_behind_and_say_how_to_go_on() {
    let desk = Desk::with_one_solved_lab(&[]);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut grader = desk.grader(signal);
        let mut stopped = grader.stderr(Stdio::piped()).spawn().unwrap();
        desk.wait_for_tests(signal, 1, &mut stopped);
        a_second_grader_is_refused(&desk, signal);
        let children = below(stopped.id());
        let groups = control_groups_below(stopped.id());
        let mut kill = Command::new("kill");
        kill.args(["-s", signal, &stopped.id().to_string()]);
        assert!(kill.status().unwrap().success());
        let output = stopped.wait_with_output().unwrap();
        wait_for_the_end_of(children);

        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words}");
        for expected in ["stopped: 0 of 1 labs are done", "the same command goes on"] {
            assert!(words.contains(expected), "{words}");
        }
        let left: Vec<_> = fs::read_dir(desk.temporary()).unwrap().collect();
        assert!(left.is_empty(), "seats are left: {left:?}");
        let left: Vec<_> = groups.iter().filter(|group| group.exists()).collect();
        assert!(left.is_empty(), "control groups are left: {left:?}");
        let outcomes = desk.outcomes(signal);
        assert!(
            outcomes.values().all(|outcome| outcome == "pass"),
            "what was cut off has no verdict: {outcomes:?}"
        );
    }
}

fn a_second_grader_is_refused(desk: &Desk, run: &str) {
    let output = desk.grader(run).stderr(Stdio::piped()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("another grader is working in"), "{words}");
}

/// The control groups of boxes below a grader, where this machine lets it make some.
fn control_groups_below(pid: u32) -> Vec<PathBuf> {
    let rooms = Process::new(pid as i32).descendants();
    let names: Vec<String> = rooms
        .into_iter()
        .map(|room| format!("ipc-box-{}", room.pid()))
        .collect();
    let controllers = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    let roots = controllers.flatten().map(|entry| entry.path());
    let roots = roots.chain(["/sys/fs/cgroup".into()]);
    let groups = roots.flat_map(|root| names.iter().map(move |name| root.join(name)));
    groups.filter(|group| group.exists()).collect()
}
