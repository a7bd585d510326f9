//! Runs the body of a public test in a process of its own, with a deadline.
//!
//! Test threads of one process share descriptors, signal dispositions and locks: a sibling's
//! child can hold this test's write end, and a failed assertion in a forked child goes unseen.
//! So the test binary starts itself again for this one test, and a body that hangs can be
//! examined and killed without taking the others with it.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{env, fs, io};

use instruments::{Autopsy, explain};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::capture::Streams;
use crate::deadline::{self, for_a_test, in_words, still_waiting};
use crate::record::{self, Entry, Taught};
use crate::still::{self, Stillness};
use crate::{Lesson, in_kernel_words, reaper, selfname};

/// The exit status of a body that returned. Not 0: a body that calls exit(0) has not passed.
const PASSED: i32 = 77;

/// The exit status of a body that panicked.
const PANICKED: i32 = 101;

/// Runs `body` in a process of its own and passes its failure on. Give it the whole test, and
/// call it from the test function itself.
///
/// No signal is blocked in the body's thread, and the only other thread, that of the test
/// runner, blocks them all. `/proc/self/status` shows that other thread;
/// `/proc/thread-self/status` shows the body's.
#[track_caller]
pub fn alone<F: FnOnce()>(lesson: &Lesson, body: F) {
    let name = selfname::of_body(&body);
    let call = format!("{name}@{}", Location::caller());
    match env::var(selfname::BODY) {
        Err(_) => {
            record::add(|| Entry::Lesson(Taught::by(lesson, &name)));
            if !record::is_only_lesson() {
                watch(lesson, &name, &call);
            }
        }
        Ok(wanted) if wanted == call => become_the_test(body),
        // The process was started for another call in the same test.
        Ok(_) => {}
    }
}

/// In the new process: runs the body and ends.
fn become_the_test(body: impl FnOnce()) {
    static IS_INSIDE: AtomicBool = AtomicBool::new(false);
    if IS_INSIDE.swap(true, Ordering::Relaxed) {
        return body();
    }
    // A test whose watcher is gone, as after Ctrl-C, must not stay behind. None of these three,
    // nor the name in an autopsy, is worth a failure.
    let _unwatched = set_pdeathsig(Signal::SIGKILL);
    let _masked = SigSet::empty().thread_set_mask();
    let _unnamed = fs::write("/proc/self/comm", "the test");
    deadline::body_begins();
    if record::is_wanted() {
        record::panics();
    }
    let outcome = catch_unwind(AssertUnwindSafe(body));
    exit(if outcome.is_ok() { PASSED } else { PANICKED })
}

/// In the test's own thread: waits for the new process and passes on how it ended.
#[track_caller]
fn watch(lesson: &Lesson, name: &str, call: &str) {
    let mark = reaper::new_mark();
    let (mut child, mut streams) = lesson.ok(
        "starting the test in a process of its own",
        start(name, call, &mark),
    );
    let began = Instant::now();
    let leader = child.id().cast_signed();
    let mut stillness = Stillness::begin();
    let mut deadlock = None;
    while !streams.child_has_ended() && deadlock.is_none() && began.elapsed() < for_a_test() {
        streams.step(still::LOOK.min(for_a_test().saturating_sub(began.elapsed())));
        if stillness.lasts(leader) {
            // Asked of everybody: one that has left the tree may still wake the others.
            deadlock = Some(autopsy_of_all(leader, &mark))
                .filter(|autopsy| autopsy.all_asleep_without_timer);
        }
    }
    let hang = (!streams.child_has_ended()).then(|| {
        let autopsy = deadlock.unwrap_or_else(|| autopsy_of_all(leader, &mark));
        (autopsy, began.elapsed())
    });
    reaper::kill_tree(child.id().cast_signed());
    reaper::kill_marked(&mark);
    let status = lesson.ok("waiting for the test's process", child.wait());
    streams.move_what_is_there();
    pass_on_output(&streams);
    match hang {
        Some((autopsy, time)) => {
            record::add(|| Entry::Hung {
                autopsy: autopsy.lines.clone(),
                deadlocked: autopsy.all_asleep_without_timer,
            });
            let expected = "the test ends by itself".to_owned();
            lesson.panic(&in_words(autopsy), expected, still_waiting(time))
        }
        None => judge(lesson, name, status, &streams),
    }
}

/// Explains the tree of the test, and what has left it.
fn autopsy_of_all(leader: i32, mark: &str) -> Autopsy {
    let others = reaper::marked(mark).into_iter().map(|it| it.pid());
    let pids: Vec<i32> = std::iter::once(leader).chain(others).collect();
    explain(&pids)
}

#[track_caller]
fn judge(lesson: &Lesson, name: &str, status: ExitStatus, streams: &Streams) {
    match status.code() {
        Some(PASSED) => record::add(|| Entry::Passed),
        // The panic was told by the process itself; unwinding on without a second report.
        Some(PANICKED) => {
            record::add(|| Entry::Failed);
            resume_unwind(Box::new("the test failed in its own process"))
        }
        Some(0) if !has_run(&streams.stdout.bytes) => panic!(
            "no test is called `{name}` in this binary: call coach::alone from the test function"
        ),
        code => {
            let words = in_kernel_words(status);
            record::add(|| Entry::Ended {
                code,
                signal: status.signal(),
                words: words.clone(),
            });
            let what = format!("the process of the test ended before the test did: {words}");
            lesson.panic(&what, "the test runs to its end".to_owned(), words)
        }
    }
}

fn start(name: &str, call: &str, mark: &str) -> io::Result<(Child, Streams)> {
    // The test runner of the new process has a thread besides that of the body. A mask is
    // inherited: with every signal blocked from the start, and unblocked by the body alone, a
    // signal to the process can only meet the body.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let child = spawn(name, call, mark);
    mask.thread_set_mask()?;
    let mut child = child?;
    let streams = Streams::of(&mut child)?;
    Ok((child, streams))
}

fn spawn(name: &str, call: &str, mark: &str) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .args([
            name,
            "--exact",
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ])
        .env(selfname::BODY, call)
        .env(reaper::MARK, mark)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Shows what the test has printed as if this thread had printed it.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "libtest catches print! and eprint! and shows them with the failed test they belong to"
)]
fn pass_on_output(streams: &Streams) {
    let stdout = String::from_utf8_lossy(&streams.stdout.bytes);
    let stdout = without_heading(&stdout);
    let stderr = String::from_utf8_lossy(&streams.stderr.bytes);
    if record::is_wanted() {
        let text = the_end_of(stdout.to_owned() + &stderr);
        return record::add(|| Entry::Output { text });
    }
    print!("{stdout}");
    eprint!("{stderr}");
}

/// The last bytes of a long text say most; the record is no place for a flood.
fn the_end_of(text: String) -> String {
    const MOST: usize = 4 << 10;
    let from = text.ceil_char_boundary(text.len().saturating_sub(MOST));
    text[from..].to_owned()
}

/// `running 1 test` and `test NAME ... ` come before what the test itself prints.
fn without_heading(stdout: &str) -> &str {
    stdout
        .split_once(HEADING)
        .and_then(|(_, rest)| rest.split_once(" ... "))
        .map_or("", |(_, own)| own)
}

fn has_run(stdout: &[u8]) -> bool {
    String::from_utf8_lossy(stdout).contains(HEADING)
}

const HEADING: &str = "\nrunning 1 test\n";
