//! The store: an append-only journal, synced record by record, and never two graders on one RUN.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use model::{Ended, JOURNAL_VERSION, Record, Rubric};

/// A RUN folder that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    run: PathBuf,
    _file: File,
}

/// The journal of one RUN folder.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    journal: Mutex<Journal>,
    _lock: Lock,
}

#[derive(Debug)]
struct Journal {
    file: File,
    written: Vec<Record>,
}

/// What an opened journal held.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Its records, in order, as [`slim`] leaves them; the header included unless it is new.
    pub(crate) records: Vec<Record>,
    /// Whether a last record cut short by a crash was dropped.
    pub(crate) repaired: bool,
}

/// Why a RUN folder cannot be used, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk said no. What was written before is kept.
    #[error("cannot write {path}: {error}; {}", advice(error))]
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

/// What to do about an answer of the kernel's.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "choose a --run folder that you may write to"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "what was graded so far is kept: make room, and the same command goes on from there"
        }
        _ => "what was graded so far is kept, the same command goes on from there",
    }
}

pub(crate) fn disk(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Disk { path, error }
}

impl Lock {
    /// Takes the RUN folder, creating it if need be.
    pub(crate) fn take(run: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(run).map_err(disk(run))?;
        let lock_path = run.join(".lock");
        let lock = File::create(&lock_path).map_err(disk(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(run.into())),
            Err(TryLockError::Error(error)) => return Err(disk(&lock_path)(error)),
        }
        Ok(Self {
            run: run.to_owned(),
            _file: lock,
        })
    }
}

impl Store {
    /// Opens the journal and reads what an earlier run left.
    pub(crate) fn open(
        lock: Lock,
        course: &str,
        isolation: &str,
        rubrics: Vec<Rubric>,
    ) -> Result<(Self, Found), StoreError> {
        let path = lock.run.join("journal.jsonl");
        let found = read(&path)?;
        let options = File::options().create(true).append(true).clone();
        let store = Self {
            journal: Mutex::new(Journal {
                file: options.open(&path).map_err(disk(&path))?,
                written: Vec::new(),
            }),
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
            store.append(&[header])?;
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

    /// Adds records. When this returns, they have reached the disk.
    pub(crate) fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).expect("a record is plain data");
            lines.push(b'\n');
        }
        let mut journal = self.journal.lock().expect("no holder of this lock panics");
        let length = journal.file.metadata().map_err(disk(&self.path))?.len();
        let written = journal.file.write_all(&lines);
        written
            .and_then(|()| journal.file.sync_data())
            .map_err(|error| {
                // Half a record would look like damage once another one follows it.
                let _ = journal.file.set_len(length);
                disk(&self.path)(error)
            })?;
        let kept = records.iter().cloned().map(slim);
        journal.written.extend(kept);
        Ok(())
    }

    /// What was added since it was opened, as [`slim`] leaves it.
    pub(crate) fn into_written(self) -> Vec<Record> {
        let journal = self.journal.into_inner();
        journal.expect("no holder of this lock panics").written
    }
}

/// A record without what only the journal needs to hold: nobody asks how a test was passed. A
/// class of records is in memory at once.
fn slim(mut record: Record) -> Record {
    if let Record::Test {
        verdict,
        evidence: Some(evidence),
        ..
    } = &mut record
        && verdict.outcome.is_pass()
    {
        evidence.programs = Vec::new();
        evidence.ended = Ended::Clean;
    }
    record
}

/// The records of a journal; a missing one is empty. A cut last line is removed from the file.
fn read(path: &Path) -> Result<Found, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::default()),
        file => file.map_err(disk(path))?,
    };
    let mut records = Vec::new();
    let whole = scan(path, BufReader::new(file), |record| {
        records.push(slim(record));
    })?;
    if let Some(whole) = whole {
        let file = File::options().write(true).open(path);
        let repaired = file.and_then(|file| file.set_len(whole).and_then(|()| file.sync_all()));
        repaired.map_err(disk(path))?;
    }
    Ok(Found {
        records,
        repaired: whole.is_some(),
    })
}

/// All that the records in a journal hold. A last line that is cut is left out.
pub(crate) fn records(path: &Path, journal: impl BufRead) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    scan(path, journal, |record| records.push(record))?;
    Ok(records)
}

/// Calls `each` for each whole line of a journal. If the last line is cut, says how many bytes
/// are before it.
fn scan(
    path: &Path,
    mut journal: impl BufRead,
    mut each: impl FnMut(Record),
) -> Result<Option<u64>, StoreError> {
    let (mut line, mut whole) = (Vec::new(), 0);
    for number in 1.. {
        if journal.read_until(b'\n', &mut line).map_err(disk(path))? == 0 {
            break;
        }
        if line.pop() != Some(b'\n') {
            return Ok(Some(whole));
        }
        whole += line.len() as u64 + 1;
        let record = serde_json::from_slice(&line).map_err(|error| StoreError::Damaged {
            path: path.to_owned(),
            line: number,
            error,
        })?;
        each(record);
        line.clear();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(run: &Path, course: &str) -> Result<(Store, Found), StoreError> {
        Store::open(Lock::take(run)?, course, "B", Vec::new())
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
        store.append(&[note("alice")]).unwrap();
        drop(store);
        let (_, found) = open(run.path(), "x").unwrap();
        assert_eq!(found.records[1..], [note("alice")]);
        assert!(!found.repaired);
    }

    #[test]
    fn a_last_record_cut_at_any_byte_is_dropped_and_the_journal_goes_on() {
        let run = tempfile::tempdir().unwrap();
        let (store, _) = open(run.path(), "x").unwrap();
        store.append(&[note("alice")]).unwrap();
        drop(store);
        let path = run.path().join("journal.jsonl");
        let whole = fs::read(&path).unwrap();
        let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        for cut in header + 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (store, found) = open(run.path(), "x").unwrap();
            assert!(found.repaired && found.records.len() == 1, "cut at {cut}");
            store.append(&[note("bob")]).unwrap();
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
