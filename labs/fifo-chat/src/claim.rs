//! Given: a FIFO that one program reads alone, and that goes away with the program.
//!
//! Two readers of one FIFO would each get some of the lines, so a lock on the FIFO says who
//! reads it. The kernel drops the lock with the process, even after `kill -9`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::stat::fstat;

use crate::{ensure_fifo, open_reader};

/// A FIFO with its only reader. Dropping it, SIGTERM, SIGINT and SIGHUP remove the FIFO.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    reader: Flock<OwnedFd>,
}

impl Claim {
    /// Makes the FIFO if need be and becomes its reader.
    ///
    /// Fails with `AlreadyExists` if something else stands at `path`, and with `ResourceBusy`
    /// if another program has claimed the FIFO. Call it before starting threads: it blocks the
    /// three signals in the calling thread.
    pub fn take(path: &Path) -> io::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
        signals.thread_block()?;
        let claim = loop {
            ensure_fifo(path)?;
            let reader = Flock::lock(open_reader(path)?, FlockArg::LockExclusiveNonblock).map_err(
                |(_, errno)| {
                    if errno == Errno::EWOULDBLOCK {
                        Errno::EBUSY
                    } else {
                        errno
                    }
                },
            )?;
            // The last owner may have removed the name after we opened it: then we hold a FIFO
            // that nobody can find any more.
            let (ours, named) = (fstat(reader.as_fd())?, fs::metadata(path));
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.st_dev, ours.st_ino)) {
                break Self {
                    path: path.to_owned(),
                    reader,
                };
            }
        };
        remove_on(signals, path.to_owned())?;
        Ok(claim)
    }

    /// The reading end.
    pub fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The FIFO may be gone already; there is nobody left to tell.
        let _ = fs::remove_file(&self.path);
    }
}

/// Waits in a thread for one of `signals`, removes the FIFO and dies by that signal. A thread
/// may do what no signal handler may.
fn remove_on(signals: SigSet, path: PathBuf) -> io::Result<()> {
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Ok(signal) = signals.wait() {
                let _ = fs::remove_file(&path);
                let _ = signals.thread_unblock();
                let _ = raise(signal);
            }
        })?;
    Ok(())
}
