//! The public tests of the signals lab: one happy path for each part. They show the shape of
//! what you write; the grader also looks at the edges.
//!
//! Each test has a process of its own, so that no test sees another one's handlers or children.

use std::ffi::CString;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use coach::{Lesson, Program};
use libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, gettid};
use signals_solution::{
    Event, SelfPipe, Table, block, count, counted, install, reap, sleep_fully, spawn_child,
    wait_flag,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_signals-solution");

/// What all lessons of this lab share.
const fn lesson(
    part: u8,
    why: &'static str,
    read: &'static str,
    hints: [&'static str; 3],
) -> Lesson {
    Lesson {
        lab: "signals",
        part,
        why,
        read,
        hints,
    }
}

static LAST: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember(sig: c_int) {
    LAST.store(sig, Ordering::SeqCst);
}

static SEEN: AtomicBool = AtomicBool::new(false);

extern "C" fn set_seen(_: c_int) {
    SEEN.store(true, Ordering::SeqCst);
}

const INSTALL: Lesson = lesson(
    1,
    "a disposition belongs to the process: from sigaction(2) on, the handler runs for each delivery",
    "README part 1, sigaction(2), `install` in src/lib.rs",
    [
        "Which fields does the kernel read when you install a handler, and what does it give back?",
        "sigaction(2): sa_handler, sa_flags, and the third argument.",
        "Fill a zeroed libc::sigaction, set SA_RESTART if it is asked for, and return the old one that the call filled in.",
    ],
);

#[test]
fn an_installed_handler_runs() {
    coach::alone(&INSTALL, || {
        let old = INSTALL.ok("install for USR1", install(libc::SIGUSR1, remember, true));
        INSTALL.equal(
            "the disposition before the first install",
            libc::SIG_DFL,
            old.sa_sigaction,
        );
        raise(Signal::SIGUSR1).expect("raise a signal that is handled");
        let got = LAST.load(Ordering::SeqCst);
        INSTALL.equal(
            "the signal that the handler was called for",
            libc::SIGUSR1,
            got,
        );
    });
}

const COUNT: Lesson = lesson(
    2,
    "a handler may only do what is safe at any moment, and an atomic addition is",
    "README part 2, signal-safety(7), `count` and `counted` in src/lib.rs",
    [
        "What may a handler touch while the code it interrupted holds a lock or is in malloc?",
        "signal-safety(7), and std::sync::atomic.",
        "A static array of atomics, one for each signal number; the handler adds 1 to its own, and nothing else.",
    ],
);

#[test]
fn three_signals_are_counted() {
    coach::alone(&COUNT, || {
        COUNT.ok("count USR1", count(libc::SIGUSR1));
        for _ in 0..3 {
            raise(Signal::SIGUSR1).expect("raise a signal that is handled");
        }
        COUNT.equal(
            "counted(USR1) after three raises",
            3,
            counted(libc::SIGUSR1),
        );
    });
}

const BLOCK: Lesson = lesson(
    3,
    "a blocked signal stays pending and is delivered when the mask lets it through",
    "README part 3, sigprocmask(2), `block` and `MaskGuard` in src/lib.rs",
    [
        "Where does a signal wait while it is blocked, and what must the guard remember?",
        "sigprocmask(2) and signal(7) under Signal mask; SigSet::thread_swap_mask in nix.",
        "Block and keep the old mask in the guard; its Drop sets exactly that old mask again.",
    ],
);

#[test]
fn a_blocked_signal_waits_for_the_guard() {
    coach::alone(&BLOCK, || {
        let guard = BLOCK.ok("block USR1", block(&[Signal::SIGUSR1]));
        handle(Signal::SIGUSR1, remember);
        raise(Signal::SIGUSR1).expect("raise a signal that is blocked");
        BLOCK.equal(
            "handler calls while USR1 is blocked",
            0,
            LAST.load(Ordering::SeqCst),
        );
        drop(guard);
        let got = LAST.load(Ordering::SeqCst);
        BLOCK.equal(
            "the signal handled when the guard was dropped",
            libc::SIGUSR1,
            got,
        );
    });
}

const WAIT_FLAG: Lesson = lesson(
    4,
    "checking the flag and going to sleep must be one step, or the wake-up is lost between them",
    "README part 4, sigsuspend(2), `wait_flag` in src/lib.rs",
    [
        "What happens when the signal arrives after you looked at the flag and before you sleep?",
        "sigsuspend(2): which mask holds during the call, and which one after it.",
        "Block the signal, loop while the flag is not set around sigsuspend with a mask without it, put the old mask back.",
    ],
);

#[test]
fn a_signal_ends_the_wait() {
    coach::alone(&WAIT_FLAG, || {
        SEEN.store(true, Ordering::SeqCst);
        WAIT_FLAG.ok(
            "wait_flag with the flag set",
            wait_flag(&SEEN, Signal::SIGUSR1),
        );

        SEEN.store(false, Ordering::SeqCst);
        handle(Signal::SIGUSR1, set_seen);
        let sleeper = gettid();
        let sender = thread::spawn(move || {
            wait_until_asleep(sleeper);
            // To that thread alone: any other one of this process could take the signal too.
            // SAFETY: tgkill takes three numbers.
            unsafe {
                libc::syscall(
                    libc::SYS_tgkill,
                    libc::getpid(),
                    sleeper.as_raw(),
                    libc::SIGUSR1,
                )
            };
        });
        WAIT_FLAG.ok(
            "wait_flag until USR1 comes",
            wait_flag(&SEEN, Signal::SIGUSR1),
        );
        sender.join().expect("the sender only sleeps and sends");
        WAIT_FLAG.check(
            SEEN.load(Ordering::SeqCst),
            "the flag afterwards",
            "true",
            "false",
        );
    });
}

const SLEEP: Lesson = lesson(
    5,
    "a sleep that nobody interrupts lasts its whole time",
    "README part 5, clock_nanosleep(2), `sleep_fully` in src/lib.rs",
    [
        "What does the kernel tell you about the time that is left when a signal ends a sleep?",
        "clock_nanosleep(2) under TIMER_ABSTIME.",
        "Compute the point in time at which to end, and sleep until then again after every EINTR, counting them.",
    ],
);

#[test]
fn a_quiet_sleep_lasts_its_time() {
    coach::alone(&SLEEP, || {
        let time = Duration::from_millis(20);
        let begin = Instant::now();
        let interruptions = SLEEP.ok("sleep_fully(20 ms)", sleep_fully(time));
        let slept = begin.elapsed();
        SLEEP.equal("interruptions of a sleep without signals", 0, interruptions);
        SLEEP.check(
            slept >= time,
            "how long it slept",
            "20 ms or more",
            format!("{slept:?}"),
        );
    });
}

const SELF_PIPE: Lesson = lesson(
    6,
    "pending signals are a set: each is reported once, however often it came",
    "README part 6, pipe(7), signal(7), `SelfPipe` in src/lib.rs",
    [
        "What is in the pipe after the same signal came twice, and how many events do you report?",
        "pipe(7), signal(7), and pipe2(2) with O_NONBLOCK and O_CLOEXEC.",
        "The handler marks the signal and writes one byte; drain empties the pipe first, then takes the marks, each once, in the order asked for.",
    ],
);

#[test]
fn the_self_pipe_tells_each_signal_once() {
    coach::alone(&SELF_PIPE, || {
        let watched = [Signal::SIGUSR1, Signal::SIGUSR2];
        let pipe = SELF_PIPE.ok("make a self-pipe", SelfPipe::new(&watched));
        for signal in [Signal::SIGUSR2, Signal::SIGUSR1, Signal::SIGUSR2] {
            raise(signal).expect("raise a signal that is handled");
        }
        let got = SELF_PIPE.ok("drain", pipe.drain());
        SELF_PIPE.equal("drain after USR2, USR1, USR2", watched.to_vec(), got);
        let got = SELF_PIPE.ok("drain again", pipe.drain());
        SELF_PIPE.equal("drain when nothing is new", Vec::new(), got);
    });
}

#[test]
fn the_wait_ends_for_input_and_for_signals() {
    coach::alone(&SELF_PIPE, || {
        let pipe = SELF_PIPE.ok("make a self-pipe", SelfPipe::new(&[Signal::SIGUSR1]));
        let (reader, mut writer) = std::io::pipe().expect("make a pipe");
        writer.write_all(b"x").expect("a pipe has room for a byte");
        let got = SELF_PIPE.ok("wait", pipe.wait(Some(reader.as_fd())));
        SELF_PIPE.equal("wait with a byte of input", Event::Input, got);
        raise(Signal::SIGUSR1).expect("raise a signal that is handled");
        let got = SELF_PIPE.ok("wait", pipe.wait(None));
        SELF_PIPE.equal(
            "wait after USR1",
            Event::Signals(vec![Signal::SIGUSR1]),
            got,
        );
    });
}

const REAP: Lesson = lesson(
    7,
    "a child that ended stays a zombie until its parent has read its status",
    "README part 7, waitpid(2), `reap` in src/lib.rs",
    [
        "How many children may have ended behind one SIGCHLD?",
        "waitpid(2) under WNOHANG, and the error ECHILD.",
        "Loop waitpid(-1, WNOHANG): call back for each one, leave at 0 and at ECHILD with the count.",
    ],
);

#[test]
#[expect(
    clippy::zombie_processes,
    reason = "reaping the child is what the test asks for"
)]
fn an_ended_child_is_reaped() {
    coach::alone(&REAP, || {
        let none = REAP.ok("reap without a child", reap(&mut |_, _| {}));
        REAP.equal("children reaped when there are none", 0, none);

        let child = Command::new("sh")
            .args(["-c", "exit 7"])
            .spawn()
            .expect("start sh");
        let pid = Pid::from_raw(child.id() as i32);
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
            .expect("wait until the child is a zombie");
        let mut seen = Vec::new();
        let reaped = REAP.ok("reap", reap(&mut |pid, status| seen.push((pid, status))));
        REAP.equal(
            "what the callback was told",
            vec![(pid, WaitStatus::Exited(pid, 7))],
            seen,
        );
        REAP.equal("the number returned", 1, reaped);
    });
}

const SPAWN: Lesson = lesson(
    8,
    "the parent must know its child before it can hear of the child's end",
    "README part 8, fork(2), execve(2), `spawn_child` in src/lib.rs",
    [
        "What if the child has ended before fork has returned in the parent?",
        "fork(2), execve(2), and sigprocmask(2) around them.",
        "Block SIGCHLD, fork, put the pid into the table, then put the mask back; in the child put it back before exec.",
    ],
);

#[test]
fn a_child_runs_and_is_in_the_table() {
    coach::alone(&SPAWN, || {
        let command = ["sh", "-c", "exit 7"].map(|word| CString::new(word).expect("no NUL"));
        let mut kids = Table::default();
        let pid = SPAWN.ok("spawn_child", spawn_child(&mut kids, &command));
        SPAWN.equal("the table", vec![pid], kids.pids());
        let status = waitpid(pid, None).expect("wait for the child");
        SPAWN.equal(
            "how `sh -c 'exit 7'` ended",
            WaitStatus::Exited(pid, 7),
            status,
        );
    });
}

const SHUTDOWN: Lesson = lesson(
    9,
    "whoever is asked to end by a signal ends its children first, and then dies by that signal",
    "README parts 9 and 10, signal(7), `shutdown` and `die_by` in src/lib.rs",
    [
        "What does a parent shell see of a program that exits with a number after SIGTERM?",
        "signal(7), kill(2), and waitpid(2): WIFSIGNALED.",
        "Pass the signal on to the children, reap them all, set the default disposition, unblock, and raise it at yourself.",
    ],
);

#[test]
fn a_supervisor_asked_to_end_dies_by_the_signal() {
    coach::alone(&SHUTDOWN, || {
        let script = "kill -TERM $PPID; exec sleep 1000";
        let output = Program::new(&SHUTDOWN, PROGRAM)
            .args(["supervise", "--", "sh", "-c", script])
            .run(b"");
        let said = String::from_utf8_lossy(&output.stderr);
        SHUTDOWN.check(
            output.status.signal() == Some(libc::SIGTERM),
            "`signals supervise` after TERM",
            "death by signal 15",
            format!("{}; it said: {said}", output.status),
        );
    });
}

const PROGRAM_LESSON: Lesson = lesson(
    5,
    "a program prints data, says what went wrong on standard error, and exits with 2 if misused",
    "README part 5, `sleep_fully` in src/lib.rs; `main.rs` is given",
    [
        "What does `signals nap soon; echo $?` show?",
        "src/main.rs, which is given, and README part 5.",
        "sleep_fully must return the number of interruptions; the rest of this test is green from the start.",
    ],
);

#[test]
fn the_program_naps_and_explains_its_usage() {
    coach::alone(&PROGRAM_LESSON, || {
        let run = |time: &str| {
            Program::new(&PROGRAM_LESSON, PROGRAM)
                .args(["nap", time])
                .run(b"")
        };
        let napped = run("1");
        let said = String::from_utf8_lossy(&napped.stdout);
        PROGRAM_LESSON.check(
            napped.status.success() && said.contains("interrupted 0"),
            "`signals nap 1`",
            "exit code 0, and the line: interrupted 0",
            format!("{}, and: {said}", napped.status),
        );
        let refused = run("soon");
        let said = String::from_utf8_lossy(&refused.stderr);
        PROGRAM_LESSON.check(
            refused.status.code() == Some(2) && said.contains("signals: nap needs a number"),
            "`signals nap soon`",
            "exit code 2, and the line: signals: nap needs a number",
            format!("{}, and: {said}", refused.status),
        );
    });
}

/// Installs a handler without your library, for tests of later parts.
fn handle(signal: Signal, handler: extern "C" fn(c_int)) {
    let action = SigAction::new(
        SigHandler::Handler(handler),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handlers of this file only store to atomics.
    unsafe { sigaction(signal, &action) }.expect("install a handler");
}

/// Returns once the kernel says that the thread sleeps.
fn wait_until_asleep(thread: Pid) {
    let path = format!("/proc/self/task/{thread}/stat");
    loop {
        let stat = std::fs::read_to_string(&path).expect("read the state of a living thread");
        // The state follows the name, which stands in brackets.
        if stat
            .rsplit(')')
            .next()
            .is_some_and(|fields| fields.starts_with(" S"))
        {
            return;
        }
        thread::yield_now();
    }
}
