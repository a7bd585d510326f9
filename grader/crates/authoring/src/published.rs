//! The record `.published`: which files of a folder `publish` wrote, so that it can take back
//! what it no longer writes and leave alone what students added.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::{self, TreeError};

/// The record's path in the published tree.
pub(crate) const PATH: &str = ".published";

const HEADER: &str = "# Files that `cargo lab publish` wrote here. It removes those that it no \
                      longer writes, and touches no other.\n";

/// What is in a folder that shall be published into.
pub(crate) enum Folder {
    /// Nothing, or only the history of an empty repository.
    Empty,
    /// A tree published before, with the paths written then.
    Published(BTreeSet<String>),
    /// Something else.
    Foreign,
}

/// Looks at `dir`.
pub(crate) fn look_at(dir: &Path) -> Result<Folder, TreeError> {
    if !tree::exists(dir)? {
        return Ok(Folder::Empty);
    }
    let names = tree::names_in(dir)?;
    if names.iter().any(|name| name == PATH) {
        let record = tree::read(dir, &[PATH])?;
        return Ok(Folder::Published(paths(tree::text(&record, PATH)?)));
    }
    Ok(if names.iter().all(|name| name == ".git") {
        Folder::Empty
    } else {
        Folder::Foreign
    })
}

/// The record of `paths`.
pub(crate) fn record<'a>(paths: impl IntoIterator<Item = &'a String>) -> Vec<u8> {
    let mut text = HEADER.to_owned();
    for path in paths {
        text.push_str(path);
        text.push('\n');
    }
    text.into_bytes()
}

fn paths(record: &str) -> BTreeSet<String> {
    record
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let written = BTreeSet::from(["a/b".to_owned(), "c".to_owned()]);
        assert_eq!(
            paths(std::str::from_utf8(&record(&written)).unwrap()),
            written
        );
    }
}
