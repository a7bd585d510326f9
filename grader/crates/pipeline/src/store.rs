//! The store: an append-only journal, synced record by record, and never two graders on one RUN.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use model::{JOURNAL_VERSION, Record, Rubric};

/// The journal of one RUN folder, locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    journal: Mutex<File>,
    _lock: File,
}

/// What an opened journal held.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Its records, in order, the header included.
    pub(crate) records: Vec<Record>,
    /// Whether a last record cut short by a crash was dropped.
    pub(crate) repaired: bool,
}

/// Why a RUN folder cannot be used, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk said no. What was written before is kept.
    #[error(
        "cannot write {path}: {error}; what was graded so far is kept, the same command goes on \
         from there"
    )]
    Disk {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Another grader works there.
    #[error("another grader is working in {0}; wait for it or choose another --run folder")]
    InUse(PathBuf),
    /// It was made with other hidden tests, given files or another toolchain.
    #[error(
        "{0} was graded with another version of this course or on another isolation level; marks \
         of two versions do not mix: choose a new --run folder"
    )]
    OtherCourse(PathBuf),
    /// It was written by another version of the grader.
    #[error(
        "{path} has version {found}, this grader writes {JOURNAL_VERSION}: choose a new --run folder"
    )]
    OtherVersion {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A record in the middle cannot be read: the file was changed by something else.
    #[error("{path} line {line} is not a record: {error}; restore it or choose a new --run folder")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

pub(crate) fn disk(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Disk { path, error }
}

impl Store {
    /// Opens the RUN folder, creating it if need be, and reads what an earlier run left.
    pub(crate) fn open(
        run: &Path,
        course: &str,
        isolation: &str,
        rubrics: Vec<Rubric>,
    ) -> Result<(Self, Found), StoreError> {
        fs::create_dir_all(run).map_err(disk(run))?;
        let lock_path = run.join(".lock");
        let lock = File::create(&lock_path).map_err(disk(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(run.into())),
            Err(TryLockError::Error(error)) => return Err(disk(&lock_path)(error)),
        }
        let path = run.join("journal.jsonl");
        let mut found = read(&path)?;
        let options = File::options().create(true).append(true).clone();
        let store = Self {
            journal: Mutex::new(options.open(&path).map_err(disk(&path))?),
            path,
            _lock: lock,
        };
        if found.records.is_empty() {
            let header = Record::Run {
                version: JOURNAL_VERSION,
                course: course.to_owned(),
                isolation: isolation.to_owned(),
                rubrics,
            };
            store.append(&header)?;
            found.records.push(header);
        } else {
            store.check_header(&found.records[0], course, isolation)?;
        }
        Ok((store, found))
    }

    fn check_header(
        &self,
        header: &Record,
        course: &str,
        isolation: &str,
    ) -> Result<(), StoreError> {
        match header {
            Record::Run { version, .. } if *version != JOURNAL_VERSION => {
                Err(StoreError::OtherVersion {
                    path: self.path.clone(),
                    found: *version,
                })
            }
            Record::Run {
                course: other,
                isolation: rung,
                ..
            } if other == course && rung == isolation => Ok(()),
            _ => Err(StoreError::OtherCourse(self.path.clone())),
        }
    }

    /// Adds one record. When this returns, the record has reached the disk.
    pub(crate) fn append(&self, record: &Record) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(record).expect("a record is plain data");
        line.push(b'\n');
        let mut journal = self.journal.lock().expect("no holder of this lock panics");
        let length = journal.metadata().map_err(disk(&self.path))?.len();
        let written = journal.write_all(&line).and_then(|()| journal.sync_data());
        written.map_err(|error| {
            // Half a record would look like damage once another one follows it.
            let _ = journal.set_len(length);
            disk(&self.path)(error)
        })
    }
}

/// The records of a journal; a missing one is empty. A cut last line is removed from the file.
fn read(path: &Path) -> Result<Found, StoreError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        bytes => bytes.map_err(disk(path))?,
    };
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let repaired = whole < bytes.len();
    if repaired {
        let file = File::options().write(true).open(path).map_err(disk(path))?;
        file.set_len(whole as u64)
            .and_then(|()| file.sync_all())
            .map_err(disk(path))?;
    }
    let records = records(path, &bytes[..whole])?;
    Ok(Found { records, repaired })
}

/// The records in the whole lines of a journal.
pub(crate) fn records(path: &Path, lines: &[u8]) -> Result<Vec<Record>, StoreError> {
    let lines = lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_slice(line).map_err(|error| StoreError::Damaged {
                path: path.to_owned(),
                line: index + 1,
                error,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(run: &Path, course: &str) -> Result<(Store, Found), StoreError> {
        Store::open(run, course, "B", Vec::new())
    }

    fn note(id: &str) -> Record {
        Record::Submission {
            id: id.into(),
            notes: Vec::new(),
            rejected: None,
        }
    }

    #[test]
    fn what_was_appended_is_found_again() {
        let run = tempfile::tempdir().unwrap();
        let (store, _) = open(run.path(), "x").unwrap();
        store.append(&note("alice")).unwrap();
        drop(store);
        let (_, found) = open(run.path(), "x").unwrap();
        assert_eq!(found.records[1..], [note("alice")]);
        assert!(!found.repaired);
    }

    #[test]
    fn a_last_record_cut_at_any_byte_is_dropped_and_the_journal_goes_on() {
        let run = tempfile::tempdir().unwrap();
        let (store, _) = open(run.path(), "x").unwrap();
        store.append(&note("alice")).unwrap();
        drop(store);
        let path = run.path().join("journal.jsonl");
        let whole = fs::read(&path).unwrap();
        let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        for cut in header + 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (store, found) = open(run.path(), "x").unwrap();
            assert!(found.repaired && found.records.len() == 1, "cut at {cut}");
            store.append(&note("bob")).unwrap();
            drop(store);
            assert_eq!(open(run.path(), "x").unwrap().1.records[1..], [note("bob")]);
        }
    }

    #[test]
    fn two_graders_on_one_run_and_another_course_are_refused_by_name() {
        let run = tempfile::tempdir().unwrap();
        let first = open(run.path(), "x").unwrap();
        assert!(matches!(open(run.path(), "x"), Err(StoreError::InUse(_))));
        drop(first);
        assert!(matches!(
            open(run.path(), "y"),
            Err(StoreError::OtherCourse(_))
        ));
    }

    #[test]
    fn a_damaged_record_in_the_middle_is_named_by_its_line() {
        let run = tempfile::tempdir().unwrap();
        drop(open(run.path(), "x").unwrap());
        let path = run.path().join("journal.jsonl");
        let header = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{header}nonsense\n{header}")).unwrap();
        assert!(matches!(
            open(run.path(), "x"),
            Err(StoreError::Damaged { line: 2, .. })
        ));
    }
}
