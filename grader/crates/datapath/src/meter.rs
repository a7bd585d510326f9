//! What the kernel counts for this process: `/proc/self/io` and getrusage(2).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::Cost;
use crate::channel::Unseen;
use crate::futex;

/// The counters at some moment.
#[derive(Debug)]
pub(crate) struct Meter {
    io: File,
    start: Cost,
    /// What one look at the counters adds to them.
    look: Cost,
}

impl Meter {
    /// Starts to count. `unseen` is what the channel has counted itself so far.
    ///
    /// # Errors
    /// That `/proc/self/io` cannot be read.
    pub(crate) fn start(unseen: Unseen) -> io::Result<Self> {
        let io = File::open("/proc/self/io")?;
        let before = counters(&io, unseen)?;
        let start = counters(&io, unseen)?;
        let look = Cost {
            reads: start.reads - before.reads,
            bytes_read: start.bytes_read - before.bytes_read,
            ..Cost::default()
        };
        Ok(Self { io, start, look })
    }

    /// What has been spent since the start. The bytes read may be off by a few digits of the
    /// counters themselves.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub(crate) fn stop(&self, unseen: Unseen) -> io::Result<Cost> {
        let end = counters(&self.io, unseen)?;
        let spent =
            |of: fn(&Cost) -> u64| (of(&end) - of(&self.start)).saturating_sub(of(&self.look));
        Ok(Cost {
            reads: spent(|cost| cost.reads),
            writes: spent(|cost| cost.writes),
            bytes_read: spent(|cost| cost.bytes_read),
            bytes_written: spent(|cost| cost.bytes_written),
            own_calls: spent(|cost| cost.own_calls),
            own_bytes: spent(|cost| cost.own_bytes),
            futex_calls: spent(|cost| cost.futex_calls),
            voluntary_switches: spent(|cost| cost.voluntary_switches),
            involuntary_switches: spent(|cost| cost.involuntary_switches),
            user_us: spent(|cost| cost.user_us),
            system_us: spent(|cost| cost.system_us),
        })
    }
}

fn counters(io: &File, unseen: Unseen) -> io::Result<Cost> {
    let mut text = [0; 512];
    // One read(2) at offset 0: the kernel writes the text anew each time.
    let len = io.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..len]);
    let count = |field: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(": ")?.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/io"))
    };
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(Cost {
        reads: count("syscr")?,
        writes: count("syscw")?,
        bytes_read: count("rchar")?,
        bytes_written: count("wchar")?,
        own_calls: unseen.calls,
        own_bytes: unseen.bytes,
        futex_calls: futex::calls(),
        voluntary_switches: usage.voluntary_context_switches().cast_unsigned(),
        involuntary_switches: usage.involuntary_context_switches().cast_unsigned(),
        user_us: micros(usage.user_time()),
        system_us: micros(usage.system_time()),
    })
}

fn micros(time: TimeVal) -> u64 {
    (time.tv_sec() * 1_000_000 + time.tv_usec()).cast_unsigned()
}
