//! Waiting for the kernel, and saying so: while the test itself only waits for the submission,
//! the watchdog may tell a deadlock from slowness.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Waits that are going on, and those of them that look again and again.
static WAITING: AtomicU32 = AtomicU32::new(0);
static LOOKING: AtomicU32 = AtomicU32::new(0);

/// Looks that have found nothing.
static IN_VAIN: AtomicU64 = AtomicU64::new(0);

/// Whether the test's own thread waits for the submission to do something.
pub(crate) fn is_waiting() -> bool {
    WAITING.load(Ordering::Relaxed) > 0
}

/// Whether it waits by looking again and again, and not in a call that blocks.
pub(crate) fn is_looking() -> bool {
    LOOKING.load(Ordering::Relaxed) > 0
}

/// How many looks have found nothing since the test began.
pub(crate) fn looks_in_vain() -> u64 {
    IN_VAIN.load(Ordering::Relaxed)
}

/// Runs a call that blocks until the submission does something.
pub(crate) fn waiting<T>(call: impl FnOnce() -> T) -> T {
    WAITING.fetch_add(1, Ordering::Relaxed);
    let value = call();
    WAITING.fetch_sub(1, Ordering::Relaxed);
    value
}

/// How often a condition is looked at. Short: it is added to every test's wall time.
const POLL: Duration = Duration::from_micros(500);

/// Looks again and again until the condition holds. Gives up only with the whole test, whose
/// watchdog then explains the hang.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    LOOKING.fetch_add(1, Ordering::Relaxed);
    waiting(|| {
        while !condition() {
            IN_VAIN.fetch_add(1, Ordering::Relaxed);
            thread::sleep(POLL);
        }
    });
    LOOKING.fetch_sub(1, Ordering::Relaxed);
}
