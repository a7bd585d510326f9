//! Which IPC objects of the machine are a box's, on the levels where it shares their names.
//!
//! A spare uid answers that exactly: what it owns is the box's. Programs that run as the caller
//! leave no such mark: no kernel interface says who made a name. What is known is when: so the
//! first open box of a user writes down what there is, and when the last one closes, everything
//! that was not there and that no other program uses is removed. Between the two, boxes of one
//! user must not remove anything: it may be a neighbour's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::Uid;

use crate::fence::QUEUES;
use crate::leftovers::{self, Object, Owner};
use crate::step::{AtStep, StepError};

/// How to tell which objects are the box's.
#[derive(Debug)]
pub(crate) enum Traces {
    /// Those of this user.
    OfUser(u32),
    /// The caller's, if they were not there before.
    Since(Era),
}

/// The time during which boxes of one user are open. Every box holds a shared lock on its file.
#[derive(Debug)]
pub(crate) struct Era {
    file: File,
    before: BTreeSet<Object>,
}

impl Traces {
    /// Removes the box's objects and returns their names. `room` may still use them.
    pub(crate) fn remove(self, room: i32) -> Vec<String> {
        let objects = leftovers::ipc_objects(Path::new(QUEUES));
        let mine: BTreeSet<Object> = match self {
            Self::OfUser(uid) => objects
                .into_iter()
                .filter(|(_, owner)| owner.uid == uid)
                .map(|(object, _)| object)
                .collect(),
            Self::Since(era) => match era.file.try_lock() {
                Ok(()) => objects
                    .into_iter()
                    .filter(|(object, owner)| era.is_ours(object, owner, room))
                    .map(|(object, _)| object)
                    .collect(),
                Err(_) => BTreeSet::new(), // there are other boxes, and the last one does it
            },
        };
        mine.iter().for_each(Object::remove);
        mine.iter().map(Object::to_string).collect()
    }

    /// The descriptor that it needs to stay open.
    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        match self {
            Self::OfUser(_) => None,
            Self::Since(era) => Some(era.file.as_raw_fd()),
        }
    }
}

impl Era {
    /// Begins one, or joins the one that there is.
    pub(crate) fn enter() -> Result<Self, StepError> {
        let uid = Uid::effective().as_raw();
        // Not where TMPDIR says: all boxes of a user must meet here.
        let path = Path::new("/tmp").join(format!("ipc-box-{uid}.lock"));
        let step = format!("open {}", path.display());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .at(&*step)?;
        if file.metadata().at(&*step)?.uid() != uid {
            return Err(Errno::EPERM).at(step);
        }
        let now = || -> BTreeSet<Object> {
            leftovers::ipc_objects(Path::new(QUEUES))
                .into_keys()
                .collect()
        };
        let before = if file.try_lock().is_ok() {
            let before = now();
            let text = serde_json::to_vec(&before).expect("names are plain data");
            file.set_len(0)
                .and_then(|()| file.write_all(&text))
                .at(&*step)?;
            file.lock_shared().at(step)?;
            before
        } else {
            // Held only while somebody else is just here or in `remove`.
            file.lock_shared().at(&*step)?;
            let mut text = Vec::new();
            file.rewind()
                .and_then(|()| file.read_to_end(&mut text))
                .at(step)?;
            serde_json::from_slice(&text).unwrap_or_else(|_| now())
        };
        Ok(Self { file, before })
    }

    fn is_ours(&self, object: &Object, owner: &Owner, room: i32) -> bool {
        let is_foreign =
            |pid: i32| pid != room && Path::new("/proc").join(pid.to_string()).exists();
        Uid::current().as_raw() == owner.uid
            && !self.before.contains(object)
            && !owner.creator.is_some_and(is_foreign)
            && !object.path().is_some_and(|path| is_used(&path, room))
    }
}

/// Whether a process other than `room` has this file open or mapped. The box's own are dead.
fn is_used(path: &Path, room: i32) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|process| process.file_name() != *room.to_string())
        .any(|process| {
            let folder = process.path();
            let mut fds = fs::read_dir(folder.join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            let maps = fs::read(folder.join("maps")).unwrap_or_default();
            fds.any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file == path))
                || String::from_utf8_lossy(&maps)
                    .lines()
                    .any(|line| line.ends_with(&*format!(" {}", path.display())))
        })
}
