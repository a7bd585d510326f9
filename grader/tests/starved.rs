//! A recorder that gets no processor makes nobody's test a deadlock: whoever waits for its answer
//! stands as still as in one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use instruments::Process;
use instruments::proc::Thread;
use model::Outcome;
use pipeline::{Course, GradeOptions, Subject, write_long_ago};

/// Longer than everything has to stand still to be called a deadlock, and far from the deadline.
const WITHOUT_A_PROCESSOR: Duration = Duration::from_secs(3);

const TEST: &str = "a_copy_survives_interrupted_and_short_calls";

#[test]
fn who_waits_for_a_starved_recorder_is_not_called_deadlocked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let helper = Path::new(env!("CARGO_BIN_EXE_grader"));
    let course = Course::open(root).unwrap();
    let kits = course
        .kits(&course.select(&["pipes".into()]).unwrap())
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    let sources = pipeline::sources(&course, &kits[0], &Subject::Reference).unwrap();
    write_long_ago(&submissions.join("honest"), "pipes", &sources).unwrap();
    let mut options = GradeOptions::new(helper, 2);
    options.tests.only = vec![TEST.to_owned()];
    // A recorder may be gone before it is found.
    let has_met_one = (0..20).any(|round| {
        let run = folder.path().join(format!("run-{round}"));
        let is_over = AtomicBool::new(false);
        let (graded, has_met_one) = thread::scope(|scope| {
            let freezer = scope.spawn(|| freeze_a_recorder(&is_over));
            let graded = pipeline::grade(&course, &submissions, &run, &options, &|_| {});
            is_over.store(true, Ordering::Relaxed);
            (graded.unwrap(), freezer.join().unwrap())
        });
        let submission = graded.marks.bare().next().unwrap();
        let tests = &submission.labs[0].tests;
        let test = tests.iter().find(|test| test.id == TEST).unwrap();
        assert_eq!(test.outcome, Outcome::Pass);
        has_met_one
    });
    assert!(has_met_one, "no program ever waited for a frozen recorder");
}

/// Keeps one recorder below this process from its work for a while, when a program waits for its
/// answer. False if that did not come about before the end.
fn freeze_a_recorder(is_over: &AtomicBool) -> bool {
    while !is_over.load(Ordering::Relaxed) {
        let mut below = Process::current().descendants().into_iter();
        let Some(test) = below.find(|it| it.name().as_deref() == Some("the test")) else {
            thread::sleep(Duration::from_micros(200));
            continue;
        };
        while test.state().is_some() && !is_over.load(Ordering::Relaxed) {
            let mut threads = test.threads().into_iter();
            let recorder = threads.find(|thread| thread.name().as_deref() == Some("recorder"));
            if recorder.is_some_and(freeze) {
                return true;
            }
        }
    }
    false
}

/// False if it has ended meanwhile, or has no call to answer any more.
fn freeze(recorder: Thread) -> bool {
    let tid = recorder.tid();
    let ask = |request| {
        // SAFETY: none of these requests takes memory of ours.
        unsafe { libc::ptrace(request, tid, 0, 0) == 0 }
    };
    if !ask(libc::PTRACE_SEIZE) {
        return false;
    }
    ask(libc::PTRACE_INTERRUPT);
    // Stopped or ended: whoever is traced has to be waited for, or its process never ends.
    let is_stopped = || {
        let mut status = 0;
        // SAFETY: `status` lives on this stack.
        let waited = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL) };
        waited == tid && libc::WIFSTOPPED(status)
    };
    if !is_stopped() {
        return false;
    }
    let is_waited_for = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(1));
        somebody_waits_for_an_answer(recorder.process())
    });
    if is_waited_for {
        thread::sleep(WITHOUT_A_PROCESSOR);
    }
    if !ask(libc::PTRACE_DETACH) {
        is_stopped();
    }
    is_waited_for
}

fn somebody_waits_for_an_answer(test: Process) -> bool {
    let mut programs = test.descendants().into_iter();
    programs.any(|program| {
        let function = program.main().kernel_function().unwrap_or_default();
        function.starts_with("seccomp_do_user_notification")
    })
}
