//! One verdict of an earlier run: what it was made from, and the same test with the same seed
//! once more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use model::{Evidence, Outcome, Record, RubricRow, Verdict};

use crate::Stopped;
use crate::build::{Built, build};
use crate::grade::course_digest;
use crate::run::{TestOptions, run_tests};
use crate::seat::Seat;
use crate::store::StoreError;
use crate::{Course, KitError, Run, kept};

/// One verdict in a journal, with all that is known of it.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// The lab's name.
    pub lab: &'a str,
    /// The test without its code.
    pub row: &'a RubricRow,
    /// Digest of the submitted files.
    pub source: &'a str,
    /// The verdict.
    pub verdict: Verdict,
    /// What it was made from; absent for a skipped test.
    pub evidence: Option<Evidence>,
}

/// Why one verdict cannot be told or had again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Somebody asked it to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// No lab of the run has such a test.
    #[error("no hidden test of this run is called {test}; there are {known}")]
    UnknownTest {
        /// What was asked for.
        test: String,
        /// The ids there are.
        known: String,
    },
    /// Several labs have it.
    #[error("{test} is a test of {labs}: add --lab LAB")]
    Ambiguous {
        /// What was asked for.
        test: String,
        /// The labs.
        labs: String,
    },
    /// The lab ended before its tests.
    #[error("{submission} has no verdict on {test}; {lab} is {reason}")]
    NoVerdict {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
        /// The test's id.
        test: String,
        /// How far grading came.
        reason: String,
    },
    /// The submitted files are gone.
    #[error(
        "the files that {submission} handed in are no longer in {run}/sources; with the submissions \
         at hand, this runs the test again: {command}"
    )]
    NoSources {
        /// The submission's id.
        submission: String,
        /// The run folder.
        run: PathBuf,
        /// What to do instead.
        command: String,
    },
    /// The hidden tests are others by now.
    #[error(
        "the hidden tests, given files or the toolchain have changed since {run} was graded, so the \
         same seed no longer means the same test; check out that version of the course"
    )]
    OtherCourse {
        /// The run folder.
        run: PathBuf,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// The course itself.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// It could not be built now.
    #[error("the submission cannot be built now: {0}")]
    Build(String),
    /// A seat could not be laid out.
    #[error("cannot lay out a seat: {0}; set TMPDIR to a folder with room")]
    Seat(#[from] std::io::Error),
}

impl Run {
    /// The verdict on one test of one submission; the lab is needed only where two labs have a
    /// test of that name.
    ///
    /// # Errors
    /// If there is no such test, or no verdict on it.
    pub fn told(
        &self,
        submission: &str,
        lab: Option<&str>,
        test: &str,
    ) -> Result<Told<'_>, ReplayError> {
        let rubrics = self.header().rubrics.iter();
        let wanted = rubrics.filter(|rubric| lab.is_none_or(|lab| rubric.lab == lab));
        let rows = wanted.flat_map(|rubric| rubric.rows.iter().map(move |row| (rubric, row)));
        let rows: Vec<_> = rows.collect();
        let found: Vec<_> = rows.iter().filter(|(_, row)| row.id == test).collect();
        let (rubric, row) = match found[..] {
            [] => {
                let known: Vec<&str> = rows.iter().map(|(_, row)| row.id.as_str()).collect();
                return Err(ReplayError::UnknownTest {
                    test: test.to_owned(),
                    known: known.join(", "),
                });
            }
            [found] => *found,
            _ => {
                let labs: Vec<&str> = found.iter().map(|(lab, _)| lab.lab.as_str()).collect();
                return Err(ReplayError::Ambiguous {
                    test: test.to_owned(),
                    labs: labs.join(" and of "),
                });
            }
        };
        let none = |reason: &str| ReplayError::NoVerdict {
            submission: submission.to_owned(),
            lab: rubric.lab.clone(),
            test: test.to_owned(),
            reason: reason.to_owned(),
        };
        let journal = self.journal();
        let seat = journal.index().seat(submission, &rubric.lab);
        let seat = seat.ok_or_else(|| none("not graded yet"))?;
        if let Some((status, place)) = seat.ended {
            let said = match journal.record(place)? {
                Record::Lab { detail, .. } => detail,
                _ => String::new(),
            };
            return Err(none(&format!("{}: {said}", status.name())));
        }
        let n_row = rubric.rows.iter().position(|row| row.id == test);
        let mark = n_row.and_then(|n_row| seat.tests[n_row]);
        let mark = mark.ok_or_else(|| none("not graded to its end"))?;
        let Record::Test {
            verdict, evidence, ..
        } = journal.record(mark.place)?
        else {
            return Err(none("not graded to its end"));
        };
        Ok(Told {
            lab: &rubric.lab,
            row,
            source: &seat.source,
            verdict,
            evidence,
        })
    }

    /// Runs that test again, on the same files, with the same seed, in a fresh box.
    ///
    /// # Errors
    /// If the files are gone, the course has changed, or nothing can be built here.
    pub fn replay(
        &self,
        course: &Course,
        submission: &str,
        told: &Told<'_>,
        options: &TestOptions,
        helper: &std::path::Path,
    ) -> Result<(Verdict, Option<Evidence>), ReplayError> {
        let seed = told.evidence.as_ref().map(|evidence| evidence.seed);
        let Some(files) = kept::read(self.folder(), told.source) else {
            let seed = seed.map_or(String::new(), |seed| format!(" --seed {seed}"));
            return Err(ReplayError::NoSources {
                submission: submission.to_owned(),
                run: self.folder().to_owned(),
                command: format!(
                    "cargo lab grade SUBMISSIONS --run NEW_RUN --lab {} --test {}{seed}",
                    told.lab, told.row.id
                ),
            });
        };
        let header = self.header();
        let labs: Vec<String> = header
            .rubrics
            .iter()
            .map(|rubric| rubric.lab.clone())
            .collect();
        let kits = course.kits(&course.select(&labs)?)?;
        let kit = kits.iter().find(|kit| kit.lab.name == told.lab);
        let Some(kit) = kit.filter(|_| course_digest(&kits) == header.course) else {
            return Err(ReplayError::OtherCourse {
                run: self.folder().to_owned(),
            });
        };
        let seat = Seat::prepare(kit, &files)?;
        match build(kit, &seat, options, helper) {
            Built::Programs => {}
            Built::Refused(words) | Built::Fault(words) => return Err(ReplayError::Build(words)),
        }
        let options = TestOptions {
            only: vec![told.row.id.clone()],
            seed,
            ..options.clone()
        };
        // What it builds on passed then, or it is asked for all the same.
        let needs = told.row.needs.iter();
        let known: BTreeMap<String, Outcome> =
            needs.map(|id| (id.clone(), Outcome::Pass)).collect();
        let answer = Mutex::new(None);
        run_tests(kit, &seat.programs(), &options, known, |_, judged| {
            *answer.lock().expect("no holder of this lock panics") = Some(judged);
            Ok::<(), ReplayError>(())
        })?;
        let answer = answer.into_inner().expect("no holder of this lock panics");
        answer.ok_or_else(|| ReplayError::Build("the test was not run".into()))
    }
}
