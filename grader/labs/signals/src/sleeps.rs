//! Parts 4 and 5, and the waits of part 6: sleeping without missing anything.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Bench, Check, ensure, wrong};

use crate::handlers::start_count;

/// How long a sleeper is watched: a loop that looks every few milliseconds shows in it.
const WINDOW: Duration = Duration::from_millis(200);

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

/// The length of the nap in milliseconds, and the time between two signals.
const NAP_MS: u64 = 500;
const EVERY: Duration = Duration::from_millis(20);

/// A nap under signals lasts its time. It may not end early; one that begins again with every
/// signal never ends, as the signals only stop with it.
pub(crate) fn nap_lasts_its_time(bench: &Bench) -> Check {
    let begin = Instant::now();
    let napper = bench.program(["nap", &NAP_MS.to_string()]).start()?;
    napper.until_line("napping ")?;
    let mut n_sent = 0u64;
    while napper.exit().is_none() {
        // It may end at this very moment, and then there is nobody to signal.
        if napper.proc().is_asleep() && napper.signal(libc::SIGUSR1).is_ok() {
            n_sent += 1;
        }
        thread::sleep(EVERY);
    }
    let lasted = begin.elapsed();
    let done = napper.finish()?;
    done.expect_code(0, "with USR1 every 20 ms")?;
    // Counted from before its start, so that it cannot seem shorter than it was.
    ensure(
        lasted >= Duration::from_millis(NAP_MS),
        format!("how long `{}` lasted with USR1 every 20 ms", done.command),
        format!("{NAP_MS} ms or more"),
        format!("{} ms, its start included", lasted.as_millis()),
    )?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let told = said
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("interrupted "));
    match told.and_then(|count| count.parse::<u64>().ok()) {
        Some(count) if (n_sent.min(1)..=n_sent).contains(&count) => Ok(()),
        _ => Err(wrong(
            format!(
                "what `{}` said of {n_sent} signals in its sleep",
                done.command
            ),
            format!("interrupted 1 to {n_sent} times"),
            said,
        )),
    }
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
