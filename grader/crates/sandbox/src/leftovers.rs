//! What a box's programs left behind: processes and IPC objects.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What was still there when a box was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Processes that still ran and were killed; zombies do not count.
    pub processes: u32,
    /// IPC objects that still existed after that, as a person would name them: `/dev/shm/ring`,
    /// `/dev/mqueue/jobs`, `System V semaphore set 3`. They go with the box, except on
    /// [`crate::Level::None`].
    ///
    /// On [`crate::Level::E`] nothing tells whose a name is: while other boxes of the same user
    /// are open the list is empty, and the last of them names and removes those of all.
    pub ipc: Vec<String>,
}

/// An IPC object with a name or an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Object {
    /// A POSIX message queue.
    Queue(OsString),
    /// A file in `/dev/shm`: shared memory or a semaphore.
    File(OsString),
    /// A System V message queue.
    Messages(i32),
    /// A System V semaphore set.
    Semaphores(i32),
    /// A System V shared memory segment.
    Memory(i32),
}

/// Whose an object is.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    /// The process that made it, where the kernel knows.
    pub(crate) creator: Option<i32>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "/dev/mqueue/{}", name.display()),
            Self::File(name) => write!(f, "/dev/shm/{}", name.display()),
            Self::Messages(id) => write!(f, "System V message queue {id}"),
            Self::Semaphores(id) => write!(f, "System V semaphore set {id}"),
            Self::Memory(id) => write!(f, "System V shared memory segment {id}"),
        }
    }
}

impl Object {
    /// Where a process that has it open shows it in `/proc`.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            // A queue's descriptor shows its name below the root of its own file system.
            Self::Queue(name) => Some(Path::new("/").join(name)),
            Self::File(name) => Some(Path::new("/dev/shm").join(name)),
            Self::Messages(_) | Self::Semaphores(_) | Self::Memory(_) => None,
        }
    }

    /// Removes it, as far as the calling process may.
    pub(crate) fn remove(&self) {
        match self {
            Self::Queue(name) => {
                let _ = nix::mqueue::mq_unlink(&*Path::new("/").join(name));
            }
            Self::File(name) => {
                let path = Path::new("/dev/shm").join(name);
                if fs::symlink_metadata(&path).is_ok_and(|kind| kind.is_dir()) {
                    crate::work_dir::remove(&path);
                } else {
                    let _ = fs::remove_file(&path);
                }
            }
            // SAFETY: removing an object by its id touches no memory of ours.
            Self::Messages(id) => unsafe {
                libc::msgctl(*id, libc::IPC_RMID, std::ptr::null_mut());
            },
            // SAFETY: as above; removing a set takes no fourth argument.
            Self::Semaphores(id) => unsafe {
                libc::semctl(*id, 0, libc::IPC_RMID);
            },
            // SAFETY: as above; whoever has it attached keeps the memory.
            Self::Memory(id) => unsafe {
                libc::shmctl(*id, libc::IPC_RMID, std::ptr::null_mut());
            },
        }
    }
}

/// The IPC objects that the calling process can see by name or id. `queues` is where the message
/// queue file system is mounted, which may be a detached mount under `/proc/self/fd`.
pub(crate) fn ipc_objects(queues: &Path) -> BTreeMap<Object, Owner> {
    let mut objects = BTreeMap::new();
    let places = [
        (queues, Object::Queue as fn(OsString) -> Object),
        (Path::new("/dev/shm"), Object::File),
    ];
    for (place, object) in places {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            // One that vanishes meanwhile was not left behind.
            if let Ok(metadata) = entry.metadata() {
                let (uid, creator) = (metadata.uid(), None);
                objects.insert(object(entry.file_name()), Owner { uid, creator });
            }
        }
    }
    // `/proc/sysvipc` shows the reader's IPC namespace, whatever namespace `/proc` belongs to.
    let kinds = [
        ("msg", Object::Messages as fn(i32) -> Object),
        ("sem", Object::Semaphores),
        ("shm", Object::Memory),
    ];
    for (file, object) in kinds {
        let table = fs::read_to_string(format!("/proc/sysvipc/{file}")).unwrap_or_default();
        let mut lines = table.lines().map(|line| line.split_whitespace().collect());
        let names: Vec<&str> = lines.next().unwrap_or_default();
        for line in lines {
            let line: Vec<&str> = line;
            let field = |name: &str| -> Option<i64> {
                let at = names.iter().position(|its| *its == name)?;
                line.get(at)?.parse().ok()
            };
            let pid = |name| field(name).and_then(|number| i32::try_from(number).ok());
            let id = line.get(1).and_then(|id| id.parse().ok());
            let uid = field("uid").and_then(|number| u32::try_from(number).ok());
            if let (Some(id), Some(uid)) = (id, uid) {
                let creator = pid("cpid");
                objects.insert(object(id), Owner { uid, creator });
            }
        }
    }
    objects
}
