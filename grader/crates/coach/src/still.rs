//! Notices that a test stands still, long before its deadline.
//!
//! The rule is that of hidden tests: when nobody has been switched for a second, and everybody
//! sleeps in a call without a timer, nothing can ever move again. A test that waits with a time
//! limit has a timer, and keeps its time.

use std::time::{Duration, Instant};

use instruments::Process;

/// So long must everything stand still before anybody asks why.
const STILL: Duration = Duration::from_secs(1);

/// How often to look.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// What was seen of a process tree so far.
pub(crate) struct Stillness {
    last: Vec<(i32, u64, u64)>,
    since: Instant,
}

impl Stillness {
    pub(crate) fn begin() -> Self {
        Self {
            last: Vec::new(),
            since: Instant::now(),
        }
    }

    /// Whether nothing has moved for a second in the tree of `root`; said once a second, because
    /// it costs a tenth of one to ask why.
    pub(crate) fn lasts(&mut self, root: i32) -> bool {
        let now = footprint(root);
        if now != self.last {
            (self.last, self.since) = (now, Instant::now());
        } else if self.since.elapsed() >= STILL {
            self.since = Instant::now();
            return true;
        }
        false
    }
}

/// Changes whenever any process of the tree does anything at all.
fn footprint(root: i32) -> Vec<(i32, u64, u64)> {
    let root = Process::new(root);
    let tree = std::iter::once(root).chain(root.descendants());
    tree.filter_map(|process| {
        let switches = process.switches()?;
        Some((process.pid(), switches.voluntary, switches.involuntary))
    })
    .collect()
}
