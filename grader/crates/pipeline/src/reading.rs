//! Reads a RUN folder to make marks from it again. Nothing is run, locked or changed, so that a
//! run can also be looked at while it is graded.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use model::{Gradebook, JOURNAL_VERSION, Policy, Record, Rubric};

use crate::course_file::{self, CourseFileError};
use crate::gradebook::gradebook;
use crate::reports::{self, ReportError};
use crate::store::{self, StoreError};

/// The journal of one RUN folder, as it is now.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    records: Vec<Record>,
}

/// Why a RUN folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no journal.
    #[error("no run to read: {path}: {error}; `cargo lab grade SUBMISSIONS --run RUN` makes one")]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// The kernel's answer.
        error: std::io::Error,
    },
    /// The journal does not begin with a run.
    #[error("{0} holds no record of a run yet")]
    Empty(PathBuf),
    /// The journal is damaged or of another version.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// The course's own rules are wrong.
    #[error(transparent)]
    Course(#[from] CourseFileError),
    /// Nobody of this name was graded.
    #[error("no submission is called {id} in {run}; there are {known}")]
    UnknownSubmission {
        /// What was asked for.
        id: String,
        /// The folder.
        run: PathBuf,
        /// The first of those there are.
        known: String,
    },
}

impl Run {
    /// Reads the journal in `folder`. A last record that is being written is left out.
    ///
    /// # Errors
    /// If there is none, or it cannot be understood.
    pub fn read(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join("journal.jsonl");
        let file = File::open(&path).map_err(|error| RunError::Unreadable {
            path: path.clone(),
            error,
        })?;
        let records = store::records(&path, BufReader::new(file))?;
        match records.first() {
            Some(Record::Run { version, .. }) if *version == JOURNAL_VERSION => Ok(Self {
                folder: folder.to_owned(),
                records,
            }),
            Some(Record::Run { version, .. }) => Err(RunError::Journal(StoreError::OtherVersion {
                path,
                found: *version,
            })),
            _ => Err(RunError::Empty(path)),
        }
    }

    /// Digest of the course that it was graded with, the isolation rung, and the rubrics.
    pub fn header(&self) -> (&str, &str, &[Rubric]) {
        match &self.records[0] {
            Record::Run {
                course,
                isolation,
                rubrics,
                ..
            } => (course, isolation, rubrics),
            _ => unreachable!("a journal without this record is not read"),
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// All records, the header included.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Every submission that was taken in, by id.
    pub fn submissions(&self) -> Vec<String> {
        let id = |record: &Record| match record {
            Record::Submission { id, .. } => Some(id.clone()),
            _ => None,
        };
        let ids: BTreeSet<String> = self.records.iter().filter_map(id).collect();
        ids.into_iter().collect()
    }

    /// Refuses a name that nobody has.
    ///
    /// # Errors
    /// If it is none of [`submissions`](Self::submissions).
    pub fn check_submission(&self, id: &str) -> Result<(), RunError> {
        let known = self.submissions();
        if known.iter().any(|known| known == id) {
            return Ok(());
        }
        Err(RunError::UnknownSubmission {
            id: id.to_owned(),
            run: self.folder.clone(),
            known: course_file::some_of(known.iter().map(String::as_str)),
        })
    }

    /// The rules in `file`, or in the run folder's own `course.toml`, or none.
    ///
    /// # Errors
    /// If the file is not as it should be.
    pub fn policy(&self, file: Option<&Path>) -> Result<Policy, RunError> {
        let (_, _, rubrics) = self.header();
        let policy = match file {
            Some(file) => course_file::read(file, rubrics, &self.submissions())?,
            None => course_file::of_run(&self.folder, rubrics, &self.submissions())?,
        };
        Ok(policy)
    }

    /// The marks by these rules.
    pub fn gradebook(&self, policy: &Policy) -> Gradebook {
        gradebook(&self.records, &self.submissions(), policy)
    }

    /// `report.html` of these marks.
    pub fn page(&self, gradebook: &Gradebook) -> Vec<u8> {
        reports::page(&self.records, gradebook)
    }

    /// Writes every file that grading leaves beside the journal.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn write_reports(&self, gradebook: &Gradebook) -> Result<(), ReportError> {
        reports::write_reports(&self.folder, &self.records, gradebook)
    }
}
