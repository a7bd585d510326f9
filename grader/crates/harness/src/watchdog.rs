//! Gives up for the test: at its deadline, or as soon as nothing can ever move again.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use instruments::Process;
use instruments::proc::{State, Thread, Tree};
use model::Ended;
use nix::unistd::gettid;

use crate::bench::Session;
use crate::clock;
use crate::starving::Diet;

/// Set by whoever reports first, the test or its watchdog.
pub(crate) type Reported = Arc<AtomicBool>;

const LOOK: Duration = Duration::from_millis(50);

/// So long must everything stand still before it is called a deadlock.
const STILL: Duration = Duration::from_millis(1000);

/// Watches the session from a thread of its own. When it gives up it calls `report` with what
/// it found, if nobody has reported yet.
pub(crate) fn start(
    session: Arc<Session>,
    reported: Reported,
    report: impl FnOnce(Ended) + Send + 'static,
) {
    thread::spawn(move || {
        let trouble = wait_for_trouble(&session);
        let ended = match trouble {
            Trouble::Starving(text) => Ended::Fault { text },
            trouble => Ended::Deadline {
                autopsy: instruments::explain(&live_pids(&session)).lines,
                deadlocked: trouble == Trouble::Deadlock,
            },
        };
        if !reported.swap(true, Ordering::SeqCst) {
            report(ended);
        }
    });
}

/// Why the watchdog gives up.
#[derive(PartialEq, Eq)]
enum Trouble {
    /// Everybody has slept without a timer and without a single switch for a while, the test
    /// included.
    Deadlock,
    /// The time is over.
    Deadline,
    /// The same, but the machine has kept everybody from running, in these words.
    Starving(String),
}

fn wait_for_trouble(session: &Session) -> Trouble {
    let begin = Instant::now();
    let deadline = begin + Duration::from_millis(session.limits.deadline_ms);
    let mut still_since = begin;
    let mut last = Vec::new();
    let mut looks = 0;
    let mut diet = Diet::default();
    while Instant::now() < deadline {
        thread::sleep(LOOK);
        let alive = alive(session);
        // Most tests are over before that, and need not pay for it.
        if begin.elapsed() >= STILL {
            let all = alive.iter().copied().chain([Process::current()]);
            diet.look(all.flat_map(Process::threads));
        }
        let now = footprint(&alive);
        if now != last || now.is_empty() || !clock::is_waiting() {
            (last, still_since, looks) = (now, Instant::now(), clock::looks_in_vain());
        } else if still_since.elapsed() >= STILL && test_waits(looks) {
            if !instruments::explain(&live_pids(session)).all_asleep_without_timer {
                still_since = Instant::now();
            } else if test_waits(looks) {
                return Trouble::Deadlock;
            }
        }
    }
    match diet.is_starving() {
        true => Trouble::Starving(diet.to_string()),
        false => Trouble::Deadline,
    }
}

/// Whether the test does not owe the programs anything: an answer to a recorded call, or what it
/// does once it has seen something. `looks` in vain it had made when they were last seen to move.
///
/// On a crowded machine it may be the test that gets no processor. So each of its threads has to be
/// asleep, and a look has to be in vain that was begun since then.
fn test_waits(looks: u64) -> bool {
    let watchdog = gettid().as_raw();
    let looks_in_vain = || clock::looks_in_vain() >= looks + 2;
    let sleeps = |thread: Thread| matches!(thread.state(), None | Some(State::Asleep));
    let mut threads = Process::current().threads().into_iter();
    threads.all(|thread| match thread.tid() == watchdog {
        true => true,
        false if thread.is_main() && clock::is_looking() => looks_in_vain(),
        false => sleeps(thread),
    })
}

fn live_pids(session: &Session) -> Vec<i32> {
    session.live_roots().iter().map(|root| root.pid()).collect()
}

/// Every process of the programs.
fn alive(session: &Session) -> Vec<Process> {
    let roots = session.live_roots();
    let tree = Tree::below(roots.iter().copied());
    let all = (roots.iter()).flat_map(|&root| iter::once(root).chain(tree.descendants(root)));
    all.collect()
}

/// Changes whenever one of them does anything at all.
fn footprint(processes: &[Process]) -> Vec<(i32, u64, u64)> {
    let of_one = |process: &Process| {
        let switches = process.switches()?;
        Some((process.pid(), switches.voluntary, switches.involuntary))
    };
    processes.iter().filter_map(of_one).collect()
}
