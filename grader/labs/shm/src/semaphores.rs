//! Part 2: semaphores between programs, and a timeout that signals do not stretch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Bench, Check, Fields, Probe, Reply, Stop, ensure, ensure_eq, wrong};
use instruments::Process;
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
/// So often the storm is tried on a machine that is too busy for it.
const TRIES: u32 = 10;

/// A handler runs every 10 ms while the call waits: it may neither end it early nor, by starting
/// it anew each time, keep it going.
///
/// A process that gets no CPU for the whole timeout shows nothing: then even a timeout that each
/// signal starts anew comes to its end. So that is measured, and the storm repeated.
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
    let what = "Sem::wait_timeout of 300 ms at 0, with a signal handler every 10 ms";
    for _ in 0..TRIES {
        let over = AtomicBool::new(false);
        let started = Instant::now();
        let process = probe.process.proc();
        let (taken, took, left_alone) = thread::scope(|scope| {
            let storm = scope.spawn(|| storm(process, &over));
            let taken = probe.value("Sem::wait_timeout", args());
            let took = started.elapsed();
            over.store(true, Ordering::Relaxed);
            let left_alone = storm.join().expect("a storm does not panic");
            Ok::<_, Stop>((taken?, took, left_alone))
        })?;
        ensure(taken.parse(0) == Some(false), what, "false", "true")?;
        ensure(
            took >= TIMEOUT,
            what,
            "it waits for 300 ms",
            format!("{} ms", took.as_millis()),
        )?;
        if left_alone >= TIMEOUT {
            continue;
        }
        return ensure(
            took < STORM,
            what,
            "it returns while the signals go on",
            format!(
                "it returned after {} ms, once they had stopped",
                took.as_millis()
            ),
        );
    }
    Err(Stop::Fault(format!(
        "{TRIES} times a process got no CPU for {} ms: this machine is too busy",
        TIMEOUT.as_millis()
    )))
}

/// Sends signals to the process until the call is over or the storm has lasted its time. Returns the
/// longest time for which none may have come through: one that was sent is on its way until the
/// kernel is seen to have delivered it.
fn storm(process: Process, over: &AtomicBool) -> Duration {
    let pid = Pid::from_raw(process.pid());
    let bit = 1 << (Signal::SIGUSR1 as u32 - 1);
    let is_pending = || process.signals().is_some_and(|set| set.pending & bit != 0);
    let began = Instant::now();
    let goes_on = || !over.load(Ordering::Relaxed) && began.elapsed() < STORM;
    let (mut longest, mut since) = (Duration::ZERO, began);
    while goes_on() {
        let sent = Instant::now();
        // A process that has ended is found out by the call.
        let _ = kill(pid, Signal::SIGUSR1);
        while goes_on() && is_pending() {
            thread::sleep(Duration::from_millis(1));
        }
        longest = longest.max(since.elapsed());
        since = sent;
        thread::sleep(SIGNAL_EVERY);
    }
    longest.max(since.elapsed())
}
