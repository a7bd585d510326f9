//! Spare user ids: who programs are where root has no namespaces to put them in.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Uid, User};

use crate::processes;
use crate::step::{AtStep, StepError};

/// Ids that nobody has: above those that systemd gives to people, below those that it gives to
/// services, and small enough for the id maps of a container. [`crate::Level::D`] gives each box
/// one of them.
pub const SPARE: Range<u32> = 60_800..60_864;

/// A file that says which of them are taken, by locks on single bytes. Locks end with whoever
/// holds them, so the file never has to be tidied.
const LOCKS: &str = "ipc-box-uids.lock";

/// Takes an id that no other box has. It stays taken until every copy of the descriptor is closed.
pub(crate) fn take() -> Result<(u32, File), StepError> {
    let step = "take a spare uid";
    let locks = open_locks()?;
    for uid in SPARE {
        if !lock(&locks, uid).at(step)? {
            continue;
        }
        // Ours alone among boxes, but not if the machine uses it, nor if a box whose guardian was
        // killed has left something running.
        let is_known = User::from_uid(Uid::from_raw(uid)).is_ok_and(|user| user.is_some());
        if !is_known && processes::threads_of(Uid::from_raw(uid)) == 0 {
            return Ok((uid, locks));
        }
    }
    Err(Errno::EBUSY).at(step)
}

fn open_locks() -> Result<File, StepError> {
    let open = |folder: &Path| {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(folder.join(LOCKS))
    };
    // Nobody but root can put a file of that name into /run; containers may have none to write to.
    let file = open(Path::new("/run")).or_else(|_| open(&std::env::temp_dir()));
    let file = file.at(format!("open {LOCKS}"))?;
    match file.metadata().at(format!("look at {LOCKS}"))?.uid() {
        0 => Ok(file),
        _ => Err(Errno::EPERM).at(format!("trust {LOCKS}, which belongs to somebody else")),
    }
}

/// Whether the id was free.
fn lock(locks: &File, uid: u32) -> nix::Result<bool> {
    let byte = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: uid.into(),
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the call reads one `flock`, which outlives it.
    match Errno::result(unsafe {
        libc::fcntl(locks.as_raw_fd(), libc::F_OFD_SETLK, &raw const byte)
    }) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}
