//! Resource limits: the defaults of a box, and what one command makes of them.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// Resource limits of every program of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimits {
    /// Processes and threads of the whole box together.
    pub processes: u64,
    /// Address space of one process, in bytes.
    pub memory: u64,
    /// CPU time of one process, in seconds: SIGXCPU, and SIGKILL a second later.
    pub cpu_seconds: u64,
    /// Size of one file, in bytes.
    pub file_bytes: u64,
    /// Open descriptors of one process.
    pub open_files: u64,
}

impl Default for Rlimits {
    fn default() -> Self {
        Self {
            processes: 64,
            memory: 1 << 30,
            cpu_seconds: 10,
            file_bytes: 128 << 20,
            open_files: 256,
        }
    }
}

/// The kernel's default; the caller's shell must not decide how deep a submission can recurse.
const STACK_BYTES: u64 = 8 << 20;

/// Signals may wait here for processes of the box. They count against the user outside, too, who
/// has a few thousand for everything: one box must not leave the others without.
const QUEUED_SIGNALS: u64 = 1024;

/// One limit as it travels to the spawn server.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Limit {
    resource: u32,
    soft: u64,
    hard: u64,
}

impl Limit {
    fn new(resource: Resource, soft: u64, hard: u64) -> Self {
        Self {
            resource: resource as u32,
            soft,
            hard,
        }
    }

    /// Sets the limit for the calling process, as far as its own hard limit allows.
    pub(crate) fn apply(self) -> nix::Result<()> {
        let Some(resource) = RESOURCES
            .into_iter()
            .find(|known| *known as u32 == self.resource)
        else {
            return Err(nix::errno::Errno::EINVAL);
        };
        let (_, ceiling) = getrlimit(resource)?;
        setrlimit(resource, self.soft.min(ceiling), self.hard.min(ceiling))
    }
}

const RESOURCES: [Resource; 15] = [
    Resource::RLIMIT_AS,
    Resource::RLIMIT_CORE,
    Resource::RLIMIT_CPU,
    Resource::RLIMIT_DATA,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_LOCKS,
    Resource::RLIMIT_MEMLOCK,
    Resource::RLIMIT_MSGQUEUE,
    Resource::RLIMIT_NICE,
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_NPROC,
    Resource::RLIMIT_RTPRIO,
    Resource::RLIMIT_RTTIME,
    Resource::RLIMIT_SIGPENDING,
    Resource::RLIMIT_STACK,
];

/// The limits of one command: those of the box, then its own, which win by coming later.
///
/// `max_processes` is what `RLIMIT_NPROC` counts up to, which may include foreign processes.
pub(crate) fn of_command(
    limits: &Rlimits,
    own: &[(Resource, u64)],
    max_processes: Option<u64>,
) -> Vec<Limit> {
    let both = |resource, value| Limit::new(resource, value, value);
    let mut all = vec![
        both(Resource::RLIMIT_CORE, 0),
        both(Resource::RLIMIT_STACK, STACK_BYTES),
        both(Resource::RLIMIT_SIGPENDING, QUEUED_SIGNALS),
        both(Resource::RLIMIT_AS, limits.memory),
        Limit::new(
            Resource::RLIMIT_CPU,
            limits.cpu_seconds,
            limits.cpu_seconds.saturating_add(1),
        ),
        both(Resource::RLIMIT_FSIZE, limits.file_bytes),
        both(Resource::RLIMIT_NOFILE, limits.open_files),
    ];
    if let Some(processes) = max_processes {
        all.push(both(Resource::RLIMIT_NPROC, processes));
    }
    // A limit can only be lowered, so a command's own value has to replace the box's.
    for &(resource, value) in own {
        all.retain(|limit| limit.resource != resource as u32);
        all.push(both(resource, value));
    }
    all
}
