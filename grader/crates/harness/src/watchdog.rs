//! Gives up for the test: at its deadline, or as soon as nothing can ever move again.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use instruments::Process;
use instruments::proc::Tree;
use model::Ended;

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
    let mut diet = Diet::default();
    while Instant::now() < deadline {
        thread::sleep(LOOK);
        let alive = alive(session);
        // Most tests are over before that, and need not pay for it.
        if begin.elapsed() >= STILL {
            let all = alive.iter().copied().chain([Process::this()]);
            diet.look(all.flat_map(Process::threads));
        }
        let now = footprint(&alive);
        if now != last || now.is_empty() || !clock::is_waiting() {
            (last, still_since) = (now, Instant::now());
        } else if still_since.elapsed() >= STILL {
            if instruments::explain(&live_pids(session)).all_asleep_without_timer {
                return Trouble::Deadlock;
            }
            still_since = Instant::now();
        }
    }
    match diet.is_starving() {
        true => Trouble::Starving(diet.to_string()),
        false => Trouble::Deadline,
    }
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
