//! A program to start in a box, spelled out completely: nothing is inherited from the caller.

use std::ffi::OsString;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::resource::Resource;

use crate::Watch;

/// A program to start in a box.
///
/// It starts in a session of its own: without a terminal, out of reach of the Ctrl-C that stops
/// the grader, and in a process group that a `kill(0, …)` of its own does not leave. Signal
/// dispositions are the defaults and the mask is empty, except as said here. Standard descriptors
/// that are not given are `/dev/null`; every other descriptor that is not given is closed.
#[derive(Debug)]
pub struct Command {
    /// The executable's path in the box; `PATH` is not searched.
    pub program: PathBuf,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; the box's work folder if `None`.
    pub cwd: Option<PathBuf>,
    /// Descriptors and the numbers they get.
    pub fds: Vec<(OwnedFd, RawFd)>,
    /// Limits, soft and hard alike, in place of those of the box.
    pub rlimits: Vec<(Resource, u64)>,
    /// The file mode creation mask; 022 if `None`.
    pub umask: Option<u32>,
    /// Signals that start out ignored.
    pub ignored: Vec<i32>,
    /// Signals that start out blocked.
    pub blocked: Vec<i32>,
    /// Calls that are announced to a listener; none if `None`.
    pub watch: Option<Watch>,
}

impl Command {
    /// A program without arguments, environment or descriptors.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            fds: Vec::new(),
            rlimits: Vec::new(),
            umask: None,
            ignored: Vec::new(),
            blocked: Vec::new(),
            watch: None,
        }
    }
}
