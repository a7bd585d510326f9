//! Forces interleavings of plain accesses to shared memory, so that a race fails every time.
//!
//! # How it works
//! Every program of a run is traced with ptrace(2), and its shared mappings are made
//! inaccessible. So each access to shared memory is a fault that the explorer hears of *before*
//! the access happens. It lets one program run at a time, decides at each access who goes on, and
//! lets an access happen by opening the memory for the one instruction. Nothing is compiled into
//! the programs; they may be forked or executed apart, and the memory may be a POSIX object, a
//! System V segment or a mapped file.
//!
//! A [`Plan`] says who goes first and where it is interrupted. [`systematic`] makes all plans with
//! one interruption that can matter, from what an uninterrupted run touched; [`Plan::random`]
//! draws several interruptions from a seed. The same plan on the same programs gives the same run.
//!
//! An instruction such as `add [mem], 1` without a lock prefix is a load and a store to the other
//! processors. If a program is interrupted before one, its operand is read at once and put back
//! before the instruction runs: it loads early and stores late, as two processors really do it.
//!
//! With [`Plan::Delayed`] a program's stores stay in a *store buffer* for a while: it sees them,
//! the others do not, and its later loads overtake them. That is the one reordering that x86
//! processors do; algorithms such as Peterson's lock fail without a fence because of it.
//!
//! A [`Story`] tells what happened in sentences, and in [`Step`]s: every access where it is really
//! made, sleeps and ends, and what the plan did there, in the one order of all programs.
//!
//! # What it does not do
//! Other reorderings, which x86 does not do, are for a model checker. Waiting that ends by a time
//! limit is not controlled. It knows no lab and no expectation: whether a run went well is for its
//! caller to say.

#[cfg(target_arch = "x86_64")]
mod alarm;
#[cfg(target_arch = "x86_64")]
mod calls;
#[cfg(not(target_arch = "x86_64"))]
mod elsewhere;
#[cfg(target_arch = "x86_64")]
mod holding;
#[cfg(target_arch = "x86_64")]
mod instruction;
#[cfg(target_arch = "x86_64")]
mod pending;
mod plan;
#[cfg(target_arch = "x86_64")]
mod run;
#[cfg(target_arch = "x86_64")]
mod space;
mod step;
#[cfg(target_arch = "x86_64")]
mod stops;
#[cfg(target_arch = "x86_64")]
mod store_buffer;
mod story;
#[cfg(target_arch = "x86_64")]
mod tracee;

#[cfg(not(target_arch = "x86_64"))]
pub use elsewhere::Explorer;
pub use plan::{Plan, Point, delayed, systematic};
#[cfg(target_arch = "x86_64")]
pub use run::Explorer;
pub use step::{Change, Deed, Event, Operand, Step};
pub use story::{Access, Ending, Kind, Object, Place, Story};

/// Begins a command line that stops itself before it executes the rest: programs have to wait
/// until the explorer has them all. They show as stopped in `/proc` when they are there.
pub const STARTS_STOPPED: [&str; 3] = ["/bin/sh", "-c", "kill -STOP $$; exec \"$0\" \"$@\""];

/// Why a program cannot be explored here.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The kernel does not let us trace it: another user's program, or a container or security
    /// module that forbids it.
    #[error("the kernel does not let this process trace pid {pid}: {error}")]
    Forbidden {
        /// The program.
        pid: i32,
        /// What ptrace(2) said.
        error: std::io::Error,
    },
    /// Instructions are only understood on x86-64.
    #[error("the explorer needs an x86-64 processor")]
    Architecture,
}
