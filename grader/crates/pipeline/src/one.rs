//! One lab of one submission, from its files to its last verdict; and others with the same files,
//! which get the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use model::{LabStatus, Outcome, Record, RubricRow};

use crate::build::{Built, build};
use crate::grade::{GradeError, GradeOptions};
use crate::run::run_tests;
use crate::seat::Seat;
use crate::store::Store;
use crate::work::{Work, source};
use crate::{Event, Sink, intake, kept};

/// What all seats of a class have in common.
pub(crate) struct Grading<'a> {
    pub(crate) run: &'a Path,
    pub(crate) labs: &'a [&'a str],
    pub(crate) options: &'a GradeOptions,
    pub(crate) store: &'a Store,
    pub(crate) sink: Sink<'a>,
}

impl Grading<'_> {
    /// Grades pieces of work on the same files: the first one, and the others by copying what was
    /// found. Where there is no final verdict to copy, each is graded for itself.
    pub(crate) fn alike(&self, alike: &[&Work<'_>]) -> Result<(), GradeError> {
        let (first, others) = alike.split_first().expect("a group has a first member");
        let found = self.seat(first)?;
        for other in others {
            match is_whole(first, &found) {
                true => self.copy(&found, other)?,
                false => drop(self.seat(other)?),
            }
        }
        Ok(())
    }

    /// Grades one lab of one submission. Returns what it noted.
    fn seat(&self, work: &Work<'_>) -> Result<Vec<Record>, GradeError> {
        work.kit.stop.check()?;
        self.tell_start(work);
        let found = Mutex::new(Vec::new());
        let note = |record: Record| {
            self.store.append(std::slice::from_ref(&record))?;
            self.tell_test(&record);
            let mut found = found.lock().expect("no holder of this lock panics");
            found.push(record);
            Ok::<(), GradeError>(())
        };
        let known = work.known(self.store.journal().index());
        match self.programs(work)? {
            Ok(seat) => {
                let programs = seat.programs();
                let tests = &self.options.tests;
                run_tests(work.kit, &programs, tests, known.clone(), |row, judged| {
                    note(Record::Test {
                        submission: work.submission.id.clone(),
                        lab: work.kit.lab.name.clone(),
                        source: work.source.clone(),
                        test: row.id.clone(),
                        verdict: judged.0,
                        evidence: judged.1,
                    })
                })?;
            }
            Err((status, detail)) => note(Record::Lab {
                submission: work.submission.id.clone(),
                lab: work.kit.lab.name.clone(),
                source: work.source.clone(),
                status,
                detail,
            })?,
        }
        let found = found.into_inner().expect("no holder of this lock panics");
        self.tell_end(work, known, &found);
        Ok(found)
    }

    /// Notes for `work` what was found for another submission with the same files.
    fn copy(&self, found: &[Record], work: &Work<'_>) -> Result<(), GradeError> {
        work.kit.stop.check()?;
        self.tell_start(work);
        let mut found = found.to_vec();
        for record in &mut found {
            if let Record::Test { submission, .. } | Record::Lab { submission, .. } = record {
                submission.clone_from(&work.submission.id);
            }
        }
        self.store.append(&found)?;
        found.iter().for_each(|record| self.tell_test(record));
        self.tell_end(work, BTreeMap::new(), &found);
        Ok(())
    }

    /// The built programs, or why there are none.
    fn programs(&self, work: &Work<'_>) -> Result<Result<Seat, (LabStatus, String)>, GradeError> {
        let mut intake = intake::open(work.submission, self.labs);
        let lab = &work.kit.lab.name;
        if source(&intake, lab) != work.source {
            let reason = "its files were changed while the class was graded".to_owned();
            return Ok(Err((LabStatus::GraderFault, reason)));
        }
        if let Some(reason) = intake.rejected {
            return Ok(Err((LabStatus::Rejected, reason)));
        }
        let Some(files) = intake.labs.remove(lab) else {
            let reason = format!("it holds no {lab}/src/*.rs");
            return Ok(Err((LabStatus::Missing, reason)));
        };
        kept::keep(self.run, &work.source, &files)?;
        let core = self.options.tests.slots.core();
        let seat = Seat::prepare(work.kit, &files).map_err(|error| GradeError::Seat {
            folder: std::env::temp_dir(),
            error,
        })?;
        let built = build(work.kit, &seat, &self.options.tests, &self.options.helper);
        drop(core);
        work.kit.stop.check()?;
        Ok(match built {
            Built::Refused(words) => Err((LabStatus::BuildError, words)),
            Built::Fault(reason) => Err((LabStatus::GraderFault, reason)),
            Built::Programs => Ok(seat),
        })
    }

    fn tell_start(&self, work: &Work<'_>) {
        (self.sink)(Event::SeatStarted {
            submission: work.submission.id.clone(),
            lab: work.kit.lab.name.clone(),
        });
    }

    fn tell_test(&self, record: &Record) {
        if let Record::Test {
            submission,
            lab,
            test,
            verdict,
            ..
        } = record
        {
            (self.sink)(Event::TestDone {
                submission: submission.clone(),
                lab: lab.clone(),
                test: test.clone(),
                outcome: verdict.outcome,
            });
        }
    }

    fn tell_end(&self, work: &Work<'_>, known: BTreeMap<String, Outcome>, found: &[Record]) {
        let (mut outcomes, mut status) = (known, LabStatus::Graded);
        for record in found {
            match record {
                Record::Lab { status: ended, .. } => status = *ended,
                Record::Test { test, verdict, .. } => {
                    outcomes.insert(test.clone(), verdict.outcome);
                    if verdict.outcome == Outcome::GraderFault {
                        status = LabStatus::GraderFault;
                    }
                }
                Record::Run { .. } | Record::Submission { .. } => {}
            }
        }
        let passes = |id: &String| outcomes.get(id).is_some_and(|outcome| outcome.is_pass());
        let rubric = &work.kit.rubric;
        let earned = rubric.rows.iter().filter(|row| passes(&row.id));
        let counts = |row: &&RubricRow| outcomes.get(&row.id) != Some(&Outcome::Unavailable);
        let to_earn = rubric.rows.iter().filter(counts);
        (self.sink)(Event::SeatDone {
            submission: work.submission.id.clone(),
            lab: work.kit.lab.name.clone(),
            status,
            score: earned.map(|row| row.points).sum(),
            max_score: to_earn.map(|row| row.points).sum(),
        });
    }
}

/// Whether these records are final and say all that there is to say about the seat.
fn is_whole(work: &Work<'_>, found: &[Record]) -> bool {
    let mut n_tests = 0;
    let is_final = found.iter().all(|record| match record {
        Record::Lab { status, .. } => *status != LabStatus::GraderFault,
        Record::Test { verdict, .. } => {
            n_tests += 1;
            verdict.outcome != Outcome::GraderFault
        }
        Record::Run { .. } | Record::Submission { .. } => true,
    });
    is_final && (n_tests == 0 || n_tests == work.kit.rubric.rows.len())
}
