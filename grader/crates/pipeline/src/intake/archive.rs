//! Reads a submitted archive into memory: nothing is ever unpacked to disk.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::place::{MAX_ENTRIES, MAX_FILE, MAX_TOTAL, Place, clean};
use super::{Entry, Refusal};

/// Most bytes a packed tar may unpack to, source files or not.
const MAX_UNPACKED: u64 = 64 << 20;

pub(super) fn read_zip(file: &Path, place: &Place) -> Result<Vec<Entry>, Refusal> {
    let reader = BufReader::new(File::open(file).map_err(broken)?);
    let mut zip = zip::ZipArchive::new(reader).map_err(broken)?;
    check_count(zip.len())?;
    let mut shelf = Shelf::new(place);
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(broken)?;
        let path = clean(entry.name_raw())?;
        if entry.is_dir() {
            continue;
        }
        // The kind of file, as Unix archivers note it; absent in archives made elsewhere.
        if entry
            .unix_mode()
            .is_some_and(|mode| mode & S_IFMT != 0 && mode & S_IFMT != S_IFREG)
        {
            return Err(Refusal(format!("{path:?} is not a regular file")));
        }
        shelf.put(path, &mut entry)?;
    }
    Ok(shelf.entries)
}

pub(super) fn read_tar_gz(file: &Path, place: &Place) -> Result<Vec<Entry>, Refusal> {
    let unpacked = GzDecoder::new(BufReader::new(File::open(file).map_err(broken)?));
    let mut tar = tar::Archive::new(Bounded {
        inner: unpacked,
        left: MAX_UNPACKED,
    });
    let mut shelf = Shelf::new(place);
    for (n_entries, entry) in tar.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        check_count(n_entries + 1)?;
        let path = clean(&entry.path_bytes())?;
        match entry.header().entry_type() {
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => {}
            tar::EntryType::Regular | tar::EntryType::Continuous => shelf.put(path, &mut entry)?,
            _ => return Err(Refusal(format!("{path:?} is not a regular file"))),
        }
    }
    Ok(shelf.entries)
}

const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;

/// Entries as they are read, within the limits.
struct Shelf<'a> {
    place: &'a Place,
    total: u64,
    entries: Vec<Entry>,
}

impl<'a> Shelf<'a> {
    fn new(place: &'a Place) -> Self {
        Self {
            place,
            total: 0,
            entries: Vec::new(),
        }
    }

    fn put(&mut self, path: String, source: &mut impl Read) -> Result<(), Refusal> {
        let mut bytes = None;
        if self.place.of(&path).is_some() {
            let mut content = Vec::new();
            source
                .take(MAX_FILE + 1)
                .read_to_end(&mut content)
                .map_err(broken)?;
            if content.len() as u64 > MAX_FILE {
                return Err(Refusal(format!("{path:?} is larger than 1 MiB")));
            }
            self.total += content.len() as u64;
            if self.total > MAX_TOTAL {
                return Err(Refusal("its source files exceed 8 MiB".into()));
            }
            bytes = Some(content);
        }
        self.entries.push(Entry { path, bytes });
        Ok(())
    }
}

fn check_count(n_entries: usize) -> Result<(), Refusal> {
    if n_entries > MAX_ENTRIES {
        return Err(Refusal(format!("it holds more than {MAX_ENTRIES} files")));
    }
    Ok(())
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal(format!("the archive cannot be read: {error}"))
}

/// A reader that fails once more than the allowed bytes have come: a small archive that unpacks
/// to a huge one is not read to its end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(n_read as u64)
            .ok_or_else(|| io::Error::other("it unpacks to more than 64 MiB"))?;
        Ok(n_read)
    }
}
