//! What one measurement is asked for and what it says. The programs made of `datapath` print one
//! [`Sample`] as a line of JSON. Knows no repeats.

use serde::{Deserialize, Serialize};

use crate::{Mechanism, Size};

/// How much one measurement moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Length of a message.
    pub size: Size,
    /// Messages of the stream.
    pub messages: u64,
    /// Round trips.
    pub rounds: u64,
}

impl Workload {
    /// Enough of `size` for a steady figure in a fraction of a second: `mib` MiB, but no more than
    /// 100 000 messages and no fewer than 32.
    #[must_use]
    pub fn of(size: Size, mib: u64) -> Self {
        let len = size.bytes() as u64;
        Self {
            size,
            messages: ((mib << 20) / len).clamp(32, 100_000),
            rounds: ((mib << 17) / len).clamp(32, 2_000),
        }
    }

    /// Bytes of the whole stream.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.messages * self.size.bytes() as u64
    }
}

/// What one process spent on the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls of read(2) and its relatives, from `/proc/self/io`.
    pub reads: u64,
    /// Calls of write(2) and its relatives, from `/proc/self/io`.
    pub writes: u64,
    /// Bytes that those calls copied out of the kernel.
    pub bytes_read: u64,
    /// Bytes that those calls copied into the kernel.
    pub bytes_written: u64,
    /// Calls that `/proc/self/io` does not see and the loop counted itself: `mq_send`,
    /// `mq_receive`, `sched_yield`.
    pub own_calls: u64,
    /// Bytes that those calls copied into or out of the kernel.
    pub own_bytes: u64,
    /// Calls of futex(2), about which the C library decides. 0 unless the measurement was asked to
    /// count them.
    pub futex_calls: u64,
    /// Times the process went to sleep.
    pub voluntary_switches: u64,
    /// Times the kernel took the processor away from it.
    pub involuntary_switches: u64,
    /// Processor time in user mode, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds.
    pub system_us: u64,
}

impl Cost {
    /// System calls that were counted.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.reads + self.writes + self.own_calls + self.futex_calls
    }

    /// Bytes that were copied between process and kernel.
    #[must_use]
    pub const fn kernel_bytes(&self) -> u64 {
        self.bytes_read + self.bytes_written + self.own_bytes
    }

    /// Context switches of both kinds.
    #[must_use]
    pub const fn switches(&self) -> u64 {
        self.voluntary_switches + self.involuntary_switches
    }

    /// Processor time, in microseconds.
    #[must_use]
    pub const fn cpu_us(&self) -> u64 {
        self.user_us + self.system_us
    }
}

/// One measurement of one mechanism with one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured.
    pub mechanism: Mechanism,
    /// Length of a message.
    pub size: Size,
    /// Messages of the stream.
    pub messages: u64,
    /// From the word to begin until the last message had arrived, in nanoseconds.
    pub stream_ns: u64,
    /// Half of all round trips took longer than this, in nanoseconds.
    pub round_trip_ns: u64,
    /// What the sending process spent on the stream.
    pub sender: Cost,
    /// What the receiving process spent on the stream.
    pub receiver: Cost,
}

impl Sample {
    /// Bytes of the whole stream.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.messages * self.size.bytes() as u64
    }
}
