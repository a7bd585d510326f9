//! Gives up for the test: at its deadline, or as soon as nothing can ever move again.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use instruments::proc::Tree;
use model::Ended;

use crate::bench::Session;
use crate::clock;

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
        let deadlocked = wait_for_trouble(&session);
        let autopsy = instruments::explain(&live_pids(&session));
        if !reported.swap(true, Ordering::SeqCst) {
            report(Ended::Deadline {
                autopsy: autopsy.lines,
                deadlocked,
            });
        }
    });
}

/// Returns at the deadline with `false`, or before it with `true` once everybody has slept
/// without a timer and without a single switch for a while, the test included.
fn wait_for_trouble(session: &Session) -> bool {
    let deadline = Instant::now() + Duration::from_millis(session.limits.deadline_ms);
    let mut still_since = Instant::now();
    let mut last = Vec::new();
    while Instant::now() < deadline {
        thread::sleep(LOOK);
        let now = footprint(session);
        if now != last || now.is_empty() || !clock::is_waiting() {
            (last, still_since) = (now, Instant::now());
        } else if still_since.elapsed() >= STILL {
            if instruments::explain(&live_pids(session)).all_asleep_without_timer {
                return true;
            }
            still_since = Instant::now();
        }
    }
    false
}

fn live_pids(session: &Session) -> Vec<i32> {
    session.live_roots().iter().map(|root| root.pid()).collect()
}

/// Changes whenever any live program does anything at all.
fn footprint(session: &Session) -> Vec<(i32, u64, u64)> {
    let roots = session.live_roots();
    let tree = Tree::below(roots.iter().copied());
    let all = (roots.iter()).flat_map(|&root| iter::once(root).chain(tree.descendants(root)));
    all.filter_map(|process| {
        let switches = process.switches()?;
        Some((process.pid(), switches.voluntary, switches.involuntary))
    })
    .collect()
}
