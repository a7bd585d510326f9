//! Grading a class: intake → seat → build → run → judge → score → store → report.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use model::{LabGrade, LabStatus, Outcome, Record, Rubric};

use crate::course_file::{self, CourseFileError};
use crate::digest::Digest;
use crate::gradebook::Marks;
use crate::intake::{self, IntakeError};
use crate::kit::{Course, Kit, KitError, check_tests};
use crate::one::Grading;
use crate::reading::Run;
use crate::reports::ReportError;
use crate::run::TestOptions;
use crate::store::{Lock, Store, StoreError};
use crate::work::{Work, alike, source};
use crate::{Event, Sink, Stopped};

/// What to grade and how.
#[derive(Clone, Debug)]
pub struct GradeOptions {
    /// Labs to grade; all if empty.
    pub labs: Vec<String>,
    /// How hidden tests are run.
    pub tests: TestOptions,
    /// The program that opens boxes for builds: the grader itself.
    pub helper: std::path::PathBuf,
}

impl GradeOptions {
    /// All labs and tests on the best rung that works here with this helper, as many tests at a time
    /// as so many cores are good for.
    pub fn new(helper: &Path, n_cores: usize) -> Self {
        Self {
            labs: Vec::new(),
            tests: TestOptions::new(sandbox::best_level(helper).0, n_cores),
            helper: helper.to_owned(),
        }
    }
}

/// A graded class.
#[derive(Debug)]
pub struct Graded {
    /// The marks.
    pub marks: Marks,
    /// Tests and labs without a verdict because of us.
    pub n_faults: usize,
}

/// Why a class could not be graded to its end.
#[derive(Debug, thiserror::Error)]
pub enum GradeError {
    /// The submissions folder.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The course itself.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The course's own rules.
    #[error(transparent)]
    Course(#[from] CourseFileError),
    /// The RUN folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reports.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// It was asked to stop; what was graded until then is kept.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A seat could not be laid out: our disk, never the submission.
    #[error("cannot lay out a seat in {folder}: {error}; set TMPDIR to a folder with room")]
    Seat {
        /// The folder for temporary files.
        folder: std::path::PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// So many seats share a core: while the last tests of one wait, others use their slots.
const SEATS_OF_A_CORE: usize = 3;

/// Grades every submission in `folder` and leaves journal and reports in `run`. Verdicts that an
/// earlier call left there for the same files are kept.
///
/// # Errors
/// If there is nothing to grade, the course does not build, the disk says no, or [`Course::stop`]
/// is asked to stop; what was graded until then is kept.
pub fn grade(
    course: &Course,
    folder: &Path,
    run: &Path,
    options: &GradeOptions,
    sink: Sink<'_>,
) -> Result<Graded, GradeError> {
    let submissions = intake::submissions(folder)?;
    let labs = course.select(&options.labs)?;
    // Before anything takes time: a folder that cannot be used is known now.
    let lock = Lock::take(run)?;
    sink(Event::Preparing);
    let kits = course.kits(&labs)?;
    check_tests(&kits, &options.tests.only)?;
    let rubrics: Vec<Rubric> = kits.iter().map(|kit| kit.rubric.clone()).collect();
    let level = options.tests.level.to_string();
    let ids: Vec<String> = submissions.iter().map(|s| s.id.clone()).collect();
    let policy = course_file::of_run(run, &rubrics, &ids)?;
    let (store, is_repaired) = Store::open(lock, &course_digest(&kits), &level, rubrics)?;
    if is_repaired {
        sink(Event::JournalRepaired);
    }

    let names: Vec<&str> = course.labs.iter().map(|lab| lab.name.as_str()).collect();
    let mut work = Vec::new();
    for submission in &submissions {
        course.stop.check()?;
        let intake = intake::open(submission, &names);
        work.extend(kits.iter().map(|kit| Work {
            submission,
            kit,
            source: source(&intake, &kit.lab.name),
        }));
        let record = Record::Submission {
            id: submission.id.clone(),
            notes: intake.notes,
            rejected: intake.rejected,
        };
        let noted = store.taken_in(&submission.id)?;
        if noted.as_ref() != Some(&record) {
            store.append(&[record])?;
        }
    }
    let (done, open): (Vec<&Work<'_>>, Vec<&Work<'_>>) = work
        .iter()
        .partition(|work| work.is_done(store.journal().index()));
    sink(Event::Started {
        n_seats: work.len(),
        n_done_before: done.len(),
    });
    let grading = Grading {
        run,
        labs: &names,
        options,
        store: &store,
        sink,
    };
    let n_seats = options.tests.slots.n_cores() * SEATS_OF_A_CORE;
    in_parallel(options.tests.at_a_time(n_seats), &alike(open), |alike| {
        grading.alike(alike)
    })?;

    let marks = Marks::new(Run::new(run, store.into_journal()), ids, policy);
    marks.write_reports()?;
    let labs = marks.bare().flat_map(|submission| submission.labs);
    // What a person has settled is final whatever came of the tests.
    let open = labs.filter(|lab| !lab.is_final());
    let n_faults = open.map(|lab| n_faults(&lab)).sum();
    Ok(Graded { marks, n_faults })
}

pub(crate) fn course_digest(kits: &[Kit]) -> String {
    let mut digest = Digest::default();
    for kit in kits {
        digest.add(&kit.lab.name, kit.digest.as_bytes());
    }
    digest.finish()
}

fn n_faults(lab: &LabGrade) -> usize {
    let tests = lab
        .tests
        .iter()
        .filter(|test| test.outcome == Outcome::GraderFault)
        .count();
    tests.max(usize::from(lab.status == LabStatus::GraderFault))
}

/// Calls `each` for every item, `jobs` at a time, and stops taking new ones at the first error.
pub(crate) fn in_parallel<T: Sync, E: Send>(
    jobs: usize,
    items: &[T],
    each: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = Mutex::new(items.iter());
    let failed = Mutex::new(None);
    let take = || match *failed.lock().expect("no holder of this lock panics") {
        Some(_) => None,
        None => next.lock().expect("no holder of this lock panics").next(),
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(item) = take() {
                    if let Err(error) = each(item) {
                        failed
                            .lock()
                            .expect("no holder of this lock panics")
                            .get_or_insert(error);
                    }
                }
            });
        }
    });
    failed
        .into_inner()
        .expect("no holder of this lock panics")
        .map_or(Ok(()), Err)
}
