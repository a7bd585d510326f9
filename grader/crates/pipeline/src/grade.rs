//! Grading a class: intake → seat → build → run → judge → score → store → report.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use model::{Gradebook, LabGrade, LabStatus, Outcome, Record, RubricRow};

use crate::build::{Built, build};
use crate::digest::{Digest, of_tree};
use crate::gradebook::{SeatRecords, gradebook, is_final};
use crate::intake::{self, Intake, IntakeError, SourceTree};
use crate::kit::{Course, Kit, KitError, check_tests};
use crate::reports::{ReportError, write_reports};
use crate::run::{TestOptions, run_tests};
use crate::seat::Seat;
use crate::store::{Store, StoreError};
use crate::{Event, Sink};

/// What to grade and how.
#[derive(Clone, Debug)]
pub struct GradeOptions {
    /// Labs to grade; all if empty.
    pub labs: Vec<String>,
    /// Seats graded at a time.
    pub jobs: usize,
    /// How hidden tests are run.
    pub tests: TestOptions,
    /// The program that opens boxes for builds: the grader itself.
    pub helper: std::path::PathBuf,
}

/// A graded class.
#[derive(Clone, Debug)]
pub struct Graded {
    /// The marks.
    pub gradebook: Gradebook,
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
    /// The RUN folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reports.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A seat could not be laid out: our disk, never the submission.
    #[error("cannot lay out a seat in {folder}: {error}; set TMPDIR to a folder with room")]
    Seat {
        /// The folder for temporary files.
        folder: std::path::PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// One lab of one submission, to be graded.
struct Work<'a> {
    submission: &'a str,
    kit: &'a Kit,
    source: String,
    files: Option<&'a SourceTree>,
    rejected: Option<&'a str>,
}

/// What the journal held before this call.
type Before<'a> = BTreeMap<(&'a str, &'a str), SeatRecords<'a>>;

/// Grades every submission in `folder` and leaves journal and reports in `run`. Verdicts that an
/// earlier call left there for the same files are kept.
///
/// # Errors
/// If there is nothing to grade, the course does not build, or the disk says no; what was graded
/// until then is kept.
pub fn grade(
    course: &Course,
    folder: &Path,
    run: &Path,
    options: &GradeOptions,
    sink: Sink<'_>,
) -> Result<Graded, GradeError> {
    let submissions = intake::submissions(folder)?;
    let labs = course.select(&options.labs)?;
    sink(Event::Preparing);
    let kits = course.kits(&labs)?;
    check_tests(&kits, &options.tests.only)?;
    let rubrics = kits.iter().map(|kit| kit.rubric.clone()).collect();
    let level = options.tests.level.to_string();
    let (store, found) = Store::open(run, &course_digest(&kits), &level, rubrics)?;
    if found.repaired {
        sink(Event::JournalRepaired);
    }

    let names: Vec<&str> = course.labs.iter().map(|lab| lab.name.as_str()).collect();
    let intakes: Vec<Intake> = submissions
        .iter()
        .map(|submission| intake::open(submission, &names))
        .collect();
    let records = Mutex::new(found.records);
    let note = |record: Record| {
        store.append(&record)?;
        records
            .lock()
            .expect("no holder of this lock panics")
            .push(record);
        Ok::<(), StoreError>(())
    };
    for (submission, intake) in submissions.iter().zip(&intakes) {
        let record = Record::Submission {
            id: submission.id.clone(),
            notes: intake.notes.clone(),
            rejected: intake.rejected.clone(),
        };
        if !records
            .lock()
            .expect("no holder of this lock panics")
            .contains(&record)
        {
            note(record)?;
        }
    }

    let seats: Vec<Work<'_>> = submissions
        .iter()
        .zip(&intakes)
        .flat_map(|(submission, intake)| {
            kits.iter()
                .map(|kit| work(&submission.id, intake, kit))
                .collect::<Vec<_>>()
        })
        .collect();
    let before = records
        .lock()
        .expect("no holder of this lock panics")
        .clone();
    let before = crate::gradebook::seats(&before);
    let (done, open): (Vec<&Work<'_>>, Vec<&Work<'_>>) =
        seats.iter().partition(|work| is_done(work, &before));
    sink(Event::Started {
        n_seats: seats.len(),
        n_done_before: done.len(),
    });
    in_parallel(options.jobs, &open, |work| {
        grade_seat(work, &before, options, sink, &note)
    })?;

    let ids: Vec<String> = submissions
        .into_iter()
        .map(|submission| submission.id)
        .collect();
    let records = records.into_inner().expect("no holder of this lock panics");
    let gradebook = gradebook(&records, &ids);
    write_reports(run, &gradebook)?;
    let n_faults = gradebook
        .submissions
        .iter()
        .flat_map(|s| &s.labs)
        .map(n_faults)
        .sum();
    Ok(Graded {
        gradebook,
        n_faults,
    })
}

fn course_digest(kits: &[Kit]) -> String {
    let mut digest = Digest::default();
    for kit in kits {
        digest.add(&kit.lab.name, kit.digest.as_bytes());
    }
    digest.finish()
}

fn work<'a>(submission: &'a str, intake: &'a Intake, kit: &'a Kit) -> Work<'a> {
    let files = intake.labs.get(&kit.lab.name);
    let rejected = intake.rejected.as_deref();
    let source = match (files, rejected) {
        (_, Some(reason)) => Digest::default()
            .add("rejected", reason.as_bytes())
            .finish(),
        (None, None) => String::new(),
        (Some(files), None) => of_tree(files),
    };
    Work {
        submission,
        kit,
        source,
        files,
        rejected,
    }
}

/// Whether the journal holds a final verdict on all of it.
fn is_done(work: &Work<'_>, before: &Before<'_>) -> bool {
    let Some(seat) = before.get(&(work.submission, work.kit.lab.name.as_str())) else {
        return false;
    };
    if seat.source != work.source {
        return false;
    }
    match seat.ended {
        Some((status, _)) => status != LabStatus::GraderFault,
        None => work.kit.rubric.rows.iter().all(|row| {
            seat.tests.get(row.id.as_str()).is_some_and(|(verdict, _)| {
                is_final(verdict) || verdict.outcome == Outcome::Skipped
            })
        }),
    }
}

/// Grades one lab of one submission.
fn grade_seat(
    work: &Work<'_>,
    before: &Before<'_>,
    options: &GradeOptions,
    sink: Sink<'_>,
    note: &(impl Fn(Record) -> Result<(), StoreError> + Sync),
) -> Result<(), GradeError> {
    let (submission, lab) = (work.submission.to_owned(), work.kit.lab.name.clone());
    sink(Event::SeatStarted {
        submission: submission.clone(),
        lab: lab.clone(),
    });
    let ended = |status, detail: String| {
        note(Record::Lab {
            submission: submission.clone(),
            lab: lab.clone(),
            source: work.source.clone(),
            status,
            detail,
        })?;
        let max_score = work.kit.rubric.max_score();
        let (submission, lab) = (submission.clone(), lab.clone());
        sink(Event::SeatDone {
            submission,
            lab,
            status,
            score: 0,
            max_score,
        });
        Ok(())
    };

    if let Some(reason) = work.rejected {
        return ended(LabStatus::Rejected, reason.to_owned());
    }
    let Some(files) = work.files else {
        return ended(LabStatus::Missing, format!("it holds no {lab}/src/*.rs"));
    };
    let seat = Seat::prepare(work.kit, files).map_err(|error| GradeError::Seat {
        folder: std::env::temp_dir(),
        error,
    })?;
    match build(work.kit, &seat, options.tests.level, &options.helper) {
        Built::Refused(words) => return ended(LabStatus::BuildError, words),
        Built::Fault(reason) => return ended(LabStatus::GraderFault, reason),
        Built::Programs => {}
    }

    let known: BTreeMap<String, Outcome> = before
        .get(&(work.submission, lab.as_str()))
        .filter(|seat| seat.source == work.source)
        .iter()
        .flat_map(|seat| &seat.tests)
        .filter(|(_, (verdict, _))| is_final(verdict))
        .map(|(&id, (verdict, _))| (id.to_owned(), verdict.outcome))
        .collect();
    let outcomes = Mutex::new(known.clone());
    run_tests(
        work.kit,
        &seat.programs(),
        &options.tests,
        known,
        |row, (verdict, evidence)| {
            let (outcome, test) = (verdict.outcome, row.id.clone());
            outcomes
                .lock()
                .expect("no holder of this lock panics")
                .insert(test.clone(), outcome);
            note(Record::Test {
                submission: submission.clone(),
                lab: lab.clone(),
                source: work.source.clone(),
                test: test.clone(),
                verdict,
                evidence,
            })?;
            sink(Event::TestDone {
                submission: submission.clone(),
                lab: lab.clone(),
                test,
                outcome,
            });
            Ok::<(), StoreError>(())
        },
    )?;
    let outcomes = outcomes
        .into_inner()
        .expect("no holder of this lock panics");
    let earned = |outcome: Option<&Outcome>| outcome.is_some_and(|outcome| outcome.is_pass());
    let rows = work.kit.rubric.rows.iter();
    let counts = |row: &&RubricRow| outcomes.get(&row.id) != Some(&Outcome::Unavailable);
    let max_score = rows.clone().filter(counts).map(|row| row.points).sum();
    let fault = outcomes
        .values()
        .any(|&outcome| outcome == Outcome::GraderFault);
    sink(Event::SeatDone {
        status: if fault {
            LabStatus::GraderFault
        } else {
            LabStatus::Graded
        },
        score: rows
            .filter(|row| earned(outcomes.get(&row.id)))
            .map(|row| row.points)
            .sum(),
        max_score,
        submission,
        lab,
    });
    Ok(())
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
