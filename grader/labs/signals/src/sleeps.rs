//! Parts 4 and 5, and the waits of part 6: sleeping without missing anything.

use std::time::{Duration, Instant};

use harness::{Bench, Check, Fields, ensure};

use crate::handlers::start_count;

/// How long a sleeper is watched: a loop that looks every few milliseconds shows in it.
pub(crate) const WINDOW: Duration = Duration::from_millis(200);

/// `until` sleeps in the kernel, and the signal ends it.
pub(crate) fn wait_for_a_flag_sleeps(bench: &Bench) -> Check {
    let (name, signal) = [
        ("USR1", libc::SIGUSR1),
        ("USR2", libc::SIGUSR2),
        ("HUP", libc::SIGHUP),
    ][bench.number(0..3) as usize];
    let sleeper = bench.program(["until", name]).start()?;
    sleeper.until_line("waiting ")?;
    sleeper.sleeps_soundly(WINDOW, "waiting for a flag that a handler sets")?;
    sleeper.signal(signal)?;
    let done = sleeper.finish()?;
    done.expect_code(0, &format!("after {name}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure(
        said.ends_with(&format!("\n{name}\n")),
        done.command,
        format!("a line {name}"),
        said,
    )
}

/// The length of the nap and the time between two signals, in milliseconds.
const NAP_MS: u64 = 500;
const EVERY_MS: u64 = 20;

/// A nap under signals lasts its time. It may not end early; one that begins again with every
/// signal never ends, for a timer of the kernel sends them as long as it lasts.
pub(crate) fn nap_lasts_its_time(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    let begin = Instant::now();
    let told = probe.value(
        "sleep_under_signals",
        Fields::new().value(NAP_MS).value(EVERY_MS),
    )?;
    // Counted from before its start, so that it cannot seem shorter than it was.
    let seen_ms = begin.elapsed().as_millis() as u64;
    let slept_ms = told.parse::<u64>(0).unwrap_or(0).min(seen_ms);
    let what = format!("sleep_fully for {NAP_MS} ms, with a signal every {EVERY_MS} ms");
    ensure(
        slept_ms >= NAP_MS,
        what.as_str(),
        format!("{NAP_MS} ms or more"),
        format!("{slept_ms} ms"),
    )?;
    let interruptions = told.parse::<u64>(1).unwrap_or(0);
    let most = slept_ms / EVERY_MS + 1;
    ensure(
        (1..=most).contains(&interruptions),
        format!("interruptions counted by {what}"),
        format!("1 to {most}"),
        interruptions.to_string(),
    )
}

/// TERM ends a program that waits for input which never comes. Until then it sleeps.
pub(crate) fn term_ends_an_idle_wait(bench: &Bench) -> Check {
    let counter = start_count(bench, &["USR1"])?;
    counter.sleeps_soundly(WINDOW, "waiting for input or a signal")?;
    let signal = [libc::SIGTERM, libc::SIGINT][bench.number(0..2) as usize];
    counter.signal(signal)?;
    // Its standard input stays open until it has ended by itself.
    let exit = counter.wait();
    let done = counter.finish()?;
    ensure(
        exit.status.success() && done.stdout.ends_with(b"\nUSR1=0\n"),
        format!(
            "`{}` after signal {signal}, with nothing to read",
            done.command
        ),
        "the last counts and exit code 0",
        format!(
            "{:?}; it {}",
            String::from_utf8_lossy(&done.stdout),
            done.how()
        ),
    )
}
