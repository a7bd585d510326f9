//! The submitted files of every graded lab, kept in the RUN folder under their digest, so that a
//! verdict can be looked into and run again long after the submissions were moved away.

use std::path::{Path, PathBuf};

use crate::SourceTree;
use crate::digest::of_tree;
use crate::kit::read_sources;
use crate::reports::{ReportError, replace};

fn folder(run: &Path, digest: &str) -> PathBuf {
    run.join("sources").join(digest)
}

/// Keeps these files. What is there already is of the same digest and stays.
pub(crate) fn keep(run: &Path, digest: &str, files: &SourceTree) -> Result<(), ReportError> {
    let folder = folder(run, digest);
    for (path, bytes) in files {
        let file = folder.join(path);
        if !file.exists() {
            replace(&file, bytes)?;
        }
    }
    Ok(())
}

/// The files of a digest, if all of them are still there and unchanged.
pub(crate) fn read(run: &Path, digest: &str) -> Option<SourceTree> {
    let files = read_sources(&folder(run, digest)).ok()?;
    (of_tree(&files) == digest).then_some(files)
}
