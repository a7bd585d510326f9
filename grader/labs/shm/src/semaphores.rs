//! Part 2: semaphores between programs, and a timeout that signals do not stretch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Bench, Check, Fields, Probe, Reply, ensure, ensure_eq, wrong};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::outside::{Named, READY, named, until_inside};

/// Where the test puts the semaphore.
const SEM: u64 = 128;

/// Two programs, neither the child of the other: one sleeps, the other one posts; then round.
pub(crate) fn a_post_wakes_a_process_of_another_program(bench: &Bench) -> Check {
    let object = Named::new(bench, "post");
    let mut creator = bench.probe().connect()?;
    creator.value("Shm::create", named(&object).value(4096))?;
    creator.value("Sem::init_in", Fields::new().value(SEM).value(0))?;
    creator.value("poke", Fields::new().value(0).bytes(READY))?;
    let mut opener = bench.probe().connect()?;
    opener.value("Shm::open", named(&object).value(5_000))?;

    wake(&mut creator, &mut opener)?;
    wake(&mut opener, &mut creator)?;

    // What one posts, the other one takes without sleeping, and then it is gone for both.
    creator.value("Sem::post", Fields::new().value(SEM))?;
    for (taker, value) in [(&mut opener, 1), (&mut creator, 0)] {
        let taken = taker.value("Sem::try_wait", Fields::new().value(SEM))?;
        let what = format!("Sem::try_wait at {value}");
        ensure_eq(what, Some(value == 1), taken.parse(0))?;
    }
    Ok(())
}

fn wake(sleeper: &mut Probe, waker: &mut Probe) -> Check {
    sleeper.send("Sem::wait", &Fields::new().value(SEM))?;
    until_inside(sleeper, "Sem::wait", "it sleeps while the value is 0")?;
    waker.value("Sem::post", Fields::new().value(SEM))?;
    match sleeper.receive("Sem::wait")? {
        Reply::Value(_) => Ok(()),
        Reply::Error { text, .. } => Err(wrong("Sem::wait after a post", "Ok", text)),
    }
}

/// How long the call may sleep.
const TIMEOUT: Duration = Duration::from_millis(300);
/// How often a signal interrupts it, and for how long this goes on if the call does not return.
const SIGNAL_EVERY: Duration = Duration::from_millis(10);
const STORM: Duration = Duration::from_secs(4);

/// A handler runs every 10 ms while the call waits: it may neither end it early nor, by starting
/// it anew each time, keep it going.
pub(crate) fn a_timeout_is_counted_once(bench: &Bench) -> Check {
    let object = Named::new(bench, "timeout");
    let mut probe = bench.probe().connect()?;
    probe.value("Shm::create", named(&object).value(4096))?;
    probe.value("Sem::init_in", Fields::new().value(SEM).value(1))?;
    let args = || Fields::new().value(SEM).value(TIMEOUT.as_millis());
    let taken = probe.value("Sem::wait_timeout", args())?;
    ensure(
        taken.parse(0) == Some(true),
        "Sem::wait_timeout at 1",
        "true",
        "false",
    )?;

    probe.value("take signals", Fields::new())?;
    let pid = Pid::from_raw(probe.process.pid());
    let over = AtomicBool::new(false);
    let started = Instant::now();
    let taken = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) && started.elapsed() < STORM {
                // A process that has ended is found out by the call below.
                let _ = kill(pid, Signal::SIGUSR1);
                thread::sleep(SIGNAL_EVERY);
            }
        });
        let taken = probe.value("Sem::wait_timeout", args());
        over.store(true, Ordering::Relaxed);
        taken
    })?;
    let took = started.elapsed();
    let what = "Sem::wait_timeout of 300 ms at 0, with a signal handler every 10 ms";
    ensure(taken.parse(0) == Some(false), what, "false", "true")?;
    ensure(
        took >= TIMEOUT,
        what,
        "it waits for 300 ms",
        format!("{} ms", took.as_millis()),
    )?;
    ensure(
        took < STORM,
        what,
        "it returns while the signals go on",
        format!(
            "it returned after {} ms, once they had stopped",
            took.as_millis()
        ),
    )
}
