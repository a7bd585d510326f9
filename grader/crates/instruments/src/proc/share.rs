//! What the scheduler did with one thread.

use std::fs;
use std::time::Duration;

use super::Thread;

/// Times since the thread started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// On a processor.
    pub ran: Duration,
    /// Ready to run, and without a processor.
    pub waited: Duration,
}

impl Thread {
    /// Its share of the processors, where the kernel keeps account of it. A wait that is not over
    /// yet is not in there.
    pub fn share(self) -> Option<Share> {
        let text = fs::read_to_string(self.file("schedstat")).ok()?;
        let mut times = text.split_whitespace();
        let mut time = || Some(Duration::from_nanos(times.next()?.parse().ok()?));
        Some(Share {
            ran: time()?,
            waited: time()?,
        })
    }
}
