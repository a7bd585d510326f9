//! kill -9 of the grader.

use crate::desk::{Desk, below, wait_for_the_end_of};

#[test]
fn a_killed_run_is_resumed_and_leaves_no_process_behind() {
    let desk = Desk::with_one_solved_lab(&[]);
    let mut killed = desk.grader("run").spawn().unwrap();
    desk.wait_for_tests("run", 3, &mut killed);
    let children = below(killed.id());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = desk.tests("run");
    wait_for_the_end_of(children);

    assert!(desk.grader("run").status().unwrap().success());
    let after = desk.tests("run");
    assert_eq!(after[..before.len()], before, "what was graded is kept");
    let wrong: Vec<_> = desk
        .outcomes("run")
        .into_iter()
        .filter(|(_, outcome)| outcome != "pass")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    let journal = std::fs::read(desk.path("run/journal.jsonl")).unwrap();
    assert!(desk.grader("run").status().unwrap().success());
    assert_eq!(
        std::fs::read(desk.path("run/journal.jsonl")).unwrap(),
        journal,
        "nothing left to do"
    );
}
