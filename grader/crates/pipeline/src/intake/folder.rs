//! Reads a submitted folder: regular files only, no link is ever followed.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use walkdir::WalkDir;

use super::place::{MAX_ENTRIES, MAX_FILE, MAX_TOTAL, Place, clean};
use super::{Entry, Refusal};

/// Folders that cargo, git and editors make and no student means to hand in.
const PASSED_OVER: [&str; 2] = ["target", ".git"];

pub(super) fn read(folder: &Path, place: &Place) -> Result<Vec<Entry>, Refusal> {
    let mut entries = Vec::new();
    let mut total = 0;
    let walk = WalkDir::new(folder).follow_links(false).sort_by_file_name();
    let walk = walk.into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !PASSED_OVER.contains(&name.as_ref())
    });
    for entry in walk {
        let entry = entry.map_err(|error| Refusal(format!("it cannot be read: {error}")))?;
        if entry.file_type().is_dir() {
            continue;
        }
        if entries.len() == MAX_ENTRIES {
            return Err(Refusal(format!("it holds more than {MAX_ENTRIES} files")));
        }
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let path = clean(below.as_os_str().as_bytes())?;
        let bytes = match place.of(&path) {
            None => None,
            Some(_) => Some(read_regular(entry.path(), &path)?),
        };
        total += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if total > MAX_TOTAL {
            return Err(Refusal("its source files exceed 8 MiB".into()));
        }
        entries.push(Entry { path, bytes });
    }
    Ok(entries)
}

fn read_regular(file: &Path, path: &str) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error| Refusal(format!("{path:?} cannot be read: {error}"));
    // The submission may change under us: what is opened is what is checked. Not blocking, or a
    // FIFO in the place of a source file would stop the grader.
    let opened = File::options()
        .read(true)
        .custom_flags(nofollow_nonblock())
        .open(file)
        .map_err(unreadable)?;
    if !opened.metadata().map_err(unreadable)?.is_file() {
        return Err(Refusal(format!("{path:?} is not a regular file")));
    }
    let mut bytes = Vec::new();
    opened
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Refusal(format!("{path:?} is larger than 1 MiB")));
    }
    Ok(bytes)
}

fn nofollow_nonblock() -> i32 {
    libc::O_NOFOLLOW | libc::O_NONBLOCK
}
