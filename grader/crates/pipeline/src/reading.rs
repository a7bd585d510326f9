//! Reads a RUN folder to make marks from it again. Nothing is run, locked or changed, so that a
//! run can also be looked at while it is graded.

use std::fs::File;
use std::path::{Path, PathBuf};

use model::{JOURNAL_VERSION, Policy};

use crate::course_file::{self, CourseFileError};
use crate::gradebook::Marks;
use crate::index::Header;
use crate::journal::Journal;
use crate::store::StoreError;

/// The journal of one RUN folder, as it is now.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    journal: Journal,
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
        let (journal, _) = Journal::read(path.clone(), file)?;
        match journal.index().header() {
            Some(header) if header.version == JOURNAL_VERSION => Ok(Self::new(folder, journal)),
            Some(header) => Err(RunError::Journal(StoreError::OtherVersion {
                path,
                found: header.version,
            })),
            None => Err(RunError::Empty(path)),
        }
    }

    /// A run whose journal was read and begins as it should.
    pub(crate) fn new(folder: &Path, journal: Journal) -> Self {
        Self {
            folder: folder.to_owned(),
            journal,
        }
    }

    /// What it was graded with.
    pub(crate) fn header(&self) -> &Header {
        let header = self.journal.index().header();
        header.expect("a journal without this record is no run")
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Every submission that was taken in, by id.
    pub fn submissions(&self) -> Vec<String> {
        self.journal.index().taken_in().keys().cloned().collect()
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
        let rubrics = &self.header().rubrics;
        let policy = match file {
            Some(file) => course_file::read(file, rubrics, &self.submissions())?,
            None => course_file::of_run(&self.folder, rubrics, &self.submissions())?,
        };
        Ok(policy)
    }

    /// The marks by these rules.
    pub fn marks(self, policy: Policy) -> Marks {
        let ids = self.submissions();
        Marks::new(self, ids, policy)
    }
}
