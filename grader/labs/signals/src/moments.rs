//! Parts 4, 6 and 8 at the worst moments: just before a sleep, between a fork and what follows,
//! and while somebody is about to read `errno`. The harness makes those moments certain.

use harness::inject::{Fails, Signal, fork, inject, pipe, signal_wait, write};
use harness::{Bench, Check, Fields, Stop, ensure, ensure_eq};
use nix::errno::Errno;

use crate::kernel::numbers;
use crate::sleeps::WINDOW;

/// The signal has come and was handled when the program goes to sleep.
pub(crate) fn a_signal_before_the_sleep_is_not_lost(bench: &Bench) -> Check {
    let (name, signal) =
        [("USR1", libc::SIGUSR1), ("USR2", libc::SIGUSR2)][bench.number(0..2) as usize];
    let watch = bench.watch(inject(signal_wait(), Signal(signal)), &[])?;
    let sleeper = bench
        .program(["until", name])
        .watched(&watch, "until")
        .start()?;
    sleeper.until_line("waiting ")?;
    let is_met = || watch.fired() == [1] || sleeper.exit().is_some();
    bench.until(|| is_met() || sleeper.proc().is_asleep());
    // A program that sleeps in some call that is not watched must not be blamed.
    if !is_met() && sleeper.sleeps_soundly(WINDOW, "").is_ok() && !is_met() {
        let call = sleeper.proc().syscall();
        return Err(Stop::Fault(format!(
            "it sleeps in a call that is not watched: {call:?}"
        )));
    }
    let done = sleeper.finish()?;
    done.expect_code(
        0,
        &format!("when {name} comes just before it goes to sleep"),
    )
}

/// What interrupts a child's making would meet a table without it.
pub(crate) fn signals_wait_while_a_child_is_made(bench: &Bench) -> Check {
    let options = [
        "supervise",
        "--copies",
        "2",
        "--restarts",
        "0",
        "--",
        "true",
    ];
    let watch = bench.watch([], &[fork()])?;
    let done = bench
        .program(options)
        .watched(&watch, "supervise")
        .run(b"")?;
    done.expect_code(0, "whose children end at once")?;
    let log = watch.log();
    let forks: Option<Vec<Vec<i32>>> = (log.matching(&fork().by("supervise")))
        .map(|entry| entry.blocked.map(numbers))
        .collect();
    // Two children were made, by whatever means.
    let Some(forks) = forks.filter(|forks| forks.len() >= 2) else {
        let text = "no fork, or not the signals blocked at it, was recorded".to_owned();
        return Err(Stop::Fault(text));
    };
    ensure(
        forks.iter().all(|blocked| blocked.contains(&libc::SIGCHLD)),
        format!("signals that `{}` blocks at each fork", done.command),
        format!("SIGCHLD, which is {}, among them", libc::SIGCHLD),
        format!("{forks:?}"),
    )
}

/// The handler's write fails, and whoever it interrupted still reads the errno of its own call.
pub(crate) fn interrupted_code_keeps_its_errno(bench: &Bench) -> Check {
    let fault = inject(write().on(pipe()).every(), Fails(Errno::EAGAIN));
    let mut probe = bench.probe().inject(fault).connect()?;
    let signals = Fields::new().value(1).value(libc::SIGUSR1);
    probe.value("self_pipe", signals)?;
    let errno = [libc::ENOENT, libc::EINVAL, libc::ECHILD][bench.number(0..3) as usize];
    let after = probe.value(
        "errno_across",
        Fields::new().value(libc::SIGUSR1).value(errno),
    )?;
    ensure_eq(
        "errno of interrupted code, after a handler whose write(2) failed with EAGAIN",
        Some(errno),
        after.parse(0),
    )?;
    probe.finish()?.expect_code(0, "after one signal")
}
