//! The folder `.lab` at the top of the tree: what these commands remember for the student.
//!
//! It is for the student alone: no file in it is handed in. A tree that cannot be written to is
//! no failure, only a tree without a memory.

use std::fs;
use std::io::Write;

use crate::tree::Tree;

/// The folder's name.
const FOLDER: &str = ".lab";

/// The text of a file of the memory.
pub(crate) fn read(tree: &Tree, name: &str) -> Option<String> {
    fs::read_to_string(tree.root.join(FOLDER).join(name)).ok()
}

/// Writes a file whole; whoever reads beside sees the old one or the new one.
pub(crate) fn write(tree: &Tree, name: &str, bytes: &[u8]) {
    let folder = tree.root.join(FOLDER);
    let _forgotten = fs::create_dir_all(&folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(bytes)?;
        file.persist(folder.join(name))
            .map_err(Into::into)
            .map(drop)
    });
}

/// Adds a line to a file.
pub(crate) fn add_line(tree: &Tree, name: &str, line: &str) -> std::io::Result<()> {
    let folder = tree.root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}
