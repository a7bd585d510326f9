//! What belongs to the repository, as git lists it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Every committed or new file below `root`, relative to it.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    paths
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect()
}
