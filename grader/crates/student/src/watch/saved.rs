//! Tells when a file of the lab was saved.
//!
//! inotify(7) wakes us at once, and a look at the files decides: editors save in many ways, by
//! rename, by truncation, with files of their own beside. Where inotify tells nothing, as on
//! shared folders of a virtual machine, the look every second is late but not blind.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Between two looks without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// So long must it be quiet after a wake-up: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(15);

/// The files of one lab.
pub(crate) struct Saved {
    folder: PathBuf,
    /// None where the kernel grants no more watches.
    notifier: Option<Inotify>,
    seen: Files,
    is_noisy: bool,
}

/// Path to what changes when the file does.
type Files = BTreeMap<PathBuf, (u64, i64, i64, u64)>;

impl Saved {
    /// The files below `folder` as they are now.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let saved = Self {
            folder: folder.to_owned(),
            notifier: Inotify::init(flags).ok(),
            seen: look(folder)?,
            is_noisy: false,
        };
        saved.watch_folders(folder);
        Ok(saved)
    }

    /// What becomes readable at a wake-up.
    pub(crate) fn notifier(&self) -> Option<BorrowedFd<'_>> {
        self.notifier.as_ref().map(AsFd::as_fd)
    }

    /// How long to wait before [`Self::has_changed`] should be asked again.
    pub(crate) fn patience(&self) -> Duration {
        if self.is_noisy { QUIET } else { LOOK }
    }

    /// Whether a file was saved since the last time this was true. `woken` is whether
    /// [`Self::notifier`] was readable.
    pub(crate) fn has_changed(&mut self, woken: bool) -> bool {
        if woken {
            if let Some(notifier) = &self.notifier {
                // What it tells does not matter: the look decides.
                while notifier
                    .read_events()
                    .is_ok_and(|events| !events.is_empty())
                {}
            }
            self.is_noisy = true;
            return false;
        }
        self.is_noisy = false;
        // A file that cannot be read just now is being replaced: the next look sees more.
        let Ok(now) = look(&self.folder) else {
            return false;
        };
        if now == self.seen {
            return false;
        }
        self.seen = now;
        self.watch_folders(&self.folder);
        true
    }

    fn watch_folders(&self, folder: &Path) {
        let Some(notifier) = &self.notifier else {
            return;
        };
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE;
        // One that is refused is looked at every second all the same.
        let _unwatched = notifier.add_watch(folder, flags);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.watch_folders(&entry.path());
            }
        }
    }
}

/// The sources and manifests below `folder`.
fn look(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let about = entry.metadata()?;
            if about.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "rs" || end == "toml")
            {
                let seen = (about.ino(), about.mtime(), about.mtime_nsec(), about.len());
                files.insert(path, seen);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    /// Waits as the watch does, until a save was seen or `most` wake-ups were not enough.
    fn is_seen(saved: &mut Saved, most: u32) -> bool {
        (0..most).any(|_| {
            let patience = PollTimeout::try_from(saved.patience()).unwrap();
            let woken = {
                let fd = saved.notifier().expect("this machine has inotify");
                let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
                poll(&mut fds, patience).unwrap() > 0
            };
            saved.has_changed(woken)
        })
    }

    #[test]
    fn a_save_by_writing_and_one_by_renaming_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        let file = dir.path().join("src/lib.rs");
        fs::write(&file, "one").unwrap();
        let mut saved = Saved::of(dir.path()).unwrap();
        assert!(!saved.has_changed(false), "nothing was saved yet");
        fs::write(&file, "one and two").unwrap();
        assert!(is_seen(&mut saved, 10));
        let swap = dir.path().join("src/.lib.rs.swp");
        fs::write(&swap, "three").unwrap();
        fs::rename(&swap, &file).unwrap();
        assert!(is_seen(&mut saved, 10));
        assert!(!saved.has_changed(false), "each save is told once");
    }

    #[test]
    fn a_new_module_in_a_new_folder_is_seen_and_an_editors_own_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut saved = Saved::of(dir.path()).unwrap();
        fs::write(dir.path().join("4913"), "").unwrap();
        assert!(!is_seen(&mut saved, 3));
        fs::create_dir(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("src/new.rs"), "").unwrap();
        assert!(is_seen(&mut saved, 10));
        fs::write(dir.path().join("src/new.rs"), "more").unwrap();
        assert!(is_seen(&mut saved, 10), "its folder is watched by now");
    }
}
