//! From the journal's records to the gradebook: a pure function, so that marks can be made again
//! without running anything.

use std::collections::BTreeMap;

use model::{
    Evidence, Gradebook, LabGrade, LabStatus, Outcome, Policy, Record, Reveal, Rubric,
    SubmissionGrade, TestGrade, Verdict, score,
};
use sandbox::Level;

/// What the journal says of one lab of one submission. A record for other sources starts anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeatRecords<'a> {
    /// Digest of the sources that these records are about.
    pub(crate) source: &'a str,
    /// The end before any test, if it came to that.
    pub(crate) ended: Option<(LabStatus, &'a str)>,
    /// Verdicts by test.
    pub(crate) tests: BTreeMap<&'a str, (&'a Verdict, Option<&'a Evidence>)>,
}

/// The records of every lab of every submission: the last word on each.
pub(crate) fn seats(records: &[Record]) -> BTreeMap<(&str, &str), SeatRecords<'_>> {
    let mut seats: BTreeMap<(&str, &str), SeatRecords<'_>> = BTreeMap::new();
    for record in records {
        let (submission, lab, source) = match record {
            Record::Lab {
                submission,
                lab,
                source,
                ..
            }
            | Record::Test {
                submission,
                lab,
                source,
                ..
            } => (submission, lab, source),
            Record::Run { .. } | Record::Submission { .. } => continue,
        };
        let seat = seats.entry((submission, lab)).or_default();
        if seat.source != source {
            *seat = SeatRecords {
                source,
                ..SeatRecords::default()
            };
        }
        match record {
            Record::Lab { status, detail, .. } => seat.ended = Some((*status, detail)),
            Record::Test {
                test,
                verdict,
                evidence,
                ..
            } => {
                seat.ended = None;
                seat.tests.insert(test, (verdict, evidence.as_ref()));
            }
            Record::Run { .. } | Record::Submission { .. } => {}
        }
    }
    seats
}

/// The last word on how each submission was taken in.
pub(crate) fn by_submission(records: &[Record]) -> BTreeMap<&str, &Record> {
    let mut taken_in = BTreeMap::new();
    for record in records {
        if let Record::Submission { id, .. } = record {
            taken_in.insert(id.as_str(), record);
        }
    }
    taken_in
}

/// The gradebook of the submissions in `ids`, in that order, by the rules of the course.
pub(crate) fn gradebook(records: &[Record], ids: &[String], policy: &Policy) -> Gradebook {
    let (isolation, mut rubrics) = match records.first() {
        Some(Record::Run {
            isolation, rubrics, ..
        }) => (isolation.clone(), rubrics.clone()),
        _ => Default::default(),
    };
    policy.weigh(&mut rubrics);
    let (seats, taken_in) = (seats(records), by_submission(records));
    let submission = |id: &String| {
        let notes = match taken_in.get(id.as_str()) {
            Some(Record::Submission { notes, .. }) => notes.clone(),
            _ => Vec::new(),
        };
        let labs = rubrics.iter().filter_map(|rubric| {
            let seat = seats.get(&(id.as_str(), rubric.lab.as_str()))?;
            Some(lab_grade(rubric, seat))
        });
        SubmissionGrade {
            id: id.clone(),
            notes,
            labs: labs.collect(),
        }
    };
    let mut gradebook = Gradebook {
        version: Gradebook::VERSION,
        not_promised: not_promised(&isolation),
        isolation,
        submissions: ids.iter().map(submission).collect(),
    };
    policy.adjust(&mut gradebook);
    gradebook
}

fn not_promised(isolation: &str) -> Vec<String> {
    let level: Result<Level, _> = isolation.parse();
    let missing = level.map(Level::not_promised).unwrap_or_default();
    missing.iter().map(|text| (*text).to_owned()).collect()
}

fn lab_grade(rubric: &Rubric, seat: &SeatRecords<'_>) -> LabGrade {
    if let Some((status, detail)) = seat.ended {
        return LabGrade {
            lab: rubric.lab.clone(),
            status,
            score: 0,
            max_score: rubric.max_score(),
            detail: detail.to_owned(),
            weight: None,
            adjustments: Vec::new(),
            is_settled: false,
            tests: Vec::new(),
        };
    }
    let tests = rubric.rows.iter().filter_map(|row| {
        let (verdict, evidence) = seat.tests.get(row.id.as_str())?;
        Some(TestGrade {
            id: row.id.clone(),
            part: row.part,
            outcome: verdict.outcome,
            score: if verdict.outcome.is_pass() {
                row.points
            } else {
                0
            },
            max_score: match verdict.outcome {
                Outcome::Unavailable => 0,
                _ => row.points,
            },
            message: verdict.message.clone(),
            reveal: Reveal::default(),
            seed: evidence.map_or(0, |evidence| evidence.seed),
            wall_ms: evidence.map_or(0, |evidence| evidence.wall_ms),
            cpu_ms: evidence.map_or(0, |evidence| evidence.cpu_ms),
        })
    });
    score(rubric, tests.collect())
}

/// A test of ours that failed has no verdict yet: it is run again when grading goes on. So is one
/// that lacked an instrument, for that may be on another machine.
pub(crate) fn is_final(verdict: &Verdict) -> bool {
    !matches!(
        verdict.outcome,
        Outcome::GraderFault | Outcome::Skipped | Outcome::Unavailable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Limits, Message, RubricRow};

    fn records() -> Vec<Record> {
        let row = |id: &str| RubricRow {
            id: id.into(),
            part: 1,
            points: 2,
            needs: Vec::new(),
            limits: Limits::DEFAULT,
            why: String::new(),
            read: String::new(),
            hint: Default::default(),
        };
        let rubric = Rubric {
            lab: "pipes".into(),
            rows: vec![row("a"), row("b")],
        };
        vec![Record::Run {
            version: 1,
            course: "c".into(),
            isolation: "B".into(),
            rubrics: vec![rubric],
        }]
    }

    fn test(source: &str, id: &str, outcome: Outcome) -> Record {
        Record::Test {
            submission: "alice".into(),
            lab: "pipes".into(),
            source: source.into(),
            test: id.into(),
            verdict: Verdict {
                outcome,
                message: Message::default(),
            },
            evidence: None,
        }
    }

    #[test]
    fn other_sources_of_the_same_submitter_start_the_lab_anew() {
        let mut records = records();
        records.push(test("old", "a", Outcome::Pass));
        records.push(test("new", "b", Outcome::Pass));
        let grade =
            &gradebook(&records, &["alice".into()], &Policy::default()).submissions[0].labs[0];
        assert_eq!((grade.score, grade.max_score, grade.tests.len()), (2, 4, 1));
    }

    #[test]
    fn a_fault_of_ours_makes_the_mark_open_instead_of_zero() {
        let mut records = records();
        records.push(test("s", "a", Outcome::Pass));
        records.push(test("s", "b", Outcome::GraderFault));
        let grade =
            &gradebook(&records, &["alice".into()], &Policy::default()).submissions[0].labs[0];
        assert_eq!(grade.status, LabStatus::GraderFault);
    }
}
