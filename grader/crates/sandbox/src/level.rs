//! The levels of isolation, and which of them this machine really gives.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::{BoxSpec, Command, OpenError, Sandbox, Watch};

/// How well a box holds. A greater level holds better: `Level::A` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No isolation at all.
    None,
    /// Nothing but the caller's own uid.
    E,
    /// No namespaces, but a spare uid.
    D,
    /// Namespaces without a private `/proc`.
    C,
    /// Namespaces.
    B,
    /// Namespaces and control groups.
    A,
}

impl Level {
    /// All levels that isolate, best first.
    pub const ISOLATING: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// One line: what this level gives and what it does not promise.
    pub fn describe(self) -> &'static str {
        match self {
            Self::A => "all namespaces, Landlock, seccomp, and control groups over the whole tree",
            Self::B => "all namespaces, Landlock and seccomp; memory is limited per process only",
            Self::C => "as B, but programs have no /proc, so /proc/self and /dev/fd are missing",
            Self::D => "a spare uid, Landlock and seccomp; IPC names and network are not private",
            Self::E => "Landlock and seccomp only; IPC names and network are not private",
            Self::None => "no isolation: programs can read and do whatever you can",
        }
    }

    /// What this level does not promise, each a sentence without its full stop.
    pub fn not_promised(self) -> &'static [&'static str] {
        const MEMORY: &str =
            "memory is limited for each process, not for all processes of a program together";
        const PROC: &str =
            "programs have no /proc: /proc/self, current_exe and /dev/fd are missing";
        const NAMES: &str = "programs see the names and command lines of the machine's processes";
        const NETWORK: &str =
            "programs reach whatever network the machine has, by TCP, UDP and others";
        const IPC: &str = "names of shared memory, semaphores, queues and ports are the machine's: \
                           others may have taken them";
        const SOCKETS: &str = "before Linux 7.1, programs can connect to Unix sockets that their \
                               user may connect to";
        const DISK: &str = "files are limited in size but not in number, so a program can fill the \
                            disk and /dev/shm";
        const OWN_SOCKETS: &str = "before Linux 7.1, programs can connect to the Unix sockets of \
                                   your own services, such as D-Bus or an SSH agent, and have \
                                   them act for you";
        const OWN_IPC: &str = "programs may open, and remove, whatever IPC objects are yours; \
                               submissions run one at a time, so that they meet no others'";
        const FORKS: &str = "your own processes count against the limit on processes, so a fork \
                             bomb can fail a fork of yours";
        const EVERYBODY: &str = "kill(-1, …) is refused instead of reaching the box's programs";
        const MODES: &str = "programs cannot change the mode of any file, not even of their own";
        match self {
            Self::A => &[],
            Self::B => &[MEMORY],
            Self::C => &[MEMORY, PROC],
            Self::D => &[MEMORY, NAMES, NETWORK, IPC, SOCKETS, DISK],
            Self::E => &[
                MEMORY,
                NAMES,
                NETWORK,
                IPC,
                OWN_IPC,
                OWN_SOCKETS,
                DISK,
                FORKS,
                EVERYBODY,
                MODES,
            ],
            Self::None => &["anything"],
        }
    }

    /// Whether all boxes of a caller are of one user, so that the programs of one can get at what
    /// those of another make. Then only one at a time can be kept from the rest.
    pub fn shares_one_user(self) -> bool {
        self == Self::E
    }

    /// Whether programs see a root folder of their own, with [`BoxSpec::binds`] in it, rather than
    /// the machine's.
    pub fn has_private_root(self) -> bool {
        self >= Self::C
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
            Self::None => "none",
        })
    }
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no isolation level is called {0:?}; there are A, B, C, D, E and none")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Self::ISOLATING
            .into_iter()
            .chain([Self::None])
            .find(|level| level.to_string().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

/// Why a level cannot be had on this machine.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The level that was tried.
    pub level: Level,
    /// The failing step and the kernel's answer.
    pub reason: String,
}

/// The hidden subcommand that [`try_watch`] runs its helper with, followed by a level.
pub const CHECK_WATCH_COMMAND: &str = "__watch-check";

/// The hidden subcommand that [`best_level`] runs its helper with, followed by a level.
pub const CHECK_COMMAND: &str = "__box-check";

/// The best level of this machine, and why the better ones were refused.
///
/// Each level is tried for real, best first. `helper` is an executable, usually the caller's own,
/// that calls [`check`] when it is run as `helper __box-check LEVEL`, prints the error on standard
/// error and exits 0 or not. A process of its own is needed because opening a box moves the
/// process that does it, and because the caller may have threads.
pub fn best_level(helper: &Path) -> (Level, Vec<Refusal>) {
    let mut refusals = Vec::new();
    for level in Level::ISOLATING {
        match try_level(helper, level) {
            Ok(()) => return (level, refusals),
            Err(refusal) => refusals.push(refusal),
        }
    }
    (Level::None, refusals)
}

/// Whether this machine gives a level, tried for real; `helper` as for [`best_level`].
pub fn try_level(helper: &Path, level: Level) -> Result<(), Refusal> {
    run_check(helper, level).map_err(|reason| Refusal { level, reason })
}

/// Whether system calls of programs can be announced on a level of this machine, tried for real;
/// `helper` as for [`best_level`], but it calls [`check_watch`].
pub fn try_watch(helper: &Path, level: Level) -> Result<(), Refusal> {
    ask(helper, CHECK_WATCH_COMMAND, level).map_err(|reason| Refusal { level, reason })
}

fn run_check(helper: &Path, level: Level) -> Result<(), String> {
    ask(helper, CHECK_COMMAND, level)
}

fn ask(helper: &Path, command: &str, level: Level) -> Result<(), String> {
    let output = std::process::Command::new(helper)
        .args([command, &level.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("running {}: {error}", helper.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim() {
        "" => Err(format!("the trial ended with {}", output.status)),
        reason => Err(reason.to_owned()),
    }
}

/// How long `true` may take before a level counts as not working; it takes a few milliseconds.
const TRIAL: Duration = Duration::from_secs(10);

/// Opens a box of this level in the calling process and runs `true` in it.
///
/// The process is moved into the box's room and is good for nothing else afterwards.
pub fn check(level: Level) -> Result<(), OpenError> {
    run_trial(level, Command::new("/bin/true"))
}

/// The same with a program whose calls are announced. None of them is chosen, so nobody has to
/// listen: what is tried is whether the kernel and whoever confines us allow it.
pub fn check_watch(level: Level) -> Result<(), OpenError> {
    let no_socket = |error: std::io::Error| OpenError::Trial {
        reason: error.to_string(),
    };
    let (_ours, theirs) = UnixStream::pair().map_err(no_socket)?;
    let mut command = Command::new("/bin/true");
    command.watch = Some(Watch {
        calls: Vec::new(),
        socket: theirs.into(),
        cpu: None,
    });
    run_trial(level, command)
}

fn run_trial(level: Level, command: Command) -> Result<(), OpenError> {
    let sandbox = Sandbox::open(&BoxSpec::default(), level)?;
    let child = sandbox.spawn(command).map_err(|error| OpenError::Trial {
        reason: error.to_string(),
    })?;
    let trial = match child.wait_until(Instant::now() + TRIAL) {
        Some(exit) if exit.status.success() => Ok(()),
        Some(exit) => Err(format!("true ended with {}", exit.status)),
        None => Err("true did not end".to_owned()),
    };
    sandbox.close();
    trial.map_err(|reason| OpenError::Trial { reason })
}
