//! What was recorded: who called what, in which order, on which object, and what we did to it.

use std::time::Duration;

use nix::errno::Errno;

use crate::autopsy::call_name;
use crate::inject::{On, Point, Target};

/// The calls of all watched programs in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The processes, in the order in which they were first heard of.
    pub actors: Vec<Actor>,
    /// The calls.
    pub entries: Vec<Entry>,
    /// How many more calls there were; a log does not grow for ever.
    pub n_lost: usize,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The role its program was given, with `/N` for the N-th descendant.
    pub role: String,
    /// Its number as our own `/proc` lists it.
    pub pid: i32,
}

/// One call, before it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Since the recorder was started.
    pub at: Duration,
    /// The process, as an index into [`Log::actors`].
    pub actor: usize,
    /// The number of the call.
    pub call: i64,
    /// Its six registers; those that the call does not take hold leftovers.
    pub args: [u64; 6],
    /// What it is about.
    pub target: Option<Target>,
    /// The signals that the thread blocks, bit N-1 for signal N. Only noted where a new process
    /// or thread is made, for that is when it matters.
    pub blocked: Option<u64>,
    /// What was done to it, if anything.
    pub effect: Option<String>,
    /// What the kernel returned, below zero for an error, once it has. Only known of a recorder
    /// [with results](crate::inject::Recorder::with_results).
    pub returned: Option<i64>,
    /// The child that the call reaped, by the number that the caller knows it by. As above.
    pub reaped: Option<i32>,
}

/// Enough for every test; a program in an endless loop makes more calls than anybody can keep.
const MAX_ENTRIES: usize = 50_000;

impl Log {
    /// Adds a call and gives its place; `None` if the log is full.
    pub(crate) fn push(&mut self, entry: Entry) -> Option<usize> {
        if self.entries.len() >= MAX_ENTRIES {
            self.n_lost += 1;
            return None;
        }
        self.entries.push(entry);
        Some(self.entries.len() - 1)
    }

    /// The calls that a point means, whatever their count.
    pub fn matching(&self, point: &Point) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| {
            let role = &self.actors[entry.actor].role;
            point.matches(role, entry.call, &entry.args, entry.target.as_ref())
        })
    }

    /// A call as people write it: `read(0 = pipe A, 4096)`, with ` = 512` behind it if that is
    /// known.
    pub fn text(&self, entry: &Entry) -> String {
        let name = call_name(entry.call);
        let object = entry.target.as_ref().map(|target| {
            let object = self.object(target);
            match target.fd {
                Some(fd) if object.is_empty() => fd.to_string(),
                Some(fd) => format!("{fd} = {object}"),
                None => object,
            }
        });
        let detail = match entry.call {
            libc::SYS_read | libc::SYS_write | libc::SYS_recvfrom | libc::SYS_sendto => {
                Some(entry.args[2].to_string())
            }
            libc::SYS_kill => Some(format!("{}, {}", entry.args[0] as i32, entry.args[1])),
            libc::SYS_exit_group => Some((entry.args[0] as i32).to_string()),
            libc::SYS_futex => Some(futex_operation(entry.args[1]).to_owned()),
            _ => None,
        };
        let inside: Vec<String> = object.into_iter().chain(detail).collect();
        let call = format!("{name}({})", inside.join(", "));
        match (entry.returned, entry.reaped) {
            (None, _) => call,
            (Some(error @ ..0), _) => format!("{call} = {:?}", Errno::from_raw(-error as i32)),
            (Some(0), Some(child)) => format!("{call} = 0, reaped {child}"),
            (Some(value), _) => format!("{call} = {value}"),
        }
    }

    /// A short name for an object: pipes and sockets get letters in the order of the log.
    fn object(&self, target: &Target) -> String {
        let kind = match target.on {
            On::Pipe => "pipe",
            On::Socket => "socket",
            On::Fifo | On::File | On::Other => return target.name.clone(),
        };
        let mut seen: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if let Some(other) = &entry.target
                && other.on == target.on
                && !seen.contains(&other.name.as_str())
            {
                seen.push(&other.name);
            }
        }
        match seen.iter().position(|name| *name == target.name) {
            Some(place @ 0..26) => format!("{kind} {}", (b'A' + place as u8) as char),
            _ => target.name.clone(),
        }
    }
}

fn futex_operation(operation: u64) -> &'static str {
    match operation as i32 & libc::FUTEX_CMD_MASK {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => "wait",
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => "wake",
        libc::FUTEX_LOCK_PI | libc::FUTEX_LOCK_PI2 => "lock",
        libc::FUTEX_UNLOCK_PI => "unlock",
        _ => "requeue",
    }
}
