//! An open box, from the side of its user.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Uid;

use crate::desk::Desk;
use crate::exec::{Failure, Stage};
use crate::fence::QUEUES;
use crate::leftovers::{self, Leftovers, Object};
use crate::room::{self, Extras, Holdings, Room};
use crate::shortage::{Readiness, be_ready};
use crate::step::AtStep;
use crate::watch::Watched;
use crate::wire::{Channel, MAX_FDS, Request, Spawn};
use crate::{BoxSpec, Child, Command, Level, Rlimits, StepError, processes, rlimits};

/// Why a box could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The calling process has several threads; only a process with one can be moved.
    #[error("a box must be opened before the process starts threads; it has {threads}")]
    Threads {
        /// How many it has.
        threads: usize,
    },
    /// The machine refused.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The box opened, but a trial program did not run in it; only [`crate::check`] says this.
    #[error("a trial program did not run: {reason}")]
    Trial {
        /// What went wrong.
        reason: String,
    },
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// `execve` failed: no such file, no permission, no executable, arguments too long.
    #[error("execute {}: {errno}", program.display())]
    Exec {
        /// What was to be executed.
        program: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Its calls cannot be announced: a kernel before 5.19, a container that forbids it, or a
    /// caller that is being watched itself (`EBUSY`).
    #[error("have the system calls of {} announced: {errno}", program.display())]
    Watch {
        /// What was to be executed.
        program: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Something before that failed.
    #[error("prepare {} ({step}): {errno}", program.display())]
    Prepare {
        /// What was to be executed.
        program: PathBuf,
        /// What was being done: descriptors, work folder, limits, …
        step: String,
        /// The kernel's answer.
        errno: Errno,
    },
    /// More descriptors than can be passed at once.
    #[error("{n_fds} descriptors are more than the {MAX_FDS} that can be passed at once")]
    TooManyFds {
        /// How many were given.
        n_fds: usize,
    },
    /// The arguments are larger than any program could be started with.
    #[error("the command is too large to be sent to the box")]
    TooLarge,
    /// The box is gone: the spawn server was killed.
    #[error("the box is gone")]
    Gone,
    /// The same, because the programs had used up the memory of the box and the kernel killed it.
    #[error("the box is gone: its programs used up its memory")]
    OutOfMemory,
}

/// An open box. Dropping it closes it.
#[derive(Debug)]
pub struct Sandbox {
    level: Level,
    work_dir: PathBuf,
    landlocked: bool,
    limits: Rlimits,
    channel: Mutex<Channel>,
    next_id: AtomicU64,
    desk: Desk,
    reader: Option<JoinHandle<()>>,
    holdings: Option<Holdings>,
    /// The message queue file system of the box; `None` where it shares the machine's.
    queues: Option<OwnedFd>,
    /// IPC objects of the machine that were there before; empty where they are private.
    foreign_ipc: BTreeSet<Object>,
    /// How many processes and threads each program may count up to; `None` if that is not limited.
    max_processes: Option<u64>,
}

/// How long the spawn server may take to kill and count before the kernel does it.
const FINISH: Duration = Duration::from_secs(5);

/// On the level where a box shares its uid with the rest of what its user does: so many more
/// processes and threads of that may come while the box is open.
const ROOM_FOR_OTHERS: u64 = 256;

impl Sandbox {
    /// Opens a box of exactly this level, or says which step failed.
    ///
    /// On levels with namespaces this moves the calling process, which must have one thread: its
    /// `/tmp`, `/dev/shm`, IPC and network become those of the box, and root becomes
    /// [`crate::BOX_UID`]. On level D root acts as a spare uid afterwards. After an error the process may be halfway there: it should end. The
    /// programs die with the thread that calls this, which should be the main one.
    pub fn open(spec: &BoxSpec, level: Level) -> Result<Self, OpenError> {
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        if threads != 1 {
            return Err(OpenError::Threads { threads });
        }
        match level {
            Level::A | Level::B | Level::C => be_ready(Readiness::Room),
            // All of the box at once: behind the fence nobody can change it any more.
            Level::D | Level::E => be_ready(Readiness::Programs),
            Level::None => {}
        }
        let room = match level {
            Level::A | Level::B | Level::C => room::open(
                spec,
                Extras {
                    cgroup: level == Level::A,
                    proc: level != Level::C,
                },
            )?,
            Level::D => room::open_spare(spec)?,
            Level::E => room::open_own(spec)?,
            Level::None => room::open_bare()?,
        };
        Ok(Self::new(room, level, spec.limits)?)
    }

    fn new(room: Room, level: Level, limits: Rlimits) -> Result<Self, StepError> {
        let Room {
            channel,
            work_dir,
            landlocked,
            queues,
            holdings,
        } = room;
        let foreign_ipc = match level {
            Level::None => ipc_objects(Path::new(QUEUES)),
            _ => BTreeSet::new(),
        };
        let max_processes = match level {
            Level::None => None,
            Level::E => {
                let running = processes::threads_of(Uid::current());
                Some(running + limits.processes + ROOM_FOR_OTHERS)
            }
            _ => Some(limits.processes),
        };
        let desk = Desk::default();
        let events = channel.try_clone().at("copy the socket")?;
        let reader = desk.start_reader(events).at("start a thread")?;
        Ok(Self {
            level,
            work_dir,
            landlocked,
            limits,
            channel: Mutex::new(channel),
            next_id: AtomicU64::new(0),
            desk,
            reader: Some(reader),
            holdings: Some(holdings),
            queues,
            foreign_ipc,
            max_processes,
        })
    }

    /// The level it was opened with.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether Landlock stands behind the other walls; false on kernels without it.
    pub fn landlocked(&self) -> bool {
        self.landlocked
    }

    /// The folder that the programs work in: the same path for the caller and for them.
    pub fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// Starts a program; returns once it executes.
    pub fn spawn(&self, command: Command) -> Result<Child, SpawnError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let program = command.program.clone();
        let (spawn, fds) = self.request(id, command)?;
        let started = self.desk.expect_start(id).ok_or_else(|| self.gone())?;
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        if let Err(error) = self.send(&Request::Spawn(Box::new(spawn)), &borrowed) {
            self.desk.forget_start(id);
            return Err(match error.kind() {
                io::ErrorKind::InvalidInput => SpawnError::TooLarge,
                _ => self.gone(),
            });
        }
        // From here on only the program holds them: a pipe's end must end with it.
        drop(fds);
        match started.recv() {
            Ok(Ok(child)) => Ok(child),
            Ok(Err(Failure {
                stage: Stage::Exec,
                errno,
            })) => Err(SpawnError::Exec {
                program,
                errno: Errno::from_raw(errno),
            }),
            Ok(Err(Failure {
                stage: Stage::Watch,
                errno,
            })) => Err(SpawnError::Watch {
                program,
                errno: Errno::from_raw(errno),
            }),
            Ok(Err(Failure { stage, errno })) => Err(SpawnError::Prepare {
                program,
                step: format!("{stage:?}").to_lowercase(),
                errno: Errno::from_raw(errno),
            }),
            Err(_) => Err(self.gone()),
        }
    }

    fn gone(&self) -> SpawnError {
        let holdings = self.holdings.as_ref();
        match holdings.is_some_and(Holdings::ran_out_of_memory) {
            true => SpawnError::OutOfMemory,
            false => SpawnError::Gone,
        }
    }

    fn request(&self, id: u64, command: Command) -> Result<(Spawn, Vec<OwnedFd>), SpawnError> {
        let n_fds = command.fds.len() + usize::from(command.watch.is_some());
        if n_fds > MAX_FDS {
            return Err(SpawnError::TooManyFds { n_fds });
        }
        let (mut fds, numbers): (Vec<OwnedFd>, _) = command.fds.into_iter().unzip();
        let watched = command.watch.map(|watch| {
            fds.push(watch.socket);
            Watched {
                calls: watch.calls,
                cpu: watch.cpu,
            }
        });
        let mut argv = vec![command.program.into_os_string()];
        argv.extend(command.args);
        let variable = |(mut name, value): (OsString, OsString)| {
            name.push("=");
            name.push(value);
            name
        };
        let spawn = Spawn {
            id,
            argv,
            env: command.env.into_iter().map(variable).collect(),
            cwd: command.cwd.map(PathBuf::into_os_string),
            fds: numbers,
            rlimits: rlimits::of_command(&self.limits, &command.rlimits, self.max_processes),
            umask: command.umask.unwrap_or(0o022),
            ignored: command.ignored,
            blocked: command.blocked,
            watched,
        };
        Ok((spawn, fds))
    }

    fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.channel
            .lock()
            .expect("no holder of this lock panics")
            .send(request, fds)
    }

    /// Kills everything in the box and says what was left. Every [`Child`] has ended after this.
    pub fn close(mut self) -> Leftovers {
        let mut leftovers = self.finish();
        if matches!(self.level, Level::D | Level::E) {
            return leftovers; // removed already
        }
        let queues = match &self.queues {
            Some(queues) => format!("/proc/self/fd/{}", queues.as_raw_fd()).into(),
            None => PathBuf::from(QUEUES),
        };
        leftovers.ipc = ipc_objects(&queues)
            .difference(&self.foreign_ipc)
            .map(Object::to_string)
            .collect();
        leftovers
    }

    /// Ends the spawn server and everything with it, once.
    fn finish(&mut self) -> Leftovers {
        let Some(holdings) = self.holdings.take() else {
            return Leftovers::default();
        };
        let finished = self.desk.expect_finish();
        let asked = self.send(&Request::Finish, &[]);
        let survivors = asked.ok().and_then(|()| finished.recv_timeout(FINISH).ok());
        let ipc = holdings.release();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if self.level == Level::None {
            let _ = std::fs::remove_dir_all(&self.work_dir);
        }
        Leftovers {
            processes: survivors.unwrap_or(0),
            ipc,
        }
    }
}

fn ipc_objects(queues: &Path) -> BTreeSet<Object> {
    leftovers::ipc_objects(queues).into_keys().collect()
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.finish();
    }
}
