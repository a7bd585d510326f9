//! The store: an append-only journal, synced record by record, and never two graders on one RUN.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use model::{JOURNAL_VERSION, Record, Rubric};

use crate::journal::Journal;

/// A RUN folder that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    run: PathBuf,
    _file: File,
}

/// The journal of one RUN folder that is being graded.
#[derive(Debug)]
pub(crate) struct Store {
    journal: Mutex<Journal>,
    _lock: Lock,
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
    /// What could be read before cannot be read any more.
    #[error("{path} was changed by something else while it was read: {error}; restore it")]
    Changed {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it now.
        error: io::Error,
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
    /// Opens the journal and reads what an earlier run left. Says whether a last record cut short
    /// by a crash was dropped.
    pub(crate) fn open(
        lock: Lock,
        course: &str,
        isolation: &str,
        rubrics: Vec<Rubric>,
    ) -> Result<(Self, bool), StoreError> {
        let path = lock.run.join("journal.jsonl");
        let options = File::options().create(true).read(true).append(true).clone();
        let file = options.open(&path).map_err(disk(&path))?;
        let repairing = file.try_clone().map_err(disk(&path))?;
        let (mut journal, cut) = Journal::read(path.clone(), file)?;
        if let Some(whole) = cut {
            let repaired = repairing.set_len(whole);
            repaired
                .and_then(|()| repairing.sync_all())
                .map_err(disk(&path))?;
        }
        if repairing.metadata().map_err(disk(&path))?.len() == 0 {
            let header = Record::Run {
                version: JOURNAL_VERSION,
                course: course.to_owned(),
                isolation: isolation.to_owned(),
                rubrics,
            };
            journal.append(&[header])?;
        } else {
            check_header(&journal, course, isolation)?;
        }
        let store = Self {
            journal: Mutex::new(journal),
            _lock: lock,
        };
        Ok((store, cut.is_some()))
    }

    /// Adds records. When this returns, they have reached the disk.
    pub(crate) fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        self.journal().append(records)
    }

    /// The last word on how a submission was taken in.
    pub(crate) fn taken_in(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let journal = self.journal();
        let place = journal.index().taken_in().get(id);
        place.map(|&place| journal.record(place)).transpose()
    }

    /// The journal as it is now; nobody can add to it meanwhile.
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no holder of this lock panics")
    }

    /// The journal, to which nobody adds any more.
    pub(crate) fn into_journal(self) -> Journal {
        let journal = self.journal.into_inner();
        journal.expect("no holder of this lock panics")
    }
}

fn check_header(journal: &Journal, course: &str, isolation: &str) -> Result<(), StoreError> {
    let path = journal.path().to_owned();
    match journal.index().header() {
        Some(header) if header.version != JOURNAL_VERSION => Err(StoreError::OtherVersion {
            path,
            found: header.version,
        }),
        Some(header) if header.course == course && header.isolation == isolation => Ok(()),
        _ => Err(StoreError::OtherCourse(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(run: &Path, course: &str) -> Result<(Store, bool), StoreError> {
        Store::open(Lock::take(run)?, course, "B", Vec::new())
    }

    /// What the journal holds of submissions, read where the index says that it stands.
    fn notes(store: &Store) -> Vec<Record> {
        let journal = store.journal();
        let places = journal.index().taken_in().values();
        places
            .map(|&place| journal.record(place).unwrap())
            .collect()
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
        store.append(&[note("alice"), note("bob")]).unwrap();
        assert_eq!(notes(&store), [note("alice"), note("bob")]);
        drop(store);
        let (store, is_repaired) = open(run.path(), "x").unwrap();
        assert_eq!(notes(&store), [note("alice"), note("bob")]);
        assert!(!is_repaired);
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
            let (store, is_repaired) = open(run.path(), "x").unwrap();
            assert!(is_repaired && notes(&store).is_empty(), "cut at {cut}");
            store.append(&[note("bob")]).unwrap();
            assert_eq!(notes(&store), [note("bob")]);
            drop(store);
            assert_eq!(notes(&open(run.path(), "x").unwrap().0), [note("bob")]);
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
