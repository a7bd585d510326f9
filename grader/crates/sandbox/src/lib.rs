//! The box that untrusted programs run in.
//!
//! # Theory of operation
//!
//! A box has two parts, a **room** and a **cell**.
//!
//! The *room* is the calling process itself. [`Sandbox::open`] moves it into mount, IPC, network
//! and UTS namespaces of its own, with a private `/tmp`, `/dev/shm` and `/dev/mqueue` and a
//! loopback interface that is up. It keeps the PID namespace of the machine, so the room's `/proc`
//! shows every boxed process under the very pid that [`Child::pid`] returns, and it can be watched
//! from outside.
//!
//! The *cell* is where the untrusted programs are: a child user namespace, a PID namespace, and a
//! mount namespace whose root holds the system's programs and libraries, the folders that
//! [`BoxSpec::binds`] names, a few devices, a private `/proc`, and the room's own `/tmp`,
//! `/dev/shm` and `/dev/mqueue`. Nothing else exists in there: no home folder, no hidden test, no
//! process of the grader. Room and cell share IPC and network namespaces and those three folders,
//! so a FIFO, a shared memory object, a message queue, a System V id or a port on 127.0.0.1 has
//! the same name on both sides, and a test's author writes ordinary code.
//!
//! Both sides also are the same user to the kernel. An ordinary caller keeps its uid, and the cell
//! sees that uid as 1000. A root caller gives up uid 0 for [`BOX_UID`] but keeps its capabilities:
//! otherwise whatever a test creates would belong to root and be closed to the programs, and
//! `fs.protected_fifos` would close whatever they create to the test.
//!
//! Pid 1 of the cell is a small **spawn server** (`init.rs`), forked from the room before any
//! thread exists. The room sends it commands and descriptors over a socket; it forks, prepares and
//! executes the program (`exec.rs`), answers with a pidfd, reaps everything and reports each end
//! with what the process used. It is a program of its own because only a process in the PID
//! namespace can put another one there, and because a program that were pid 1 itself would
//! survive its own `SIGTERM` and make every IPC test lie.
//!
//! Restrictions that hold for all programs of a box (`no_new_privs`, an empty bounding set,
//! Landlock, seccomp) are put on the spawn server once its setup is done and inherited from there.
//! So all programs of a box are in one Landlock domain and may signal each other.
//!
//! Killing is the kernel's work: when pid 1 of a PID namespace dies, everything in it does. Pid 1
//! dies with the room (`PR_SET_PDEATHSIG`, and end of file on the socket), so nothing outlives
//! a test that was killed itself.
//!
//! How much of this a machine allows is its [`Level`]; `open` gives exactly the level it was asked
//! for, or the step that failed.
//!
//! A program can be started so that chosen system calls of it, and of everything it starts, are
//! announced to a listener in the room before they happen (`watch.rs`). The filter for that comes
//! on top of the box's own, so a listener can never allow what the box refuses.
//!
//! # Without namespaces
//!
//! Many containers refuse namespaces to everybody. There is no cell then, but a **fence** around
//! the spawn server and its programs (`fence.rs`): a Landlock domain in which little but a fresh
//! work folder can be written and little but the system's folders and the binds' sources can be
//! read, and seccomp filters. Programs, the room and the rest of the machine share one `/dev/shm`,
//! one network and one set of pids.
//!
//! What keeps programs from the grader's processes, which they can now name, depends on the level:
//!
//! - Root (level D) gives them a *spare uid* that no other box has (`spare.rs`). The spawn server
//!   stays root. The room only *acts as* that uid: its effective id, which decides who owns what a
//!   test makes and what `/proc` shows it, is the spare one, while its real and saved ids, which
//!   decide who may signal and trace it, remain root's.
//! - An ordinary user (level E) has no second uid. Landlock keeps signals and traces inside the
//!   fence. The spawn server is inside too, since only whoever is inside can put others there, so
//!   the seccomp filters name it.
//!
//! A test may be led by what programs leave in its way, such as a link to a file of the machine in
//! the place of a FIFO. In a room with mounts of its own, links lead nowhere. Here the room itself
//! enters a Landlock domain, before the first fork: it holds the same files as that of the programs,
//! which is a domain inside it, so that the room may watch them. On level D it also gives up root's
//! power over files.
//!
//! No kernel object dies with such a box, so somebody has to see to its end: the **guardian**
//! (`guardian.rs`), parent of the spawn server, stands outside the fence and outlives room, spawn
//! server and programs. It kills what is left and removes the work folder and the IPC objects that
//! are the box's (`traces.rs`).

mod cell;
mod cgroup;
mod child;
mod command;
mod credentials;
mod desk;
mod exec;
mod fence;
mod forget;
mod guardian;
mod init;
mod landlock;
mod leftovers;
mod lesser;
mod level;
mod mounts;
mod namespaces;
mod processes;
mod rlimits;
mod room;
mod sandbox;
mod seccomp;
mod shortage;
mod spare;
mod spec;
mod step;
mod stillness;
mod traces;
mod watch;
mod wire;
mod work_dir;

pub use cgroup::remove_orphans;
pub use child::{Child, Exit};
pub use command::Command;
pub use credentials::BOX_UID;
pub use leftovers::Leftovers;
pub use lesser::{Machine, UnknownMachine};
pub use level::{
    CHECK_COMMAND, CHECK_WATCH_COMMAND, Level, Refusal, UnknownLevel, best_level, check,
    check_watch, try_level, try_watch,
};
pub use nix::sys::resource::Resource;
pub use rlimits::Rlimits;
pub use sandbox::{OpenError, Sandbox, SpawnError};
pub use shortage::killed_for_memory;
pub use spare::SPARE as SPARE_UIDS;
pub use spec::{Bind, BoxSpec};
pub use step::StepError;
pub use watch::Watch;
