//! The journal's file: read once from its beginning for what marks are counted from, and again
//! here and there for the words. It is never in memory as a whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use model::Record;

use crate::index::{Index, Place};
use crate::store::{StoreError, disk};

/// A journal that was read.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    index: Index,
}

impl Journal {
    /// Reads what an opened journal holds. If its last line is cut, that is left out, and the
    /// answer says how many bytes are before it.
    pub(crate) fn read(path: PathBuf, file: File) -> Result<(Self, Option<u64>), StoreError> {
        let mut index = Index::default();
        let cut = scan(&path, BufReader::new(&file), |record, place| {
            index.add(record, place);
        })?;
        Ok((Self { path, file, index }, cut))
    }

    /// The file, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All but the words.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// One record with all its words.
    pub(crate) fn record(&self, place: Place) -> Result<Record, StoreError> {
        let mut line = vec![0; place.length];
        let read = self.file.read_exact_at(&mut line, place.at);
        let record = read.and_then(|()| Ok(serde_json::from_slice(&line)?));
        record.map_err(|error| StoreError::Changed {
            path: self.path.clone(),
            error,
        })
    }

    /// Adds records. When this returns, they have reached the disk.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let length = self.file.metadata().map_err(disk(&self.path))?.len();
        let (mut lines, mut places) = (Vec::new(), Vec::new());
        for record in records {
            let start = lines.len();
            serde_json::to_writer(&mut lines, record).expect("a record is plain data");
            places.push(Place {
                at: length + start as u64,
                length: lines.len() - start,
            });
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|error| {
                // Half a record would look like damage once another one follows it.
                let _ = self.file.set_len(length);
                disk(&self.path)(error)
            })?;
        for (record, place) in records.iter().zip(places) {
            self.index.add(record, place);
        }
        Ok(())
    }
}

/// Calls `each` for each whole line of a journal. If the last line is cut, says how many bytes
/// are before it.
fn scan(
    path: &Path,
    mut journal: impl BufRead,
    mut each: impl FnMut(&Record, Place),
) -> Result<Option<u64>, StoreError> {
    let (mut line, mut whole) = (Vec::new(), 0);
    for number in 1.. {
        if journal.read_until(b'\n', &mut line).map_err(disk(path))? == 0 {
            break;
        }
        if line.pop() != Some(b'\n') {
            return Ok(Some(whole));
        }
        let record = serde_json::from_slice(&line).map_err(|error| StoreError::Damaged {
            path: path.to_owned(),
            line: number,
            error,
        })?;
        let place = Place {
            at: whole,
            length: line.len(),
        };
        each(&record, place);
        whole += line.len() as u64 + 1;
        line.clear();
    }
    Ok(None)
}
