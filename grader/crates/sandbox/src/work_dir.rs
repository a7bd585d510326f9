//! The work folder of a box that has no private `/tmp`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::mkdtemp;

use crate::step::{AtStep, StepError};

/// Makes a fresh one that only the caller can enter.
pub(crate) fn make() -> Result<PathBuf, StepError> {
    mkdtemp(&std::env::temp_dir().join("box-XXXXXX")).at("make a work folder")
}

/// Removes it with all that is in it, also what programs have closed to everybody. They must be
/// dead by now.
pub(crate) fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_err() {
        open_all(folder);
        let _ = fs::remove_dir_all(folder);
    }
}

/// A folder can only be emptied by whoever may read it and write to it.
fn open_all(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_all(&entry.path());
        }
    }
}
